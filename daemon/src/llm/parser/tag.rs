//! One tag on one line: its name, its attributes, what follows it.

use crate::domain::event::OperationKind;
use crate::domain::operation::Operation;

/// The names of tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Write,
    Edit,
    Rename,
    Delete,
    AddDependency,
    Read,
}

impl Name {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "kiln-write" => Some(Self::Write),
            "kiln-edit" => Some(Self::Edit),
            "kiln-rename" => Some(Self::Rename),
            "kiln-delete" => Some(Self::Delete),
            "kiln-add-dependency" => Some(Self::AddDependency),
            "kiln-read" => Some(Self::Read),
            _ => None,
        }
    }

    pub(super) const fn closing_tag(self) -> &'static str {
        match self {
            Self::Write => "</kiln-write>",
            Self::Edit => "</kiln-edit>",
            Self::Rename => "</kiln-rename>",
            Self::Delete => "</kiln-delete>",
            Self::AddDependency => "</kiln-add-dependency>",
            Self::Read => "</kiln-read>",
        }
    }

    pub(super) const fn kind(self) -> OperationKind {
        match self {
            Self::Write => OperationKind::Write,
            Self::Edit => OperationKind::Edit,
            Self::Rename => OperationKind::Rename,
            Self::Delete => OperationKind::Delete,
            Self::AddDependency => OperationKind::AddDependency,
            Self::Read => OperationKind::Read,
        }
    }
}

/// A tag.
#[derive(Debug)]
pub(super) struct Tag<'a> {
    pub(super) name: Name,
    /// Whether it is `</…>`.
    pub(super) is_closing: bool,
    /// Whether it is `<…/>`.
    pub(super) is_closed: bool,
    attributes: Vec<(&'a str, &'a str)>,
    /// What follows it, to the end of the line.
    pub(super) rest: &'a str,
}

/// Why a line is no tag.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TagError {
    #[error("the tag does not end on its line")]
    Unfinished,
    #[error("{0}")]
    Wrong(String),
}

impl Tag<'_> {
    /// The value of an attribute that has to be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, String> {
        let mut values = self.attributes.iter().filter(|(found, _)| *found == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Ok(value),
            (None, _) => Err(format!("the attribute {name} is missing")),
            (Some(_), Some(_)) => Err(format!("the attribute {name} is there twice")),
        }
    }

    /// The operation, of a tag without content.
    pub(super) fn operation(&self) -> Result<Operation, String> {
        let required = |name| self.required(name).map(str::to_owned);
        match self.name {
            Name::Write | Name::Edit => Err("it needs content and a closing tag".to_owned()),
            Name::Rename => Ok(Operation::Rename {
                from: required("from")?,
                to: required("to")?,
            }),
            Name::Delete => Ok(Operation::Delete {
                path: required("path")?,
            }),
            Name::AddDependency => Ok(Operation::AddDependency {
                packages: self
                    .required("packages")?
                    .split(|c: char| c.is_whitespace() || c == ',')
                    .filter(|package| !package.is_empty())
                    .map(str::to_owned)
                    .collect(),
            }),
            Name::Read => Ok(Operation::Read {
                path: required("path")?,
            }),
        }
    }
}

/// Reads a line that begins, after its spaces, with `<kiln-` or `</kiln-`.
pub(super) fn parse(line: &str) -> Result<Tag<'_>, TagError> {
    let line = line.trim_start_matches(' ');
    let (is_closing, after) = match line.strip_prefix("</") {
        Some(after) => (true, after),
        None => (false, line.strip_prefix('<').unwrap_or(line)),
    };
    let length = after
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .unwrap_or(after.len());
    let (name, mut rest) = after.split_at(length);
    if rest.is_empty() {
        return Err(TagError::Unfinished);
    }
    let Some(name) = Name::parse(name) else {
        return Err(TagError::Wrong(format!("there is no operation {name}")));
    };
    let mut attributes = Vec::new();
    loop {
        let after_space = rest.trim_start();
        if after_space.is_empty() {
            return Err(TagError::Unfinished);
        }
        if let Some(rest) = after_space.strip_prefix('>') {
            return Ok(Tag {
                name,
                is_closing,
                is_closed: false,
                attributes,
                rest,
            });
        }
        if let Some(after_slash) = after_space.strip_prefix('/') {
            return match after_slash.strip_prefix('>') {
                Some(rest) if !is_closing => Ok(Tag {
                    name,
                    is_closing,
                    is_closed: true,
                    attributes,
                    rest,
                }),
                None if after_slash.trim().is_empty() => Err(TagError::Unfinished),
                _ => Err(TagError::Wrong("a / does not belong there".to_owned())),
            };
        }
        if is_closing || after_space.len() == rest.len() {
            return Err(TagError::Wrong(
                "after its name come attributes, each after a space".to_owned(),
            ));
        }
        let (attribute, after) = parse_attribute(after_space)?;
        attributes.push(attribute);
        rest = after;
    }
}

/// `name="value"` or `name='value'`, and what follows it.
fn parse_attribute(text: &str) -> Result<((&str, &str), &str), TagError> {
    let length = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
        .unwrap_or(text.len());
    let (name, after) = text.split_at(length);
    let after = after.trim_start();
    if after.is_empty() {
        return Err(TagError::Unfinished);
    }
    let Some(value) = after.strip_prefix('=').filter(|_| !name.is_empty()) else {
        return Err(TagError::Wrong(
            "an attribute is a name, =, and a value in quotes".to_owned(),
        ));
    };
    let value = value.trim_start();
    let quote = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => quote,
        None => return Err(TagError::Unfinished),
        Some(_) => {
            return Err(TagError::Wrong(format!(
                "the value of {name} is not in quotes"
            )));
        }
    };
    let (value, after) = value[1..].split_once(quote).ok_or(TagError::Unfinished)?;
    Ok(((name, value), after))
}
