//! Languages with braces; in scripts with markup in them.

use super::{Highlighter, Language, Mode, Reader, is_word, words};
use crate::text::Role;

pub(super) fn line(reader: &mut Reader<'_>, of: &mut Highlighter) {
    while let Some(c) = reader.peek() {
        match of.mode() {
            Mode::Comment => {
                if reader.take_until("*/", Role::CodeComment) {
                    of.leave();
                }
            }
            Mode::Template => template(reader, of),
            Mode::Tag => tag(reader, of, c),
            Mode::Code => code(reader, of, c),
        }
    }
}

fn template(reader: &mut Reader<'_>, of: &mut Highlighter) {
    let mut escaped = false;
    let mut end = None;
    for (at, c) in reader.rest.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == '`' || reader.rest[at..].starts_with("${") {
            end = Some(at);
            break;
        }
    }
    match end {
        None => reader.take(reader.rest.len(), Role::CodeString),
        Some(at) if reader.rest[at..].starts_with('`') => {
            reader.take(at + 1, Role::CodeString);
            of.leave();
        }
        Some(at) => {
            reader.take(at, Role::CodeString);
            reader.take(2, Role::CodePunctuation);
            of.enter(Mode::Code);
        }
    }
}

fn code(reader: &mut Reader<'_>, of: &mut Highlighter, c: char) {
    let rest = reader.rest;
    if rest.starts_with("//") {
        reader.take(rest.len(), Role::CodeComment);
    } else if rest.starts_with("/*") {
        of.enter(Mode::Comment);
    } else if c == '`' && of.language == Language::Script {
        reader.take(1, Role::CodeString);
        of.enter(Mode::Template);
    } else if c == '"' || (c == '\'' && is_text(of, rest)) {
        reader.quoted(c, Role::CodeString);
    } else if c.is_ascii_digit() {
        reader.number();
    } else if is_word(c) {
        word(reader);
    } else if c == '<' && of.language == Language::Script && begins_tag(reader) {
        of.enter(Mode::Tag);
        begin_tag(reader);
    } else if c == '{' {
        of.enter(Mode::Code);
        reader.one(Role::CodePunctuation);
    } else if c == '}' {
        of.leave();
        reader.one(Role::CodePunctuation);
    } else if c == ' ' {
        let spaces = reader.while_is(|c| c == ' ');
        reader.take(spaces, Role::Text);
    } else {
        reader.one(Role::CodePunctuation);
    }
}

/// A quote that begins a text, rather than the lifetime of a Rust type or the
/// apostrophe of a word between tags.
fn is_text(of: &Highlighter, rest: &str) -> bool {
    match of.language {
        Language::Script => rest[1..].contains('\''),
        _ => rest.chars().nth(2) == Some('\'') || rest.starts_with("'\\"),
    }
}

fn word(reader: &mut Reader<'_>) {
    let bytes = reader.while_is(is_word);
    let (word, after) = reader.rest.split_at(bytes);
    let is_member = reader.last == '.';
    let role = if !is_member && words::CONSTANTS.contains(&word) {
        Role::CodeConstant
    } else if !is_member && words::BRACES.contains(&word) {
        Role::CodeKeyword
    } else if after.starts_with('(') {
        Role::CodeFunction
    } else if word.starts_with(|c: char| c.is_uppercase()) {
        Role::CodeType
    } else if is_member {
        Role::CodeAttribute
    } else {
        Role::Text
    };
    reader.take(bytes, role);
}

/// Whether `<` opens a tag here rather than compares or names a type.
fn begins_tag(reader: &Reader<'_>) -> bool {
    let next = reader.rest[1..].chars().next();
    let is_name = next.is_some_and(|c| c.is_alphabetic() || matches!(c, '/' | '>'));
    let after_value = is_word(reader.last) || matches!(reader.last, ')' | ']' | '"' | '\'');
    let after_return = reader.row.plain().trim_end().ends_with("return");
    is_name && (!after_value || after_return || reader.last == '>')
}

fn begin_tag(reader: &mut Reader<'_>) {
    let sign = if reader.rest.starts_with("</") { 2 } else { 1 };
    reader.take(sign, Role::CodePunctuation);
    let name = reader.while_is(|c| is_word(c) || matches!(c, '.' | '-' | ':'));
    if name > 0 {
        reader.take(name, Role::CodeTag);
    }
}

fn tag(reader: &mut Reader<'_>, of: &mut Highlighter, c: char) {
    match c {
        '>' => {
            reader.one(Role::CodePunctuation);
            of.leave();
        }
        '{' => {
            reader.one(Role::CodePunctuation);
            of.enter(Mode::Code);
        }
        '"' | '\'' => reader.quoted(c, Role::CodeString),
        c if is_word(c) => {
            let bytes = reader.while_is(|c| is_word(c) || matches!(c, '-' | ':'));
            reader.take(bytes, Role::CodeAttribute);
        }
        ' ' => {
            let spaces = reader.while_is(|c| c == ' ');
            reader.take(spaces, Role::Text);
        }
        _ => reader.one(Role::CodePunctuation),
    }
}
