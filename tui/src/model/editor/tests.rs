//! The editor as its user meets it: what is done to it, and what is there then.

use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use super::*;

fn with(text: &str) -> Editor {
    let mut editor = Editor::prompt();
    editor.restore(text);
    editor
}

fn shown(editor: &Editor, width: usize, height: usize) -> Vec<String> {
    let drawn = editor.rows(width, height);
    drawn.rows.iter().map(crate::text::Row::plain).collect()
}

fn edits(editor: &mut Editor, edits: impl IntoIterator<Item = Edit>) {
    for edit in edits {
        editor.apply(edit);
    }
}

#[test]
fn what_is_pasted_is_cleaned_but_keeps_the_joiners_of_its_writing() {
    let mut editor = Editor::prompt();
    editor.apply(Edit::Paste(
        "a\r\nb\rc\td\x1b[31m\u{202e}\u{200b}e \u{200c}👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}".to_owned(),
    ));
    assert_eq!(
        editor.text(),
        "a\nb\nc    d[31me \u{200c}👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}"
    );
    let mut field = Editor::line();
    field.apply(Edit::Paste("a\r\nb\nc".to_owned()));
    assert_eq!(field.text(), "a b c");
}

#[test]
fn joiners_are_not_drawn() {
    let editor = with("می\u{200c}خواهم 👨\u{200d}👩 x");
    assert_eq!(shown(&editor, 40, 1), ["میخواهم 👨👩 x"]);
    assert!(editor.text().contains('\u{200c}'));
    assert_eq!(shown(&with("\u{200d}"), 40, 1), ["\u{fffd}"]);
}

#[test]
fn a_cluster_is_removed_as_a_whole() {
    let mut editor = with("a👨\u{200d}👩\u{200d}👧e\u{301}");
    editor.apply(Edit::Backspace);
    assert_eq!(editor.text(), "a👨\u{200d}👩\u{200d}👧");
    editor.apply(Edit::Backspace);
    assert_eq!(editor.text(), "a");
}

#[test]
fn a_paste_that_is_too_long_is_cut_and_says_so() {
    let mut editor = Editor::prompt();
    let applied = editor.apply(Edit::Paste("é".repeat(PROMPT_LIMIT)));
    assert_eq!(
        applied,
        Applied::Cut {
            dropped: PROMPT_LIMIT
        }
    );
    assert_eq!(editor.text().len(), PROMPT_LIMIT);
    assert_eq!(editor.apply(Edit::Insert('x')), Applied::Cut { dropped: 1 });
    assert_eq!(editor.text().len(), PROMPT_LIMIT);
}

#[test]
fn a_paste_is_never_cut_within_a_character() {
    for text in ["漢", "👩\u{200d}👩\u{200d}👧", "e\u{301}\u{301}", "🇫🇷"] {
        for before in 0..8 {
            let mut editor = Editor::line();
            let pasted = "x".repeat(before) + &text.repeat(LINE_LIMIT);
            let applied = editor.apply(Edit::Paste(pasted.clone()));
            let kept = editor.text().len();
            let dropped = pasted.len() - kept;
            assert_eq!(applied, Applied::Cut { dropped }, "{text} {before}");
            assert!((LINE_LIMIT - text.len()..=LINE_LIMIT).contains(&kept));
            assert_eq!((kept - before) % text.len(), 0, "{text} {before}");
        }
    }
}

#[test]
fn words_are_moved_over_and_removed() {
    let mut editor = with("let foo_bar = 12;");
    edits(&mut editor, [Edit::WordLeft, Edit::WordLeft]);
    assert_eq!(editor.cursor(), 4);
    editor.apply(Edit::WordRight);
    assert_eq!(editor.cursor(), 11);
    editor.apply(Edit::DeleteWordLeft);
    assert_eq!(editor.text(), "let  = 12;");
    editor.apply(Edit::DeleteWordRight);
    assert_eq!(editor.text(), "let ;");
    edits(&mut editor, [Edit::TextStart, Edit::Yank]);
    assert_eq!(editor.text(), " = 12let ;");
}

#[test]
fn up_and_down_follow_the_rows_that_are_seen_and_remember_the_column() {
    let mut editor = with("one two three four\nab\nlast line here");
    editor.set_size(11, 5);
    assert_eq!(
        shown(&editor, 11, 5),
        ["one two ", "three four", "ab", "last line ", "here"]
    );
    edits(&mut editor, [Edit::Up, Edit::LineEnd, Edit::LineStart]);
    edits(&mut editor, std::iter::repeat_n(Edit::Right, 6));
    let cursor = |editor: &Editor| editor.rows(11, 5).cursor;
    assert_eq!(cursor(&editor), (6, 3));
    editor.apply(Edit::Up);
    assert_eq!(cursor(&editor), (2, 2));
    editor.apply(Edit::Up);
    assert_eq!(cursor(&editor), (6, 1));
    edits(&mut editor, [Edit::Up]);
    assert_eq!(cursor(&editor), (6, 0));
    assert_eq!(editor.apply(Edit::Up), Applied::Nothing);
}

