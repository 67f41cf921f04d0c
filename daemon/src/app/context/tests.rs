use super::*;
use crate::domain::tree::FileContent;
use crate::llm::parser::OperationParser;
use crate::template::Templates;

fn tree(files: &[(&str, &str)]) -> Tree {
    Tree::from_files(files.iter().map(|(path, text)| {
        let path = SafePath::parse(path).expect("valid");
        (path, FileContent::new((*text).to_owned()))
    }))
    .expect("fits")
}

fn input<'a>(tree: &'a Tree, prompt: &'a str) -> ContextInput<'a> {
    ContextInput {
        template_note: "It is a page.",
        project_name: "shop",
        project_description: "Sells tea.",
        tree,
        turns: &[],
        prompt,
        window_tokens: Some(200_000),
        max_output_tokens: 16_000,
    }
}

/// Paths whose content is in the messages.
fn shown(context: &Context) -> Vec<&str> {
    context.messages[1]
        .1
        .lines()
        .filter_map(|line| line.strip_prefix("<file path=\"")?.strip_suffix("\">"))
        .collect()
}

fn turn(prompt: &str, changed: &[&str]) -> TurnSummary {
    TurnSummary {
        prompt: prompt.into(),
        summary: "Did it.".into(),
        outcome: Outcome::Ready,
        changed_files: changed.iter().map(|&path| path.into()).collect(),
    }
}

#[test]
fn a_small_project_is_shown_whole() {
    let tree = tree(&[
        ("bun.lock", "lock"),
        ("src/App.tsx", "app"),
        ("src/b.css", "body {}\n"),
    ]);
    let context = build(&input(&tree, "make it red"));
    let roles: Vec<_> = context.messages.iter().map(|(role, _)| *role).collect();
    assert_eq!(
        roles,
        [Role::System, Role::User, Role::Assistant, Role::User]
    );
    assert!(context.messages[0].1.ends_with("# This app\nIt is a page."));
    assert_eq!(
        context.messages[1].1,
        "Project: shop\nSells tea.\n\nFiles, with their bytes:\nbun.lock 4 (generated)\nsrc/App.tsx 3\nsrc/b.css 8\n\
         \n<file path=\"src/App.tsx\">\napp\n</file>\n\n<file path=\"src/b.css\">\nbody {}\n</file>\n"
    );
    assert_eq!(context.messages[3].1, "make it red");
    assert_eq!(context.omitted, Vec::<String>::new());
    assert_eq!(context.max_output_tokens, 16_000);
}

#[test]
fn the_examples_of_the_system_prompt_are_operations() {
    let mut out = Vec::new();
    let mut parser = OperationParser::new();
    parser.push(SYSTEM_PROMPT.as_bytes(), &mut out);
    let ending = parser.finish(&mut out);
    assert!(ending.is_whole(), "{ending:?}");
    let kinds: Vec<_> = ending
        .operations
        .iter()
        .map(|operation| operation.kind().as_str())
        .collect();
    assert_eq!(
        kinds,
        ["write", "edit", "rename", "delete", "add_dependency"]
    );
}

#[test]
fn what_is_asked_for_fits_a_small_window_with_a_new_project() {
    // As a small local model has it.
    let template = Templates::embedded();
    let template = template.iter().next().expect("there is one");
    let tree = template.initial_tree();
    let context = build(&ContextInput {
        template_note: &template.note,
        project_name: "todo",
        project_description: "",
        tree: &tree,
        turns: &[],
        prompt: "a todo list",
        window_tokens: Some(4_096),
        max_output_tokens: 16_000,
    });
    assert_eq!(context.max_output_tokens, 2_048);
    let bytes: usize = context.messages.iter().map(|(_, text)| text.len()).sum();
    assert!(bytes < 2_048 * 7 / 2, "{bytes}");
    assert!(
        shown(&context).contains(&"src/App.tsx"),
        "{:?}",
        shown(&context)
    );
}

#[test]
fn the_messages_stay_within_the_window_and_nothing_is_lost_silently() {
    let body = "x".repeat(1_000);
    let paths: Vec<_> = (0..600)
        .map(|number| format!("src/part{number:03}.ts"))
        .collect();
    let files: Vec<_> = paths
        .iter()
        .map(|path| (path.as_str(), body.as_str()))
        .collect();
    let tree = tree(&files);
    for window in [
        Some(4_000),
        Some(16_000),
        None,
        Some(128_000),
        Some(1_000_000),
    ] {
        let context = build(&ContextInput {
            window_tokens: window,
            ..input(&tree, "change part007 and src/part300.ts please")
        });
        let bytes: usize = context.messages.iter().map(|(_, text)| text.len()).sum();
        let tokens = window.unwrap_or(WINDOW_TOKENS_ASSUMED) - context.max_output_tokens;
        assert!(
            bytes < usize::try_from(tokens).expect("small") * 7 / 2,
            "{window:?}: {bytes}"
        );
        let shown = shown(&context);
        assert_eq!(
            shown.len() + context.omitted.len(),
            paths.len(),
            "{window:?}"
        );
        assert!(
            context
                .omitted
                .iter()
                .all(|path| !shown.contains(&path.as_str()))
        );
        assert_eq!(window == Some(1_000_000), context.omitted.is_empty());
        if window != Some(4_000) {
            assert!(shown.contains(&"src/part007.ts") && shown.contains(&"src/part300.ts"));
        }
    }
}

