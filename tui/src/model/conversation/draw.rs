//! A part of a turn in rows.

use std::time::Duration;

use super::block::{Block, Content, End, FileBlock, StepBlock, figures};
use crate::cli::output::format;
use crate::model::event::{Change, ChangeKind, Ended, Operation, Outcome};
use crate::text::code::Highlighter;
use crate::text::{Role, Row, columns, markdown, wrap};

/// Columns of prose at most: longer lines are hard to read.
const PROSE_MAX: usize = 100;
/// The last lines that are seen of a file that is being written.
const TAIL: usize = 8;
/// Lines that are seen of an unfolded file at most; all of it is in the files.
const UNFOLDED_MAX: usize = 600;

/// How signs are written.
#[derive(Clone, Copy)]
pub(super) struct Signs {
    pub(super) ascii: bool,
}

impl Signs {
    fn pick(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.ascii { ascii } else { unicode }
    }
}

/// The rows of a part; none is wider than `width`.
pub(super) fn rows(block: &Block, width: usize, now_ms: i64, signs: Signs) -> Vec<Row> {
    let width = width.max(1);
    let prose = width.min(PROSE_MAX);
    let mut rows = match &block.content {
        Content::Prompt(text) => {
            let lead = Row::new(Role::User, signs.pick("▌ ", "> "));
            let mut rows = vec![Row::default()];
            rows.extend(wrap::plain(text, Role::User, &lead, prose));
            rows.push(Row::default());
            rows
        }
        Content::Prose(text) => markdown::rows(&text.text, prose),
        Content::File(file) => self::file(block, file, width, signs),
        Content::Operation(operation) => vec![self::operation(operation)],
        Content::Note(role, text) => {
            let lead = Row::new(*role, signs.pick("! ", "! "));
            wrap::plain(text, *role, &lead, prose)
        }
        Content::Revision(number, changes) => revision(block, *number, changes, signs),
        Content::Steps(steps) => self::steps(block, steps, prose, now_ms, signs),
        Content::End(end) => self::end(end, prose, signs),
    };
    for row in &mut rows {
        if row.width() > width {
            *row = wrap::cut(row, width);
        }
    }
    rows
}

fn file(block: &Block, file: &FileBlock, width: usize, signs: Signs) -> Vec<Row> {
    let open = block.open.unwrap_or(file.is_open());
    let fold = if open {
        signs.pick("▾ ", "v ")
    } else {
        signs.pick("▸ ", "> ")
    };
    let verb = match (file.cut_off, file.edits) {
        (true, _) => "cut off",
        (false, true) => "edit",
        (false, false) => "write",
    };
    let mut facts = figures(file);
    if file.is_open() || file.cut_off {
        facts.push_str(&speed(file));
    }
    let role = match (file.cut_off, file.is_open()) {
        (true, _) => Role::Warn,
        (false, true) => Role::Running,
        (false, false) => Role::Accent,
    };
    let mut head = Row::new(Role::Dim, fold)
        .add(role, verb)
        .add(Role::Text, " ");
    let room = width.saturating_sub(head.width() + columns::width(&facts) + 4);
    if room < 12 {
        head.push(Role::Strong, file.path.clone());
        return vec![wrap::cut(&head, width)];
    }
    let path = columns::fit(&file.path, room);
    let pad = room
        .saturating_sub(columns::width(&path))
        .min(48usize.saturating_sub(columns::width(&path)).max(1));
    head.push(Role::Strong, path);
    head.push(Role::Text, " ".repeat(pad + 1));
    head.push(Role::Dim, facts);
    if file.size.is_some() {
        head.push(Role::Ok, signs.pick(" ✓", " ok"));
    }
    let mut rows = vec![head];
    if open {
        rows.extend(code(file, block.open.is_none(), width));
    }
    rows
}

/// How fast it was written.
fn speed(file: &FileBlock) -> String {
    let took = file.ended_ms.saturating_sub(file.began_ms);
    if took < 200 {
        return String::new();
    }
    let bytes = i64::try_from(file.text.text.len()).unwrap_or(i64::MAX);
    format!("  {}/s", format::size(bytes.saturating_mul(1000) / took))
}

