//! Text that means harm, and the check that none of it reaches a terminal.

use std::iter::Peekable;
use std::str::Chars;

/// What steers a terminal, or hides what is written. Each alone, since a long
/// line is cut.
pub(crate) fn payloads() -> Vec<String> {
    let mut all: Vec<String> = [
        // Clears, moves, asks, resets, switches screens and modes.
        "\x1b[2J\x1b[H",
        "\x1b[1;1Hx",
        "\x1b[6n\x1b[c\x1b[>q",
        "\x1bc\x1b7\x1b8\x1bM",
        "\x1b[?1049l\x1b[?1000h\x1b[?2004l",
        "\x1b[31;1;5mred\x1b[0m",
        "\x1b[8mhidden\x1b[28m",
        "\x1b[200~pasted\x1b[201~",
        // Title, link, clipboard, notification; ended by BEL, ST, C1 ST, nothing.
        "\x1b]0;title\x07",
        "\x1b]2;title\x1b\\",
        "\x1b]8;;https://example.com\x1b\\text\x1b]8;;\x1b\\",
        "\x1b]52;c;aGVsbG8=\x07",
        "\x1b]52;c;aGVsbG8=\u{9c}",
        "\x1b]9;note\x07\x1b]777;notify;a;b\x07",
        "\x1b]0;never ended",
        // Strings of devices, applications and privacy.
        "\x1bP+q544e\x1b\\\x1b_app\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\",
        // Halves of sequences, which a neighbour may complete.
        "\x1b",
        "\x1b[",
        "\x1b\x1b[[2J",
        "\x1b[\x1b[31m2J",
        "[2J]0;x",
        // The same as C1.
        "\u{9b}2J\u{9d}0;t\u{9c}\u{90}q\u{9c}\u{85}\u{84}\u{8d}",
        // Controls without an escape.
        "\0\x01\x07\x08\x08\x0b\x0c\x0e\x0f\x11\x13\x18\x1a\x7f",
        "a\rb\r\nc\nd\te",
        // Other directions.
        "abc\u{202e}fdp.exe\u{202c}\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202d}",
        "\u{2066}a\u{2067}b\u{2068}c\u{2069}",
        // Nothing to see.
        "a\u{200b}b\u{200c}c\u{200d}d\u{feff}e\u{2060}f\u{2061}g\u{2064}h\u{180e}i",
        "a\u{ad}b\u{34f}c\u{115f}d\u{3164}e\u{ffa0}f\u{206a}g\u{206f}h\u{fff9}i\u{fffb}",
        "\u{e0001}\u{e0041}\u{e007f}\u{e0100}\u{1d173}\u{1bca0}",
        // Ends of lines that some terminals take for such.
        "a\u{2028}b\u{2029}c",
        // Much of something.
        "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
        "漢字かな한글👩\u{200d}👩\u{200d}👧\u{fe0f}🇫🇷",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect();
    all.push("W".repeat(5_000));
    all.push("漢".repeat(3_000));
    all.push(
        (0..0x20)
            .chain(0x7f..0xa0)
            .filter_map(char::from_u32)
            .collect(),
    );
    all
}

/// Fails at the first thing that is not of the client's own repertoire: text, and
/// the few sequences that place the cursor, show or hide it, and set looks.
pub(crate) fn assert_own(bytes: &[u8]) {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => panic!("not UTF-8: {error}"),
    };
    let mut rest = text.chars().peekable();
    let mut before = String::new();
    while let Some(c) = rest.next() {
        if c == '\x1b' {
            if let Err(found) = sequence(&mut rest) {
                panic!("{found:?} is written, after {before:?}");
            }
            continue;
        }
        assert!(
            !steers(c),
            "U+{:04X} is written, after {before:?}",
            u32::from(c)
        );
        before.push(c);
        if before.chars().count() > 60 {
            before = before.chars().skip(30).collect();
        }
    }
}

/// One sequence, after its escape.
fn sequence(rest: &mut Peekable<Chars<'_>>) -> Result<(), String> {
    let mut found = String::from("ESC");
    match rest.next() {
        Some('[') => found.push('['),
        other => return Err(format!("{found}{other:?}")),
    }
    let mut parameters = String::new();
    while let Some(c) = rest.next_if(|c| matches!(c, '0'..='9' | ';' | '?')) {
        parameters.push(c);
    }
    let last = rest.next();
    match (last, parameters.as_str()) {
        (Some('H' | 'm'), _) if !parameters.contains('?') => Ok(()),
        (Some('h' | 'l'), "?25") => Ok(()),
        (other, _) => Err(format!("{found}{parameters}{other:?}")),
    }
}

/// Whether this may not be drawn, by a list of its own: not the client's.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}
