//! The files as their reader meets them.

use proptest::prelude::*;

use super::*;
use crate::model::list::Go;
use crate::text::{Role, Row, columns};

fn entry(path: &str, size: i64) -> FileEntry {
    FileEntry {
        path: path.to_owned(),
        size,
    }
}

fn files(paths: &[&str]) -> Files {
    let mut files = Files::new(false);
    files.layout_tree(31, 20);
    files.set_listing(paths.iter().map(|path| entry(path, 1500)).collect());
    files
}

fn tree(files: &Files) -> Vec<String> {
    let rows = files.tree_rows();
    rows.iter()
        .map(|row| row.plain().trim_end().to_owned())
        .collect()
}

const APP: [&str; 5] = [
    "index.html",
    "src/App.tsx",
    "src/components/List.tsx",
    "src/components/Item.tsx",
    "README.md",
];

fn select(files: &mut Files, path: &str) {
    files.go(Go::First);
    while files.selected_path() != Some(path) {
        let before = files.selected_path().map(str::to_owned);
        files.go(Go::Down);
        assert_ne!(files.selected_path().map(str::to_owned), before, "{path}");
    }
}

#[test]
fn folders_come_first_and_names_are_in_order_whatever_their_case() {
    assert_eq!(
        tree(&files(&APP)),
        [
            "▾ src/",
            "  ▾ components/",
            "      Item.tsx          1.5 kB",
            "      List.tsx          1.5 kB",
            "    App.tsx             1.5 kB",
            "  index.html            1.5 kB",
            "  README.md             1.5 kB",
        ]
    );
}

#[test]
fn a_folder_is_closed_and_opened_and_stays_so_in_the_next_listing() {
    let mut files = files(&APP);
    select(&mut files, "src/components/Item.tsx");
    files.collapse();
    assert_eq!(files.selected_path(), Some("src/components/"));
    files.collapse();
    assert_eq!(tree(&files)[..2], ["▾ src/", "  ▸ components/"]);
    files.set_listing(APP.iter().map(|path| entry(path, 7)).collect());
    assert_eq!(tree(&files)[..2], ["▾ src/", "  ▸ components/"]);
    assert_eq!(files.selected_path(), Some("src/components/"));
    files.expand();
    assert_eq!(tree(&files).len(), 7);
}

#[test]
fn what_was_selected_in_a_folder_that_closes_is_the_folder() {
    let mut files = files(&APP);
    select(&mut files, "src/");
    files.go(Go::Down);
    files.go(Go::Down);
    assert_eq!(files.selected_path(), Some("src/components/Item.tsx"));
    files.set_closed("src/", true);
    assert_eq!(files.selected_path(), Some("src/"));
}

#[test]
fn changes_are_marked_and_what_was_deleted_is_still_seen() {
    let mut files = files(&APP);
    let change = |path: &str, kind| Change {
        path: path.to_owned(),
        kind,
    };
    files.mark_changes(&[
        change("src/App.tsx", ChangeKind::Modified),
        change("src/components/Item.tsx", ChangeKind::Added),
        change("src/Old.tsx", ChangeKind::Deleted),
    ]);
    files.is_written("src/New.tsx");
    assert_eq!(
        tree(&files),
        [
            "▾ src/",
            "  ▾ components/",
            "    + Item.tsx          1.5 kB",
            "      List.tsx          1.5 kB",
            "  M App.tsx             1.5 kB",
            "  ~ New.tsx            writing",
            "  - Old.tsx            deleted",
            "  index.html            1.5 kB",
            "  README.md             1.5 kB",
        ]
    );
    select(&mut files, "src/Old.tsx");
    assert_eq!(files.choose(), None, "there is nothing to read");
    files.nothing_is_written();
    assert_eq!(tree(&files).len(), 8);
}

#[test]
fn the_best_fit_is_jumped_to_even_in_a_closed_folder() {
    let mut files = files(&APP);
    files.set_closed("src/", true);
    assert_eq!(files.jump_to("item"), 1);
    assert_eq!(files.selected_path(), Some("src/components/Item.tsx"));
    assert_eq!(files.jump_to("nothing"), 0);
    assert_eq!(files.selected_path(), Some("src/components/Item.tsx"));
}

