//! Lines of a sandbox and of the steps, as the model keeps them.
//!
//! Colours are taken out, since they mean nothing here and most programs write
//! them; every other control character is made visible.

use std::borrow::Cow;

use kiln_proto::v1::{LogLine, LogStream};
use prost_types::Timestamp;

use crate::client::logs::LogBatch;
use crate::model::logs::{Batch, Line, Stream};
use crate::sanitise;

/// Lines that came together.
#[must_use]
pub fn batch(batch: &LogBatch) -> Batch {
    Batch {
        lines: batch.lines.iter().map(line).collect(),
        dropped: u64::try_from(batch.dropped).unwrap_or(0),
    }
}

/// A line.
#[must_use]
pub fn line(line: &LogLine) -> Line {
    let stream = match line.stream() {
        LogStream::Stdout | LogStream::Unspecified => Stream::Stdout,
        LogStream::Stderr => Stream::Stderr,
        LogStream::System => Stream::System,
    };
    Line {
        number: line.number,
        nanos: nanos(line.time.as_ref()),
        stream,
        text: clean_line(&line.text).into_owned(),
    }
}

/// Nanoseconds since 1970; 0 where unset or out of range.
#[must_use]
pub fn nanos(time: Option<&Timestamp>) -> i64 {
    time.and_then(|time| {
        let nanos = i64::from(time.nanos);
        time.seconds.checked_mul(1_000_000_000)?.checked_add(nanos)
    })
    .unwrap_or(0)
}

/// A line without colours, clean.
#[must_use]
pub fn clean_line(input: &str) -> Cow<'_, str> {
    let input = input.strip_suffix('\r').unwrap_or(input);
    match without_colours(input) {
        Cow::Borrowed(text) => sanitise::line(text),
        Cow::Owned(text) => Cow::Owned(sanitise::line(&text).into_owned()),
    }
}

/// Text of several lines without colours, clean.
#[must_use]
pub fn clean_text(input: &str) -> Cow<'_, str> {
    match without_colours(input) {
        Cow::Borrowed(text) => sanitise::text(text),
        Cow::Owned(text) => Cow::Owned(sanitise::text(&text).into_owned()),
    }
}

/// A text without the sequences that set colours (SGR). What only looks like
/// one stays, and so does what a removal would put together.
#[must_use]
fn without_colours(input: &str) -> Cow<'_, str> {
    let Some(first) = input.find("\x1b[") else {
        return Cow::Borrowed(input);
    };
    let mut out = String::with_capacity(input.len());
    out.push_str(&input[..first]);
    let mut rest = &input[first..];
    while let Some(at) = rest.find("\x1b[") {
        out.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let end = after.find(|c: char| !matches!(c, '0'..='9' | ';' | ':'));
        match end {
            Some(end) if after[end..].starts_with('m') => rest = &after[end + 1..],
            _ => {
                out.push_str("\x1b[");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colours_go_and_every_other_sequence_is_seen() {
        assert_eq!(
            clean_line("\x1b[32m➜\x1b[39m  \x1b[1mLocal\x1b[22m: \x1b[38;2;1:2;3mx\x1b[m"),
            "➜  Local: x"
        );
        assert_eq!(clean_line("a\x1b[2Jb\x1b]0;t\x07"), "a^[[2Jb^[]0;t^G");
        assert_eq!(clean_line("\x1b[3"), "^[[3");
        assert_eq!(clean_line("\x1b\x1b[1m[2Jx"), "^[[2Jx", "no new sequence");
        assert_eq!(clean_line("100%\r"), "100%");
        assert_eq!(clean_text("\x1b[1ma\r\nb\x1b[0m\n"), "a\nb\n");
    }

    #[test]
    fn a_line_keeps_its_time_and_stream() {
        let sent = LogLine {
            number: 7,
            time: Some(Timestamp {
                seconds: 2,
                nanos: 5,
            }),
            stream: LogStream::Stderr.into(),
            text: "x\ty".to_owned(),
        };
        assert_eq!(
            line(&sent),
            Line {
                number: 7,
                nanos: 2_000_000_005,
                stream: Stream::Stderr,
                text: "x    y".to_owned(),
            }
        );
        let far = Timestamp {
            seconds: i64::MAX,
            nanos: 0,
        };
        assert_eq!(nanos(Some(&far)), 0);
    }

    proptest! {
        #[test]
        fn nothing_that_steers_a_terminal_gets_through(
            pieces in prop::collection::vec(prop_oneof![
                Just("\x1b[".to_owned()), Just("\x1b".to_owned()), Just("1;2m".to_owned()),
                "[0-9;m\\[a-c\r]{0,5}", any::<char>().prop_map(String::from),
            ], 0..20)
        ) {
            let input = pieces.concat();
            prop_assert!(!clean_line(&input).chars().any(sanitise::is_unsafe));
            prop_assert!(!clean_text(&input).chars().any(|c| c != '\n' && sanitise::is_unsafe(c)));
        }
    }
}
