//! What a stranger sees: every screen in every state, at three sizes, as a VT100
//! shows it.
//!
//! `INSTA_UPDATE=always` writes them anew; then they are to be read.

mod overlays;
mod panes;
mod projects;
mod sign_in;
mod workspace;

use kiln_tui::msg::Input;

use crate::support::client::Client;

/// A terminal as it comes, a usual one, and one over the whole screen.
const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 50)];

/// Compares what is seen with what is kept, at each size.
fn seen(name: &str, client: impl Fn((u16, u16)) -> Client) {
    for size in SIZES {
        let picture = client(size).draw().picture();
        kept(&format!("{name}_{}x{}", size.0, size.1), &picture);
    }
}

/// Compares what is seen with what is kept, at each size to which the window of one
/// client is drawn.
fn seen_drawn_to(name: &str, mut client: Client) {
    for (columns, rows) in SIZES {
        client.input(Input::Resize(columns, rows));
        let picture = client.draw().picture();
        kept(&format!("{name}_{columns}x{rows}"), &picture);
    }
}

/// Compares the looks of what is seen with what is kept.
fn looks(name: &str, mut client: Client) {
    let looks = client.draw().looks();
    kept(&format!("{name}_looks"), &looks);
}

fn kept(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}
