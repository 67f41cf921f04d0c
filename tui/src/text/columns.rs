//! Where text is cut so that it fits a number of columns: rows of a soft wrap,
//! and the part that a horizontal scroll shows.
//!
//! Only columns and grapheme clusters are known here; nothing is cleaned and
//! nothing means anything. A cluster that is wider than the whole row is drawn
//! as [`TOO_WIDE`], so that no row is ever wider than it may be.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::text::{Role, Row};

/// What stands for a cluster that does not fit into a whole row.
pub const TOO_WIDE: &str = "\u{fffd}";

/// Columns of a text, cluster by cluster, which is how a terminal draws it.
#[must_use]
pub fn width(text: &str) -> usize {
    if is_plain(text) {
        return text.len();
    }
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// Whether every byte of a text is a column of its own.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// The rows of a line that is cut wherever it is full; at least one.
#[must_use]
pub fn cut(line: &str, columns: usize) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    cut_into(line, columns, |row| {
        rows.push(row);
        true
    });
    rows
}

/// How many rows [`cut`] would give.
#[must_use]
pub fn count_rows(line: &str, columns: usize) -> usize {
    if is_plain(line) {
        return line.len().div_ceil(columns.max(1)).max(1);
    }
    let mut rows = 0;
    cut_into(line, columns, |_| {
        rows += 1;
        true
    });
    rows
}

/// Calls with the rows of a line, one after the other, until told to stop.
pub fn cut_into(line: &str, columns: usize, mut row: impl FnMut(Range<usize>) -> bool) {
    let columns = columns.max(1);
    if is_plain(line) {
        let mut start = 0;
        loop {
            let end = (start + columns).min(line.len());
            if !row(start..end) || end == line.len() {
                return;
            }
            start = end;
        }
    }
    let (mut start, mut used) = (0, 0);
    for (at, cluster) in line.grapheme_indices(true) {
        let wide = cluster_width(cluster, columns);
        if used + wide > columns {
            if !row(start..at) {
                return;
            }
            (start, used) = (at, 0);
        }
        used += wide;
    }
    row(start..line.len());
}

/// The rows of a line that is cut after spaces where there are any; at least
/// one. Spaces stay where they are, so that rows together are the line.
#[must_use]
pub fn words(line: &str, columns: usize) -> Vec<Range<usize>> {
    let columns = columns.max(1);
    let mut rows = Vec::new();
    let (mut start, mut used) = (0, 0);
    // Where the row may be cut, and what is used up to there.
    let mut space: Option<(usize, usize)> = None;
    for (at, cluster) in line.grapheme_indices(true) {
        let wide = cluster_width(cluster, columns);
        if used + wide > columns {
            match space.take() {
                Some((cut, before)) if cluster != " " => {
                    rows.push(start..cut);
                    (start, used) = (cut, used - before);
                    if used + wide > columns {
                        rows.push(start..at);
                        (start, used) = (at, 0);
                    }
                }
                _ => {
                    rows.push(start..at);
                    (start, used) = (at, 0);
                }
            }
        }
        used += wide;
        if cluster == " " {
            space = Some((at + 1, used));
        }
    }
    rows.push(start..line.len());
    rows
}

/// The part of a line from a column on that fits: columns of space to begin
/// with, where a wide cluster is cut in two, and the bytes.
#[must_use]
pub fn part(line: &str, from: usize, columns: usize) -> (usize, Range<usize>) {
    if is_plain(line) {
        let start = from.min(line.len());
        return (0, start..(start + columns).min(line.len()));
    }
    let mut column = 0;
    let mut begun: Option<(usize, usize)> = None;
    for (at, cluster) in line.grapheme_indices(true) {
        let wide = cluster_width(cluster, columns);
        if column >= from && begun.is_none() {
            begun = Some((column - from, at));
        }
        if column + wide > from + columns {
            let (pad, start) = begun.unwrap_or((0, at));
            return (pad.min(columns), start..at);
        }
        column += wide;
    }
    match begun {
        Some((pad, start)) => (pad.min(columns), start..line.len()),
        None => (0, line.len()..line.len()),
    }
}

/// Columns of a cluster in a row of so many.
#[must_use]
pub fn cluster_width(cluster: &str, columns: usize) -> usize {
    let wide = cluster.width();
    if wide > columns { 1.min(columns) } else { wide }
}

