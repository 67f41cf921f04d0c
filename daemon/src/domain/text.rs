//! Rules for text that people and models give. Nothing here is shown: what is
//! safe on a terminal is the client's business.

use std::borrow::Cow;

use super::error::{Error, FieldRule, Result};

/// Longest prompt, in bytes.
pub const PROMPT_BYTES_MAX: usize = 64 * 1024;

/// What a person asks for. Kept as given: escape sequences and marks of
/// direction are content, which clients clean before they show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt(String);

impl Prompt {
    /// Takes a prompt as somebody gave it.
    ///
    /// # Errors
    /// It is empty, longer than [`PROMPT_BYTES_MAX`], or holds U+0000, which
    /// Postgres cannot keep in text.
    pub fn parse(text: String) -> Result<Self> {
        if text.len() > PROMPT_BYTES_MAX {
            return Err(Error::invalid(
                "prompt",
                FieldRule::PromptTooLong,
                format!("a prompt has at most {PROMPT_BYTES_MAX} bytes"),
            ));
        }
        if text.trim().is_empty() {
            return Err(Error::invalid(
                "prompt",
                FieldRule::PromptEmpty,
                "say what to build or to change",
            ));
        }
        if text.contains('\0') {
            return Err(Error::invalid(
                "prompt",
                FieldRule::PromptChar,
                "a prompt may not hold U+0000",
            ));
        }
        Ok(Self(text))
    }

    /// The prompt, as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The prompt, as given.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Text of a model or of a program, as Postgres can keep it: U+0000 becomes
/// U+FFFD.
#[must_use]
pub fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{FFFD}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// At most `bytes` of the beginning of `text`, cut between characters.
#[must_use]
pub fn beginning(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> FieldRule {
        match Prompt::parse(text.to_owned()) {
            Err(Error::Invalid(violations)) => violations[0].rule,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn row_57_a_prompt_says_something() {
        for text in ["", " ", "\n\t \u{3000}"] {
            assert_eq!(rule(text), FieldRule::PromptEmpty, "{text:?}");
        }
    }

    #[test]
    fn row_58_a_prompt_is_bounded() {
        assert!(Prompt::parse("x".repeat(64 * 1024)).is_ok());
        assert_eq!(rule(&"x".repeat(64 * 1024 + 1)), FieldRule::PromptTooLong);
    }

    #[test]
    fn row_59_a_prompt_has_no_nul_and_text_of_models_loses_it() {
        assert_eq!(rule("a\0b"), FieldRule::PromptChar);
        assert_eq!(without_nul("a\0b\0"), "a\u{FFFD}b\u{FFFD}");
        assert!(matches!(without_nul("ab"), Cow::Borrowed("ab")));
    }

    #[test]
    fn row_60_a_prompt_is_kept_as_given() {
        let text = "make \u{1b}]52;c;AAAA\u{7} \u{202e}it red";
        assert_eq!(
            Prompt::parse(text.to_owned()).expect("accepted").as_str(),
            text
        );
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(beginning("aé", 2), "a");
        assert_eq!(beginning("aé", 3), "aé");
        assert_eq!(beginning("a", 100), "a");
    }
}
