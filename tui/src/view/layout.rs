//! Where everything is: a pure function of the size of the terminal and of what
//! is open. `update` asks it too, to know what the mouse points at and how many
//! rows a pane has.

use ratatui::layout::Rect;

use crate::model::workspace::{Pane, Tab, Workspace};

/// The smallest terminal in which anything can be shown; columns and rows.
pub const SMALLEST: (u16, u16) = (40, 10);
/// From here on the conversation has something beside it.
const TWO_COLUMNS: u16 = 110;
/// From here on everything is seen at once.
const ALL_AT_ONCE: u16 = 180;
/// Columns of the tree where it stands beside a file.
const TREE: u16 = 32;
/// Rows of a prompt at most, its rule included.
const PROMPT_ROWS_MAX: u16 = 9;

/// A pane: its title line, and what is below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// The line with the title; none where tabs name it.
    pub title: Option<Rect>,
    /// What it shows.
    pub content: Rect,
}

/// Where the parts of a workspace are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkspaceLayout {
    /// What the client is, and how the connection is.
    pub header: Rect,
    /// The tabs, where there is room for one pane only.
    pub tabs: Option<Rect>,
    /// The conversation.
    pub conversation: Option<Slot>,
    /// The tree of files.
    pub tree: Option<Slot>,
    /// The file that is shown.
    pub viewer: Option<Slot>,
    /// The output of the sandbox.
    pub logs: Option<Slot>,
    /// Columns of lines between panes.
    pub separators: [Option<Rect>; 2],
    /// State, tokens, cost, address.
    pub status: Rect,
    /// The line above the prompt.
    pub rule: Rect,
    /// The prompt itself.
    pub prompt: Rect,
    /// What keys do here.
    pub hints: Rect,
}

/// Where the parts of the other screens are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScreenLayout {
    /// What the client is, and how the connection is.
    pub header: Rect,
    /// Everything between.
    pub body: Rect,
    /// What keys do here.
    pub hints: Rect,
}

/// Whether anything can be shown.
#[must_use]
pub fn fits(size: (u16, u16)) -> bool {
    size.0 >= SMALLEST.0 && size.1 >= SMALLEST.1
}

/// Header, body, hints.
#[must_use]
pub fn screen(size: (u16, u16)) -> ScreenLayout {
    let (width, height) = size;
    ScreenLayout {
        header: Rect::new(0, 0, width, height.min(1)),
        body: Rect::new(0, 1, width, height.saturating_sub(2)),
        hints: Rect::new(0, height.saturating_sub(1), width, height.min(1)),
    }
}

/// Where the parts of a workspace are.
#[must_use]
pub fn workspace(size: (u16, u16), of: &Workspace) -> WorkspaceLayout {
    let (width, height) = size;
    let frame = screen(size);
    let most = PROMPT_ROWS_MAX.min(height / 3).max(1);
    let columns = prompt_columns(width);
    let prompt_rows = u16::try_from(of.prompt.height(usize::from(columns)))
        .unwrap_or(u16::MAX)
        .clamp(1, most);
    let hints = frame.hints;
    let prompt = Rect::new(
        0,
        hints.y.saturating_sub(prompt_rows),
        width,
        prompt_rows.min(height),
    );
    let rule = Rect::new(0, prompt.y.saturating_sub(1), width, 1);
    let status = Rect::new(0, rule.y.saturating_sub(1), width, 1);
    let mut layout = WorkspaceLayout {
        header: frame.header,
        status,
        rule,
        prompt,
        hints,
        ..WorkspaceLayout::default()
    };
    let body = Rect::new(0, 1, width, status.y.saturating_sub(1));
    if width >= ALL_AT_ONCE {
        three(&mut layout, body);
    } else if width >= TWO_COLUMNS {
        two(&mut layout, body, of);
    } else {
        one(&mut layout, body, of);
    }
    layout
}

/// Columns that the text of a prompt has: a sign stands before it, and the last
/// column is the cursor's.
#[must_use]
pub fn prompt_columns(width: u16) -> u16 {
    width.saturating_sub(4).max(1)
}

