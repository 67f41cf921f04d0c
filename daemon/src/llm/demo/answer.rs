//! The text of a canned answer: prose, and operations between.

use std::fmt::Write as _;

use super::Kind;
use super::apps::{self, App};
use super::context::Request;

const APP_PATH: &str = "src/App.tsx";
const TITLE: &str = "const TITLE = \"";
const TAGLINE: &str = "const TAGLINE = \"";
const ACCENT: &str = "const ACCENT = \"";

/// Colours by name, in the order in which a prompt that names none goes through
/// them.
const COLOURS: &[(&str, &str)] = &[
    ("indigo", "#4f46e5"),
    ("teal", "#0d9488"),
    ("rose", "#e11d48"),
    ("amber", "#d97706"),
    ("violet", "#7c3aed"),
    ("green", "#15803d"),
    ("blue", "#2563eb"),
    ("pink", "#db2777"),
    ("orange", "#ea580c"),
    ("red", "#dc2626"),
    ("purple", "#9333ea"),
    ("cyan", "#0891b2"),
    ("yellow", "#ca8a04"),
];

/// The whole answer to a request.
pub(super) fn to(kind: Kind, request: &Request) -> String {
    let prompt = request.prompt();
    let current = request.file(APP_PATH);
    match kind {
        Kind::Kiln => match current.filter(|source| may_edit(source)) {
            Some(source) if !starts_over(&prompt) => edit(&source, &prompt),
            _ => write_app(apps::for_prompt(&prompt), &prompt),
        },
        Kind::Repair => repair(current.as_deref()),
    }
}

/// Whether a source is one of the canned apps, or was one.
fn may_edit(source: &str) -> bool {
    unique_line(source, ACCENT).is_some()
}

fn starts_over(prompt: &str) -> bool {
    let prompt = prompt.to_lowercase();
    ["start over", "from scratch", "new app"]
        .iter()
        .any(|words| prompt.contains(words))
}

fn write_app(app: &App, prompt: &str) -> String {
    let mut answer = format!(
        "This is the demo model: its answers are canned, and it looks for words in your prompt rather \
         than understanding it. Here is {}.\n",
        app.label
    );
    for (path, source) in app.files {
        let title = short(prompt);
        let titled = match unique_line(source, TITLE) {
            Some(line) if app.takes_title && *path == APP_PATH && !title.is_empty() => {
                source.replace(line, &constant(TITLE, &title))
            }
            _ => (*source).to_owned(),
        };
        write_file(&mut answer, path, &titled);
    }
    answer.push_str(
        "\nTry a follow-up that names a colour, or a new heading in quotes: it becomes an edit of one file.\n",
    );
    answer
}

fn write_file(answer: &mut String, path: &str, source: &str) {
    let end = if source.ends_with('\n') { "" } else { "\n" };
    // Writing to a string cannot fail.
    let _ = write!(
        answer,
        "\n<kiln-write path=\"{path}\">\n{source}{end}</kiln-write>\n"
    );
}

/// One edit of one file, whose search text is copied from that file.
fn edit(source: &str, prompt: &str) -> String {
    let mut changes = Vec::new();
    let mut said = Vec::new();
    let mut change = |start: &str, value: &str, what: &str| {
        let Some(line) = unique_line(source, start) else {
            return;
        };
        let new_line = constant(start, value);
        if new_line != line {
            changes.push((line, new_line));
            said.push(format!("{what} is now {value}"));
        }
    };
    let colour = named_colour(prompt);
    let heading = quoted(prompt);
    if let Some((name, hex)) = colour {
        change(ACCENT, hex, &format!("the accent colour ({name})"));
    }
    if let Some(heading) = &heading {
        change(TITLE, heading, "the heading");
    }
    if colour.is_none() && heading.is_none() {
        let (name, hex) = next_colour(source);
        change(ACCENT, hex, &format!("the accent colour ({name})"));
        let tagline = short(prompt);
        if !tagline.is_empty() {
            change(TAGLINE, &tagline, "the line below the heading");
        }
    }
    if changes.is_empty() {
        // It is as asked already. An answer without an operation would fail.
        let (name, hex) = next_colour(source);
        if let Some(line) = unique_line(source, ACCENT) {
            changes.push((line, constant(ACCENT, hex)));
            said.push(format!("the accent colour ({name}) is now {hex}"));
        }
    }
    let mut answer = format!(
        "This is the demo model: its answers are canned. In `{APP_PATH}`, {}.\n\n<kiln-edit path=\"{APP_PATH}\">\n",
        said.join(", and ")
    );
    for (search, replace) in changes {
        let _ = write!(
            answer,
            "<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"
        );
    }
    answer.push_str("</kiln-edit>\n");
    answer
}

