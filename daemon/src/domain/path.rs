//! Paths of files in a project: one type, checked once, trusted after.
//!
//! A path is refused, never repaired: `a/../b` is not `b`. The one exception is
//! Unicode form. A path is kept in NFC, so that two spellings of `é` name one
//! file; where both are given at once, [`super::tree::Tree`] and
//! [`super::operation::apply`] say that they collide.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use super::error::FieldRule;

/// A relative path below the root of a project: parts joined by `/`, NFC,
/// nothing in it that a file system or a terminal could take for something else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SafePath(String);

impl SafePath {
    /// Longest path, in bytes.
    pub const BYTES_MAX: usize = 240;
    /// Most parts.
    pub const PARTS_MAX: usize = 16;
    /// Longest part, in bytes.
    pub const PART_BYTES_MAX: usize = 100;

    /// Directories that belong to tools, wherever they are.
    const RESERVED_ANYWHERE: [&str; 2] = ["node_modules", ".git"];
    /// A directory that belongs to tools at the root of a project.
    const RESERVED_AT_ROOT: &str = ".ssh";

    /// Takes a path as somebody gave it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, PathProblem> {
        if text.is_empty() {
            return Err(PathProblem::Empty);
        }
        // Before anything that walks the whole of it.
        if text.len() > Self::BYTES_MAX {
            return Err(PathProblem::TooLong);
        }
        let path: String = text.nfc().collect();
        if path.starts_with('/') || has_drive(&path) {
            return Err(PathProblem::Absolute);
        }
        if let Some(found) = path.chars().find(|&c| is_forbidden(c)) {
            return Err(PathProblem::Char(found));
        }
        if path.split('/').any(|part| part == "..") {
            return Err(PathProblem::Traversal);
        }
        // Normalising can make a path longer.
        if path.len() > Self::BYTES_MAX
            || path.split('/').count() > Self::PARTS_MAX
            || path
                .split('/')
                .any(|part| part.len() > Self::PART_BYTES_MAX)
        {
            return Err(PathProblem::TooLong);
        }
        for part in path.split('/') {
            if part.is_empty() || part == "." {
                return Err(PathProblem::EmptyPart);
            }
            if part.ends_with([' ', '.']) {
                return Err(PathProblem::Ending);
            }
        }
        for (depth, part) in path.split('/').enumerate() {
            let folded = fold(part);
            if Self::RESERVED_ANYWHERE.contains(&folded.as_str())
                || (depth == 0 && folded == Self::RESERVED_AT_ROOT)
            {
                return Err(PathProblem::Reserved);
            }
        }
        Ok(Self(path))
    }

    /// The path, in NFC.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What two paths share that a case-insensitive file system takes for one.
    #[must_use]
    pub fn fold_key(&self) -> String {
        fold(&self.0)
    }

    /// The last part.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0
            .rsplit_once('/')
            .map_or(self.0.as_str(), |(_, name)| name)
    }

    /// What follows the last dot of the last part, if anything does.
    #[must_use]
    pub fn extension(&self) -> Option<&str> {
        self.file_name()
            .rsplit_once('.')
            .filter(|(stem, _)| !stem.is_empty())
            .map(|(_, extension)| extension)
    }
}

impl fmt::Display for SafePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for SafePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// What is wrong with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// It has a part `..`.
    #[error("a path may not have a part \"..\"")]
    Traversal,
    /// It starts at the root of a file system or of a drive.
    #[error("a path must be relative to the project")]
    Absolute,
    /// It has a character that is not allowed.
    #[error("a path may not have the character U+{:04X}", u32::from(*.0))]
    Char(char),
    /// It is empty.
    #[error("a path may not be empty")]
    Empty,
    /// It has an empty part, or a part `.`.
    #[error("a path may not have an empty part or a part \".\"")]
    EmptyPart,
    /// A part ends with a space or a dot.
    #[error("no part of a path may end with a space or a dot")]
    Ending,
    /// It is too long, too deep, or has too long a part.
    #[error(
        "a path has at most {} bytes and {} parts of at most {} bytes",
        SafePath::BYTES_MAX,
        SafePath::PARTS_MAX,
        SafePath::PART_BYTES_MAX
    )]
    TooLong,
    /// It lies in a directory that belongs to tools.
    #[error("node_modules, .git and .ssh belong to tools")]
    Reserved,
}

