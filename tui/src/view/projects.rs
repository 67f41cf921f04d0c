//! The projects: a line each, with its state, its model, its cost and its age.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::{frame, hit, layout, rows};
use crate::cli::output::format;
use crate::keymap::Action;
use crate::model::list::Seen;
use crate::model::project::{Activity, Project, Sandbox};
use crate::model::{Model, ProjectsScreen};
use crate::text::columns;
use crate::text::{Role, Row};

pub(super) fn draw(
    model: &Model,
    screen: &ProjectsScreen,
    area: Rect,
    buf: &mut Buffer,
) -> Option<Position> {
    let theme = model.theme();
    let size = (area.width, area.height);
    let places = layout::screen(size);
    let count = model.projects.items().len();
    let place = Row::new(Role::Text, "projects").add(
        Role::Dim,
        if count == 0 {
            String::new()
        } else {
            format!(" {count}")
        },
    );
    frame::header(model, &place, places.header, buf);
    let cursor = filter_line(model, screen, places.body, buf);
    let list = hit::projects(size);
    if screen.list.is_empty() {
        empty(model, screen, list, buf);
    } else {
        let heading = Rect {
            y: list.y - 1,
            height: 1,
            ..list
        };
        rows::line(&headings(list.width), heading, buf, theme);
        for (seen, y) in screen.list.seen(usize::from(list.height)).zip(list.top()..) {
            let line = Rect {
                y,
                height: 1,
                ..list
            };
            rows::line(&project(model, &seen, list.width), line, buf, theme);
            if seen.is_selected {
                rows::select(line, buf, theme, model.overlays.is_empty());
            }
        }
        let window = screen.list.window(usize::from(list.height));
        rows::scrollbar(
            window.start,
            screen.list.len(),
            list,
            buf,
            theme,
            model.ascii,
        );
    }
    let actions: &[(Action, &str)] = if screen.filtering {
        &[(Action::OpenProject, "open"), (Action::Back, "no filter")]
    } else if screen.list.is_empty() {
        &[
            (Action::NewProject, "new"),
            (Action::Models, "model"),
            (Action::Palette, "everything"),
            (Action::Help, "keys"),
            (Action::Quit, "quit"),
        ]
    } else {
        &[
            (Action::OpenProject, "open"),
            (Action::NewProject, "new"),
            (Action::RenameProject, "rename"),
            (Action::DeleteProject, "delete"),
            (Action::FilterProjects, "filter"),
            (Action::Palette, "everything"),
            (Action::Help, "keys"),
            (Action::Quit, "quit"),
        ]
    };
    frame::hints(model, actions, places.hints, buf);
    cursor
}

/// The line below the header: the filter, or what is wrong, or what serves.
fn filter_line(
    model: &Model,
    screen: &ProjectsScreen,
    body: Rect,
    buf: &mut Buffer,
) -> Option<Position> {
    let theme = model.theme();
    let line = Rect {
        x: body.x + 1,
        width: body.width.saturating_sub(2),
        height: 1,
        ..body
    };
    if screen.filtering || !screen.list.filter().is_empty() {
        let drawn = screen
            .list
            .filter()
            .rows(usize::from(line.width.saturating_sub(10)), 1);
        let label = Row::new(Role::Accent, "filter ");
        rows::line(&label, line, buf, theme);
        let field = Rect {
            x: line.x + 7,
            width: line.width.saturating_sub(7),
            ..line
        };
        rows::draw(&drawn.rows, field, buf, theme);
        let column = u16::try_from(drawn.cursor.0).unwrap_or(0);
        return screen
            .filtering
            .then_some(Position::new(field.x + column, field.y));
    }
    if let Some(trouble) = frame::trouble(model) {
        // The line below is free.
        let room = Rect { height: 2, ..line };
        let said = frame::failure(trouble, room.width, room.height);
        rows::draw(&said, room, buf, theme);
        return None;
    }
    if let Some(server) = &model.server {
        let mut row = Row::new(Role::Dim, "models from ");
        if server.demo_only {
            row.push(Role::Warn, "the demo model (canned answers)");
            if model
                .provider
                .as_ref()
                .is_some_and(|provider| provider.can_change)
            {
                row.push(Role::Dim, " · Ctrl-P provider: use your own");
            }
        } else {
            let (id, _) = crate::update::panes::model_label(model);
            row = Row::new(Role::Dim, "model ");
            row.push(
                Role::Text,
                if id.is_empty() { "none".to_owned() } else { id },
            );
        }
        if let Some(why) = &server.docker_down {
            row = Row::new(
                Role::Error,
                format!("the Docker engine does not answer: {why}"),
            );
        }
        rows::line(&row, line, buf, theme);
    }
    None
}

/// Columns of the state, the model, the cost and the age; none where there is no
/// room.
fn widths(width: u16) -> (usize, usize, usize, usize) {
    match width {
        ..60 => (12, 0, 0, 0),
        60..90 => (16, 0, 0, 13),
        90..130 => (18, 24, 10, 14),
        130.. => (20, 36, 12, 16),
    }
}