/// The text of a file: all of it, or its end while it is being written.
fn code(file: &FileBlock, only_tail: bool, width: usize) -> Vec<Row> {
    let text = &file.text.text;
    let total = text.lines().count();
    let skip = if only_tail {
        total.saturating_sub(TAIL)
    } else {
        0
    };
    let mut highlighter = Highlighter::for_path(&file.path);
    let mut section = Section::Common;
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if file.edits
            && let Some(next) = Section::marker(line)
        {
            section = next;
            continue;
        }
        // What is above is read only as far as it matters for what is seen.
        if index < skip {
            if total - index <= TAIL * 8 {
                highlighter.line(line);
            }
            continue;
        }
        if rows.len() >= UNFOLDED_MAX {
            rows.push(Row::new(
                Role::Dim,
                format!("  … {} more lines: see the files", total - index),
            ));
            break;
        }
        let mut row = Row::new(Role::Border, "  ");
        match section {
            Section::Common => row.pieces.extend(highlighter.line(line).pieces),
            Section::Search => row.push(Role::Removed, format!("- {}", line.replace('\t', "    "))),
            Section::Replace => row.push(Role::Added, format!("+ {}", line.replace('\t', "    "))),
        }
        rows.push(wrap::cut(&row, width));
    }
    rows
}

/// Where in an edit a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Common,
    Search,
    Replace,
}

impl Section {
    fn marker(line: &str) -> Option<Self> {
        match line.trim_end() {
            "<<<<<<< SEARCH" => Some(Self::Search),
            "=======" => Some(Self::Replace),
            ">>>>>>> REPLACE" => Some(Self::Common),
            _ => None,
        }
    }
}

/// An operation without content.
pub(super) fn operation(operation: &Operation) -> Row {
    match operation {
        Operation::Rename { from, to } => Row::new(Role::Text, "  ")
            .add(Role::Accent, "rename ")
            .add(Role::Text, from.clone())
            .add(Role::Dim, " -> ")
            .add(Role::Strong, to.clone()),
        Operation::Delete(path) => Row::new(Role::Text, "  ")
            .add(Role::Removed, "delete ")
            .add(Role::Text, path.clone()),
        Operation::AddDependency(packages) => Row::new(Role::Text, "  ")
            .add(Role::Added, "+ ")
            .add(Role::Text, packages.join(", "))
            .add(Role::Dim, "  (dependencies)"),
        Operation::Read(path) => Row::new(Role::Text, "  ")
            .add(Role::Dim, "reads ")
            .add(Role::Text, path.clone()),
    }
}

fn revision(block: &Block, number: i32, changes: &[Change], signs: Signs) -> Vec<Row> {
    let open = block.open.unwrap_or(false);
    let fold = if open {
        signs.pick("▾ ", "v ")
    } else {
        signs.pick("▸ ", "> ")
    };
    let count = |kind| changes.iter().filter(|change| change.kind == kind).count();
    let mut words = Vec::new();
    for (kind, word) in [
        (ChangeKind::Added, "added"),
        (ChangeKind::Modified, "changed"),
        (ChangeKind::Deleted, "deleted"),
    ] {
        let count = count(kind);
        if count > 0 {
            words.push(format!("{count} {word}"));
        }
    }
    let mut rows = vec![
        Row::new(Role::Dim, fold)
            .add(Role::Ok, format!("revision {number}"))
            .add(Role::Dim, format!("  {}", words.join(", "))),
    ];
    if open {
        rows.extend(changes.iter().map(|change| {
            let (role, sign) = match change.kind {
                ChangeKind::Added => (Role::Added, "+ "),
                ChangeKind::Modified => (Role::Accent, "~ "),
                ChangeKind::Deleted => (Role::Removed, "- "),
            };
            Row::new(Role::Text, "    ")
                .add(role, sign)
                .add(Role::Text, change.path.clone())
        }));
    }
    rows
}

fn steps(block: &Block, steps: &[StepBlock], width: usize, now_ms: i64, signs: Signs) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut done = Row::default();
    for step in steps {
        let Some((outcome, took, _)) = &step.end else {
            continue;
        };
        let (role, sign) = match outcome {
            Outcome::Failed if is_cancelled(step) => (Role::Warn, "!"),
            Outcome::Passed => (Role::Ok, signs.pick("✓", "ok")),
            Outcome::Skipped => (Role::Dim, signs.pick("·", ".")),
            Outcome::Failed => (Role::Error, signs.pick("✗", "x")),
        };
        let mut part = Row::new(role, format!("{sign} {} ", step.step.word()));
        part.push(Role::Dim, format::duration(*took));
        if done.width() > 0 && done.width() + part.width() + 3 > width {
            rows.push(std::mem::take(&mut done));
        }
        if done.width() > 0 {
            done.push(Role::Text, "   ");
        }
        done.pieces.extend(part.pieces);
    }
    if done.width() > 0 {
        rows.push(done);
    }
    if let Some(step) = steps.iter().find(|step| step.end.is_none()) {
        let took = u64::try_from(now_ms.saturating_sub(step.began_ms)).unwrap_or(0);
        let mut row = bar(step, signs);
        row.push(Role::Running, format!(" {} ", step.words()));
        row.push(Role::Dim, format::duration(Duration::from_millis(took)));
        rows.push(row);
    }
    for step in steps {
        let failed = matches!(step.end, Some((Outcome::Failed, ..))) && !is_cancelled(step);
        let open = block.open.unwrap_or(failed);
        if let Some((Outcome::Failed, _, detail)) = step.end.as_ref().filter(|_| failed) {
            let lead = Row::new(Role::Error, "  ");
            // What the output shows in full is said once.
            let is_in_output = |line: &str| step.output.iter().any(|said| said.contains(line));
            let detail: Vec<&str> = detail
                .lines()
                .enumerate()
                .filter(|(at, line)| *at == 0 || !is_in_output(line.trim()))
                .map(|(_, line)| line)
                .collect();
            rows.extend(wrap::plain(&detail.join("\n"), Role::Error, &lead, width));
        }
        if open {
            let shown = if failed && block.open.is_none() {
                12
            } else {
                step.output.len()
            };
            let skip = step.output.len().saturating_sub(shown);
            for line in &step.output[skip..] {
                let row = Row::new(Role::Border, signs.pick("  │ ", "  | "))
                    .add(Role::Text, line.clone());
                rows.push(wrap::cut(&row, width));
            }
        }
    }
    rows
}

