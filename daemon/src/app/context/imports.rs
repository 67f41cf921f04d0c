//! Which files of the project a file imports. A guess from its text, good
//! enough to choose what to show: quoted specifiers after `from`, `import`,
//! `require`, `@import`, and `src=` or `href=` in a page.

use crate::domain::path::SafePath;
use crate::domain::tree::Tree;

/// What may stand between the word and the quote.
const GAP: [char; 4] = [' ', '(', '\t', '='];
/// Words before a specifier.
const WORDS: [&str; 5] = ["from", "import", "require", "src", "href"];
/// What a specifier may leave out.
const ENDINGS: [&str; 10] = [
    "",
    ".ts",
    ".tsx",
    ".js",
    ".jsx",
    ".css",
    ".json",
    "/index.ts",
    "/index.tsx",
    "/index.js",
];

/// Files of the tree that a file imports, in the order in which it does.
pub(super) fn of(path: &SafePath, text: &str, tree: &Tree) -> Vec<SafePath> {
    let directory = path
        .as_str()
        .rsplit_once('/')
        .map_or("", |(directory, _)| directory);
    let mut found = Vec::new();
    for line in text.lines() {
        for specifier in specifiers(line) {
            if let Some(path) = resolve(directory, specifier, tree)
                && !found.contains(&path)
            {
                found.push(path);
            }
        }
    }
    found
}

/// Quoted texts that follow one of the words.
fn specifiers(line: &str) -> impl Iterator<Item = &str> {
    // Every second piece between quotes is inside of them.
    let pieces: Vec<&str> = line.split(['"', '\'']).collect();
    (1..pieces.len()).step_by(2).filter_map(move |inside| {
        let before = pieces[inside - 1].trim_end_matches(GAP);
        WORDS
            .iter()
            .any(|word| before.ends_with(word))
            .then_some(pieces[inside])
    })
}

fn resolve(directory: &str, specifier: &str, tree: &Tree) -> Option<SafePath> {
    let base = if let Some(rest) = specifier.strip_prefix("@/") {
        format!("src/{rest}")
    } else if let Some(rest) = specifier.strip_prefix('/') {
        rest.to_owned()
    } else if specifier.starts_with("./") || specifier.starts_with("../") {
        join(directory, specifier)?
    } else {
        // A package.
        return None;
    };
    ENDINGS
        .iter()
        .filter_map(|ending| SafePath::parse(&format!("{base}{ending}")).ok())
        .find(|path| tree.contains(path))
}

/// A relative specifier, from the root of the project; none if it leaves it.
fn join(directory: &str, specifier: &str) -> Option<String> {
    let mut parts: Vec<&str> = directory
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    for part in specifier.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
