//! The context of a model call: what goes into the window, and what does not.
//!
//! Pure: a project, its earlier turns and a prompt in, messages out. What is
//! left out is said, to the model and to the user. Nothing secret can get in,
//! since nothing secret is an argument.

mod imports;
mod selection;

use std::fmt::Write;

use crate::domain::generation::Outcome;
use crate::domain::path::SafePath;
use crate::domain::text::beginning;
use crate::domain::tree::Tree;

use self::selection::Selection;

/// What a model is told of its work, before anything of the project.
const SYSTEM_PROMPT: &str = include_str!("context/system_prompt.md");

/// Assumed where the catalogue does not say how large a window is, in tokens.
pub const WINDOW_TOKENS_ASSUMED: u64 = 32_768;

/// Most turns that are told of, the newest ones.
const TURNS_MAX: usize = 12;
/// The part of the window that accounts of them may have: one in so many.
const TURNS_SHARE: usize = 8;
/// How much of a prompt or of a summary an account has, in bytes.
const ACCOUNT_BYTES_MAX: usize = 300;
/// Most paths that an account names.
const ACCOUNT_PATHS_MAX: usize = 12;

/// What a context is made from.
#[derive(Clone, Copy, Debug)]
pub struct ContextInput<'a> {
    /// What there is to know of the template.
    pub template_note: &'a str,
    /// Name of the project.
    pub project_name: &'a str,
    /// Its description.
    pub project_description: &'a str,
    /// Its files.
    pub tree: &'a Tree,
    /// Its turns so far, oldest first.
    pub turns: &'a [TurnSummary],
    /// What is asked for now.
    pub prompt: &'a str,
    /// The model's window, where it is known, in tokens.
    pub window_tokens: Option<u64>,
    /// Most tokens that the answer is to have.
    pub max_output_tokens: u64,
}

/// A turn, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnSummary {
    /// What was asked for.
    pub prompt: String,
    /// What the model said to it; may be cut.
    pub summary: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Paths that it changed.
    pub changed_files: Vec<String>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The daemon.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// What goes to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// In their order: system, then user and assistant by turns. The last one
    /// is the prompt, and nothing else.
    pub messages: Vec<(Role, String)>,
    /// What was left out for want of room: paths of text files whose content
    /// is not there, and `earlier turns: n`. Files that are not text, and
    /// lockfiles, are no loss and not named.
    pub omitted: Vec<String>,
    /// What to allow for the answer, in tokens: what was asked for, but at most
    /// half the window.
    pub max_output_tokens: u64,
}

/// Puts the context together.
#[must_use]
pub fn build(input: &ContextInput<'_>) -> Context {
    let window = input.window_tokens.unwrap_or(WINDOW_TOKENS_ASSUMED);
    let max_output_tokens = input.max_output_tokens.min(window / 2);
    let system = system_message(input);
    let bytes = input_bytes(window, max_output_tokens);
    let (account, turns_omitted) = account(input.turns, bytes / TURNS_SHARE);
    let spent = system.len() + input.project_description.len() + account.len() + input.prompt.len();
    let room = bytes.saturating_sub(spent);

    let selection = selection::select(input, room);
    let mut omitted = selection.omitted_paths();
    if turns_omitted > 0 {
        omitted.push(format!("earlier turns: {turns_omitted}"));
    }
    Context {
        messages: vec![
            (Role::System, system),
            (Role::User, project_message(input, &selection)),
            (Role::Assistant, account),
            (Role::User, input.prompt.to_owned()),
        ],
        omitted,
        max_output_tokens,
    }
}

/// Bytes that fit into the window beside the answer. A token of code is about
/// 3.5 bytes; some of the window stays free, since that is only about right.
fn input_bytes(window: u64, max_output_tokens: u64) -> usize {
    let margin = window / 16 + 64;
    let tokens = window.saturating_sub(max_output_tokens + margin);
    usize::try_from(tokens.saturating_mul(7) / 2).unwrap_or(usize::MAX)
}

fn system_message(input: &ContextInput<'_>) -> String {
    let mut text = SYSTEM_PROMPT.trim_end().to_owned();
    if !input.template_note.is_empty() {
        text.push_str("\n\n# This app\n");
        text.push_str(input.template_note);
    }
    text
}

fn project_message(input: &ContextInput<'_>, selection: &Selection<'_>) -> String {
    let mut text = format!("Project: {}\n", input.project_name);
    if !input.project_description.trim().is_empty() {
        text.push_str(input.project_description.trim());
        text.push('\n');
    }
    if input.tree.is_empty() {
        text.push_str("\nThe project has no files yet.\n");
        return text;
    }
    text.push_str("\nFiles, with their bytes:\n");
    for (path, bytes, note) in &selection.listed {
        push_line(&mut text, format_args!("{path} {bytes}{}", note.as_str()));
    }
    if selection.unlisted > 0 {
        push_line(
            &mut text,
            format_args!("and {} more, not listed here", selection.unlisted),
        );
    }
    for (path, content) in &selection.shown {
        push_file(&mut text, path, content);
    }
    text
}

fn push_file(text: &mut String, path: &SafePath, content: &str) {
    push_line(text, format_args!("\n<file path=\"{path}\">"));
    text.push_str(content);
    if !content.is_empty() && !content.ends_with('\n') {
        text.push('\n');
    }
    text.push_str("</file>\n");
}

/// What the model did so far, as itself, within so many bytes, and how many
/// turns are not told of.
fn account(turns: &[TurnSummary], room: usize) -> (String, usize) {
    if turns.is_empty() {
        return ("I know the project. What shall I do?".to_owned(), 0);
    }
    let mut told = Vec::new();
    let mut bytes = 0;
    for (index, turn) in turns.iter().enumerate().rev().take(TURNS_MAX) {
        let account = account_of(index + 1, turn);
        bytes += account.len();
        if bytes > room {
            break;
        }
        told.push(account);
    }
    let omitted = turns.len() - told.len();
    let mut text = String::from("I know the project. What was done so far, oldest first:\n");
    if omitted > 0 {
        push_line(
            &mut text,
            format_args!("({omitted} earlier turns are not told here)"),
        );
    }
    text.extend(told.into_iter().rev());
    text.push_str("What next?");
    (text, omitted)
}

fn account_of(number: usize, turn: &TurnSummary) -> String {
    let mut text = String::new();
    push_line(
        &mut text,
        format_args!("{number}. Asked: {}", short(&turn.prompt)),
    );
    if !turn.summary.trim().is_empty() {
        push_line(
            &mut text,
            format_args!("   Answer: {}", short(&turn.summary)),
        );
    }
    push_line(
        &mut text,
        format_args!("   Outcome: {}{}", turn.outcome, changed(turn)),
    );
    text
}

fn changed(turn: &TurnSummary) -> String {
    if turn.changed_files.is_empty() {
        return String::new();
    }
    let more = turn.changed_files.len().saturating_sub(ACCOUNT_PATHS_MAX);
    let named: Vec<_> = turn
        .changed_files
        .iter()
        .take(ACCOUNT_PATHS_MAX)
        .map(String::as_str)
        .collect();
    let mut text = format!("; changed {}", named.join(", "));
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// The beginning of a text, on one line.
fn short(text: &str) -> String {
    let cut = beginning(text.trim(), ACCOUNT_BYTES_MAX);
    let mut line = cut.split_whitespace().collect::<Vec<_>>().join(" ");
    if cut.len() < text.trim().len() {
        line.push('…');
    }
    line
}

fn push_line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes everything");
}

#[cfg(test)]
mod tests;
