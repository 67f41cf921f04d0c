//! The logs as their reader meets them.

use std::cell::Cell;

use proptest::prelude::*;

use super::*;
use crate::model::list::Go;
use crate::text::columns;
use crate::text::{Role, Row};

fn line(number: i64, text: &str) -> Line {
    Line {
        number,
        nanos: number * 1_000_000,
        stream: Stream::Stdout,
        text: text.to_owned(),
    }
}

fn numbered(range: std::ops::RangeInclusive<i64>) -> Batch {
    Batch {
        lines: range
            .map(|number| line(number, &format!("line {number}")))
            .collect(),
        dropped: 0,
    }
}

fn logs(lines: i64) -> Logs {
    let mut logs = Logs::with_limits(1000, MOST_BYTES);
    logs.apply(&numbered(1..=lines));
    logs.set_size(40, 3);
    logs
}

fn shown(logs: &Logs) -> Vec<String> {
    let rows = logs.rows(40, 3);
    rows.iter()
        .map(|row| row.plain().trim().to_owned())
        .collect()
}

fn all(logs: &Logs) -> Vec<String> {
    let rows = logs.rows(80, 1000);
    rows.iter()
        .map(|row| row.plain().trim().to_owned())
        .collect()
}

#[test]
fn the_newest_line_is_followed_until_the_user_scrolls_up() {
    let mut logs = logs(5);
    assert_eq!(shown(&logs), ["line 3", "line 4", "line 5"]);
    logs.go(Go::Up);
    logs.apply(&numbered(6..=9));
    assert_eq!(shown(&logs), ["line 2", "line 3", "line 4"]);
    assert!(!logs.summary().follows);
    logs.go(Go::Last);
    assert_eq!(shown(&logs), ["line 7", "line 8", "line 9"]);
    logs.apply(&numbered(10..=10));
    assert_eq!(shown(&logs), ["line 8", "line 9", "line 10"]);
    logs.go(Go::First);
    assert_eq!(shown(&logs), ["line 1", "line 2", "line 3"]);
    logs.go(Go::PageDown);
    assert_eq!(shown(&logs), ["line 3", "line 4", "line 5"]);
    logs.scroll(100);
    assert_eq!(shown(&logs), ["line 8", "line 9", "line 10"]);
    assert!(!logs.summary().follows);
}

#[test]
fn a_repeated_tail_is_shown_once() {
    let mut logs = logs(5);
    logs.apply(&numbered(2..=7));
    assert_eq!(all(&logs).len(), 7);
    assert_eq!(logs.summary().missing, 0);
}

#[test]
fn a_sandbox_that_started_again_is_told_apart() {
    let mut logs = logs(2);
    let mut again = line(1, "anew");
    again.nanos = 9_000_000;
    logs.apply(&Batch {
        lines: vec![again],
        dropped: 0,
    });
    assert_eq!(
        all(&logs),
        [
            "line 1",
            "line 2",
            "── the sandbox started again ──",
            "anew"
        ]
    );
}

#[test]
fn missing_lines_are_counted_where_they_are_missing() {
    let mut logs = logs(2);
    logs.apply(&Batch {
        lines: Vec::new(),
        dropped: 1000,
    });
    logs.apply(&numbered(1237..=1238));
    assert_eq!(
        all(&logs),
        [
            "line 1",
            "line 2",
            "… 1,234 lines dropped",
            "line 1237",
            "line 1238"
        ]
    );
    assert_eq!(logs.summary().missing, 1234);
}

#[test]
fn what_makes_room_is_counted_at_the_front_with_what_was_missing_there() {
    let mut logs = Logs::with_limits(4, MOST_BYTES);
    logs.apply(&numbered(1..=2));
    logs.apply(&numbered(6..=9));
    // Two lines and the three that were missing between.
    assert_eq!(
        all(&logs),
        ["… 5 lines dropped", "line 6", "line 7", "line 8", "line 9"]
    );
    assert_eq!(logs.summary().missing, 5);
    let saved: Vec<_> = logs.text_for_saving(Extent::Everything).collect();
    assert_eq!(saved[0], "… 5 lines dropped");
    assert_eq!(saved[1], "1970-01-01T00:00:00.006Z stdout line 6");
}