/// A step that somebody ended is no fault of the app.
fn is_cancelled(step: &StepBlock) -> bool {
    matches!(&step.end, Some((Outcome::Failed, _, detail)) if detail == "cancelled")
}

/// How far it is: ▰▰▰▱▱▱
fn bar(step: &StepBlock, signs: Signs) -> Row {
    let count = usize::try_from(step.count).unwrap_or(0).min(20);
    let done = usize::try_from(step.position - 1).unwrap_or(0).min(count);
    Row::new(Role::Ok, signs.pick("▰", "#").repeat(done))
        .add(Role::Dim, signs.pick("▱", "-").repeat(count - done))
}

fn end(end: &End, width: usize, signs: Signs) -> Vec<Row> {
    let finish = &end.finish;
    let (role, sign, word) = match finish.outcome {
        Ended::Ready => (Role::Ok, signs.pick("✓ ", "ok "), "ready in"),
        Ended::Failed => (Role::Error, signs.pick("✗ ", "x "), "failed after"),
        Ended::Truncated => (Role::Warn, "! ", "cut off after"),
        Ended::Cancelled => (Role::Warn, "! ", "cancelled after"),
        Ended::Interrupted => (Role::Warn, "! ", "interrupted after"),
        Ended::OverBudget => (Role::Warn, "! ", "over budget after"),
    };
    let spent = &finish.spent;
    let mut head = Row::new(role, format!("{sign}{word} {}", format::duration(end.took)));
    if spent.is_any() {
        let about = if spent.estimated { "about " } else { "" };
        head.push(
            Role::Dim,
            format!(
                "  {about}{} tokens in, {} out · {}",
                format::count(spent.prompt_tokens),
                format::count(spent.completion_tokens),
                format::cost(spent.cost_micro_usd, end.demo)
            ),
        );
    }
    let mut rows = wrap::wrap(&head, &Row::default(), &Row::new(Role::Text, "  "), width);
    let lead = Row::new(Role::Text, "  ");
    // What was asked for needs no explanation.
    let explains = !matches!(finish.outcome, Ended::Ready | Ended::Cancelled);
    if explains && !finish.message.is_empty() {
        rows.extend(wrap::plain(&finish.message, Role::Text, &lead, width));
    }
    let next = match finish.outcome {
        Ended::Ready => "",
        Ended::Failed if !end.had_app => {
            "Ctrl-↑ brings the prompt back, to change it and send it again."
        }
        Ended::Failed => {
            "The app before is still shown. Ctrl-↑ brings the prompt back, to change it and send it again."
        }
        Ended::Truncated => {
            "Nothing unfinished was applied. Ask for less at once, or choose a model with longer answers (Alt-M). Ctrl-↑ brings the prompt back."
        }
        Ended::Cancelled => "Write the next prompt to go on. Ctrl-↑ brings this one back.",
        Ended::Interrupted => "What you see is kept. Ctrl-↑ brings the prompt back.",
        Ended::OverBudget => {
            "The partial work is kept. Raise the budget, or go on with another model (Alt-M)."
        }
    };
    let next = if signs.ascii {
        next.replace('↑', "Up")
    } else {
        next.to_owned()
    };
    rows.extend(wrap::plain(&next, Role::Dim, &lead, width));
    if !finish.preview_url.is_empty() && finish.outcome == Ended::Ready {
        rows.push(lead.add(Role::Link, finish.preview_url.clone()));
    }
    rows
}
