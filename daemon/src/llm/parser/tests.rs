use std::fmt::Write;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::domain::event::OperationKind;
use crate::domain::operation::{Hunk, Operation};

/// Events and ending of an answer that comes in these pieces, neighbouring
/// pieces of text joined as a journal would join them.
fn parse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<ParserEvent>, Ending) {
    let mut parser = OperationParser::new();
    let mut events: Vec<ParserEvent> = Vec::new();
    let mut out = Vec::new();
    for piece in pieces {
        parser.push(piece, &mut out);
        for event in out.drain(..) {
            join(&mut events, event);
        }
    }
    let ending = parser.finish(&mut out);
    for event in out {
        join(&mut events, event);
    }
    (events, ending)
}

fn join(events: &mut Vec<ParserEvent>, event: ParserEvent) {
    match (events.last_mut(), event) {
        (Some(ParserEvent::Text(last)), ParserEvent::Text(text)) => last.push_str(&text),
        (
            Some(ParserEvent::FileDelta { index, text: last }),
            ParserEvent::FileDelta { index: same, text },
        ) if *index == same => last.push_str(&text),
        (_, event) => events.push(event),
    }
}

fn parse_whole(answer: &str) -> (Vec<ParserEvent>, Ending) {
    parse([answer.as_bytes()])
}

/// Events as short lines, easy to write down.
fn script(answer: &str) -> Vec<String> {
    let (events, ending) = parse_whole(answer);
    let mut lines: Vec<_> = events
        .iter()
        .map(|event| match event {
            ParserEvent::Text(text) => format!("text {text:?}"),
            ParserEvent::FileStarted { index, kind, path } => format!("{index} {kind} {path}"),
            ParserEvent::FileDelta { index, text } => format!("{index} {text:?}"),
            ParserEvent::FileFinished { index, size_bytes } => format!("{index} done {size_bytes}"),
            ParserEvent::Operation { index, operation } => format!("{index} {operation:?}"),
        })
        .collect();
    lines.extend(
        ending
            .malformed
            .iter()
            .map(|bad| format!("malformed {bad}")),
    );
    lines.extend(ending.open.iter().map(|open| format!("open {open}")));
    lines
}

fn content(answer: &str) -> String {
    let (_, ending) = parse_whole(answer);
    assert!(ending.is_whole(), "{ending:?}");
    match &ending.operations[..] {
        [Operation::Write { content, .. }] => content.clone(),
        other => panic!("{other:?}"),
    }
}

fn malformed(answer: &str) -> Vec<String> {
    let (_, ending) = parse_whole(answer);
    ending.malformed.iter().map(ToString::to_string).collect()
}

const EVERYTHING: &str = "I will build it. \u{1f9f1}\r\n\r\n\
    ```xml\r\n\
    <kiln-write path=\"src/App.tsx\">\r\n\
    ```tsx\r\n\
    export const a = \"</kiln-write>\"; // \u{1f469}\u{200d}\u{1f4bb} <kiln-delete path=\"x\"/>\r\n\
    <kiln-delete path=\"not-really\"/>\r\n\
    ``\r\n\
    ```\r\n\
    ```\r\n\
    </kiln-write>\r\n\
    ```\r\n\
    Then < a <k <kiln <kiln-write path=\"x\">\n\
    <kiln-edit path='src/b.ts'>\n\
    <<<<<<< SEARCH\n\
    one\n\
    =======\n\
    =======\n\
    two\r\n\
    >>>>>>> REPLACE\n\
    \n\
    <<<<<<< SEARCH\n\
    three\n\
    =======\n\
    >>>>>>> REPLACE\n\
    </kiln-edit>  \n\
    \x20 <kiln-rename from=\"a.ts\" to='b.ts' />\n\
    <kiln-delete path=\"old.ts\"/> gone\n\
    <kiln-add-dependency packages=\"zod@>=3, @scope/x@1\treact-router\"></kiln-add-dependency>\n\
    <kiln-read path=\"src/lib.ts\">\n\
    </kiln-read>\n\
    <ki\n\
    <kiln-unknown a=\"b\">\n\
    <kiln-write path=\"notes.md\">\n\
    ```sh\n\
    bun run dev\n\
    ```\n\
    </kiln-write>\n\
    Done \u{20ac}\0.";