fn one(layout: &mut WorkspaceLayout, body: Rect, of: &Workspace) {
    layout.tabs = Some(Rect { height: 1, ..body });
    let slot = Some(Slot {
        title: None,
        content: below(body, 1),
    });
    match (of.tab, of.files.has_open_file()) {
        (Tab::Conversation, _) => layout.conversation = slot,
        (Tab::Files, false) => layout.tree = slot,
        (Tab::Files, true) => layout.viewer = slot,
        (Tab::Logs, _) => layout.logs = slot,
    }
}

fn two(layout: &mut WorkspaceLayout, body: Rect, of: &Workspace) {
    let left = body.width * 11 / 20;
    let (conversation, separator, side) = split(body, left);
    layout.conversation = Some(titled(conversation));
    layout.separators[0] = Some(separator);
    // A file is read in a tall pane; otherwise both are seen.
    let upper = match (of.files.has_open_file(), of.pane) {
        (true, Pane::Viewer) => side.height * 3 / 4,
        (true, Pane::Logs) => side.height / 4,
        (true | false, _) => side.height / 2,
    };
    let top = Rect {
        height: upper,
        ..side
    };
    if of.files.has_open_file() {
        layout.viewer = Some(titled(top));
    } else {
        layout.tree = Some(titled(top));
    }
    layout.logs = Some(titled(below(side, upper)));
}

fn three(layout: &mut WorkspaceLayout, body: Rect) {
    let (conversation, separator, side) = split(body, body.width * 2 / 5);
    layout.conversation = Some(titled(conversation));
    layout.separators = [Some(separator), None];
    let upper = side.height * 3 / 5;
    let (tree, between, viewer) = split(
        Rect {
            height: upper,
            ..side
        },
        TREE,
    );
    layout.tree = Some(titled(tree));
    layout.viewer = Some(titled(viewer));
    layout.separators[1] = Some(between);
    layout.logs = Some(titled(below(side, upper)));
}

fn split(area: Rect, left: u16) -> (Rect, Rect, Rect) {
    let first = Rect {
        width: left,
        ..area
    };
    let line = Rect {
        x: area.x + left,
        width: 1,
        ..area
    };
    let second = Rect {
        x: area.x + left + 1,
        width: area.width.saturating_sub(left + 1),
        ..area
    };
    (first, line, second)
}

fn below(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect {
        y: area.y + rows,
        height: area.height - rows,
        ..area
    }
}

fn titled(area: Rect) -> Slot {
    Slot {
        title: Some(Rect {
            height: area.height.min(1),
            ..area
        }),
        content: below(area, 1),
    }
}

/// A box in the middle of the screen; columns and rows that it would like.
#[must_use]
pub fn centered(size: (u16, u16), width: u16, height: u16) -> Rect {
    let width = width.min(size.0.saturating_sub(2)).max(1);
    let height = height.min(size.1.saturating_sub(2)).max(1);
    Rect::new(
        (size.0.saturating_sub(width)) / 2,
        (size.1.saturating_sub(height)) / 2,
        width,
        height,
    )
}

impl WorkspaceLayout {
    /// Which pane a point is in.
    #[must_use]
    pub fn pane_at(&self, column: u16, row: u16) -> Option<Pane> {
        let point = ratatui::layout::Position::new(column, row);
        let inside = |slot: &Option<Slot>| {
            slot.is_some_and(|slot| {
                slot.content.contains(point) || slot.title.is_some_and(|t| t.contains(point))
            })
        };
        if self.prompt.contains(point) || self.rule.contains(point) {
            return Some(Pane::Prompt);
        }
        [
            (&self.conversation, Pane::Conversation),
            (&self.tree, Pane::Tree),
            (&self.viewer, Pane::Viewer),
            (&self.logs, Pane::Logs),
        ]
        .into_iter()
        .find(|(slot, _)| inside(slot))
        .map(|(_, pane)| pane)
    }

    /// Where a pane is, if it is seen.
    #[must_use]
    pub fn slot(&self, pane: Pane) -> Option<Slot> {
        match pane {
            Pane::Prompt => Some(Slot {
                title: Some(self.rule),
                content: self.prompt,
            }),
            Pane::Conversation => self.conversation,
            Pane::Tree => self.tree,
            Pane::Viewer => self.viewer,
            Pane::Logs => self.logs,
        }
    }
}
