//! Rows that are too long, cut between words.

use super::{Role, Row, columns};

/// A row in as many as it takes; `first` stands before the first of them, `rest`
/// before the others. None is wider than `width`.
#[must_use]
pub fn wrap(row: &Row, first: &Row, rest: &Row, width: usize) -> Vec<Row> {
    let width = width.max(1);
    let text = row.plain();
    let mut end = 0;
    let runs: Vec<(usize, Role)> = row
        .pieces
        .iter()
        .map(|piece| {
            end += piece.text.len();
            (end, piece.role)
        })
        .collect();
    let lead = first.width().max(rest.width());
    // Where there is no room for what stands before, the text has the room.
    let with_lead = lead < width;
    let room = if with_lead { width - lead } else { width };
    columns::words(&text, room)
        .into_iter()
        .enumerate()
        .filter_map(|(index, part)| {
            let mut out = match (with_lead, index) {
                (false, _) => Row::default(),
                (true, 0) => first.clone(),
                (true, _) => rest.clone(),
            };
            let end = part.start + text[part.clone()].trim_end_matches(' ').len();
            // Between two rows no space is seen.
            let start = match index {
                0 => part.start,
                _ => part.end - text[part.clone()].trim_start_matches(' ').len(),
            };
            if index > 0 && start >= end {
                return None;
            }
            columns::paint(&mut out, &text, start..end, room, &runs, &[]);
            Some(out)
        })
        .collect()
}

/// Plain text of one meaning, line by line, in as many rows as it takes.
#[must_use]
pub fn plain(text: &str, role: Role, lead: &Row, width: usize) -> Vec<Row> {
    text.lines()
        .flat_map(|line| wrap(&Row::new(role, line), lead, lead, width))
        .collect()
}

/// A row that is cut at `width`, with a sign where it was.
#[must_use]
pub fn cut(row: &Row, width: usize) -> Row {
    if row.width() <= width {
        return row.clone();
    }
    let mut out = Row::default();
    let mut left = width.saturating_sub(1);
    for piece in &row.pieces {
        let wide = columns::width(&piece.text);
        if wide <= left {
            out.push(piece.role, piece.text.clone());
            left -= wide;
            continue;
        }
        let (_, part) = columns::part(&piece.text, 0, left);
        let runs = [(usize::MAX, piece.role)];
        columns::paint(&mut out, &piece.text, part, left, &runs, &[]);
        break;
    }
    if width > 0 {
        out.push(Role::Dim, "…");
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str, width: usize) -> Vec<String> {
        wrap(
            &Row::new(Role::Text, text),
            &Row::new(Role::Dim, "- "),
            &Row::new(Role::Dim, "  "),
            width,
        )
        .iter()
        .map(Row::plain)
        .collect()
    }

    #[test]
    fn words_stay_whole_where_they_can() {
        assert_eq!(shown("one two three", 9), ["- one two", "  three"]);
        assert_eq!(shown("abcdefghij", 6), ["- abcd", "  efgh", "  ij"]);
        assert_eq!(shown("", 6), ["- "]);
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_it_may_be(text in "[a-z 漢😀é]{0,60}", width in 1usize..50) {
            for row in wrap(&Row::new(Role::Text, text.as_str()), &Row::new(Role::Dim, "│ "), &Row::default(), width) {
                prop_assert!(row.width() <= width, "{row:?}");
            }
            prop_assert!(cut(&Row::new(Role::Text, text.as_str()), width).width() <= width);
        }
    }
}