#[test]
fn an_answer_becomes_events_and_operations_in_order() {
    let code = "export const a = \"</kiln-write>\"; // \u{1f469}\u{200d}\u{1f4bb} <kiln-delete path=\"x\"/>\n<kiln-delete path=\"not-really\"/>\n``\n```\n";
    let hunks = "<<<<<<< SEARCH\none\n=======\n=======\ntwo\n>>>>>>> REPLACE\n\n<<<<<<< SEARCH\nthree\n=======\n>>>>>>> REPLACE\n";
    let notes = "```sh\nbun run dev\n```\n";
    let write = |path: &str, content: &str| Operation::Write {
        path: path.into(),
        content: content.into(),
    };
    let hunk = |search: &str, replace: &str| Hunk {
        search: search.into(),
        replace: replace.into(),
    };
    let operations = vec![
        write("src/App.tsx", code),
        Operation::Edit {
            path: "src/b.ts".into(),
            hunks: vec![hunk("one\n", "=======\ntwo\n"), hunk("three\n", "")],
        },
        Operation::Rename {
            from: "a.ts".into(),
            to: "b.ts".into(),
        },
        Operation::Delete {
            path: "old.ts".into(),
        },
        Operation::AddDependency {
            packages: vec!["zod@>=3".into(), "@scope/x@1".into(), "react-router".into()],
        },
        Operation::Read {
            path: "src/lib.ts".into(),
        },
        write("notes.md", notes),
    ];
    let text = |text: &str| ParserEvent::Text(text.into());
    let file = |index, kind, path: &str, content: &str| {
        [
            ParserEvent::FileStarted {
                index,
                kind,
                path: path.into(),
            },
            ParserEvent::FileDelta {
                index,
                text: content.into(),
            },
            ParserEvent::FileFinished {
                index,
                size_bytes: i64::try_from(content.len()).expect("small"),
            },
        ]
    };
    let plain = |index: i32| ParserEvent::Operation {
        index,
        operation: operations[usize::try_from(index).expect("small")].clone(),
    };
    let mut expected = vec![text("I will build it. \u{1f9f1}\n\n```xml\n")];
    expected.extend(file(0, OperationKind::Write, "src/App.tsx", code));
    expected.push(text("```\nThen < a <k <kiln <kiln-write path=\"x\">\n"));
    expected.extend(file(1, OperationKind::Edit, "src/b.ts", hunks));
    expected.extend([plain(2), plain(3), text(" gone\n"), plain(4), plain(5)]);
    expected.push(text("<ki\n<kiln-unknown a=\"b\">\n"));
    expected.extend(file(6, OperationKind::Write, "notes.md", notes));
    expected.push(text("Done \u{20ac}\u{fffd}."));

    let (events, ending) = parse_whole(EVERYTHING);
    assert_eq!(events, expected);
    assert_eq!(
        ending,
        Ending {
            operations,
            malformed: vec![Malformed {
                index: None,
                line: "<kiln-unknown a=\"b\">".into(),
                problem: "there is no operation kiln-unknown".into(),
            }],
            open: None,
        }
    );
}