#[test]
fn a_list_of_files_that_does_not_fit_says_how_many_are_missing() {
    let paths: Vec<_> = (0..2_000)
        .map(|number| format!("{}/{number}", "d".repeat(90)))
        .collect();
    let files: Vec<_> = paths.iter().map(|path| (path.as_str(), "")).collect();
    let tree = tree(&files);
    let context = build(&ContextInput {
        window_tokens: Some(8_000),
        ..input(&tree, "x")
    });
    let text = &context.messages[1].1;
    let listed = text.lines().filter(|line| line.starts_with("ddd")).count();
    assert!((10..200).contains(&listed), "{listed}");
    assert!(text.contains(&format!("\nand {} more, not listed here\n", 2_000 - listed)));
    assert_eq!(context.omitted.len() + shown(&context).len(), 2_000);
}

#[test]
fn of_a_large_project_the_files_that_matter_are_shown() {
    let filler = "y".repeat(30_000);
    let mut files = vec![
        ("package.json", "{}"),
        (
            "src/App.tsx",
            "import { Cart } from \"./Cart\";\nimport './theme.css'\nconst Lazy = lazy(() => import('@/pages/Tea'));",
        ),
        (
            "src/Cart.tsx",
            "import x from '../lib/money'; import React from \"react\"",
        ),
        ("src/theme.css", "@import \"./fonts.css\";"),
        ("src/fonts.css", "f"),
        ("src/pages/Tea/index.tsx", "t"),
        ("lib/money.ts", "m"),
        ("src/Old.tsx", "o"),
        ("src/Footer.tsx", "import './deep'"),
        ("src/deep.ts", "d"),
        ("src/Unrelated.tsx", "u"),
        ("index.html", "<script src=\"/src/entry.ts\"></script>"),
        ("src/entry.ts", "e"),
    ];
    let fillers: Vec<_> = (0..20).map(|number| format!("data/{number}.txt")).collect();
    files.extend(fillers.iter().map(|path| (path.as_str(), filler.as_str())));
    let tree = tree(&files);
    let turns = [
        turn("older", &["src/Old.tsx", "src/gone.ts"]),
        turn("newer", &["lib/money.ts"]),
    ];
    let context = build(&ContextInput {
        turns: &turns,
        window_tokens: Some(40_000),
        ..input(&tree, "The footer should be green")
    });
    assert_eq!(
        shown(&context),
        [
            "index.html",
            "lib/money.ts",
            "package.json",
            "src/App.tsx",
            "src/Cart.tsx",
            "src/Footer.tsx",
            "src/Old.tsx",
            "src/deep.ts",
            "src/entry.ts",
            "src/pages/Tea/index.tsx",
            "src/theme.css",
        ]
    );
    assert_eq!(context.omitted.len(), 22);
    assert!(
        context.messages[1]
            .1
            .contains("src/fonts.css 1 (not shown)")
    );
}

#[test]
fn what_is_not_text_or_too_large_is_listed_only() {
    let mut tree = tree(&[("large.txt", &"z".repeat(100_000)), ("a.txt", "a")]);
    let picture = FileContent::new(vec![0x89, b'P', 0xff]);
    tree.insert(SafePath::parse("logo.png").expect("valid"), picture)
        .expect("fits");
    let context = build(&input(&tree, "x"));
    assert_eq!(shown(&context), ["a.txt"]);
    assert_eq!(context.omitted, ["large.txt"]);
    assert!(context.messages[1].1.contains("logo.png 3 (not text)"));
}

#[test]
fn earlier_turns_are_told_in_short() {
    let tree = tree(&[("a", "")]);
    let mut turns: Vec<_> = (0..15)
        .map(|number| turn(&format!("do {number}"), &["src/App.tsx"]))
        .collect();
    turns[14].prompt = format!("first line\nsecond {}", "w".repeat(500));
    turns[14].outcome = Outcome::Failed;
    turns[14].changed_files = (0..20).map(|number| format!("f{number}")).collect();
    let context = build(&ContextInput {
        turns: &turns,
        ..input(&tree, "next")
    });
    let account = &context.messages[2].1;
    assert!(account.contains("(3 earlier turns are not told here)\n4. Asked: do 3\n   Answer: Did it.\n   Outcome: ready; changed src/App.tsx\n5."), "{account}");
    assert!(
        account.contains("15. Asked: first line second www"),
        "{account}"
    );
    assert!(
        account.contains("…\n   Answer: Did it.\n   Outcome: failed; changed f0, f1,"),
        "{account}"
    );
    assert!(account.contains("f11 and 8 more\nWhat next?"), "{account}");
    assert_eq!(context.omitted, ["earlier turns: 3"]);

    // In a small window the newest are told.
    let long = turn(&"p".repeat(300), &[]);
    let turns = vec![long; 12];
    let context = build(&ContextInput {
        turns: &turns,
        window_tokens: Some(4_000),
        ..input(&tree, "next")
    });
    assert!(
        context.messages[2]
            .1
            .contains("(10 earlier turns are not told here)\n11. Asked")
    );
    assert_eq!(context.omitted, ["earlier turns: 10"]);
}

#[test]
fn a_window_that_is_too_small_for_the_prompt_still_gets_the_prompt() {
    let tree = tree(&[("a.ts", "a")]);
    let prompt = "p".repeat(64 * 1024);
    let context = build(&ContextInput {
        window_tokens: Some(100),
        ..input(&tree, &prompt)
    });
    assert_eq!(context.messages[3].1, prompt);
    assert_eq!(context.omitted, ["a.ts"]);
    assert_eq!(context.max_output_tokens, 50);
}