#[test]
fn bytes_are_bounded_too() {
    let mut logs = Logs::with_limits(1_000_000, 1_000_000);
    for number in 1..=500 {
        logs.apply(&Batch {
            lines: vec![line(number, &"x".repeat(16 * 1024))],
            dropped: 0,
        });
        assert!(logs.bytes() <= 1_000_000);
    }
    let summary = logs.summary();
    assert_eq!(summary.kept as u64 + summary.missing, 500);
    assert!(summary.kept > 50);
}

#[test]
fn streams_are_switched_on_and_off_and_marked() {
    let mut logs = logs(1);
    let mut error = line(2, "bad");
    error.stream = Stream::Stderr;
    logs.apply(&Batch {
        lines: vec![error],
        dropped: 0,
    });
    logs.push_step_output("install", "added 12 packages\ndone", 5_000_000);
    let rows = logs.rows(40, 9);
    assert_eq!(rows[1], Row::new(Role::Warn, "! ").add(Role::Text, "bad"));
    assert_eq!(
        rows[2],
        Row::new(Role::Dim, "> ")
            .add(Role::Accent, "install:")
            .add(Role::Text, " added 12 packages")
    );
    logs.show_streams(Streams {
        stdout: false,
        step: false,
        ..Streams::default()
    });
    assert_eq!(all(&logs), ["! bad"]);
    let saved: Vec<_> = logs.text_for_saving(Extent::Shown).collect();
    assert_eq!(saved, ["1970-01-01T00:00:00.002Z stderr bad"]);
    assert_eq!(logs.text_for_saving(Extent::Everything).count(), 4);
}

#[test]
fn only_lines_that_match_are_shown_and_new_ones_join() {
    let mut logs = logs(12);
    logs.search("LINE 1");
    logs.show_only_matching(true);
    assert_eq!(all(&logs), ["line 1", "line 10", "line 11", "line 12"]);
    logs.apply(&numbered(13..=20));
    assert_eq!(logs.summary().shown, 11);
    logs.search("");
    assert_eq!(logs.summary().shown, 20);
}

#[test]
fn matches_are_marked_and_walked_through() {
    let mut logs = logs(30);
    logs.search("ne 2");
    assert!(logs.previous_match());
    assert_eq!(logs.match_row(40, 3), Some(1), "29 was seen already");
    assert!(logs.previous_match());
    assert!(shown(&logs).contains(&"line 28".to_owned()));
    let row = &logs.rows(40, 3)[logs.match_row(40, 3).unwrap()];
    let expected = Row::new(Role::Text, "  li")
        .add(Role::Match, "ne 2")
        .add(Role::Text, "8");
    assert_eq!(*row, expected);
    assert!(logs.next_match() && logs.next_match());
    assert!(
        shown(&logs).contains(&"line 2".to_owned()),
        "round to the first"
    );
    assert!(logs.previous_match());
    assert!(shown(&logs).contains(&"line 29".to_owned()));
    logs.search("nowhere");
    assert!(!logs.next_match() && !logs.previous_match());
}

#[test]
fn a_search_among_none_ends() {
    let mut logs = Logs::default();
    logs.search("x");
    assert!(!logs.next_match() && !logs.previous_match());
    logs.show_only_matching(true);
    assert!(!logs.next_match());
}

#[test]
fn long_lines_are_wrapped_or_scrolled_sideways() {
    let mut logs = Logs::default();
    logs.apply(&Batch {
        lines: vec![line(1, &"0123456789".repeat(6))],
        dropped: 0,
    });
    logs.set_size(27, 4);
    let plain = |logs: &Logs, width| -> Vec<String> {
        logs.rows(width, 4).iter().map(Row::plain).collect()
    };
    assert_eq!(
        plain(&logs, 27),
        [
            "  0123456789012345678901234",
            "  5678901234567890123456789",
            "  0123456789"
        ]
    );
    logs.set_wrap(false);
    logs.scroll_columns(3);
    assert_eq!(plain(&logs, 14), ["  34567890123…"]);
    logs.set_times(true);
    assert_eq!(plain(&logs, 27), ["00:00:00.001   34567890123…"]);
    assert_eq!(plain(&logs, 5), ["3456…"], "no room for more");
}