/// Answers with everything that may matter to where they are split.
fn samples() -> Vec<Vec<u8>> {
    let mut samples: Vec<Vec<u8>> = [
        EVERYTHING,
        // Cut off in content, in a closing tag, in a fence, in a tag.
        "<kiln-write path=\"a\">\n```ts\nx\n```\n</kiln-wr",
        "<kiln-write path=\"a\">\nx\n```",
        "<kiln-write path=\"a\">\r\nx\r\n</kiln-write>\r",
        "text\n<kiln-write path=\"a",
        "  <kiln-edit path=\"a\">\n<<<<<<< SEARCH\nx\n   </kiln-edit>\n  </kiln-edit>\n</kiln-edit>\n",
        "<kiln-write>\nx\n</kiln-write>\n</kiln-write>\n<kiln-write path=\"b\"/>\n",
        "\r\r\n\r<kiln-delete path=\"a\"/>\r\r\n\n\r",
        "```````\n<kiln-write path=\"a.md\">\n```markdown\n# a\n````\n```  \n</kiln-write>\n",
        "<kiln-write path=\"a.tsx\">```tsx title=\"x\"\n`\n</kiln-write >\n</kiln-write>\n",
        "<kiln-write path=\"long.ts\">\n```\n```                                                                    \n</kiln-write>                                                                  \n</kiln-write>",
    ]
    .map(|sample| sample.as_bytes().to_vec())
    .to_vec();
    samples.push(b"a\xff\xe2\x82\n<kiln-write path=\"\xf0\x9f\x8e\x89\xc3\">\n\xf0\x9f\x8e\n\xe2\x82\xac\xed\xa0\x80\n</kiln-write>\n\xf0\x9f".to_vec());
    // A tag that is longer than a tag may be, and then an ordinary one.
    let long = "y".repeat(TAG_BYTES_MAX);
    samples
        .push(format!("<kiln-delete path=\"{long}\"/>\n<kiln-delete path=\"z\"/>\n").into_bytes());
    samples
}

#[test]
fn any_split_of_the_bytes_gives_the_same_events() {
    let mut random = SmallRng::seed_from_u64(8);
    let samples = samples();
    let whole: Vec<_> = samples.iter().map(|sample| parse([&sample[..]])).collect();
    for (sample, expected) in samples.iter().zip(&whole) {
        let bytes = sample.chunks(1);
        assert_eq!(&parse(bytes), expected, "byte by byte");
    }
    for round in 0..10_000 {
        let which = round % samples.len();
        let sample = &samples[which];
        // From a few long pieces to many short ones.
        let longest = [2, 5, 20, 100, sample.len()][round % 5];
        let mut pieces = Vec::new();
        let mut rest = &sample[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(random.random_range(0..=longest.min(rest.len())));
            pieces.push(piece);
            rest = after;
        }
        let parsed = parse(pieces.iter().copied());
        assert!(
            parsed == whole[which],
            "round {round}: {:?}\n{parsed:#?}\n{:#?}",
            pieces
                .iter()
                .map(|piece| String::from_utf8_lossy(piece))
                .collect::<Vec<_>>(),
            whole[which]
        );
    }
}

