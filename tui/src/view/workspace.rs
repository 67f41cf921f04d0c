//! One project: conversation, files, logs, prompt, and the line that says how it
//! stands.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::layout::{Slot, WorkspaceLayout};
use super::theme::Theme;
use super::{frame, hit, layout, rows};
use crate::cli::output::format;
use crate::keymap::Action;
use crate::model::Model;
use crate::model::project::Sandbox;
use crate::model::workspace::{Pane, Tab, Workspace};
use crate::text::{Role, Row, wrap};
use crate::update::panes;

pub(super) fn draw(
    model: &Model,
    workspace: &Workspace,
    area: Rect,
    buf: &mut Buffer,
) -> Option<Position> {
    let theme = model.theme();
    let places = layout::workspace((area.width, area.height), workspace);
    header(model, workspace, places.header, buf);
    if let Some(line) = places.tabs {
        tabs(model, workspace, line, buf);
    }
    for separator in places.separators.into_iter().flatten() {
        let sign = if model.ascii { "|" } else { "│" };
        for y in separator.top()..separator.bottom() {
            buf.set_stringn(separator.x, y, sign, 1, theme.style(Role::Border));
        }
    }
    let drawn = Drawn {
        model,
        workspace,
        theme,
    };
    drawn.conversation(places.conversation, buf);
    drawn.tree(places.tree, buf);
    drawn.viewer(places.viewer, buf);
    drawn.logs(places.logs, buf);
    drawn.status(&places, buf);
    let cursor = drawn.prompt(&places, buf);
    frame::hints(model, &actions(workspace), places.hints, buf);
    cursor
}

fn header(model: &Model, workspace: &Workspace, area: Rect, buf: &mut Buffer) {
    let project = &workspace.project;
    let mut place = Row::new(Role::Strong, project.name.clone());
    let app = match project.sandbox {
        Sandbox::Running => (Role::Ok, "sandbox runs"),
        Sandbox::Starting => (Role::Running, "sandbox starts"),
        Sandbox::Stopping => (Role::Running, "sandbox stops"),
        Sandbox::Failed => (Role::Error, "sandbox failed"),
        Sandbox::Stopped if project.head_revision.is_empty() => (Role::Dim, ""),
        Sandbox::Stopped => (Role::Dim, "sandbox stopped"),
    };
    if !app.1.is_empty() && area.width >= 60 {
        place.push(Role::Dim, " · ");
        place.push(app.0, app.1);
    }
    frame::header(model, &place, area, buf);
}

fn tabs(model: &Model, workspace: &Workspace, area: Rect, buf: &mut Buffer) {
    let theme = model.theme();
    let mut x = area.x + 1;
    for (tab, word) in hit::tabs() {
        let width = u16::try_from(word.len()).unwrap_or(0);
        let place = Rect {
            x,
            width,
            height: 1,
            ..area
        };
        let shown = workspace.tab == tab;
        let role = if shown { Role::Strong } else { Role::Dim };
        rows::text(word, role, place, buf, theme);
        if shown {
            let has_keys = workspace.pane != Pane::Prompt;
            rows::select(place, buf, theme, has_keys);
        }
        x += width + 1;
    }
    let facts = match workspace.tab {
        Tab::Conversation => Row::default(),
        // There is no other title here that says which file it is.
        Tab::Files if workspace.files.has_open_file() => workspace.files.viewer_title(),
        Tab::Files => workspace.files.title(),
        Tab::Logs => workspace.logs.title(),
    };
    let room = Rect {
        x,
        width: area.right().saturating_sub(x + 1),
        ..area
    };
    rows::right(&facts, room, buf, theme);
}

/// What keys do in the pane that has them.
fn actions(workspace: &Workspace) -> Vec<(Action, &'static str)> {
    let mut actions: Vec<(Action, &'static str)> = match workspace.pane {
        Pane::Prompt if workspace.conversation.is_busy() => vec![
            (Action::Interrupt, "cancel"),
            (Action::NextPane, "next pane"),
        ],
        Pane::Prompt => vec![
            (Action::Send, "send"),
            (Action::Newline, "new line"),
            (Action::NextPane, "next pane"),
        ],
        Pane::Conversation => vec![
            (Action::Select, "fold"),
            (Action::Search, "search"),
            (Action::Copy, "copy"),
            (Action::NextPane, "next pane"),
        ],
        Pane::Tree => vec![
            (Action::Select, "open"),
            (Action::Search, "jump"),
            (Action::NextPane, "next pane"),
        ],
        Pane::Viewer => vec![
            (Action::Search, "search"),
            (Action::WrapFile, "wrap"),
            (Action::CloseFile, "close"),
            (Action::NextPane, "next pane"),
        ],
        Pane::Logs => vec![
            (Action::FollowLogs, "follow"),
            (Action::Search, "search"),
            (Action::LogStream, "streams"),
            (Action::WrapLogs, "wrap"),
            (Action::SaveLogs, "save"),
        ],
    };
    if !workspace.project.preview_url.is_empty() {
        actions.push((Action::OpenPreview, "open app"));
    }
    if workspace.pane != Pane::Prompt {
        actions.push((Action::WritePrompt, "prompt"));
    }
    actions.extend([
        (Action::Palette, "everything"),
        (Action::Help, "keys"),
        (Action::Back, "back"),
    ]);
    actions
}

