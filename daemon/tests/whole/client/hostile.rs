//! Text that others wrote steers no terminal: models, apps, names, errors.

use super::super::support::model::{MODEL, Model, Reply, writes};
use super::super::support::terminal::{ENTER, Terminal, alt, ctrl};
use super::super::support::{Deployment, PATIENCE};
use super::{new_project, open};

/// What a terminal might obey or a reader might be misled by.
const HOSTILE: &[&str] = &[
    "\x1b]0;owned\x07",
    "\x1b]2;owned\x1b\\",
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]52;c;b3duZWQ=\x07",
    "\x1b[6n\x1b[c\x1b[3;9r\x1bc",
    "\x1bP$q\"p\x1b\\\x1b_apc\x1b\\\x1b^pm\x1b\\",
    "\u{9b}31m\u{9d}52;c;b3duZWQ=\u{9c}",
    "\u{202e}txet\u{2066}\u{2069}\u{200b}\u{200d}\u{feff}",
    "\x08\x08\x7f\x0e\x0f",
];

/// What an app writes before it starts: the same, bytes that are no UTF-8, and a
/// line without an end in sight.
const APP: &str = r"
const out = (globalThis as any).process.stdout;
out.write(new Uint8Array([0x1b, 0x5d, 0x30, 0x3b, 0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0x9b, 0x32, 0x4a, 0x0a]));
out.write('overlong '.repeat(20000) + '\n');
out.write(EVIL + '\u0000 and that was\n the app said it\n');
";

/// All of it in one line.
fn hostile() -> String {
    HOSTILE.join(" and ")
}

/// Expects nothing but what a client itself may write: text that is shown, and
/// sequences that place it, erase, colour, and switch modes.
#[track_caller]
fn assert_tame(what: &str, written: &[u8]) {
    let text = String::from_utf8(written.to_vec()).expect("only UTF-8 is written");
    for c in text.chars() {
        let is_ours = matches!(c, '\x1b' | '\r' | '\n');
        let steers = (c.is_control() && !is_ours)
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}' | '\u{feff}');
        assert!(!steers, "{what}: U+{:04X} was written", u32::from(c));
    }
    for sequence in text.split('\x1b').skip(1) {
        // The letter at the end of a control sequence says what it does.
        let does = sequence
            .strip_prefix('[')
            .and_then(|rest| rest.find(|c: char| ('\x40'..='\x7e').contains(&c)))
            .map(|at| &sequence[at + 1..at + 2]);
        let is_ours = does.is_some_and(|does| "HmhlJKABCDEFGd".contains(does));
        let begin: String = sequence.chars().take(20).collect();
        assert!(is_ours, "{what}: ESC {begin:?}");
    }
}

#[tokio::test]
async fn a_hostile_model_and_a_hostile_app_steer_nothing() {
    let model = Model::start().await;
    let evil = hostile();
    let quoted = serde_json::Value::from(evil.as_str());
    let vite = format!(
        "import {{ defineConfig }} from 'vite';\nimport react from '@vitejs/plugin-react';\nimport tailwindcss from '@tailwindcss/vite';\nconst EVIL = {quoted};\n{APP}export default defineConfig({{ plugins: [react(), tailwindcss()] }});\n",
    );
    let app =
        format!("export default function App() {{\n  // {evil}\n  return <h1>fine</h1>;\n}}\n");
    let refused = format!("<kiln-write path=\"{evil}\">\nx\n</kiln-write>\n");
    model.then(Reply::Answer(format!(
        "Prose {evil}\n\n`code {evil}`\n\n```ts\nconst x = \"{evil}\";\n```\n\n{}{}",
        writes("src/App.tsx", &app),
        writes("vite.config.ts", &vite),
    )));
    // Twice by the client and its repairs, the rest by the command line.
    for _ in 0..8 {
        model.then(Reply::Answer(refused.clone()));
    }
    let mut kiln = Deployment::on_a_server().await;
    kiln.set("KILN_MODEL_BASE_URL", &model.url);
    kiln.set("KILN_MODEL_DEFAULT", MODEL);
    kiln.start().await;
    let mut terminal = open(&kiln, 140, 44);
    new_project(&mut terminal, "be evil").await;
    over(&terminal, "✓ ready in").await;
    // Every pane has its turn.
    terminal.press(&alt('3'));
    terminal.sees("the app said it").await;
    terminal.press(&alt('1'));
    terminal.press("z");
    terminal.press("g");
    terminal.sees("Prose").await;
    terminal.press(&alt('2'));
    terminal.sees("App.tsx").await;
    terminal.press("i");
    terminal.press("again");
    terminal.press(ENTER);
    over(&terminal, "failed after").await;
    terminal.press(&ctrl('q'));
    assert_eq!(terminal.ended().await, 0);
    assert_tame("the client", &terminal.bytes());

    // And the command line, on a terminal.
    let run: [(&[&str], u32, &str); 6] = [
        (&["generate", "once more"], 1, "failed"),
        (&["history"], 0, "be evil"),
        (&["logs"], 0, "the app said it"),
        (&["files"], 0, "src/App.tsx"),
        (&["files", "src/App.tsx"], 0, "fine"),
        (&["projects"], 0, "be evil"),
    ];
    for (arguments, code, says) in run {
        let mut shown = Terminal::start(&kiln.command(arguments), 100, 400);
        assert_eq!(
            shown.ended().await,
            code,
            "{arguments:?}: {}",
            shown.screen()
        );
        assert_tame(&format!("{arguments:?}"), &shown.bytes());
        shown.sees(says).await;
    }
    let watch = kiln.command(&["watch", "--after", "0"]);
    let mut shown = Terminal::start(&watch, 100, 400);
    shown.sees("Prose").await;
    shown.sees("failed").await;
    shown.press(&ctrl('c'));
    shown.ended().await;
    assert_tame("watch", &shown.bytes());
}

#[tokio::test]
async fn a_hostile_name_is_refused_or_harmless() {
    let mut kiln = Deployment::on_a_server().await;
    kiln.start().await;
    super::empty_project(&kiln, "tame").await;
    for evil in HOSTILE {
        // Whatever the daemon says to it, it is said harmlessly.
        let rename = kiln.command(&["projects", "rename", "tame", evil]);
        let mut shown = Terminal::start(&rename, 100, 40);
        let code = shown.ended().await;
        assert_tame("rename", &shown.bytes());
        if code == 0 {
            let back = kiln.run(&["projects", "--json"]).await.ended(0);
            let id = back.objects()[0]["id"].as_str().unwrap().to_owned();
            let mut listed = Terminal::start(&kiln.command(&["projects"]), 100, 40);
            listed.ended().await;
            assert_tame("projects", &listed.bytes());
            let mut client = open(&kiln, 100, 30);
            client.sees("CHANGED").await;
            client.press(ENTER);
            client.sees("Say what this app should be.").await;
            client.press(&ctrl('q'));
            client.ended().await;
            assert_tame("the client", &client.bytes());
            kiln.run(&["projects", "rename", &id, "tame"])
                .await
                .ended(0);
        }
    }
}

/// Waits for the end of a generation, which has to be the one that is expected.
async fn over(terminal: &Terminal, expected: &str) {
    terminal
        .shows("the generation is over", PATIENCE, |screen| {
            screen.contains("✓ ready in") || screen.contains("failed after")
        })
        .await;
    terminal.sees(expected).await;
}
