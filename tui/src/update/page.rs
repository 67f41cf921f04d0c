//! Pages of text: the help, made from the keymap, and the grpcurl line for what
//! is on the screen.

use crate::keymap::{Action, Keymap, Scope};
use crate::model::overlay::Page;
use crate::model::workspace::Pane;
use crate::model::{Model, Screen};
use crate::text::columns;
use crate::text::{Role, Row};

/// Rows of a page that are seen on a screen of so many.
#[must_use]
pub(crate) fn height(rows: u16) -> usize {
    usize::from(rows.saturating_sub(6).max(1))
}

/// Columns of its text on a screen of so many.
#[must_use]
pub(crate) fn width(columns: u16) -> usize {
    usize::from(columns.saturating_sub(8).clamp(1, 100))
}

/// Its rows, none wider than there is room.
#[must_use]
pub(crate) fn wrapped(page: &Page, screen: u16) -> Vec<Row> {
    let width = width(screen);
    let mut rows = Vec::new();
    for row in &page.rows {
        if row.width() <= width {
            rows.push(row.clone());
            continue;
        }
        let text = row.plain();
        let role = row.pieces.first().map_or(Role::Text, |piece| piece.role);
        rows.extend(
            columns::cut(&text, width)
                .into_iter()
                .map(|range| Row::new(role, &text[range])),
        );
    }
    rows
}

/// Every key that works, by where it works.
#[must_use]
pub(super) fn help(keymap: &Keymap, first: &[Scope], ascii: bool) -> Page {
    const ORDER: [Scope; 11] = [
        Scope::Prompt,
        Scope::Workspace,
        Scope::Conversation,
        Scope::Tree,
        Scope::Viewer,
        Scope::Logs,
        Scope::Projects,
        Scope::Pane,
        Scope::Everywhere,
        Scope::Page,
        Scope::SignIn,
    ];
    let mut order: Vec<Scope> = first.to_vec();
    order.extend(ORDER.into_iter().filter(|scope| !first.contains(scope)));
    let mut rows = Vec::new();
    for scope in order {
        let entries: Vec<(String, &str)> = Action::ALL
            .iter()
            .filter(|action| action.entry().scope == scope)
            .filter_map(|action| {
                let keys: Vec<String> = keymap
                    .keys(*action)
                    .iter()
                    .map(|chord| chord.shown(ascii))
                    .collect();
                (!keys.is_empty()).then(|| (keys.join("  "), action.entry().title))
            })
            .collect();
        if entries.is_empty() {
            continue;
        }
        if !rows.is_empty() {
            rows.push(Row::default());
        }
        rows.push(Row::new(Role::Heading, scope.title()));
        rows.extend(
            entries
                .iter()
                .map(|(keys, title)| pair(Role::Accent, keys, title)),
        );
    }
    rows.push(Row::default());
    rows.push(Row::new(
        Role::Dim,
        "Where text is typed, letters are text: Esc leaves the prompt, i comes back.",
    ));
    rows.push(Row::default());
    rows.push(Row::new(Role::Heading, "Names for [keys] in config.toml"));
    rows.push(Row::new(
        Role::Dim,
        "  For example: stop-app = [\"alt-x\"]. What is named there has those keys only.",
    ));
    rows.extend(
        Action::ALL
            .iter()
            .map(|action| pair(Role::Text, action.entry().name, action.entry().title)),
    );
    Page {
        title: "Keys",
        rows,
        top: 0,
        copies: String::new(),
    }
}

/// A row of a table: what, and what it does.
fn pair(role: Role, left: &str, right: &str) -> Row {
    let pad = 24usize.saturating_sub(columns::width(left)).max(1);
    Row::new(role, format!("  {left}"))
        .add(Role::Text, " ".repeat(pad))
        .add(Role::Text, right)
}

/// The line that asks the daemon for what is on the screen.
#[must_use]
pub(super) fn grpcurl(model: &Model) -> Page {
    let (method, body) = request(model);
    let address = model.address.strip_prefix("unix:").map_or_else(
        || {
            let host = model
                .address
                .trim_start_matches("https://")
                .trim_start_matches("http://");
            if model.address.starts_with("https://") {
                host.to_owned()
            } else {
                format!("-plaintext {host}")
            }
        },
        // Older versions send the path as the authority, which is refused.
        |path| format!("-plaintext -authority localhost -unix {path}"),
    );
    // What was typed may have characters that are kept there and not shown.
    let body = crate::sanitise::line(&body).replace('\'', "'\\''");
    let line = format!(
        "grpcurl -expand-headers -H 'authorization: Bearer ${{TOKEN}}' -d '{body}' {address} kiln.v1.{method}"
    );
    let rows = vec![
        Row::new(Role::Text, line.clone()),
        Row::default(),
        Row::new(
            Role::Dim,
            "TOKEN is a session or an API token: `kiln auth token create` makes one.",
        ),
        Row::new(Role::Dim, "y copies the line."),
    ];
    Page {
        title: "The same with grpcurl",
        rows,
        top: 0,
        copies: line,
    }
}

fn request(model: &Model) -> (&'static str, String) {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match &model.screen {
        Screen::SignIn(sign_in) => (
            "AuthService/SignIn",
            format!(
                "{{\"email\": {}, \"password\": \"…\"}}",
                quoted(sign_in.form.value(0))
            ),
        ),
        Screen::Projects(_) => ("ProjectService/WatchProjects", "{}".to_owned()),
        Screen::Workspace(workspace) => {
            let id = quoted(&workspace.project.id);
            match workspace.pane {
                Pane::Prompt | Pane::Conversation => (
                    "ProjectService/WatchProject",
                    format!("{{\"project_id\": {id}, \"after_sequence\": 0}}"),
                ),
                Pane::Tree => (
                    "RevisionService/ListFiles",
                    format!("{{\"project_id\": {id}}}"),
                ),
                Pane::Viewer => (
                    "RevisionService/ReadFile",
                    format!(
                        "{{\"project_id\": {id}, \"path\": {}}}",
                        quoted(workspace.files.open_path().unwrap_or_default())
                    ),
                ),
                Pane::Logs => (
                    "SandboxService/StreamLogs",
                    format!("{{\"project_id\": {id}, \"follow\": true}}"),
                ),
            }
        }
    }
}