/// What every part of the drawing needs.
struct Drawn<'a> {
    model: &'a Model,
    workspace: &'a Workspace,
    theme: Theme,
}

impl Drawn<'_> {
    fn title(&self, slot: Slot, words: &Row, pane: Pane, buf: &mut Buffer) {
        let Some(title) = slot.title else { return };
        let focused = self.workspace.pane == pane && self.model.overlays.is_empty();
        rows::rule(words, title, buf, self.theme, focused, self.model.ascii);
    }

    fn conversation(&self, slot: Option<Slot>, buf: &mut Buffer) {
        let Some(slot) = slot else { return };
        let conversation = &self.workspace.conversation;
        self.title(slot, &Row::new(Role::Text, "Chat"), Pane::Conversation, buf);
        if let Some(broken) = &self.workspace.broken {
            let lines = frame::wrapped(broken, usize::from(slot.content.width));
            let lines: Vec<Row> = lines
                .into_iter()
                .map(|line| Row::new(Role::Error, line))
                .collect();
            rows::draw(&lines, slot.content, buf, self.theme);
            return;
        }
        if conversation.is_empty() {
            self.empty(slot.content, buf);
            return;
        }
        let has_keys = self.workspace.pane == Pane::Conversation;
        for (row, y) in conversation
            .rows()
            .zip(slot.content.top()..slot.content.bottom())
        {
            let line = Rect {
                y,
                height: 1,
                ..slot.content
            };
            rows::line(row, line, buf, self.theme);
        }
        if has_keys && let Some(range) = conversation.selected_rows() {
            let top = slot.content.y + u16::try_from(range.start).unwrap_or(0);
            let area = Rect {
                y: top,
                height: 1,
                ..slot.content
            };
            if top < slot.content.bottom() {
                rows::select(area, buf, self.theme, true);
            }
        }
        let (top, total) = conversation.extent();
        rows::scrollbar(top, total, slot.content, buf, self.theme, self.model.ascii);
        if conversation.new_below() && slot.content.height > 0 {
            let sign = if self.model.ascii { "v" } else { "↓" };
            let more = Row::new(Role::Accent, format!(" {sign} more below "));
            let last = Rect {
                y: slot.content.bottom() - 1,
                height: 1,
                ..slot.content
            };
            rows::right(&more, last, buf, self.theme);
        }
    }

    fn empty(&self, area: Rect, buf: &mut Buffer) {
        let lines = if self.workspace.caught_up || !self.model.connection.is_online() {
            let mut lines = vec![
                Row::new(Role::Strong, "Say what this app should be."),
                Row::default(),
                Row::new(
                    Role::Text,
                    "Write it below and press Enter. Files appear while they are",
                ),
                Row::new(
                    Role::Text,
                    "written; then the app starts, is checked, and gets an address.",
                ),
            ];
            if let Some(trouble) = frame::trouble(self.model) {
                lines = frame::failure(trouble, area.width.saturating_sub(3), area.height);
            }
            lines
        } else {
            vec![Row::new(
                Role::Dim,
                format!("{} reading the history", frame::spinner(self.model)),
            )]
        };
        let area = Rect {
            x: area.x + 2.min(area.width),
            y: area.y + 1.min(area.height),
            width: area.width.saturating_sub(3),
            height: area.height.saturating_sub(1),
        };
        rows::draw(&lines, area, buf, self.theme);
    }

    fn tree(&self, slot: Option<Slot>, buf: &mut Buffer) {
        let Some(slot) = slot else { return };
        let files = &self.workspace.files;
        self.title(slot, &files.title(), Pane::Tree, buf);
        let has_keys = self.workspace.pane == Pane::Tree;
        rows::draw(&files.tree_rows(), slot.content, buf, self.theme);
        if let Some(row) = files.selected_row() {
            let y = slot.content.y + u16::try_from(row).unwrap_or(0);
            if y < slot.content.bottom() {
                let line = Rect {
                    y,
                    height: 1,
                    ..slot.content
                };
                rows::select(line, buf, self.theme, has_keys);
            }
        }
        let (top, total) = files.tree_extent();
        rows::scrollbar(top, total, slot.content, buf, self.theme, self.model.ascii);
    }

    fn viewer(&self, slot: Option<Slot>, buf: &mut Buffer) {
        let Some(slot) = slot else { return };
        let files = &self.workspace.files;
        self.title(slot, &files.viewer_title(), Pane::Viewer, buf);
        rows::draw(&files.viewer_rows(), slot.content, buf, self.theme);
        let (top, total) = files.viewer_extent();
        rows::scrollbar(top, total, slot.content, buf, self.theme, self.model.ascii);
    }

    fn logs(&self, slot: Option<Slot>, buf: &mut Buffer) {
        let Some(slot) = slot else { return };
        let logs = &self.workspace.logs;
        self.title(slot, &logs.title(), Pane::Logs, buf);
        if logs.is_empty() {
            let words = match self.workspace.project.sandbox {
                Sandbox::Running | Sandbox::Starting => "Nothing was written yet.",
                Sandbox::Stopped | Sandbox::Stopping | Sandbox::Failed => {
                    "The app does not run: what it writes is shown here while it does."
                }
            };
            let lead = Row::new(Role::Text, " ");
            let lines = wrap::plain(words, Role::Dim, &lead, usize::from(slot.content.width));
            rows::draw(&lines, slot.content, buf, self.theme);
            return;
        }
        let columns = usize::from(slot.content.width).saturating_sub(1);
        let shown = logs.rows(columns, usize::from(slot.content.height));
        rows::draw(&shown, slot.content, buf, self.theme);
    }

    /// How it stands, and where the app is.
    fn status(&self, places: &WorkspaceLayout, buf: &mut Buffer) {
        let area = places.status;
        let url = &self.workspace.project.preview_url;
        let at = hit::address(area, url);
        let room = Rect {
            x: area.x + 1,
            width: at.x.saturating_sub(area.x + 2),
            ..area
        };
        rows::line(&self.standing(room.width), room, buf, self.theme);
        let role = match self.workspace.project.sandbox {
            Sandbox::Running => Role::Link,
            Sandbox::Stopped | Sandbox::Starting | Sandbox::Stopping | Sandbox::Failed => Role::Dim,
        };
        rows::text(url, role, at, buf, self.theme);
    }

    fn standing(&self, width: u16) -> Row {
        if let Some(trouble) = frame::trouble(self.model) {
            let mut said = frame::failure(trouble, width, 1);
            return said.pop().unwrap_or_default();
        }
        let conversation = &self.workspace.conversation;
        let mut row = Row::default();
        if let Some(running) = conversation.running() {
            let elapsed = self.model.now_ms.saturating_sub(running.since_ms).max(0);
            let elapsed = std::time::Duration::from_millis(u64::try_from(elapsed).unwrap_or(0));
            row.push(Role::Running, frame::spinner(self.model));
            row.push(Role::Running, format!(" {} ", running.words()));
            // A step has its own time above.
            let all = if running.detail.is_empty() || conversation.running_id().is_none() {
                ""
            } else {
                " in all"
            };
            row.push(Role::Dim, format!("{}{all}  ", format::duration(elapsed)));
        } else if self.model.is_waiting() {
            row.push(
                Role::Running,
                format!("{} asking the daemon  ", frame::spinner(self.model)),
            );
        }
        let totals = conversation.totals();
        if !totals.is_empty() {
            row.push(Role::Dim, totals);
        }
        row
    }

    /// The prompt, and the line above it that names the model.
    fn prompt(&self, places: &WorkspaceLayout, buf: &mut Buffer) -> Option<Position> {
        let focused = self.workspace.pane == Pane::Prompt && self.model.overlays.is_empty();
        let (id, demo) = panes::model_label(self.model);
        let mut title = Row::new(
            Role::Dim,
            if id.is_empty() {
                "no model"
            } else {
                id.as_str()
            },
        );
        if demo {
            title.push(Role::Warn, " (canned answers)");
        }
        rows::rule(
            &title,
            places.rule,
            buf,
            self.theme,
            focused,
            self.model.ascii,
        );
        let area = places.prompt;
        let sign = if self.model.ascii { "> " } else { "❯ " };
        let role = if focused { Role::User } else { Role::Dim };
        rows::text(sign, role, Rect { height: 1, ..area }, buf, self.theme);
        let text = Rect {
            x: area.x + hit::PROMPT_SIGN,
            width: layout::prompt_columns(area.width),
            ..area
        };
        let drawn = self
            .workspace
            .prompt
            .rows(usize::from(text.width), usize::from(text.height));
        if self.workspace.prompt.is_empty() {
            let hint = if self.workspace.conversation.is_busy() {
                "write the next prompt meanwhile"
            } else if self.workspace.conversation.is_empty() {
                "a todo list with due dates"
            } else {
                "what should change?"
            };
            rows::text(hint, Role::Dim, text, buf, self.theme);
        } else {
            rows::draw(&drawn.rows, text, buf, self.theme);
        }
        let (column, row) = drawn.cursor;
        focused.then(|| {
            Position::new(
                text.x + u16::try_from(column).unwrap_or(0),
                text.y + u16::try_from(row).unwrap_or(0),
            )
        })
    }
}
