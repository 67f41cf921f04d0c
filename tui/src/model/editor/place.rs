//! Places in a text: between grapheme clusters, at words, at lines.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// The first place between two clusters that is not before a byte.
pub(super) fn settle(text: &str, byte: usize) -> usize {
    let byte = at_character(text, byte);
    let mut cursor = GraphemeCursor::new(byte, text.len(), true);
    match cursor.is_boundary(text, 0) {
        Ok(true) => byte,
        _ => next(text, byte),
    }
}

/// The byte, or the end of the character that it is within. A cursor of clusters
/// panics within one.
fn at_character(text: &str, byte: usize) -> usize {
    let mut byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte += 1;
    }
    byte
}

/// The next place; the end where there is none.
pub(super) fn next(text: &str, byte: usize) -> usize {
    GraphemeCursor::new(at_character(text, byte), text.len(), true)
        .next_boundary(text, 0)
        .ok()
        .flatten()
        .unwrap_or(text.len())
}

/// The place before; the start where there is none.
pub(super) fn previous(text: &str, byte: usize) -> usize {
    GraphemeCursor::new(at_character(text, byte), text.len(), true)
        .prev_boundary(text, 0)
        .ok()
        .flatten()
        .unwrap_or(0)
}

/// The start of the word that the place is in or behind.
pub(super) fn word_left(text: &str, byte: usize) -> usize {
    let start = text[..byte]
        .unicode_word_indices()
        .next_back()
        .map_or(0, |(at, _)| at);
    let settled = settle(text, start);
    // A word may begin within a cluster; never stand still because of that.
    if settled < byte {
        settled
    } else {
        previous(text, byte)
    }
}

/// The end of the word that the place is in or before.
pub(super) fn word_right(text: &str, byte: usize) -> usize {
    let end = text[byte..]
        .unicode_word_indices()
        .next()
        .map_or(text.len(), |(at, word)| byte + at + word.len());
    settle(text, end)
}

/// The start of the line.
pub(super) fn line_start(text: &str, byte: usize) -> usize {
    text[..byte].rfind('\n').map_or(0, |at| at + 1)
}

/// The end of the line, before its line feed.
pub(super) fn line_end(text: &str, byte: usize) -> usize {
    text[byte..].find('\n').map_or(text.len(), |at| byte + at)
}
