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
    clusters(text).map(|(_, cluster)| cluster.columns).sum()
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
    for (at, cluster) in clusters(line) {
        let wide = cluster.columns_of(columns);
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
    for (at, cluster) in clusters(line) {
        let wide = cluster.columns_of(columns);
        if used + wide > columns {
            match space.take() {
                Some((cut, before)) if cluster.text != " " => {
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
        if cluster.text == " " {
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
    if columns == 0 {
        return (0, line.len()..line.len());
    }
    let mut column = 0;
    let mut begun: Option<(usize, usize)> = None;
    for (at, cluster) in clusters(line) {
        let wide = cluster.columns_of(columns);
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

/// The same, and whether something follows it: a column is then kept for a sign
/// that says so.
#[must_use]
pub fn part_or_cut(line: &str, from: usize, columns: usize) -> (usize, Range<usize>, bool) {
    let (pad, range) = part(line, from, columns);
    if range.end == line.len() || columns < 2 {
        return (pad, range, false);
    }
    let (pad, range) = part(line, from, columns - 1);
    (pad, range, true)
}

/// A grapheme cluster and its columns.
#[derive(Clone, Copy)]
struct Cluster<'a> {
    text: &'a str,
    columns: usize,
}

impl Cluster<'_> {
    /// Its columns in a row of so many.
    fn columns_of(self, row: usize) -> usize {
        if self.columns > row {
            1.min(row)
        } else {
            self.columns
        }
    }
}

/// The clusters of a text with the bytes at which they begin. Most letters need
/// no look into a table: that decides what a frame of wide characters costs.
fn clusters(text: &str) -> impl Iterator<Item = (usize, Cluster<'_>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let mut chars = rest.chars();
        let first = chars.next()?;
        let next = chars.next();
        let is_alone = next.is_none_or(|next| simple_columns(next).is_some());
        let cluster = match simple_columns(first) {
            Some(columns) if is_alone => Cluster {
                text: &rest[..first.len_utf8()],
                columns,
            },
            _ => {
                let text = rest.graphemes(true).next()?;
                Cluster {
                    text,
                    columns: text.width(),
                }
            }
        };
        let begin = at;
        at += cluster.text.len();
        Some((begin, cluster))
    })
}

/// Columns of a character that joins no other of its kind.
fn simple_columns(c: char) -> Option<usize> {
    match c {
        // ASCII, Latin, Greek, Cyrillic, frames and blocks.
        ' '..='~'
        | '\u{c0}'..='\u{24f}'
        | '\u{391}'..='\u{3c9}'
        | '\u{400}'..='\u{481}'
        | '\u{2500}'..='\u{259f}' => Some(1),
        // Kana without its marks, and Han.
        '\u{3041}'..='\u{3096}'
        | '\u{30a1}'..='\u{30fa}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' => Some(2),
        _ => None,
    }
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
    // What has one meaning is added in one go.
    let (mut role, mut end) = role_at(part.start);
    let mut begun = 0;
    for (at, cluster) in clusters(text) {
        let is_over = part.start + at >= end;
        let is_too_wide = cluster.columns > columns;
        if is_over || is_too_wide {
            row.push(role, &text[begun..at]);
            begun = at;
        }
        if is_over {
            (role, end) = role_at(part.start + at);
        }
        if is_too_wide {
            row.push(role, TOO_WIDE);
            begun = at + cluster.text.len();
        }
    }
    row.push(role, &text[begun..]);
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
    let (_, part) = part(text, 0, columns - 1);
    let mut row = Row::default();
    paint(&mut row, text, part, columns - 1, &[], &[]);
    format!("{}…", row.plain())
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
    fn what_is_too_wide_for_a_cut_is_replaced() {
        assert_eq!(fit("漢a", 2), "\u{fffd}…");
        assert_eq!(fit("漢字a", 4), "漢…");
        assert_eq!(fit("漢a", 0), "");
    }

    #[test]
    fn every_simple_character_is_a_cluster_of_the_columns_that_the_table_says() {
        let simple = |c: &char| simple_columns(*c).is_some();
        for c in ('\0'..=char::MAX).filter(simple) {
            let pair = format!("{c}{c}");
            assert_eq!(c.to_string().width(), simple_columns(c).unwrap(), "{c:?}");
            assert_eq!(pair.graphemes(true).count(), 2, "{c:?}");
        }
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
        fn clusters_are_those_of_the_tables(text in prop_oneof![
            line(),
            prop::collection::vec(any::<char>(), 0..20).prop_map(String::from_iter),
            "[ -~À-ɏΑ-ωЀ-ҁ─-▟ぁ-ゖァ-ヺ一-龥\u{300}\u{3099}\u{200d}\u{fe0f}\u{600}क\u{94d}각ᄀ👨🇩]{0,20}",
        ]) {
            let ours: Vec<_> = clusters(&text).map(|(at, c)| (at, c.text, c.columns)).collect();
            let theirs: Vec<_> = text.grapheme_indices(true).map(|(at, c)| (at, c, c.width())).collect();
            prop_assert_eq!(ours, theirs);
        }

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