fn opened(text: &str, width: u16, height: u16) -> Files {
    let mut files = files(&["a.txt"]);
    assert_eq!(files.choose(), Some(Chosen::File("a.txt".to_owned())));
    files.layout_viewer(width + 1, height);
    files.set_content("a.txt", 9, Some(text.to_owned()));
    files
}

fn shown(files: &Files) -> Vec<String> {
    files.viewer_rows().iter().map(Row::plain).collect()
}

#[test]
fn lines_have_numbers_and_long_ones_are_wrapped_or_scrolled() {
    let mut files = opened("0123456789abcdef\nx", 11, 3);
    assert_eq!(shown(&files), [" 1 0123456…", " 2 x"]);
    files.scroll_sideways(true);
    assert_eq!(shown(&files), [" 1 89abcdef", " 2 "]);
    files.toggle_wrap();
    assert_eq!(shown(&files), [" 1 01234567", "   89abcdef", " 2 x"]);
}

#[test]
fn a_search_goes_round_and_marks_what_it_found() {
    let text: String = (1..=100).map(|n| format!("line {n}\n")).collect();
    let mut files = opened(&text, 20, 4);
    assert_eq!(files.find("LINE 9"), 11);
    assert!(shown(&files).contains(&"   9 line 9".to_owned()));
    let row = files.viewer_rows()[1].clone();
    assert_eq!(
        row,
        Row::new(Role::Accent, "   9 ").add(Role::Match, "line 9")
    );
    files.previous_match();
    assert!(shown(&files).contains(&"  99 line 99".to_owned()));
    files.next_match();
    assert!(shown(&files).contains(&"   9 line 9".to_owned()));
}

#[test]
fn a_late_answer_for_another_file_is_left_alone() {
    let mut files = opened("text", 30, 3);
    files.set_content("b.txt", 1, Some("other".to_owned()));
    files.set_error("b.txt", "gone");
    assert_eq!(shown(&files), [" 1 text"]);
    files.set_content("a.txt", 2_000, None);
    assert_eq!(shown(&files), [" no text: 2.0 kB of data"]);
    files.set_content("a.txt", 0, Some(String::new()));
    assert_eq!(shown(&files), [" the file is empty"]);
    files.set_error("a.txt", "gone");
    assert_eq!(shown(&files), [" gone"]);
}

#[test]
fn a_file_that_is_read_anew_stays_where_it_was() {
    let text: String = (1..=100).map(|n| format!("line {n}\n")).collect();
    let mut files = opened(&text, 20, 3);
    files.scroll_rows(50);
    assert_eq!(shown(&files)[0], "  51 line 51");
    files.set_content("a.txt", 9, Some(format!("{text}more\n")));
    assert_eq!(shown(&files)[0], "  51 line 51");
    assert_eq!(files.viewer_extent(), (50, 101));
    files.set_content("a.txt", 9, Some("short".to_owned()));
    assert_eq!(shown(&files), [" 1 short"]);
}

#[test]
fn a_remark_that_began_far_above_is_still_one() {
    let mut text = String::from("/* ");
    text.push_str(&"word\n".repeat(1000));
    let mut files = Files::new(false);
    files.set_listing(vec![entry("a.ts", 1)]);
    files.choose();
    files.layout_viewer(30, 3);
    files.set_content("a.ts", 1, Some(text));
    files.scroll_rows(700);
    let last = files.viewer_rows()[0].pieces.last().cloned();
    assert_eq!(last.unwrap().role, Role::CodeComment);
}

#[derive(Clone, Debug)]
enum Do {
    Listing(Vec<(String, i64)>),
    Changes(Vec<(String, u8)>),
    Written(Option<String>),
    Go(Go),
    ScrollTree(isize),
    Click(usize),
    Choose,
    Expand,
    Collapse,
    Jump(String),
    Tree(u16, u16),
    Content(Option<String>),
    Error,
    Viewer(u16, u16),
    ScrollViewer(Go),
    ScrollRows(isize),
    Sideways(bool),
    Wrap,
    Find(String),
    Next,
    Previous,
    Close,
}

fn path() -> impl Strategy<Value = String> {
    "([ab漢]{1,3}/){0,3}[abAé]{1,3}(\\.ts)?"
}

fn go() -> impl Strategy<Value = Go> {
    prop::sample::select(vec![
        Go::Up,
        Go::Down,
        Go::PageUp,
        Go::PageDown,
        Go::First,
        Go::Last,
    ])
}

