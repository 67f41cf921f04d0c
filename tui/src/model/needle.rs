//! Finds a text in others, whatever the case of its letters.

use std::ops::Range;

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needle {
    text: String,
    /// Its letters in lower case.
    folded: Vec<char>,
}

impl Needle {
    /// Looks for a text. An empty one is never found.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            folded: text.chars().flat_map(char::to_lowercase).collect(),
        }
    }

    /// What is looked for, as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether nothing is looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether it is in a text.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        self.find(text, 0).is_some()
    }

    /// Where it is in a text, from left to right, without overlaps.
    #[must_use]
    pub fn all_in(&self, text: &str) -> Vec<Range<usize>> {
        let mut all = Vec::new();
        let mut from = 0;
        while let Some(found) = self.find(text, from) {
            from = found.end;
            all.push(found);
        }
        all
    }

    /// The first place from a byte on.
    fn find(&self, text: &str, from: usize) -> Option<Range<usize>> {
        if self.is_empty() {
            return None;
        }
        if self.text.is_ascii() {
            return self.find_ascii(text.as_bytes(), from);
        }
        text[from..].char_indices().find_map(|(at, _)| {
            let start = from + at;
            let length = self.length_at(&text[start..])?;
            Some(start..start + length)
        })
    }

    /// No byte of another letter looks like one of ASCII.
    fn find_ascii(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        let needle = self.text.as_bytes();
        let (low, high) = (
            needle[0].to_ascii_lowercase(),
            needle[0].to_ascii_uppercase(),
        );
        let last = text.len().checked_sub(needle.len())?;
        let mut at = from;
        while at <= last {
            let next = text[at..=last]
                .iter()
                .position(|&byte| byte == low || byte == high)?;
            at += next;
            if text[at..at + needle.len()].eq_ignore_ascii_case(needle) {
                return Some(at..at + needle.len());
            }
            at += 1;
        }
        None
    }

    /// How many bytes of a text it takes, if the text begins with it.
    fn length_at(&self, text: &str) -> Option<usize> {
        let mut wanted = self.folded.iter();
        for (at, c) in text.char_indices() {
            if wanted.len() == 0 {
                return Some(at);
            }
            for folded in c.to_lowercase() {
                // Where one letter has become two, the second may be beyond.
                if wanted.next() != Some(&folded) {
                    return None;
                }
            }
        }
        (wanted.len() == 0).then_some(text.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_does_not_matter() {
        assert_eq!(Needle::new("ErR").all_in("error: ERR, er"), [0..3, 7..10]);
        assert_eq!(Needle::new("é漢").all_in("aÉ漢 é漢"), [1..6, 7..12]);
        assert_eq!(Needle::new("aa").all_in("aaaaa"), [0..2, 2..4]);
        assert!(Needle::new("").all_in("abc").is_empty());
        assert!(Needle::new("abc").all_in("ab").is_empty());
        let found = 1..3;
        assert_eq!(Needle::new("İ").all_in("xİ"), std::slice::from_ref(&found));
    }

    proptest! {
        #[test]
        fn what_is_found_is_there(text in "[aAbBéÉ漢İß]{0,20}", needle in "[aBé漢İ]{1,3}") {
            let found = Needle::new(&needle).all_in(&text);
            for range in &found {
                prop_assert_eq!(text[range.clone()].to_lowercase(), needle.to_lowercase());
            }
            prop_assert_eq!(found.is_empty(), !text.to_lowercase().contains(&needle.to_lowercase()) );
        }
    }
}
