//! Names that requests may use: the two slots, and paths beneath them. What
//! does not parse goes no further; what a path leads to is for `beneath`.

use std::ffi::OsStr;
use std::path::Path;

use crate::error::Error;

/// Longest path beneath a slot, in bytes.
pub const MAX_PATH_BYTES: usize = 1024;
/// Longest name in a path, in bytes.
pub const MAX_NAME_BYTES: usize = 255;
/// Most names in a path.
pub const MAX_DEPTH: usize = 64;

/// One of the two places for an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// `a`
    A,
    /// `b`
    B,
}

impl Slot {
    /// Both.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// Reads a slot's name.
    ///
    /// # Errors
    /// If it is neither `a` nor `b`.
    pub fn parse(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|slot| slot.name() == name)
            .ok_or_else(|| Error::Invalid("slot: must be a or b".to_owned()))
    }

    /// Its name, which is its directory's too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

/// A relative path of plain names: no `.`, no `..`, no empty name, no NUL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelativePath(String);

impl RelativePath {
    /// Checks a path.
    ///
    /// # Errors
    /// If it is not a path as described, or too long or deep.
    pub fn parse(path: &str) -> Result<Self, Error> {
        let invalid = |why: &str| {
            let shown: String = path.chars().take(200).collect();
            Err(Error::Invalid(format!("path {shown:?}: {why}")))
        };
        if path.len() > MAX_PATH_BYTES {
            return invalid("too long");
        }
        if path.contains('\0') {
            return invalid("must not contain NUL");
        }
        let mut depth = 0;
        for name in path.split('/') {
            match name {
                "" => return invalid("must be relative and have no empty names"),
                "." | ".." => return invalid("must not contain . or .."),
                name if name.len() > MAX_NAME_BYTES => return invalid("a name is too long"),
                _ => depth += 1,
            }
        }
        if depth > MAX_DEPTH {
            return invalid("too deep");
        }
        Ok(Self(path.to_owned()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a path.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// The directory that it is in; none if that is the slot itself.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.0.rsplit_once('/')?;
        Some(Self(parent.to_owned()))
    }

    /// Its last name.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        OsStr::new(self.0.rsplit('/').next().unwrap_or(&self.0))
    }

    /// Its names, outermost first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether the other path lies beneath this one.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other
            .0
            .strip_prefix(&self.0)
            .is_some_and(|rest| rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_relative_paths_are_accepted() {
        for path in ["a", "a/b.txt", "src/..hidden", "...", "a b/ü", ".env"] {
            assert!(RelativePath::parse(path).is_ok(), "{path}");
        }
        let long = "x/".repeat(600);
        let deep = format!("{}x", "x/".repeat(64));
        let name = "x".repeat(256);
        for path in [
            "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\0b", &long,
            &deep, &name,
        ] {
            assert!(RelativePath::parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn only_two_slots_exist() {
        assert_eq!(Slot::parse("a").ok(), Some(Slot::A));
        assert_eq!(Slot::parse("b").ok(), Some(Slot::B));
        for name in ["", "c", "A", "a/", "../a"] {
            assert!(Slot::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn parents_and_containment_go_by_whole_names() {
        let path = RelativePath::parse("src/a/b").unwrap();
        assert_eq!(path.parent().unwrap().as_str(), "src/a");
        assert_eq!(path.name(), "b");
        assert!(path.parent().unwrap().contains(&path));
        assert!(!RelativePath::parse("src/a/").is_ok_and(|it| it.contains(&path)));
        assert!(!RelativePath::parse("sr").unwrap().contains(&path));
        assert!(RelativePath::parse("b").unwrap().parent().is_none());
    }
}