fn action() -> impl Strategy<Value = Do> {
    prop_oneof![
        prop::collection::vec((path(), 0i64..9_000), 0..12).prop_map(Do::Listing),
        prop::collection::vec((path(), 0u8..3), 0..4).prop_map(Do::Changes),
        prop::option::of(path()).prop_map(Do::Written),
        go().prop_map(Do::Go),
        (-9isize..9).prop_map(Do::ScrollTree),
        (0usize..9).prop_map(Do::Click),
        Just(Do::Choose),
        Just(Do::Expand),
        Just(Do::Collapse),
        "[abé]{0,2}".prop_map(Do::Jump),
        (0u16..40, 0u16..9).prop_map(|(w, h)| Do::Tree(w, h)),
        prop::option::of("[ab 漢😀/*\"`<>{}\n]{0,60}").prop_map(Do::Content),
        Just(Do::Error),
        (0u16..200, 0u16..9).prop_map(|(w, h)| Do::Viewer(w, h)),
        go().prop_map(Do::ScrollViewer),
        (-30isize..30).prop_map(Do::ScrollRows),
        any::<bool>().prop_map(Do::Sideways),
        Just(Do::Wrap),
        "[ab漢]{0,2}".prop_map(Do::Find),
        Just(Do::Next),
        Just(Do::Previous),
        Just(Do::Close),
    ]
}

fn act(files: &mut Files, action: Do) {
    let open = files.open_path().map(str::to_owned).unwrap_or_default();
    match action {
        Do::Listing(all) => {
            files.set_listing(all.iter().map(|(path, size)| entry(path, *size)).collect());
        }
        Do::Changes(all) => {
            let changes: Vec<Change> = all
                .into_iter()
                .map(|(path, kind)| Change {
                    path,
                    kind: match kind {
                        0 => ChangeKind::Added,
                        1 => ChangeKind::Modified,
                        _ => ChangeKind::Deleted,
                    },
                })
                .collect();
            files.mark_changes(&changes);
        }
        Do::Written(Some(path)) => files.is_written(&path),
        Do::Written(None) => files.nothing_is_written(),
        Do::Go(go) => files.go(go),
        Do::ScrollTree(rows) => files.scroll_tree(rows),
        Do::Click(row) => {
            files.click(row);
        }
        Do::Choose => {
            files.choose();
        }
        Do::Expand => files.expand(),
        Do::Collapse => files.collapse(),
        Do::Jump(words) => {
            files.jump_to(&words);
        }
        Do::Tree(width, height) => files.layout_tree(width, height),
        Do::Content(text) => files.set_content(&open, 5, text),
        Do::Error => files.set_error(&open, "it is gone, and this is a long reason"),
        Do::Viewer(width, height) => files.layout_viewer(width, height),
        Do::ScrollViewer(go) => files.scroll_viewer(go),
        Do::ScrollRows(rows) => files.scroll_rows(rows),
        Do::Sideways(right) => files.scroll_sideways(right),
        Do::Wrap => files.toggle_wrap(),
        Do::Find(words) => {
            files.find(&words);
        }
        Do::Next => files.next_match(),
        Do::Previous => files.previous_match(),
        Do::Close => files.close(),
    }
}

proptest! {
    #[test]
    fn whatever_is_done_the_selection_is_there_and_rows_fit(
        actions in prop::collection::vec(action(), 0..50),
    ) {
        let mut files = Files::new(false);
        for action in actions {
            act(&mut files, action);
            let (width, height) = files.size;
            let (top, count) = files.tree_extent();
            prop_assert_eq!(files.selected_path().is_some(), count > 0);
            let rows = files.tree_rows();
            if count > 0 {
                prop_assert_eq!(rows.len(), height.min(count));
                let at = files.selected_row().unwrap();
                prop_assert!(at < height.max(1) && top + at < count);
            }
            for row in &rows {
                prop_assert!(columns::width(&row.plain()) <= width.max(1), "{:?}", row);
            }
            if let Some(viewer) = &files.viewer {
                let rows = files.viewer_rows();
                prop_assert!(rows.len() <= viewer.height || viewer.text().is_none_or(|text| text.is_empty()));
                for row in &rows {
                    prop_assert!(columns::width(&row.plain()) <= viewer.width, "{:?}", row);
                }
            }
        }
    }
}
