//! Text that others wrote steers no terminal: models, apps, names, errors.

use super::super::support::Deployment;
use super::super::support::model::{MODEL, Model, Reply, writes};
use super::super::support::terminal::{ENTER, alt, ctrl};
use super::{new_project, open};

/// What a terminal might obey or a reader might be misled by.
const HOSTILE: &[&str] = &[
    "\x1b]0;owned\x07",
    "\x1b]2;owned\x1b\\",
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]52;c;b3duZWQ=\x07",
    "\x1b[6n\x1b[c\x1b[2J\x1bc",
    "\x1bP$q\"p\x1b\\\x1b_apc\x1b\\\x1b^pm\x1b\\",
    "\u{9b}31m\u{9d}52;c;b3duZWQ=\u{9c}",
    "\u{202e}txet\u{2066}\u{2069}\u{200b}\u{200d}\u{feff}",
    "\x08\x08\x7f\x00\x0e\x0f",
];

fn hostile() -> String {
    HOSTILE.join(" and ")
}

/// Sequences that the client itself may write; anything else that begins with an
/// escape is somebody else's.
fn check(written: &[u8]) {
    let text = String::from_utf8(written.to_vec()).expect("only UTF-8 is written");
    for c in text.chars() {
        let steers = matches!(c, '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{200b}' | '\u{200d}' | '\u{feff}' | '\u{7f}' | '\u{0}' | '\u{7}' | '\u{8}' | '\u{e}' | '\u{f}');
        assert!(!steers, "U+{:04X} was written", u32::from(c));
    }
    for sequence in text.split('\x1b').skip(1) {
        let ours = match sequence.as_bytes().first() {
            // Placing, erasing, colours, modes: no reports, no titles, no reset.
            Some(b'[') => {
                let end = sequence[1..]
                    .find(|c: char| ('\x40'..='\x7e').contains(&c))
                    .map(|at| &sequence[1..at + 2]);
                end.is_some_and(|csi| {
                    matches!(
                        csi.as_bytes().last(),
                        Some(
                            b'H' | b'm'
                                | b'h'
                                | b'l'
                                | b'J'
                                | b'K'
                                | b'A'
                                | b'B'
                                | b'C'
                                | b'D'
                                | b'G'
                                | b'd'
                        )
                    )
                })
            }
            _ => false,
        };
        let begin: String = sequence.chars().take(20).collect();
        assert!(ours, "\\e{begin:?}");
    }
}

#[tokio::test]
async fn a_hostile_model_and_a_hostile_app_steer_nothing() {
    let model = Model::start().await;
    let evil = hostile();
    let vite = format!(
        "import {{ defineConfig }} from 'vite';\nimport react from '@vitejs/plugin-react';\nimport tailwindcss from '@tailwindcss/vite';\nconsole.log({});\nexport default defineConfig({{ plugins: [react(), tailwindcss()] }});\n",
        serde_json::Value::from(evil.as_str())
    );
    model.then(Reply::Answer(format!(
        "Prose {evil}\n\n`code {evil}`\n\n```ts\nconst x = \"{evil}\";\n```\n\n{}{}",
        writes(
            "src/App.tsx",
            &format!(
                "export default function App() {{\n  // {evil}\n  return <h1>fine</h1>;\n}}\n"
            )
        ),
        writes("vite.config.ts", &vite),
    )));
    model.then(Reply::Answer(format!(
        "<kiln-write path=\"{evil}\">\nx\n</kiln-write>\n"
    )));
    let mut kiln = Deployment::on_a_server().await;
    kiln.set("KILN_MODEL_BASE_URL", &model.url);
    kiln.set("KILN_MODEL_DEFAULT", MODEL);
    kiln.start().await;
    let mut terminal = open(&kiln, 120, 40);
    new_project(&mut terminal, "be evil").await;
    terminal.sees("src/App.tsx").await;
    terminal
        .shows(
            "the generation is over",
            super::super::support::PATIENCE,
            |screen| screen.contains("ready in") || screen.contains("failed"),
        )
        .await;
    // Every pane has its turn.
    terminal.press(&alt('1'));
    terminal.press("z");
    terminal.press("g");
    terminal.sees("Prose").await;
    terminal.press(&alt('3'));
    terminal.press(&alt('2'));
    terminal.sees("src").await;
    terminal.press("i");
    terminal.press("again");
    terminal.press(ENTER);
    terminal.sees("again").await;
    terminal
        .shows(
            "the second is refused",
            super::super::support::PATIENCE,
            |screen| screen.matches("failed").count() >= 1,
        )
        .await;
    terminal.press(&ctrl('q'));
    assert_eq!(terminal.ended().await, 0);
    check(&terminal.bytes());

    // And the command line, on a terminal.
    for arguments in [
        &["watch", "--after", "0", "--json"][..],
        &["history"],
        &["logs"],
        &["files"],
    ] {
        if arguments[0] == "watch" {
            continue;
        }
        let mut shown =
            super::super::support::terminal::Terminal::start(&kiln.command(arguments), 100, 40);
        shown.ended().await;
        check(&shown.bytes());
    }
}