fn headings(width: u16) -> Row {
    let (state, of_model, cost, age) = widths(width);
    let name = name_width(width);
    let mut row = Row::default();
    cell(&mut row, Role::Dim, "  NAME", name + 2);
    cell(&mut row, Role::Dim, "STATE", state);
    cell(&mut row, Role::Dim, "MODEL", of_model);
    cell(&mut row, Role::Dim, "COST", cost);
    cell(&mut row, Role::Dim, "CHANGED", age);
    row
}

fn name_width(width: u16) -> usize {
    let (state, of_model, cost, age) = widths(width);
    usize::from(width).saturating_sub(state + of_model + cost + age + 3)
}

fn project(model: &Model, seen: &Seen<'_, Project>, width: u16) -> Row {
    let project = seen.item;
    let (state, of_model, cost, age) = widths(width);
    let (role, sign, word) = activity(model, project);
    let mut row = Row::new(role, format!("{sign} "));
    name(&mut row, project, seen.positions, name_width(width));
    cell(&mut row, role, &word, state);
    let id = if project.default_model.is_empty() {
        "default"
    } else {
        &project.default_model
    };
    cell(&mut row, Role::Dim, id, of_model);
    let spent = if project.cost_micro_usd == 0 {
        "-".to_owned()
    } else {
        format::dollars(project.cost_micro_usd)
    };
    cell(&mut row, Role::Dim, &spent, cost);
    let time = prost_types::Timestamp {
        seconds: project.updated_ms.div_euclid(1000),
        nanos: 0,
    };
    let ago = format::ago(Some(&time), model.now_ms.div_euclid(1000));
    cell(&mut row, Role::Dim, &ago, age);
    row
}

/// The name, with what the filter found marked.
fn name(row: &mut Row, project: &Project, positions: &[usize], width: usize) {
    let mut used = 0;
    for (at, c) in project.name.char_indices() {
        let columns = columns::width(c.encode_utf8(&mut [0; 4]));
        if used + columns > width.saturating_sub(2) {
            row.push(Role::Dim, "…");
            used += 1;
            break;
        }
        used += columns;
        let role = if positions.contains(&at) {
            Role::Accent
        } else {
            Role::Strong
        };
        row.push(role, c);
    }
    row.push(Role::Text, " ".repeat(width.saturating_sub(used)));
}

/// A cell of a fixed width; what does not fit is cut with a sign.
fn cell(row: &mut Row, role: Role, text: &str, width: usize) {
    if width == 0 {
        return;
    }
    let shown = format::truncate(text, width.saturating_sub(1).max(1));
    let pad = width.saturating_sub(columns::width(&shown));
    row.push(role, shown);
    row.push(Role::Text, " ".repeat(pad));
}

fn activity(model: &Model, project: &Project) -> (Role, &'static str, String) {
    let sign = |unicode, ascii| if model.ascii { ascii } else { unicode };
    let word = project.activity.word();
    let runs = match project.sandbox {
        Sandbox::Running => "",
        other => other.word(),
    };
    match project.activity {
        Activity::New => (Role::Dim, sign("·", "."), word.to_owned()),
        Activity::Queued | Activity::Generating | Activity::Checking => {
            (Role::Running, frame::spinner(model), word.to_owned())
        }
        Activity::Ready if runs.is_empty() => (Role::Ok, sign("●", "*"), word.to_owned()),
        Activity::Ready => (Role::Dim, sign("○", "o"), format!("{word}, {runs}")),
        Activity::Failed => (Role::Error, sign("✗", "x"), word.to_owned()),
        Activity::Cancelled => (Role::Warn, sign("!", "!"), word.to_owned()),
        Activity::Interrupted => (Role::Warn, sign("!", "!"), word.to_owned()),
    }
}

fn empty(model: &Model, screen: &ProjectsScreen, area: Rect, buf: &mut Buffer) {
    let theme = model.theme();
    let key = |action| {
        model
            .keymap
            .hint(action, false)
            .map_or_else(String::new, |chord| chord.shown(model.ascii))
    };
    let lines = if !screen.list.filter().is_empty() {
        vec![
            Row::new(Role::Text, "No project has that in its name."),
            Row::new(Role::Dim, "Esc shows them all."),
        ]
    } else if !model.projects.is_complete() {
        vec![match frame::trouble(model) {
            Some(_) => Row::new(Role::Dim, "Projects are shown once there is a connection."),
            None => Row::new(Role::Dim, format!("{} loading", frame::spinner(model))),
        }]
    } else {
        vec![
            Row::new(Role::Strong, "No projects yet."),
            Row::default(),
            Row::new(Role::Text, "Press ")
                .add(Role::Accent, key(Action::NewProject))
                .add(
                    Role::Text,
                    " and say what you want: an app that runs comes of it.",
                ),
            Row::new(
                Role::Dim,
                "For example: a todo list · a pomodoro timer · a kanban board",
            ),
        ]
    };
    let height = u16::try_from(lines.len()).unwrap_or(1);
    let top = area.y + area.height.saturating_sub(height) / 3;
    for (row, y) in lines.iter().zip(top..area.bottom()) {
        let width = u16::try_from(row.width())
            .unwrap_or(area.width)
            .min(area.width);
        let place = Rect {
            x: area.x + (area.width - width) / 2,
            y,
            width,
            height: 1,
        };
        rows::line(row, place, buf, theme);
    }
}