#[test]
fn random_answers_do_not_depend_on_their_splits_and_lose_nothing() {
    const PIECES: [&str; 44] = [
        "\n",
        "\n",
        "\n",
        "\n",
        "\r",
        "\r\n",
        " ",
        "   ",
        "\t",
        "<",
        "</",
        "<kiln-",
        "</kiln-",
        "write",
        "edit",
        "<kiln-write path=\"a.ts\">",
        "<kiln-write path=\"a.md\">",
        "</kiln-write>",
        "<kiln-edit path='b'>",
        "</kiln-edit>",
        "<kiln-delete path=\"c\"/>",
        "<kiln-read",
        " path=\"",
        "/>",
        ">",
        "```",
        "```ts",
        "`",
        "```markdown",
        "<<<<<<< SEARCH\n",
        "=======\n",
        ">>>>>>> REPLACE\n",
        "\u{1f9f1}",
        "text",
        "\n<kiln-write path=\"a.ts\">\n",
        "\n<kiln-write path=\"a.ts\">\n",
        "\n<kiln-write path=\"a.md\">\n```md\n",
        "\n<kiln-edit path=\"a\">\n",
        "\n</kiln-write>\n",
        "\n</kiln-write>\n",
        "\n</kiln-write>\n",
        "\n```\n</kiln-write>\n",
        "\n</kiln-edit>\n",
        "\n```\n",
    ];
    let mut random = SmallRng::seed_from_u64(9);
    let (mut with_files, mut whole_answers) = (0, 0);
    for _ in 0..10_000 {
        let count = random.random_range(1..30);
        let answer: String = (0..count)
            .map(|_| PIECES[random.random_range(0..PIECES.len())])
            .collect();
        let whole = parse_whole(&answer);
        assert_eq!(parse(answer.as_bytes().chunks(1)), whole, "{answer:?}");
        let size = random.random_range(2..9);
        assert_eq!(parse(answer.as_bytes().chunks(size)), whole, "{answer:?}");

        // Everything in a file was streamed, and sizes are those of the pieces.
        let mut streamed = 0;
        for event in &whole.0 {
            match event {
                ParserEvent::FileStarted { .. } => streamed = 0,
                ParserEvent::FileDelta { text, .. } => streamed += text.len(),
                ParserEvent::FileFinished { size_bytes, .. } => {
                    assert_eq!(i64::try_from(streamed), Ok(*size_bytes), "{answer:?}");
                    with_files += 1;
                }
                ParserEvent::Text(_) | ParserEvent::Operation { .. } => {}
            }
        }
        whole_answers += usize::from(whole.1.is_whole());
    }
    assert!(
        with_files > 1_000 && whole_answers > 1_000,
        "{with_files} {whole_answers}"
    );
}

#[test]
fn only_what_may_become_a_tag_or_a_fence_is_held_back() {
    let mut parser = OperationParser::new();
    let mut shown = |text: &str| {
        let mut out = Vec::new();
        parser.push(text.as_bytes(), &mut out);
        out.iter().fold(String::new(), |mut shown, event| {
            match event {
                ParserEvent::Text(text) | ParserEvent::FileDelta { text, .. } => {
                    shown.push_str(text);
                }
                ParserEvent::FileStarted { path, .. } => {
                    write!(shown, "[{path}]").expect("a string");
                }
                ParserEvent::FileFinished { .. } => shown.push_str("[done]"),
                ParserEvent::Operation { operation, .. } => {
                    write!(shown, "[{}]", operation.kind()).expect("a string");
                }
            }
            shown
        })
    };
    assert_eq!(shown("I"), "I");
    assert_eq!(shown(" see <kiln-write"), " see <kiln-write");
    assert_eq!(shown("\n"), "\n");
    assert_eq!(shown("  "), "");
    assert_eq!(shown("<"), "");
    assert_eq!(shown("d"), "  <d");
    assert_eq!(shown("iv>\n<kiln"), "iv>\n");
    assert_eq!(shown("s"), "<kilns");
    assert_eq!(
        shown("\n    <kiln-delete path=\"code\"/>"),
        "\n    <kiln-delete path=\"code\"/>"
    );
    assert_eq!(shown("\n<kiln-write path=\"a\">"), "\n");
    assert_eq!(shown("\n"), "[a]");
    assert_eq!(shown("``"), "");
    assert_eq!(shown("x`"), "``x`");
    assert_eq!(shown("\nlet"), "\nlet");
    assert_eq!(shown(" x = 1;\n</kiln-write"), " x = 1;\n");
    assert_eq!(shown("s>"), "</kiln-writes>");
    assert_eq!(shown("\n</kiln-write>"), "\n");
    assert_eq!(shown("   "), "");
    assert_eq!(shown("\n"), "[done]");
}