#[test]
fn the_window_keeps_the_cursor_in_sight() {
    let mut editor = with("1\n2\n3\n4\n5");
    editor.set_size(10, 2);
    assert_eq!(shown(&editor, 10, 2), ["4", "5"]);
    edits(&mut editor, [Edit::Up]);
    assert_eq!(
        shown(&editor, 10, 2),
        ["4", "5"],
        "no scroll before it must"
    );
    edits(&mut editor, [Edit::Up]);
    let drawn = editor.rows(10, 2);
    assert_eq!(shown(&editor, 10, 2), ["3", "4"]);
    assert!(drawn.above && drawn.below);
}

#[test]
fn kill_and_yank() {
    let mut editor = with("one\ntwo");
    edits(&mut editor, [Edit::TextStart, Edit::Right, Edit::KillToEnd]);
    assert_eq!(editor.text(), "o\ntwo");
    editor.apply(Edit::KillToEnd);
    assert_eq!(editor.text(), "otwo");
    edits(&mut editor, [Edit::Undo, Edit::Undo]);
    assert_eq!(editor.text(), "one\ntwo");
    edits(
        &mut editor,
        [Edit::TextEnd, Edit::KillToStart, Edit::Yank, Edit::Yank],
    );
    assert_eq!(editor.text(), "one\ntwotwo");
}

#[test]
fn letters_of_a_word_are_taken_back_together() {
    let mut editor = Editor::prompt();
    edits(&mut editor, "make it red".chars().map(Edit::Insert));
    editor.apply(Edit::Undo);
    assert_eq!(editor.text(), "make it ");
    editor.apply(Edit::Undo);
    assert_eq!(editor.text(), "make ");
    editor.apply(Edit::Redo);
    assert_eq!(editor.text(), "make it ");
    editor.apply(Edit::Insert('x'));
    assert_eq!(editor.apply(Edit::Redo), Applied::Nothing);
}

#[test]
fn history_keeps_the_draft_at_the_bottom() {
    let mut editor = Editor::prompt();
    for prompt in ["first", "second", "second", " "] {
        editor.restore(prompt);
        assert_eq!(editor.take(), prompt);
    }
    edits(&mut editor, "dra".chars().map(Edit::Insert));
    editor.apply(Edit::HistoryPrevious);
    assert_eq!((editor.text(), editor.draft()), ("second", "dra"));
    editor.apply(Edit::Insert('!'));
    editor.apply(Edit::HistoryPrevious);
    assert_eq!(editor.text(), "first");
    assert_eq!(editor.apply(Edit::HistoryPrevious), Applied::Nothing);
    editor.apply(Edit::HistoryNext);
    assert_eq!(editor.text(), "second!", "what was changed stays");
    editor.apply(Edit::HistoryNext);
    assert_eq!(editor.text(), "dra");
    assert_eq!(editor.apply(Edit::HistoryNext), Applied::Nothing);
}

#[test]
fn history_is_searched_by_how_a_prompt_begins() {
    let mut editor = Editor::prompt();
    editor.remember(["make it red", "add a list", "make it blue"]);
    edits(&mut editor, "make".chars().map(Edit::Insert));
    editor.apply(Edit::HistorySearch);
    assert_eq!(editor.text(), "make it blue");
    editor.apply(Edit::HistorySearch);
    assert_eq!(editor.text(), "make it red");
    editor.apply(Edit::HistoryNext);
    assert_eq!(editor.text(), "make it blue");
    editor.apply(Edit::HistoryNext);
    assert_eq!(editor.text(), "make");
}

#[test]
fn a_password_is_neither_drawn_nor_printed_nor_kept() {
    let mut editor = Editor::masked();
    editor.apply(Edit::Paste("geheim 漢".to_owned()));
    assert_eq!(shown(&editor, 20, 1), ["••••••••"]);
    assert_eq!(editor.rows(20, 1).cursor, (8, 0));
    assert!(!format!("{editor:?}").contains("geheim"));
    assert!(!format!("{:?}", Edit::Paste("geheim".to_owned())).contains("geheim"));
    assert!(!format!("{:?}", Edit::Insert('ß')).contains('ß'));
    assert_eq!(editor.take(), "geheim 漢");
    assert_eq!(editor.apply(Edit::HistoryPrevious), Applied::Nothing);
    assert_eq!(editor.apply(Edit::Undo), Applied::Nothing);
    assert_eq!(editor.apply(Edit::Yank), Applied::Nothing);
}

#[test]
fn a_long_line_scrolls_with_the_cursor() {
    let mut field = Editor::line();
    field.apply(Edit::Paste("abcdefghijklmnop".to_owned()));
    let drawn = field.rows(9, 1);
    assert_eq!(drawn.rows[0].plain(), "ijklmnop");
    assert_eq!(drawn.cursor, (8, 0));
    assert!(drawn.above && !drawn.below);
    field.apply(Edit::TextStart);
    assert_eq!(field.rows(9, 1).cursor, (0, 0));
}