fn repair(current: Option<&str>) -> String {
    let (app, broken) = apps::for_repair();
    match current {
        Some(source) if source.lines().filter(|line| *line == broken.wrong).count() == 1 => {
            format!(
                "The import names a file that does not exist.\n\n<kiln-edit path=\"{}\">\n\
                 <<<<<<< SEARCH\n{}\n=======\n{}\n>>>>>>> REPLACE\n</kiln-edit>\n",
                broken.path, broken.wrong, broken.right
            )
        }
        _ => {
            let mut answer = format!(
                "This is the demo model: its answers are canned. Here is {} with an error in it.\n",
                app.label
            );
            for (path, source) in app.files {
                if *path == broken.path {
                    let source = source.replace(broken.right, broken.wrong);
                    write_file(&mut answer, path, &source);
                } else {
                    write_file(&mut answer, path, source);
                }
            }
            answer
        }
    }
}

/// The only line that starts with `start`, if no other text holds it.
fn unique_line<'a>(source: &'a str, start: &str) -> Option<&'a str> {
    let line = source.lines().find(|line| line.starts_with(start))?;
    (source.matches(line).count() == 1).then_some(line)
}

/// `start` holds the opening quote.
fn constant(start: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{start}{value}\";")
}

/// A prompt as it may stand in a heading: one line, and not long.
fn short(prompt: &str) -> String {
    const MOST: usize = 60;
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let line: String = prompt.chars().map(printable).collect();
    let words: Vec<&str> = line.split_whitespace().collect();
    let line = words.join(" ");
    let mut short: String = line.chars().take(MOST).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    let mut chars = short.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => short,
    }
}

fn named_colour(prompt: &str) -> Option<(&'static str, &'static str)> {
    let lower = prompt.to_lowercase();
    lower
        .split(|c: char| !c.is_alphanumeric())
        .find_map(|word| COLOURS.iter().find(|(name, _)| *name == word))
        .copied()
}

/// The colour after the one that a source has.
fn next_colour(source: &str) -> (&'static str, &'static str) {
    let line = unique_line(source, ACCENT).unwrap_or_default();
    let current = COLOURS.iter().position(|(_, hex)| line.contains(hex));
    COLOURS[current.map_or(0, |index| (index + 1) % COLOURS.len())]
}