#[test]
fn a_block_ends_only_at_its_own_closing_tag_alone_on_a_line() {
    assert_eq!(
        content(
            "<kiln-write path=\"a\">\nx </kiln-write>\n</kiln-write> y\n </kiln-write>\n</kiln-edit>\n</kiln-write>\t \n"
        ),
        "x </kiln-write>\n</kiln-write> y\n </kiln-write>\n</kiln-edit>\n"
    );
    // An indented block may end where it began, and not deeper.
    assert_eq!(
        content("  <kiln-write path=\"a\">\nx\n   </kiln-write>\n  </kiln-write>\n"),
        "x\n   </kiln-write>\n"
    );
    assert_eq!(content("<kiln-write path=\"a\">\n</kiln-write>"), "");
    assert_eq!(
        content("<kiln-write path=\"a\"> x\ny\n</kiln-write>"),
        " x\ny\n"
    );
}

#[test]
fn fences_around_the_content_of_a_block_are_dropped() {
    let fenced = |path: &str, inside: &str| {
        content(&format!(
            "<kiln-write path=\"{path}\">\n{inside}</kiln-write>\n"
        ))
    };
    assert_eq!(fenced("a.ts", "```ts\nx\n```\n"), "x\n");
    assert_eq!(fenced("a.ts", "```\nx\n```  \n"), "x\n");
    assert_eq!(fenced("a.ts", "````ts\n```\nx\n````\n"), "```\nx\n");
    assert_eq!(fenced("a.ts", "```ts title=\"a.ts\"\nx\n"), "x\n");
    assert_eq!(fenced("a.ts", "x\n```\n"), "x\n```\n");
    assert_eq!(fenced("a.ts", "```ts\nx\n```\ny\n"), "x\n```\ny\n");
    assert_eq!(fenced("a.ts", "```ts\n```\n```\n"), "```\n");
    assert_eq!(fenced("a.ts", "\n```ts\nx\n```\n"), "\n```ts\nx\n```\n");
    // A Markdown file may begin and end with fences of its own.
    assert_eq!(fenced("a.md", "```sh\nx\n```\n"), "```sh\nx\n```\n");
    assert_eq!(
        fenced("a.MD", "```markdown\n# x\n```sh\ny\n```\n```\n"),
        "# x\n```sh\ny\n```\n"
    );
    let edit = "<kiln-edit path=\"a\">\n```\n<<<<<<< SEARCH\nx\n=======\n>>>>>>> REPLACE\n```\n</kiln-edit>";
    assert!(parse_whole(edit).1.is_whole());
}

#[test]
fn carriage_returns_before_line_feeds_are_folded_and_others_kept() {
    assert_eq!(
        content("<kiln-write path=\"a\">\r\nx\ry\r\r\nz\r\n</kiln-write>\r\n"),
        "x\ry\r\nz\n"
    );
}

#[test]
fn row_59_nul_in_an_answer_is_replaced() {
    assert_eq!(
        content("<kiln-write path=\"a\">\nx\0y\n</kiln-write>\0\n</kiln-write>\n"),
        "x\u{fffd}y\n</kiln-write>\u{fffd}\n"
    );
}

#[test]
fn attributes_may_have_either_quote_any_order_and_company() {
    let path = |tag: &str| match &parse_whole(tag).1.operations[..] {
        [Operation::Delete { path }] => path.clone(),
        other => panic!("{tag}: {other:?}"),
    };
    for tag in [
        "<kiln-delete path=\"a b\"/>",
        "<kiln-delete path='a b' />",
        "<kiln-delete  path = 'a b'\t/>",
        "<kiln-delete reason=\"it's old\" path=\"a b\">",
        "<kiln-delete path=\"a b\"></kiln-delete>\n",
        "   <kiln-delete path=\"a b\" reason='x > y'/>   \n",
    ] {
        assert_eq!(path(tag), "a b", "{tag}");
    }
    assert_eq!(path("<kiln-delete path='say \"hi\"'/>"), "say \"hi\"");
}