/// Lines that were looked at for a frame of 200x50.
fn work_of_a_frame(lines: i64, prepare: impl Fn(&mut Logs)) -> usize {
    let mut logs = Logs::with_limits(usize::MAX, usize::MAX);
    for number in 1..=lines {
        logs.apply(&Batch {
            lines: vec![line(number, "a line of a log, as long as many are")],
            dropped: 0,
        });
    }
    logs.set_size(200, 50);
    prepare(&mut logs);
    while logs.work() {}
    let looked_at = Cell::new(0);
    assert_eq!(logs.rows_counting(200, 50, &looked_at).len(), 50);
    looked_at.get()
}

#[test]
fn a_frame_costs_the_same_however_many_lines_there_are() {
    let prepares: [fn(&mut Logs); 4] = [
        |_| {},
        |logs| logs.scroll(-30_000),
        |logs| logs.go(Go::First),
        |logs| {
            logs.search("LOG");
            logs.show_only_matching(true);
            logs.go(Go::PageUp);
        },
    ];
    for prepare in prepares {
        let few = work_of_a_frame(100_000, prepare);
        assert_eq!(work_of_a_frame(1_000_000, prepare), few);
        assert!(few <= 400, "{few}");
    }
}

#[test]
fn a_filter_does_its_work_in_portions_from_the_newest() {
    let mut logs = Logs::default();
    logs.apply(&numbered(1..=50_000));
    logs.search("line");
    logs.show_only_matching(true);
    assert!(logs.summary().is_busy);
    assert_eq!(logs.summary().shown, 20_000);
    assert_eq!(shown(&logs)[2], "line 50000");
    assert!(logs.work());
    assert!(!logs.work());
    assert_eq!(logs.summary().shown, 50_000);
    assert!(!logs.summary().is_busy);
}

