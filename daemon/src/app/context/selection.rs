//! Which files a model is shown. All of them where they fit; else, in this
//! order: those that the prompt names, those that changed last, those that an
//! app begins with, and what all these import, as long as there is room.

use std::collections::BTreeSet;

use super::ContextInput;
use super::imports;
use crate::domain::path::SafePath;
use crate::domain::tree::Tree;

/// Larger files are listed, not shown, in bytes.
const SHOWN_BYTES_MAX: usize = 64 * 1024;
/// Bytes around a file's content, beside its path.
const FRAME_BYTES: usize = 30;
/// Shortest name without extension that a prompt can mean a file by.
const STEM_BYTES_MIN: usize = 4;

/// Files that are listed only, whatever room there is: written by tools.
const LOCKFILES: [&str; 5] = [
    "bun.lock",
    "bun.lockb",
    "package-lock.json",
    "pnpm-lock.yaml",
    "yarn.lock",
];
/// What an app begins with.
const ENTRIES: [&str; 9] = [
    "package.json",
    "src/App.tsx",
    "src/App.jsx",
    "src/main.tsx",
    "src/main.jsx",
    "src/index.ts",
    "src/index.css",
    "index.html",
    "index.ts",
];

/// What the model is told of the files.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    /// Paths with sizes, in order of path.
    pub(super) listed: Vec<(&'a SafePath, usize, Note)>,
    /// How many did not even fit into the list.
    pub(super) unlisted: usize,
    /// Contents, in order of path.
    pub(super) shown: Vec<(&'a SafePath, &'a str)>,
    omitted: Vec<&'a SafePath>,
}

impl Selection<'_> {
    pub(super) fn omitted_paths(&self) -> Vec<String> {
        self.omitted.iter().map(ToString::to_string).collect()
    }
}

/// Why the content of a listed file is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    Shown,
    NotText,
    Generated,
    NotShown,
}

impl Note {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Shown => "",
            Self::NotText => " (not text)",
            Self::Generated => " (generated)",
            Self::NotShown => " (not shown)",
        }
    }
}

/// Chooses within so many bytes, the list of files included.
pub(super) fn select<'a>(input: &ContextInput<'a>, room: usize) -> Selection<'a> {
    let tree = input.tree;
    let mut room = room;
    let listed_count = fitting_lines(tree, &mut room);
    let shown = choose(input, &mut room);

    let mut selection = Selection {
        listed: Vec::new(),
        unlisted: tree.len() - listed_count,
        shown: Vec::new(),
        omitted: Vec::new(),
    };
    for (index, (path, content)) in tree.iter().enumerate() {
        let note = match content.text() {
            _ if is_lockfile(path) => Note::Generated,
            None => Note::NotText,
            Some(text) if shown.contains(path) => {
                selection.shown.push((path, text));
                Note::Shown
            }
            Some(_) => {
                selection.omitted.push(path);
                Note::NotShown
            }
        };
        if index < listed_count {
            selection.listed.push((path, content.bytes.len(), note));
        }
    }
    selection
}

/// How many files the list may have: it takes at most half the room.
fn fitting_lines(tree: &Tree, room: &mut usize) -> usize {
    let mut for_list = *room / 2;
    let mut count = 0;
    for (path, _) in tree.iter() {
        // A size of up to seven digits, a note, and the end of the line.
        let line = path.as_str().len() + 22;
        let Some(rest) = for_list.checked_sub(line) else {
            break;
        };
        for_list = rest;
        *room -= line;
        count += 1;
    }
    count
}

/// The files to show.
fn choose<'a>(input: &ContextInput<'a>, room: &mut usize) -> BTreeSet<&'a SafePath> {
    let showable: Vec<_> = input
        .tree
        .iter()
        .filter(|(path, _)| !is_lockfile(path))
        .filter_map(|(path, content)| Some((path, content.text()?)))
        .filter(|(_, text)| text.len() <= SHOWN_BYTES_MAX)
        .collect();
    let all: usize = showable.iter().map(|(path, text)| cost(path, text)).sum();
    if all <= *room {
        *room -= all;
        return showable.into_iter().map(|(path, _)| path).collect();
    }

    let find = |path: &SafePath| {
        showable
            .binary_search_by(|(found, _)| (*found).cmp(path))
            .ok()
            .map(|index| showable[index])
    };
    let parsed = |path: &String| SafePath::parse(path).ok();
    let named = showable
        .iter()
        .filter(|(path, _)| names(input.prompt, path))
        .copied();
    let changed = input
        .turns
        .iter()
        .rev()
        .flat_map(|turn| &turn.changed_files)
        .filter_map(parsed)
        .filter_map(|path| find(&path));
    let entries = ENTRIES
        .iter()
        .filter_map(|path| SafePath::parse(path).ok())
        .filter_map(|path| find(&path));

    let mut chosen = BTreeSet::new();
    let mut importing = Vec::new();
    for (path, text) in named.chain(changed).chain(entries) {
        if take(&mut chosen, path, text, room) {
            importing.push((path, text));
        }
    }
    for (path, text) in importing {
        for imported in imports::of(path, text, input.tree) {
            if let Some((path, text)) = find(&imported) {
                take(&mut chosen, path, text, room);
            }
        }
    }
    chosen
}

/// Whether the file was chosen now. One that does not fit may be followed by
/// one that does.
fn take<'a>(
    chosen: &mut BTreeSet<&'a SafePath>,
    path: &'a SafePath,
    text: &str,
    room: &mut usize,
) -> bool {
    if chosen.contains(path) {
        return false;
    }
    let Some(rest) = room.checked_sub(cost(path, text)) else {
        return false;
    };
    *room = rest;
    chosen.insert(path)
}

fn cost(path: &SafePath, text: &str) -> usize {
    path.as_str().len() + text.len() + FRAME_BYTES
}

fn is_lockfile(path: &SafePath) -> bool {
    LOCKFILES.contains(&path.file_name())
}

/// Whether a prompt names a file: by its path, by its name, or by its name
/// without extension as a word of its own.
fn names(prompt: &str, path: &SafePath) -> bool {
    let name = path.file_name();
    if prompt.contains(name) {
        return true;
    }
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    stem.len() >= STEM_BYTES_MIN
        && prompt
            .split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')))
            .any(|word| word.eq_ignore_ascii_case(stem))
}