#[test]
fn what_looks_like_an_operation_and_is_none_is_said() {
    for (answer, problem) in [
        ("<kiln-explode/>", "there is no operation kiln-explode"),
        ("</kiln-explode>", "there is no operation kiln-explode"),
        ("<kiln-\n", "there is no operation kiln-"),
        ("<kiln-delete>", "the attribute path is missing"),
        ("<kiln-rename from=\"a\"/>", "the attribute to is missing"),
        (
            "<kiln-delete path=\"a\" path=\"b\"/>",
            "the attribute path is there twice",
        ),
        (
            "<kiln-delete path=a/>",
            "the value of path is not in quotes",
        ),
        (
            "<kiln-delete path/>",
            "an attribute is a name, =, and a value in quotes",
        ),
        (
            "<kiln-delete path=\"a\"b=\"c\"/>",
            "after its name come attributes, each after a space",
        ),
        ("<kiln-delete path=\"a\" / >", "a / does not belong there"),
        (
            "<kiln-delete path=\"a\n",
            "the tag does not end on its line",
        ),
        ("<kiln-write\n", "the tag does not end on its line"),
        (
            "<kiln-write path=\"a\"/>",
            "it needs content and a closing tag",
        ),
        (
            "<kiln-write path=\"a\">x</kiln-write>",
            "the closing tag stands on a line of its own",
        ),
        ("</kiln-write>", "there is no block to close"),
        (
            "<kiln-delete path=\"a\"/><kiln-delete path=\"b\"/>",
            "each tag stands on a line of its own",
        ),
    ] {
        let line = answer.trim();
        assert_eq!(
            malformed(answer),
            [format!("{line}: {problem}")],
            "{answer}"
        );
        // What is not understood is shown.
        assert_eq!(parse_whole(answer).0, [ParserEvent::Text(answer.into())]);
    }
    assert_eq!(
        malformed("<kilning>\n<Kiln-delete/>\n`<kiln-x>`\n"),
        Vec::<String>::new()
    );
}

#[test]
fn a_block_without_a_path_is_read_to_its_end_and_malformed() {
    assert_eq!(
        script(
            "<kiln-write file=\"a\">\n<kiln-delete path=\"b\"/>\n</kiln-write>\n<kiln-read path=\"c\"/>"
        ),
        [
            "0 write ",
            "0 \"<kiln-delete path=\\\"b\\\"/>\\n\"",
            "0 done 24",
            "1 Read { path: \"c\" }",
            "malformed <kiln-write file=\"a\">: the attribute path is missing",
        ]
    );
}

#[test]
fn an_edit_without_proper_hunks_is_malformed() {
    for (content, problem) in [
        ("", "there is no hunk: no line <<<<<<< SEARCH"),
        (
            "const x = 1;\n",
            "hunk 1 does not begin with <<<<<<< SEARCH",
        ),
        ("<<<<<<< SEARCH\nx\n", "hunk 1 has no line ======="),
        (
            "<<<<<<< SEARCH\nx\n>>>>>>> REPLACE\n",
            "hunk 1 has no line =======",
        ),
        (
            "<<<<<<< SEARCH\nx\n=======\ny\n",
            "hunk 1 does not end with >>>>>>> REPLACE",
        ),
        (
            "<<<<<<< SEARCH\n=======\n>>>>>>> REPLACE\n<<<<<<< SEARCH\n=======\n<<<<<<< SEARCH\n",
            "hunk 2 does not end with >>>>>>> REPLACE",
        ),
    ] {
        let answer = format!("<kiln-edit path=\"a\">\n{content}</kiln-edit>\n");
        assert_eq!(
            malformed(&answer),
            [format!("<kiln-edit path=\"a\">: {problem}")]
        );
    }
}

