//! Figures as people read them: sizes, times, money, tables. Pure functions.

use std::time::Duration;

use prost_types::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use unicode_width::UnicodeWidthStr;

use super::{Line, Style};
use crate::sanitise;

/// Bytes, in powers of a thousand: `310 B`, `2.1 kB`.
#[must_use]
pub fn size(bytes: i64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes.unsigned_abs() < 1000 {
        return format!("{bytes} B");
    }
    // Shown with one decimal: nobody misses what a float loses.
    #[allow(clippy::cast_precision_loss)]
    let mut value = bytes as f64 / 1000.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if value.abs() < 999.95 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// A time that something took: `0.4 s`, `12.3 s`, `2 min 05 s`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    // What would be shown as 60.0 s is a minute.
    if duration < Duration::from_millis(59_950) {
        return format!("{:.1} s", duration.as_secs_f64());
    }
    let seconds = duration.as_millis().saturating_add(500) / 1000;
    if seconds < 3600 {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    } else {
        format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60)
    }
}

/// A whole number with its thousands apart: `12,345`.
#[must_use]
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3 + 1);
    if number < 0 {
        out.push('-');
    }
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 file`, `2 files`.
#[must_use]
pub fn plural(number: usize, one: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {one}s")
    }
}

/// Millionths of a dollar: `$0.0123`, `$1.20`.
#[must_use]
pub fn dollars(micro: i64) -> String {
    let sign = if micro < 0 { "-" } else { "" };
    let micro = micro.unsigned_abs();
    let (whole, rest) = (micro / 1_000_000, micro % 1_000_000);
    let decimals = format!("{rest:06}");
    // Cents always, and smaller parts where there are any.
    let kept = decimals.trim_end_matches('0').len().max(2);
    format!("{sign}${whole}.{}", &decimals[..kept])
}

/// What a generation cost. Unknown is never shown as nothing.
#[must_use]
pub fn cost(micro: Option<i64>, demo: bool) -> String {
    match micro {
        None => "cost unknown".to_owned(),
        Some(0) if demo => "demo: free".to_owned(),
        Some(0) => "free".to_owned(),
        Some(micro) => dollars(micro),
    }
}

/// RFC 3339 in UTC; `None` where unset or out of range.
#[must_use]
pub fn rfc3339(time: Option<&Timestamp>) -> Option<String> {
    let time = time?;
    let nanos = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()?
        .format(&Rfc3339)
        .ok()
}

/// How long ago, seen from `now`: `just now`, `5 min ago`, `3 days ago`.
#[must_use]
pub fn ago(time: Option<&Timestamp>, now: i64) -> String {
    let Some(time) = time else {
        return "-".to_owned();
    };
    let seconds = now.saturating_sub(time.seconds);
    match seconds {
        i64::MIN..60 => "just now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        86_400..172_800 => "1 day ago".to_owned(),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// How long until, seen from `now`: `in 6 days`, `expired`.
#[must_use]
pub fn until(time: Option<&Timestamp>, now: i64) -> String {
    let Some(time) = time else {
        return "-".to_owned();
    };
    let seconds = time.seconds.saturating_sub(now);
    match seconds {
        i64::MIN..=0 => "expired".to_owned(),
        1..3600 => format!("in {} min", (seconds / 60).max(1)),
        3600..172_800 => format!("in {} h", seconds / 3600),
        _ => format!("in {} days", seconds / 86_400),
    }
}

/// Seconds since 1970, now.
#[must_use]
pub fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// The first part of an id: enough to name it, short enough to type.
#[must_use]
pub fn short_id(id: &str) -> &str {
    // The first eight digits of a UUID v7 are a time: ids of the same minute
    // share them. The last twelve are random.
    id.get(..id.len().min(13)).unwrap_or(id)
}

/// The first line of a text, cut to a number of columns.
#[must_use]
pub fn first_line(text: &str, columns: usize) -> String {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("");
    truncate(&sanitise::line(line), columns)
}

/// Cuts a text to a number of columns, with an ellipsis where it was cut.
#[must_use]
pub fn truncate(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let width = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used + width + 1 > columns {
            break;
        }
        used += width;
        out.push(c);
    }
    out.push('…');
    out
}

/// Lays out rows under headings, columns aligned. The last column is not
/// padded, so that lines have no spaces at their end.
#[must_use]
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> Vec<Line> {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.width()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(sanitise::line(cell).width());
        }
    }
    let lay = |cells: Vec<&str>, style| {
        let last = cells.len().saturating_sub(1);
        let mut line = Line::default();
        for (index, (cell, width)) in cells.into_iter().zip(&widths).enumerate() {
            // A cell is one line wherever it goes, or the table would be none.
            let cell = cell.replace(['\n', '\r'], " ");
            let pad = if index == last {
                0
            } else {
                width.saturating_sub(sanitise::line(&cell).width()) + 2
            };
            line = line.add(style, cell).add(Style::Plain, " ".repeat(pad));
        }
        line
    };
    let mut lines = vec![lay(headings.to_vec(), Style::Dim)];
    for row in rows {
        lines.push(lay(row.iter().map(String::as_str).collect(), Style::Plain));
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Manner;
    use super::*;

    #[test]
    fn sizes() {
        let all = [0, 999, 1000, 2149, 999_949, 999_950, 1_500_000].map(size);
        assert_eq!(
            all,
            [
                "0 B", "999 B", "1.0 kB", "2.1 kB", "999.9 kB", "1.0 MB", "1.5 MB"
            ]
        );
    }

    #[test]
    fn durations() {
        let all = [0, 449, 12_340, 59_949, 59_950, 125_000, 3_720_000]
            .map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(
            all,
            [
                "0.0 s",
                "0.4 s",
                "12.3 s",
                "59.9 s",
                "1 min 00 s",
                "2 min 05 s",
                "1 h 02 min"
            ]
        );
    }

    #[test]
    fn money_is_exact_and_unknown_is_not_nothing() {
        assert_eq!(
            [0, 1, 12_300, 1_200_000, -5_000].map(dollars),
            ["$0.00", "$0.000001", "$0.0123", "$1.20", "-$0.005"]
        );
        assert_eq!(cost(None, true), "cost unknown");
        assert_eq!(cost(None, false), "cost unknown");
        assert_eq!(cost(Some(0), true), "demo: free");
        assert_eq!(cost(Some(0), false), "free");
        assert_eq!(cost(Some(2_000), false), "$0.002");
    }

    #[test]
    fn counts() {
        assert_eq!(
            [0, 999, 1000, 1_234_567, -1234].map(count),
            ["0", "999", "1,000", "1,234,567", "-1,234"]
        );
    }

    #[test]
    fn moments() {
        let at = |seconds| Some(Timestamp { seconds, nanos: 0 });
        assert_eq!(
            rfc3339(at(0).as_ref()).as_deref(),
            Some("1970-01-01T00:00:00Z")
        );
        assert_eq!(rfc3339(at(i64::MAX).as_ref()), None);
        assert_eq!(ago(at(100).as_ref(), 130), "just now");
        assert_eq!(ago(at(0).as_ref(), 7200), "2 h ago");
        assert_eq!(ago(at(0).as_ref(), 3 * 86_400), "3 days ago");
        assert_eq!(until(at(0).as_ref(), 1), "expired");
        assert_eq!(until(at(7 * 86_400).as_ref(), 1), "in 6 days");
    }

    #[test]
    fn tables_line_up_with_wide_characters() {
        let rows = vec![
            vec!["漢字".to_owned(), "1".to_owned()],
            vec!["abcde".to_owned(), "2".to_owned()],
        ];
        let manner = Manner::of(false, None, false);
        let lines: Vec<_> = table(&["NAME", "N"], &rows)
            .iter()
            .map(|line| line.render(manner))
            .collect();
        assert_eq!(lines, ["NAME   N", "漢字   1", "abcde  2"]);
    }

    proptest! {
        #[test]
        fn a_cut_text_fits(text in "[a-z漢😀 ]{0,40}", columns in 1usize..30) {
            prop_assert!(truncate(&text, columns).width() <= columns);
        }
    }
}
