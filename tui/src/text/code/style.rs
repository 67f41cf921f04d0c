//! Style sheets, markup, data, and languages whose remarks begin with `#`.

use super::{Highlighter, Mode, Reader, is_word, words};
use crate::text::Role;

pub(super) fn style(reader: &mut Reader<'_>, of: &mut Highlighter) {
    while let Some(c) = reader.peek() {
        if of.mode() == Mode::Comment {
            if reader.take_until("*/", Role::CodeComment) {
                of.leave();
            }
            continue;
        }
        let inside = !of.open.is_empty();
        match c {
            '/' if reader.rest.starts_with("/*") => of.enter(Mode::Comment),
            '"' | '\'' => reader.quoted(c, Role::CodeString),
            '{' => {
                of.enter(Mode::Code);
                reader.one(Role::CodePunctuation);
            }
            '}' => {
                of.leave();
                reader.one(Role::CodePunctuation);
            }
            '@' => {
                let bytes = 1 + reader.rest[1..]
                    .find(|c: char| !is_name(c))
                    .unwrap_or(reader.rest.len() - 1);
                reader.take(bytes, Role::CodeKeyword);
            }
            '#' if inside => {
                let bytes = 1 + reader.rest[1..]
                    .find(|c: char| !c.is_ascii_alphanumeric())
                    .unwrap_or(reader.rest.len() - 1);
                reader.take(bytes, Role::CodeConstant);
            }
            c if c.is_ascii_digit() => reader.number(),
            c if is_name(c) => {
                let bytes = reader.while_is(is_name);
                let after = reader.rest[bytes..].trim_start();
                let role = if inside && after.starts_with(':') {
                    Role::CodeAttribute
                } else if after.starts_with('(') {
                    Role::CodeFunction
                } else if inside {
                    Role::Text
                } else {
                    Role::CodeTag
                };
                reader.take(bytes, role);
            }
            ' ' => reader.one(Role::Text),
            _ => reader.one(Role::CodePunctuation),
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_')
}

pub(super) fn markup(reader: &mut Reader<'_>, of: &mut Highlighter) {
    while let Some(c) = reader.peek() {
        match of.mode() {
            Mode::Comment => {
                if reader.take_until("-->", Role::CodeComment) {
                    of.leave();
                }
            }
            Mode::Tag => match c {
                '>' => {
                    reader.one(Role::CodePunctuation);
                    of.leave();
                }
                '"' | '\'' => reader.quoted(c, Role::CodeString),
                c if is_name(c) => {
                    let bytes = reader.while_is(|c| is_name(c) || matches!(c, ':' | '.' | '@'));
                    reader.take(bytes, Role::CodeAttribute);
                }
                ' ' => reader.one(Role::Text),
                _ => reader.one(Role::CodePunctuation),
            },
            Mode::Code | Mode::Template => {
                if reader.rest.starts_with("<!--") {
                    of.enter(Mode::Comment);
                } else if c == '<' {
                    let sign = if reader.rest.starts_with("</") { 2 } else { 1 };
                    reader.take(sign, Role::CodePunctuation);
                    let name = reader.while_is(|c| is_name(c) || matches!(c, ':' | '!' | '?'));
                    reader.take(name, Role::CodeTag);
                    of.enter(Mode::Tag);
                } else {
                    let text = reader.while_is(|c| c != '<');
                    reader.take(text, Role::Text);
                }
            }
        }
    }
}

pub(super) fn data(reader: &mut Reader<'_>) {
    while let Some(c) = reader.peek() {
        match c {
            '/' if reader.rest.starts_with("//") => {
                reader.take(reader.rest.len(), Role::CodeComment);
            }
            '"' => {
                let key = is_key(reader.rest);
                let role = if key {
                    Role::CodeAttribute
                } else {
                    Role::CodeString
                };
                reader.quoted('"', role);
            }
            c if c.is_ascii_digit() || c == '-' => reader.number(),
            c if is_word(c) => {
                let bytes = reader.while_is(is_word);
                reader.take(bytes, Role::CodeConstant);
            }
            ' ' => reader.one(Role::Text),
            _ => reader.one(Role::CodePunctuation),
        }
    }
}

/// Whether a text in quotes is followed by a colon.
fn is_key(rest: &str) -> bool {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == '"' {
            return rest[at + 1..].trim_start().starts_with(':');
        }
    }
    false
}

pub(super) fn hash(reader: &mut Reader<'_>) {
    let mut first = true;
    while let Some(c) = reader.peek() {
        match c {
            '#' => reader.take(reader.rest.len(), Role::CodeComment),
            '"' | '\'' => reader.quoted(c, Role::CodeString),
            '[' if first && reader.rest.trim_end().ends_with(']') => {
                reader.take(reader.rest.len(), Role::CodeTag);
            }
            c if c.is_ascii_digit() => reader.number(),
            c if is_word(c) => {
                let bytes = reader.while_is(|c| is_word(c) || c == '-');
                let (word, after) = reader.rest.split_at(bytes);
                let after = after.trim_start();
                let role = if words::CONSTANTS.contains(&word) {
                    Role::CodeConstant
                } else if words::HASH.contains(&word) {
                    Role::CodeKeyword
                } else if first && (after.starts_with('=') || after.starts_with(':')) {
                    Role::CodeAttribute
                } else if after.starts_with('(') {
                    Role::CodeFunction
                } else {
                    Role::Text
                };
                reader.take(bytes, role);
            }
            ' ' => reader.one(Role::Text),
            _ => reader.one(Role::CodePunctuation),
        }
        if c != ' ' {
            first = false;
        }
    }
}