/// What stands in quotes.
fn quoted(prompt: &str) -> Option<String> {
    for (open, close) in [('"', '"'), ('“', '”'), ('„', '“'), ('«', '»')] {
        if let Some((_, rest)) = prompt.split_once(open)
            && let Some((inside, _)) = rest.split_once(close)
            && !inside.trim().is_empty()
        {
            return Some(short(inside));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(files: &[(&str, &str)], prompt: &str) -> Request {
        let mut context = String::from("Current files:\n");
        for (path, content) in files {
            let _ = write!(context, "<file path=\"{path}\">\n{content}</file>\n");
        }
        let json = serde_json::json!({
            "model": "demo/kiln",
            "messages": [
                { "role": "system", "content": "…" },
                { "role": "user", "content": context },
                { "role": "user", "content": prompt },
            ],
        });
        serde_json::from_value(json).unwrap()
    }

    /// What a search and replace makes of `source`.
    fn apply(source: &str, answer: &str) -> String {
        let mut source = source.to_owned();
        for block in answer.split("<<<<<<< SEARCH\n").skip(1) {
            let (search, rest) = block.split_once("\n=======\n").unwrap();
            let (replace, _) = rest.split_once("\n>>>>>>> REPLACE\n").unwrap();
            assert_eq!(source.matches(search).count(), 1, "{search}");
            source = source.replace(search, replace);
        }
        source
    }

    fn written<'a>(answer: &'a str, path: &str) -> &'a str {
        let open = format!("<kiln-write path=\"{path}\">\n");
        let (_, rest) = answer.split_once(&open).unwrap();
        rest.split_once("</kiln-write>\n").unwrap().0
    }

    #[test]
    fn a_first_prompt_writes_an_app_over_the_template() {
        let template = "export default function App() {\n  return null;\n}\n";
        let answer = to(Kind::Kiln, &request(&[(APP_PATH, template)], "a todo list"));
        assert!(answer.contains("canned"));
        assert!(written(&answer, APP_PATH).contains("export default function App()"));
        assert!(answer.contains("<kiln-write path=\"src/components/TaskItem.tsx\">"));
        assert!(!answer.contains("<kiln-edit"));
    }

    #[test]
    fn an_unknown_prompt_becomes_the_heading() {
        let answer = to(
            Kind::Kiln,
            &request(&[], "ships with \"sails\" \\ and\nwind"),
        );
        assert!(
            written(&answer, APP_PATH)
                .contains("const TITLE = \"Ships with \\\"sails\\\" \\\\ and wind\";\n"),
            "{answer}"
        );
    }

    #[test]
    fn a_follow_up_edits_one_file_and_always_changes_it() {
        for first in ["todo", "counter", "timer", "notes", "landing", "ships"] {
            let answer = to(Kind::Kiln, &request(&[], first));
            let mut source = written(&answer, APP_PATH).to_owned();
            let follow_ups = [
                ("make it blue", "const ACCENT = \"#2563eb\";"),
                ("make it blue", "const ACCENT = \"#db2777\";"),
                ("call it \"My \\ own\"", "const TITLE = \"My \\\\ own\";"),
                ("add a dark mode", "const TAGLINE = \"Add a dark mode\";"),
                ("add a dark mode", "const TAGLINE = \"Add a dark mode\";"),
                ("", "const TAGLINE = \"Add a dark mode\";"),
            ];
            for (prompt, expected) in follow_ups {
                let request = request(&[("src/main.tsx", "x\n"), (APP_PATH, &source)], prompt);
                let answer = to(Kind::Kiln, &request);
                assert_eq!(
                    answer.matches("<kiln-edit ").count(),
                    1,
                    "{first}: {prompt}"
                );
                assert_eq!(
                    answer.matches("<kiln-write ").count(),
                    0,
                    "{first}: {prompt}"
                );
                let edited = apply(&source, &answer);
                assert_ne!(edited, source, "{first}: {prompt}");
                assert!(
                    edited.lines().any(|line| line == expected),
                    "{first}: {prompt}"
                );
                source = edited;
            }
        }
    }

    #[test]
    fn a_source_without_the_known_lines_is_rewritten() {
        let edited_by_hand = "const ACCENT = \"red\";\nconst ACCENT = \"red\";\n";
        let answer = to(
            Kind::Kiln,
            &request(&[(APP_PATH, edited_by_hand)], "make it blue"),
        );
        assert!(answer.contains("<kiln-write path=\"src/App.tsx\">"));
    }

    #[test]
    fn starting_over_writes_another_app() {
        let answer = to(Kind::Kiln, &request(&[], "todo"));
        let source = written(&answer, APP_PATH);
        let again = to(
            Kind::Kiln,
            &request(&[(APP_PATH, source)], "start over with a timer"),
        );
        assert!(again.contains("Stopwatch.tsx"));
    }

    #[test]
    fn the_repair_model_errs_once_and_mends_it() {
        let answer = to(Kind::Repair, &request(&[], "anything"));
        let broken = written(&answer, APP_PATH);
        assert!(broken.contains("./components/Rings"));
        let mended = apply(
            broken,
            &to(Kind::Repair, &request(&[(APP_PATH, broken)], "errors: …")),
        );
        assert!(mended.contains("from \"./components/Ring\";"));
    }

    #[test]
    fn the_same_request_gets_the_same_answer() {
        let answer = || to(Kind::Kiln, &request(&[], "a landing page"));
        assert_eq!(answer(), answer());
    }
}
