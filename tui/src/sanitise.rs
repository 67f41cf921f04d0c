//! Takes the characters that steer a terminal, or that hide what is written,
//! out of text that somebody else wrote: models, containers, other people.
//!
//! What is taken out is shown rather than dropped, so that nobody wonders
//! where it went: control characters as `^X`, the others as `�`. This module
//! adds no colour and no escape sequence of its own.

use std::borrow::Cow;

/// What a tab becomes: a terminal would move by an unknown number of columns.
const TAB: &str = "    ";

/// What stands for a character that has no other sign.
const REPLACEMENT: char = '\u{fffd}';

/// Makes text of several lines safe for a terminal: line feeds stay, a carriage
/// return before one goes, tabs become spaces.
///
/// Applying it twice gives the same as once.
#[must_use]
pub fn text(input: &str) -> Cow<'_, str> {
    if !input.chars().any(|c| c != '\n' && is_unsafe(c)) {
        return Cow::Borrowed(input);
    }
    let mut out = String::with_capacity(input.len() + 16);
    let mut rest = input.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' => out.push('\n'),
            '\r' if rest.peek() == Some(&'\n') => {}
            other => push_safe(&mut out, other),
        }
    }
    Cow::Owned(out)
}

/// Makes text that must stay on one line safe for a terminal: as [`text`], and
/// line feeds are shown too.
///
/// Applying it twice gives the same as once.
#[must_use]
pub fn line(input: &str) -> Cow<'_, str> {
    if !input.chars().any(is_unsafe) {
        return Cow::Borrowed(input);
    }
    let mut out = String::with_capacity(input.len() + 16);
    for c in input.chars() {
        push_safe(&mut out, c);
    }
    Cow::Owned(out)
}

/// Whether a terminal, or a reader's eye, could be steered by this character.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    match c {
        // C0, DEL and C1: what escape sequences are made of.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        // Characters that reorder what is read.
        '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            true
        }
        // Characters without width, and separators that some terminals break lines at.
        '\u{200b}'..='\u{200d}' | '\u{2028}'..='\u{2029}' | '\u{feff}' => true,
        // Others that cannot be seen: joiners of words, fillers of letters, marks of
        // formats, annotations, tags. What picks the look of an emoji stays.
        '\u{ad}' | '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' => true,
        '\u{180b}'..='\u{180f}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' => true,
        '\u{3164}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' => true,
        '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' => true,
        '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

fn push_safe(out: &mut String, c: char) {
    match c {
        '\t' => out.push_str(TAB),
        '\0'..='\u{1f}' => {
            out.push('^');
            // 0x00..=0x1f moved by 0x40 is `@`..=`_`.
            out.push(char::from(u8::try_from(u32::from(c)).unwrap_or(0) + 0x40));
        }
        '\u{7f}' => out.push_str("^?"),
        other if is_unsafe(other) => out.push(REPLACEMENT),
        other => out.push(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Text in which the interesting characters are frequent.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<char>().prop_map(String::from),
            (0u32..0x20).prop_map(|n| char::from_u32(n).unwrap().to_string()),
            (0x7fu32..0xa0).prop_map(|n| char::from_u32(n).unwrap().to_string()),
            (0x2000u32..0x2070).prop_map(|n| char::from_u32(n).unwrap().to_string()),
            Just("\x1b]52;c;aGk=\x07".to_owned()),
            Just("\x1b[2J".to_owned()),
            Just("\r\n".to_owned()),
            Just("\u{feff}".to_owned()),
            "[a-zé漢😀 ]{0,8}",
        ];
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn nothing_that_steers_a_terminal_gets_through(input in hostile()) {
            prop_assert!(!text(&input).chars().any(|c| c != '\n' && is_unsafe(c)));
            prop_assert!(!line(&input).chars().any(is_unsafe));
        }

        #[test]
        fn lines_stay_lines(input in hostile()) {
            prop_assert_eq!(
                text(&input).matches('\n').count(),
                input.matches('\n').count()
            );
        }

        #[test]
        fn twice_is_once(input in hostile()) {
            let once = text(&input).into_owned();
            prop_assert_eq!(text(&once), once.as_str());
            let once = line(&input).into_owned();
            prop_assert_eq!(line(&once), once.as_str());
        }

        #[test]
        fn harmless_text_is_untouched(input in "[ -~é漢字😀\n]{0,64}") {
            prop_assert_eq!(text(&input), input.as_str());
        }
    }

    #[test]
    fn what_is_taken_out_is_shown() {
        assert_eq!(line("a\x1b[31mb"), "a^[[31mb");
        assert_eq!(line("\0\x07\x7f"), "^@^G^?");
        assert_eq!(line("x\u{9b}2Jy\u{202e}z"), "x\u{fffd}2Jy\u{fffd}z");
        assert_eq!(line("a\tb\nc"), "a    b^Jc");
        assert_eq!(text("a\r\nb\rc\n"), "a\nb^Mc\n");
    }

    #[test]
    fn every_code_point_of_the_list_is_unsafe() {
        let list = [
            0x0..=0x1f,
            0x7f..=0x9f,
            0x200b..=0x200f,
            0x202a..=0x202e,
            0x2066..=0x2069,
            0xfeff..=0xfeff,
            0xad..=0xad,
            0x2060..=0x206f,
            0xfff9..=0xfffb,
            0xe0000..=0xe0fff,
        ];
        for code in list.into_iter().flatten() {
            assert!(is_unsafe(char::from_u32(code).unwrap()), "U+{code:04X}");
        }
        for c in "aé漢😀\u{fe0f}e\u{301}\u{fffd}~ ".chars() {
            assert!(!is_unsafe(c), "{c}");
        }
    }
}
