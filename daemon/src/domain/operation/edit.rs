//! Edits: finding the lines of a hunk in a file and replacing them.
//!
//! How lines are found is a list of steps, strictest first. The first step that
//! finds anything decides: lines that occur once are replaced, lines that
//! occur more than once are refused, and no later step is asked.

use std::ops::Range;

use super::Hunk;
use crate::domain::text::beginning;

/// Why an edit does not fit its file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditProblem {
    /// The file is not text.
    #[error("the file is not text; write it as a whole")]
    NotText,
    /// The edit says nothing.
    #[error("the edit has no hunk")]
    NoHunks,
    /// Nothing is searched for.
    #[error("hunk {hunk} searches for nothing; give the lines to replace, or write the whole file")]
    EmptySearch {
        /// From 1.
        hunk: usize,
    },
    /// The lines are not there.
    #[error(
        "hunk {hunk}: its search lines, which start with {start:?}, are not in the file; copy them from it exactly"
    )]
    NotFound {
        /// From 1.
        hunk: usize,
        /// The first line that says anything.
        start: String,
    },
    /// The lines are there more than once.
    #[error(
        "hunk {hunk}: its search lines, which start with {start:?}, are in the file more than once (at lines {first} and {second}); add lines around them"
    )]
    Ambiguous {
        /// From 1.
        hunk: usize,
        /// The first line that says anything.
        start: String,
        /// Line of the first place, from 1.
        first: usize,
        /// Line of the second place, from 1.
        second: usize,
    },
}

/// What a step found.
enum Found {
    Nowhere,
    /// One place; these bytes of the content become this text.
    Once(Range<usize>, String),
    /// Several; the first two start at these bytes.
    Several([usize; 2]),
}

/// Looks for the search lines of a hunk in a content whose last line is ended.
/// Both are in whole lines.
type Step = fn(content: &str, search: &str, replace: &str) -> Found;

const STEPS: [Step; 1] = [exactly];

/// The text after all hunks, in their order, each seeing what those before it
/// made.
pub(super) fn apply(text: &str, hunks: &[Hunk]) -> Result<String, Vec<EditProblem>> {
    if hunks.is_empty() {
        return Err(vec![EditProblem::NoHunks]);
    }
    let ended = text.is_empty() || text.ends_with('\n');
    let mut content = text.to_owned();
    if !ended {
        content.push('\n');
    }
    let mut problems = Vec::new();
    for (index, hunk) in hunks.iter().enumerate() {
        if let Err(problem) = apply_hunk(&mut content, hunk, index + 1) {
            problems.push(problem);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if !ended && content.ends_with('\n') {
        content.pop();
    }
    Ok(content)
}

fn apply_hunk(content: &mut String, hunk: &Hunk, number: usize) -> Result<(), EditProblem> {
    if hunk.search.trim().is_empty() {
        return Err(EditProblem::EmptySearch { hunk: number });
    }
    let search = whole_lines(&hunk.search);
    let replace = whole_lines(&hunk.replace);
    for step in STEPS {
        match step(content, &search, &replace) {
            Found::Nowhere => {}
            Found::Once(range, text) => {
                content.replace_range(range, &text);
                return Ok(());
            }
            Found::Several([first, second]) => {
                return Err(EditProblem::Ambiguous {
                    hunk: number,
                    start: start(&search),
                    first: line_at(content, first),
                    second: line_at(content, second),
                });
            }
        }
    }
    Err(EditProblem::NotFound {
        hunk: number,
        start: start(&search),
    })
}

/// The lines as they are, to the byte.
fn exactly(content: &str, search: &str, replace: &str) -> Found {
    // With a line feed before both, a match starts at the start of a line: one
    // search for each place, in linear time whatever the lines are.
    let content = format!("\n{content}");
    let search_from_line = format!("\n{search}");
    let Some(first) = content.find(&search_from_line) else {
        return Found::Nowhere;
    };
    match content[first + 1..].find(&search_from_line) {
        // Places may overlap, so the second search starts one byte on.
        Some(offset) => Found::Several([first, first + 1 + offset]),
        None => Found::Once(first..first + search.len(), replace.to_owned()),
    }
}

fn whole_lines(text: &str) -> String {
    let mut text = text.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn line_at(content: &str, byte: usize) -> usize {
    content[..byte].matches('\n').count() + 1
}

fn start(search: &str) -> String {
    let line = search.lines().find(|line| !line.trim().is_empty());
    beginning(line.unwrap_or_default().trim(), 80).to_owned()
}
