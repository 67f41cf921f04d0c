//! Code with the meanings of its words: a small lexer, line by line, whose state
//! goes from one line to the next, so that a file that streams in costs what it
//! is long.
//!
//! It knows what the eye looks for (comments, strings, names, tags) in the
//! languages of web apps, and no grammar: it must be small, since it runs in a
//! client that is to be small, and right about any half of a file.

mod script;
mod style;
mod words;

use super::Row;
use crate::text::Role;

/// Columns from which on a line is shown without meanings.
const LINE_MAX: usize = 2_000;
/// What a tab is shown as.
const TAB: &str = "    ";

/// How a language is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Language {
    /// TypeScript and JavaScript, with markup in it.
    Script,
    /// Rust, Go, C and others with braces.
    Braces,
    /// Style sheets.
    Style,
    /// HTML, SVG, XML.
    Markup,
    /// JSON.
    Data,
    /// Shell, Python, TOML, YAML: remarks begin with `#`.
    Hash,
    /// Anything else.
    #[default]
    Plain,
}

/// What a line begins in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Between braces, or at the top.
    Code,
    /// Within a tag of markup.
    Tag,
    /// Within a text of several lines.
    Template,
    /// Within a remark of several lines.
    Comment,
}

/// Reads one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Highlighter {
    language: Language,
    /// What is open, the innermost last; empty at the top.
    open: Vec<Mode>,
}

impl Highlighter {
    /// For a file, by its name.
    #[must_use]
    pub fn for_path(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let extension = name
            .rsplit_once('.')
            .map_or(name, |(_, extension)| extension);
        Self::named(extension)
    }

    /// For a language, as people name it: `tsx`, `rust`, `json`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let language = match name.trim().to_ascii_lowercase().as_str() {
            "ts" | "tsx" | "js" | "jsx" | "mjs" | "cjs" | "mts" | "cts" | "typescript"
            | "javascript" => Language::Script,
            "rs" | "rust" | "go" | "c" | "h" | "cpp" | "java" | "kt" | "swift" | "proto"
            | "php" => Language::Braces,
            "css" | "scss" | "less" => Language::Style,
            "html" | "htm" | "svg" | "xml" | "vue" | "svelte" => Language::Markup,
            "json" | "jsonc" | "json5" | "lock" => Language::Data,
            "sh" | "bash" | "zsh" | "py" | "python" | "rb" | "toml" | "yaml" | "yml" | "env"
            | "dockerfile" | "makefile" | "gitignore" | "ini" | "conf" => Language::Hash,
            _ => Language::Plain,
        };
        Self {
            language,
            open: Vec::new(),
        }
    }

    /// Reads the next line, without its end.
    pub fn line(&mut self, line: &str) -> Row {
        let line = line.replace('\t', TAB);
        if line.len() > LINE_MAX {
            return Row::new(Role::Text, line);
        }
        let mut reader = Reader {
            rest: &line,
            row: Row::default(),
            last: ' ',
        };
        match self.language {
            Language::Plain => reader.take(line.len(), Role::Text),
            Language::Script | Language::Braces => script::line(&mut reader, self),
            Language::Style => style::style(&mut reader, self),
            Language::Markup => style::markup(&mut reader, self),
            Language::Data => style::data(&mut reader),
            Language::Hash => style::hash(&mut reader),
        }
        reader.row
    }

    fn mode(&self) -> Mode {
        self.open.last().copied().unwrap_or(Mode::Code)
    }

    fn enter(&mut self, mode: Mode) {
        // Deeper than this is no code, but somebody's joke.
        if self.open.len() < 64 {
            self.open.push(mode);
        }
    }

    fn leave(&mut self) {
        self.open.pop();
    }
}

/// A whole text, line by line.
#[must_use]
pub fn rows(path: &str, text: &str) -> Vec<Row> {
    let mut highlighter = Highlighter::for_path(path);
    text.lines().map(|line| highlighter.line(line)).collect()
}

/// The rest of a line, and what was made of it so far.
struct Reader<'a> {
    rest: &'a str,
    row: Row,
    /// The last character that was no space.
    last: char,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Takes so many bytes with one meaning.
    fn take(&mut self, bytes: usize, role: Role) {
        let (taken, rest) = self.rest.split_at(bytes);
        if let Some(last) = taken.trim_end().chars().last() {
            self.last = last;
        }
        self.row.push(role, taken);
        self.rest = rest;
    }

    /// Takes up to and with `end`; says whether it was there.
    fn take_until(&mut self, end: &str, role: Role) -> bool {
        match self.rest.find(end) {
            Some(at) => {
                self.take(at + end.len(), role);
                true
            }
            None => {
                self.take(self.rest.len(), role);
                false
            }
        }
    }

    /// How many bytes from here are such characters.
    fn while_is(&self, is: impl Fn(char) -> bool) -> usize {
        self.rest.find(|c: char| !is(c)).unwrap_or(self.rest.len())
    }

    /// Takes a text in quotes that ends on this line, or where the line ends.
    fn quoted(&mut self, quote: char, role: Role) {
        let mut escaped = false;
        let mut end = self.rest.len();
        for (at, c) in self.rest.char_indices().skip(1) {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == quote {
                end = at + c.len_utf8();
                break;
            }
        }
        self.take(end, role);
    }

    /// Takes one character.
    fn one(&mut self, role: Role) {
        let bytes = self.peek().map_or(0, char::len_utf8);
        self.take(bytes, role);
    }

    /// Takes a number with its unit.
    fn number(&mut self) {
        let bytes = self.while_is(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '%'));
        self.take(bytes.max(1), Role::CodeConstant);
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

#[cfg(test)]
mod tests;