impl PathProblem {
    /// The rule of the API that is broken.
    #[must_use]
    pub const fn rule(self) -> FieldRule {
        match self {
            Self::Traversal => FieldRule::PathTraversal,
            Self::Absolute => FieldRule::PathAbsolute,
            Self::Char(_) => FieldRule::PathChar,
            Self::Empty | Self::EmptyPart | Self::Ending => FieldRule::PathInvalid,
            Self::TooLong => FieldRule::PathTooLong,
            Self::Reserved => FieldRule::PathReserved,
        }
    }
}

/// Canonical caseless form (Unicode 3.13, D145): decomposed, folded, decomposed
/// again. ASCII, which is nearly everything, is only lowered.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let decomposed: String = text.nfd().collect();
    unicase::UniCase::unicode(decomposed)
        .to_folded_case()
        .nfd()
        .collect()
}

/// Whether it starts like `C:`.
fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

/// Backslashes, control characters, line separators, and marks that change the
/// direction of text.
fn is_forbidden(c: char) -> bool {
    c == '\\'
        || c.is_control()
        || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path, PathBuf};

    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> FieldRule {
        SafePath::parse(text).expect_err("should be refused").rule()
    }

    fn accepted(text: &str) -> String {
        SafePath::parse(text)
            .expect("should be accepted")
            .as_str()
            .to_owned()
    }

    #[test]
    fn row_41_a_path_never_leaves_the_project() {
        for path in ["../x", "a/../../x", "a/..", "a/../b", ".."] {
            assert_eq!(refused(path), FieldRule::PathTraversal, "{path:?}");
        }
        assert_eq!(accepted("..a/b..c"), "..a/b..c");
    }

    #[test]
    fn row_42_a_path_is_relative() {
        for path in ["/etc/passwd", "/", "C:\\x", "c:/x", "C:"] {
            assert_eq!(refused(path), FieldRule::PathAbsolute, "{path:?}");
        }
        for path in ["\\\\srv\\x", "a\\b"] {
            assert_eq!(refused(path), FieldRule::PathChar, "{path:?}");
        }
        assert_eq!(accepted("~/.ssh/x"), "~/.ssh/x");
    }

    #[test]
    fn row_43_a_path_has_no_empty_part() {
        for path in ["a//b", "./a", "a/", "", ".", "a/./b", "a ", "a./b", "a/b "] {
            assert_eq!(refused(path), FieldRule::PathInvalid, "{path:?}");
        }
    }

    #[test]
    fn row_44_a_path_has_no_control_characters() {
        for path in [
            "a\0b",
            "a\nb",
            "\u{1b}[2J",
            "a\u{202e}gpj",
            "a\u{9b}b",
            "a\u{7f}",
            "\u{2066}a",
            "a\u{2028}b",
        ] {
            assert_eq!(refused(path), FieldRule::PathChar, "{path:?}");
        }
        assert_eq!(accepted("a b/ü 漢字 👩‍💻.txt"), "a b/ü 漢字 👩‍💻.txt");
    }

    #[test]
    fn row_45_a_path_is_bounded() {
        let part = "p".repeat(100);
        let bytes = |last: usize| format!("{part}/{part}/{}", "q".repeat(last));
        assert_eq!(accepted(&bytes(38)).len(), 240);
        assert_eq!(refused(&bytes(39)), FieldRule::PathTooLong);
        assert_eq!(accepted(&vec!["d"; 16].join("/")).len(), 31);
        assert_eq!(refused(&vec!["d"; 17].join("/")), FieldRule::PathTooLong);
        assert_eq!(refused(&"p".repeat(101)), FieldRule::PathTooLong);
        assert_eq!(refused(&"../".repeat(100_000)), FieldRule::PathTooLong);
        // Each of these is three bytes, and six in NFC.
        assert_eq!(refused(&"\u{0958}".repeat(33)), FieldRule::PathTooLong);
    }

    #[test]
    fn row_46_forms_of_one_name_share_a_fold_key() {
        let key = |text: &str| SafePath::parse(text).expect("valid").fold_key();
        assert_eq!(key("README.md"), key("readme.md"));
        assert_eq!(key("\u{e9}"), key("e\u{301}"));
        assert_eq!(key("\u{c9}"), key("e\u{301}"));
        assert_eq!(key("straße"), key("STRASSE"));
        assert_eq!(key("ΣΑΣ"), key("σας"));
        assert_ne!(key("a"), key("b"));
        assert_eq!(accepted("e\u{301}"), "\u{e9}");
    }

    #[test]
    fn row_48_directories_of_tools_are_reserved() {
        for path in [
            "node_modules/x",
            "node_modules",
            "packages/a/node_modules/x",
            ".git/config",
            ".GIT/hooks/x",
            "a/.git",
            ".ssh/authorized_keys",
            ".SSH",
        ] {
            assert_eq!(refused(path), FieldRule::PathReserved, "{path:?}");
        }
        for path in [
            ".npmrc",
            "bunfig.toml",
            ".env",
            ".gitignore",
            "a/node_modules.ts",
        ] {
            assert_eq!(accepted(path), path);
        }
    }

    #[test]
    fn row_49_a_name_like_a_compressed_file_is_just_a_name() {
        assert_eq!(accepted("BZh91AY&SY.txt"), "BZh91AY&SY.txt");
    }

    #[test]
    fn the_extension_is_what_follows_the_last_dot() {
        let extension = |text| {
            SafePath::parse(text)
                .expect("valid")
                .extension()
                .map(str::to_owned)
        };
        assert_eq!(extension("src/a.test.ts").as_deref(), Some("ts"));
        assert_eq!(extension("v1.2/Makefile"), None);
        assert_eq!(extension(".env"), None);
    }

    /// What matters for paths, and now and then any other character.
    fn text_of(piece: u16) -> String {
        const PIECES: [&str; 24] = [
            "..",
            ".",
            "/",
            "/",
            "/",
            "\\",
            "a",
            "b.c",
            "~",
            "e\u{301}",
            "\u{2024}",
            "\u{ff0f}",
            "\u{2215}",
            " ",
            "\0",
            "C:",
            "\n",
            "\u{202e}",
            "node_modules",
            ".git",
            "\u{37e}",
            "..a",
            "漢",
            "👩‍💻",
        ];
        let piece = usize::from(piece);
        match PIECES.get(piece % 32) {
            Some(text) => (*text).to_owned(),
            None => u32::try_from(piece)
                .ok()
                .and_then(char::from_u32)
                .map_or_else(String::new, String::from),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn t14_an_accepted_path_stays_below_the_root(pieces in prop::collection::vec(any::<u16>(), 0..12)) {
            let text: String = pieces.iter().map(|&piece| text_of(piece)).collect();
            let Ok(path) = SafePath::parse(&text) else { return Ok(()) };
            // Joined part by part, as a naive user of the path would do it.
            let mut joined = PathBuf::from("/app");
            for component in Path::new(path.as_str()).components() {
                match component {
                    Component::Normal(part) => joined.push(part),
                    other => prop_assert!(false, "{other:?} in {path}"),
                }
            }
            prop_assert_eq!(&joined, &Path::new("/app").join(path.as_str()));
            prop_assert!(joined.starts_with("/app") && joined != Path::new("/app"));
            prop_assert_eq!(joined.as_os_str().len(), "/app/".len() + path.as_str().len());
            // What was accepted is accepted again, unchanged.
            prop_assert_eq!(SafePath::parse(path.as_str()), Ok(path.clone()));
        }
    }
}