#[test]
fn what_the_end_cuts_off_is_open() {
    assert_eq!(
        script("a\n<kiln-write path=\"x.ts\">\n```ts\nlet\n```\n</kiln-"),
        [
            "text \"a\\n\"",
            "0 write x.ts",
            "0 \"let\\n```\\n</kiln-\"",
            "open the answer ends inside x.ts",
        ]
    );
    assert_eq!(
        script("<kiln-delete path=\"x\"/>\n<kiln-delete pa"),
        [
            "0 Delete { path: \"x\" }",
            "text \"<kiln-delete pa\"",
            "open the answer ends inside a tag: <kiln-delete pa",
        ]
    );
    assert_eq!(
        script("<kiln-write path=\"x\">").last().expect("open"),
        "open the answer ends inside x"
    );
    // Complete, without a line end after the tag.
    assert!(parse_whole("<kiln-delete path=\"x\"/>").1.is_whole());
    assert!(
        parse_whole("<kiln-write path=\"x\">\ny\n</kiln-write>")
            .1
            .is_whole()
    );
    assert!(parse_whole("prose <ki").1.is_whole());
}

#[test]
fn an_answer_of_prose_has_no_operation() {
    let (events, ending) = parse_whole("Just words.\n\n- and `<kiln-write>` in a list\n");
    assert_eq!(events.len(), 1);
    assert_eq!(ending, Ending::default());
}

#[test]
fn work_grows_with_the_answer_and_not_faster() {
    let visited = |unit: &str, count: usize, chunk: usize| {
        let answer = unit.repeat(count);
        let mut parser = OperationParser::new();
        let mut out = Vec::new();
        for piece in answer.as_bytes().chunks(chunk) {
            parser.push(piece, &mut out);
        }
        parser.bytes_visited()
    };
    let block = "<kiln-write path=\"a.ts\">\n```ts\nlet x = 1;\n```\n</kiln-write>\n";
    let edit =
        "<kiln-edit path=\"a\">\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n</kiln-edit>\n";
    let mut spaces = String::from("</kiln-write>");
    spaces.push_str(&" ".repeat(60));
    let open = |inside: &str| format!("<kiln-write path=\"a.ts\">\n```\n{inside}");
    for unit in [
        "prose that goes on\n".to_owned(),
        "x".to_owned(),
        "<".to_owned(),
        "<\n".to_owned(),
        "<kiln".to_owned(),
        "<kiln\n".to_owned(),
        "<kiln-".to_owned(),
        "<kiln-write path=\"".to_owned(),
        "   <kiln\n".to_owned(),
        "`".to_owned(),
        "\r".to_owned(),
        "\u{1f9f1}".to_owned(),
        block.to_owned(),
        edit.to_owned(),
        format!("{}\n", "<kiln-delete path=\"a\"/>".repeat(100)),
        open("```\n"),
        open("``````\n</kiln-write"),
        open("</kiln-writ\n"),
        open(&format!("{spaces}\n")),
        open(&format!("{spaces}x\n")),
    ] {
        for chunk in [1, 3, 4096] {
            let base = 16 * 1024 / unit.len() + 1;
            let [once, twice, four] =
                [base, 2 * base, 4 * base].map(|count| visited(&unit, count, chunk));
            let bytes = u64::try_from(unit.len() * base).expect("small");
            assert!(
                once <= 64 * bytes,
                "{unit:?} by {chunk}: {once} for {bytes}"
            );
            // A tenth for what happens once; squared work would be four and sixteen times.
            assert!(
                twice * 10 <= once * 22,
                "{unit:?} by {chunk}: {once} {twice}"
            );
            assert!(four * 10 <= once * 44, "{unit:?} by {chunk}: {once} {four}");
        }
    }
}

#[test]
fn ordinary_answers_are_looked_at_a_few_times() {
    let answer = "<kiln-write path=\"a.ts\">\n  const value = compute(1, 2, 3); // words\n\n</kiln-write>\nSome prose.\n".repeat(1_000);
    let mut parser = OperationParser::new();
    let mut out = Vec::new();
    for piece in answer.as_bytes().chunks(4) {
        parser.push(piece, &mut out);
    }
    let bytes = u64::try_from(answer.len()).expect("small");
    assert!(
        parser.bytes_visited() < 6 * bytes,
        "{} for {bytes}",
        parser.bytes_visited()
    );
}