#[derive(Clone, Debug)]
enum Do {
    Lines(Vec<(i64, String, u64)>),
    Step(String),
    Search(&'static str),
    Only(bool),
    Streams(bool, bool),
    Scroll(isize),
    Columns(isize),
    Go(Go),
    Wrap(bool),
    Times(bool),
    Follow(bool),
    Size(usize, usize),
    Next,
    Previous,
    Restarted,
    Clear,
}

fn action() -> impl Strategy<Value = Do> {
    let lines = prop::collection::vec((1i64..30, "[ab 漢😀e\u{301}]{0,30}", 0u64..3), 0..6);
    prop_oneof![
        6 => lines.prop_map(Do::Lines),
        1 => "[ab\n]{0,9}".prop_map(Do::Step),
        1 => prop::sample::select(vec!["", "a", "漢", "zz"]).prop_map(Do::Search),
        1 => any::<bool>().prop_map(Do::Only),
        1 => any::<(bool, bool)>().prop_map(|(a, b)| Do::Streams(a, b)),
        2 => (-20isize..20).prop_map(Do::Scroll),
        1 => (-20isize..20).prop_map(Do::Columns),
        2 => prop::sample::select(vec![Go::Up, Go::Down, Go::PageUp, Go::PageDown, Go::First, Go::Last]).prop_map(Do::Go),
        1 => any::<bool>().prop_map(Do::Wrap),
        1 => any::<bool>().prop_map(Do::Times),
        1 => any::<bool>().prop_map(Do::Follow),
        1 => (1usize..40, 1usize..9).prop_map(|(w, h)| Do::Size(w, h)),
        1 => Just(Do::Next),
        1 => Just(Do::Previous),
        1 => Just(Do::Restarted),
        1 => Just(Do::Clear),
    ]
}

fn act(logs: &mut Logs, action: Do, nanos: &mut i64) {
    match action {
        Do::Lines(lines) => {
            for (number, text, dropped) in lines {
                *nanos += 1;
                logs.apply(&Batch {
                    lines: vec![Line {
                        number,
                        nanos: *nanos,
                        stream: if number % 2 == 0 {
                            Stream::Stderr
                        } else {
                            Stream::Stdout
                        },
                        text,
                    }],
                    dropped,
                });
            }
        }
        // A little late, as by another way.
        Do::Step(text) => logs.push_step_output("install", &text, (*nanos - 3).max(1)),
        Do::Search(text) => logs.search(text),
        Do::Only(only) => logs.show_only_matching(only),
        Do::Streams(stdout, stderr) => logs.show_streams(Streams {
            stdout,
            stderr,
            ..Streams::default()
        }),
        Do::Scroll(rows) => logs.scroll(rows),
        Do::Columns(columns) => logs.scroll_columns(columns),
        Do::Go(go) => logs.go(go),
        Do::Wrap(wrap) => logs.set_wrap(wrap),
        Do::Times(times) => logs.set_times(times),
        Do::Follow(follow) => logs.set_follow(follow),
        Do::Size(width, height) => logs.set_size(width, height),
        Do::Next => {
            logs.next_match();
        }
        Do::Previous => {
            logs.previous_match();
        }
        Do::Restarted => logs.restarted(),
        Do::Clear => logs.clear(),
    }
}

proptest! {
    #[test]
    fn whatever_is_done_rows_fit_and_the_window_is_full(
        actions in prop::collection::vec(action(), 0..40),
        width in 1usize..=200,
        height in 1usize..8,
    ) {
        let mut logs = Logs::with_limits(12, 1000);
        let mut nanos = 0;
        for action in actions {
            act(&mut logs, action, &mut nanos);
            for (width, height) in [(width, height), (logs.view.width, logs.view.height)] {
                let rows = logs.rows(width, height);
                let everything = logs.rows(width, 10_000).len();
                prop_assert_eq!(rows.len(), height.min(everything));
                for row in &rows {
                    prop_assert!(columns::width(&row.plain()) <= width, "{:?}", row);
                }
            }
            let summary = logs.summary();
            prop_assert!(summary.kept <= 12);
            prop_assert!(!summary.is_busy);
            // What is kept up to date is what would be found anew.
            let found = (logs.store.first()..logs.store.next())
                .filter(|id| logs.filter.passes(&logs.store.get(*id).unwrap()))
                .count();
            prop_assert_eq!(summary.shown, found);
        }
    }
}

/// A sandbox that wrote at 10 and 30 ms, and steps that wrote at 5, 20 and 40 ms.
fn by_two_ways(steps_first: bool, mut logs: Logs) -> Logs {
    let written = Batch {
        lines: vec![
            Line {
                nanos: 10_000_000,
                ..line(1, "first")
            },
            Line {
                nanos: 30_000_000,
                ..line(2, "second")
            },
        ],
        dropped: 0,
    };
    if !steps_first {
        logs.apply(&written);
    }
    for ms in [5, 20, 40] {
        logs.push_step_output("install", &format!("at {ms}"), ms * 1_000_000);
    }
    if steps_first {
        logs.apply(&written);
    }
    logs
}

#[test]
fn lines_stand_where_their_time_is_whichever_way_came_first() {
    let expected = [
        "install: at 5",
        "first",
        "install: at 20",
        "second",
        "install: at 40",
    ];
    for steps_first in [true, false] {
        let logs = by_two_ways(steps_first, logs(0));
        let shown: Vec<String> = all(&logs)
            .iter()
            .map(|row| row.trim_start_matches(['>', ' ']).to_owned())
            .collect();
        assert_eq!(shown, expected, "steps first: {steps_first}");
        let mut narrow = self::logs(0);
        narrow.show_streams(Streams {
            step: false,
            ..Streams::default()
        });
        let narrow = by_two_ways(steps_first, narrow);
        assert_eq!(all(&narrow), ["first", "second"]);
        assert_eq!(narrow.bytes(), logs.bytes());
    }
}

#[test]
fn a_line_that_is_far_too_late_is_shown_at_the_end() {
    let mut logs = Logs::with_limits(10_000, MOST_BYTES);
    logs.apply(&numbered(10..=9_000));
    logs.push_step_output("install", "late", 1);
    assert!(all(&logs).last().unwrap().ends_with("install: late"));
}

#[test]
fn the_streams_go_round_with_each_step_that_wrote() {
    let mut logs = by_two_ways(true, logs(0));
    logs.push_step_output("check", "error TS1", 50_000_000);
    let mut seen = Vec::new();
    for _ in 0..7 {
        seen.push((logs.streams_in_words(), all(&logs).len()));
        logs.next_streams();
    }
    let words: Vec<_> = seen
        .iter()
        .map(|(words, rows)| (words.as_str(), *rows))
        .collect();
    assert_eq!(
        words,
        [
            ("all streams", 6),
            ("the app", 2),
            ("errors", 0),
            ("steps", 4),
            ("install", 3),
            ("check", 1),
            ("all streams", 6),
        ]
    );
}
