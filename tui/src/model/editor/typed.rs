//! What may be written: text without the characters that steer a terminal or
//! that hide what is written, cut to what fits.

use super::{Kind, place};
use crate::sanitise;

/// What a tab becomes.
const TAB: &str = "    ";

/// The text that is kept of what was typed or pasted. Joiners stay: emoji
/// families and several scripts need them.
pub(super) fn clean(input: &str, kind: Kind) -> String {
    let mut out = String::with_capacity(input.len());
    let mut rest = input.chars().peekable();
    let line_feed = match kind {
        Kind::Prompt => '\n',
        Kind::Line | Kind::Masked => ' ',
    };
    while let Some(c) = rest.next() {
        match c {
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' | '\n' | '\u{2028}' | '\u{2029}' => out.push(line_feed),
            '\t' => out.push_str(TAB),
            joiner if is_joiner(joiner) => out.push(joiner),
            other if sanitise::is_unsafe(other) => {}
            other => out.push(other),
        }
    }
    out
}

/// Cuts a text to so many bytes, between clusters; also says how many bytes
/// were cut off.
pub(super) fn cut(mut text: String, bytes: usize) -> (String, usize) {
    if text.len() <= bytes {
        return (text, 0);
    }
    let mut end = place::settle(&text, bytes);
    while end > bytes {
        end = place::previous(&text, end);
    }
    let dropped = text.len() - end;
    text.truncate(end);
    (text, dropped)
}

/// Whether a character joins, or keeps apart, the letters beside it.
pub(super) fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}