/// Adds a part of a line to a row: each cluster with the meaning of its first
/// byte, as `runs` (ends, in order) and `matches` (ranges, in order) tell.
pub fn paint(
    row: &mut Row,
    line: &str,
    part: Range<usize>,
    columns: usize,
    runs: &[(usize, Role)],
    matches: &[Range<usize>],
) {
    let role_at = |at: usize| {
        if let Some(found) = matches.iter().find(|found| at < found.end)
            && found.start <= at
        {
            return (Role::Match, found.end);
        }
        let next = matches
            .iter()
            .find(|found| found.start > at)
            .map_or(usize::MAX, |found| found.start);
        match runs.iter().find(|(end, _)| at < *end) {
            Some((end, role)) => (*role, (*end).min(next)),
            None => (Role::Text, next),
        }
    };
    let Some(text) = line.get(part.clone()) else {
        return;
    };
    if is_plain(text) {
        let mut at = part.start;
        while at < part.end {
            let (role, end) = role_at(at);
            let end = end.clamp(at + 1, part.end);
            row.push(role, &line[at..end]);
            at = end;
        }
        return;
    }
    for (at, cluster) in text.grapheme_indices(true) {
        let shown = if cluster.width() > columns {
            TOO_WIDE
        } else {
            cluster
        };
        row.push(role_at(part.start + at).0, shown);
    }
}

/// Cuts a text to a number of columns, with an ellipsis where it was cut.
#[must_use]
pub fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    let (pad, part) = part(text, 0, columns - 1);
    format!("{}{}…", " ".repeat(pad), &text[part])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(line: &str, rows: Vec<Range<usize>>) -> Vec<&str> {
        rows.into_iter().map(|row| &line[row]).collect()
    }

    #[test]
    fn rows_are_cut_after_spaces_and_within_words_that_are_too_long() {
        let line = "one two threefourfive x";
        assert_eq!(
            shown(line, words(line, 8)),
            ["one two ", "threefou", "rfive x"]
        );
        assert_eq!(shown("", words("", 8)), [""]);
        assert_eq!(shown("漢字漢", words("漢字漢", 5)), ["漢字", "漢"]);
    }

    #[test]
    fn a_wide_cluster_that_is_cut_in_two_leaves_a_space() {
        assert_eq!(part("漢字", 1, 3), (1, 3..6));
        assert_eq!(part("漢字", 1, 2), (1, 3..3));
        assert_eq!(part("abc", 5, 2), (0, 3..3));
    }

    #[test]
    fn meanings_follow_the_bytes() {
        let mut row = Row::default();
        let runs = [(3, Role::CodeKeyword), (9, Role::Text)];
        let found = 4..5;
        paint(
            &mut row,
            "let x = 1",
            0..9,
            80,
            &runs,
            std::slice::from_ref(&found),
        );
        let expected = Row::new(Role::CodeKeyword, "let")
            .add(Role::Text, " ")
            .add(Role::Match, "x")
            .add(Role::Text, " = 1");
        assert_eq!(row, expected);
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~]{0,60}",
            "[a-c 漢😀é\u{301}\u{fe0f}\u{200d}👨👩🇩🇪]{0,40}",
            "\\PC{0,30}"
        ]
    }

    proptest! {
        #[test]
        fn rows_together_are_the_line_and_none_is_too_wide(line in line(), columns in 1usize..=200) {
            for rows in [cut(&line, columns), words(&line, columns)] {
                prop_assert_eq!(shown(&line, rows.clone()).concat(), line.clone());
                for range in rows {
                    let mut row = Row::default();
                    paint(&mut row, &line, range, columns, &[], &[]);
                    prop_assert!(width(&row.plain()) <= columns, "{:?}", row);
                    prop_assert!(row.width() <= columns);
                }
            }
            prop_assert_eq!(cut(&line, columns).len(), count_rows(&line, columns));
        }

        #[test]
        fn a_part_and_a_fitted_text_fit(line in line(), from in 0usize..80, columns in 0usize..=60) {
            let (pad, range) = part(&line, from, columns);
            let mut row = Row::new(Role::Text, " ".repeat(pad));
            paint(&mut row, &line, range, columns, &[], &[]);
            prop_assert!(width(&row.plain()) <= columns, "{:?}", row);
            prop_assert!(width(&fit(&line, columns)) <= columns);
        }
    }
}