#[test]
fn a_click_goes_to_the_cell() {
    let mut editor = with("ab漢字\nx");
    editor.set_size(20, 3);
    editor.apply(Edit::Place(3, 0));
    assert_eq!(editor.cursor(), 2);
    editor.apply(Edit::Place(9, 0));
    assert_eq!(editor.cursor(), 8);
    editor.apply(Edit::Place(0, 9));
    assert_eq!(editor.cursor(), 9);
}

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<char>().prop_map(String::from),
        Just("\u{200d}".to_owned()),
        Just("\u{301}".to_owned()),
        Just("🇩".to_owned()),
        Just("👨\u{200d}👩\u{200d}👧".to_owned()),
        Just("\r\n".to_owned()),
        Just("क\u{94d}ष".to_owned()),
        Just("\u{600}".to_owned()),
        "[a-c 漢\n]{0,12}",
    ]
}

fn action() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => any::<char>().prop_map(Edit::Insert),
        4 => prop::sample::select(vec!['a', ' ', '漢', '\u{200d}', '👩', '🇩', '\u{301}', '\n']).prop_map(Edit::Insert),
        4 => prop::collection::vec(piece(), 0..6).prop_map(|all| Edit::Paste(all.concat())),
        8 => prop::sample::select(vec![
            Edit::Newline, Edit::Backspace, Edit::Delete, Edit::DeleteWordLeft,
            Edit::DeleteWordRight, Edit::Left, Edit::Right, Edit::WordLeft, Edit::WordRight,
            Edit::LineStart, Edit::LineEnd, Edit::TextStart, Edit::TextEnd, Edit::Up, Edit::Down,
            Edit::KillToStart, Edit::KillToEnd, Edit::Yank, Edit::Undo, Edit::Redo,
            Edit::HistoryPrevious, Edit::HistoryNext, Edit::HistorySearch,
        ]),
        1 => (0usize..40, 0usize..10).prop_map(|(column, row)| Edit::Place(column, row)),
    ]
}

fn kind() -> impl Strategy<Value = Editor> {
    prop::sample::select(vec![Editor::prompt(), Editor::line(), Editor::masked()])
}

fn check(editor: &Editor, width: usize, height: usize) -> Result<(), TestCaseError> {
    let at = editor.cursor();
    let boundaries = editor.text().grapheme_indices(true).map(|(at, _)| at);
    prop_assert!(at == editor.text().len() || boundaries.into_iter().any(|place| place == at));
    prop_assert!(editor.text().len() <= editor.limit());
    if editor.kind() != Kind::Prompt {
        prop_assert!(!editor.text().contains('\n'));
    }
    let drawn = editor.rows(width, height);
    prop_assert!(!drawn.rows.is_empty() && drawn.rows.len() <= height);
    prop_assert!(drawn.cursor.0 < width && drawn.cursor.1 < drawn.rows.len());
    for row in &drawn.rows {
        let wide = crate::text::columns::width(&row.plain());
        prop_assert!(wide <= width && row.width() <= width, "{:?}", row);
        prop_assert!(!row.plain().chars().any(crate::sanitise::is_unsafe));
    }
    Ok(())
}

proptest! {
    #[test]
    fn whatever_is_done_the_cursor_stands_between_clusters_and_rows_fit(
        mut editor in kind(),
        actions in prop::collection::vec(action(), 0..40),
        width in 1usize..=200,
        narrow in 1usize..12,
        height in 1usize..6,
    ) {
        editor.remember(["abc", "ab c\nd", "漢"]);
        editor.set_size(narrow, height);
        for action in actions {
            editor.apply(action);
            check(&editor, width, height)?;
            check(&editor, narrow, height)?;
        }
    }

    #[test]
    fn everything_that_was_done_can_be_taken_back_and_done_again(
        mut editor in kind(),
        start in piece(),
        actions in prop::collection::vec(action(), 0..40),
    ) {
        editor.restore(&start);
        let before = editor.text().to_owned();
        // Older prompts have none here: they begin anew.
        for action in actions {
            editor.apply(action);
        }
        while editor.apply(Edit::Redo) != Applied::Nothing {}
        let after = editor.text().to_owned();
        while editor.apply(Edit::Undo) != Applied::Nothing {}
        prop_assert_eq!(editor.text(), before.as_str());
        while editor.apply(Edit::Redo) != Applied::Nothing {}
        prop_assert_eq!(editor.text(), after.as_str());
    }

    #[test]
    fn down_undoes_up(text in "[a-c 漢\n]{0,60}", width in 2usize..20, steps in 0usize..30) {
        let mut editor = with(&text);
        editor.set_size(width, 3);
        edits(&mut editor, std::iter::repeat_n(Edit::Left, steps));
        let before = editor.cursor();
        if editor.apply(Edit::Up) == Applied::Moved {
            editor.apply(Edit::Down);
            prop_assert_eq!(editor.cursor(), before);
        }
    }
}
