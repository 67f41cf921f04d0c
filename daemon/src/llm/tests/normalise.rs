//! Whatever the split of the bytes, the events are the same, and the work is
//! linear.

use bytes::Bytes;
use futures::executor::block_on;
use futures::stream;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::seeds_up_to;
use crate::llm::normalise::{Events, LIMIT_BYTES, Normaliser, SseError};

fn events(pieces: Vec<Bytes>) -> (Vec<Result<String, SseError>>, bool) {
    let pieces = pieces.into_iter().map(Ok::<_, std::io::Error>);
    let mut events = Events::new(stream::iter(pieces));
    let mut all = Vec::new();
    while let Some(event) = block_on(events.next()) {
        all.push(event);
    }
    (all, events.cut_off())
}

fn data(bytes: &[u8]) -> Vec<String> {
    let (events, _) = events(vec![Bytes::copy_from_slice(bytes)]);
    events.into_iter().map(Result::unwrap).collect()
}

fn split(bytes: &[u8], rng: &mut StdRng) -> Vec<Bytes> {
    let most = [1, 2, 5, 30, bytes.len().max(1)][rng.random_range(0..5)];
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rng.random_range(1..=most.min(rest.len())));
        pieces.push(Bytes::copy_from_slice(piece));
        if rng.random_bool(0.1) {
            pieces.push(Bytes::new());
        }
        rest = after;
    }
    pieces
}

/// Bytes made of what could go wrong.
fn body(rng: &mut StdRng) -> Vec<u8> {
    const PARTS: [&[u8]; 22] = [
        b"data: ",
        b"data:",
        b"data",
        b"\n",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\r",
        b": comment",
        b"id: 7",
        b"retry: 5",
        b"event: x",
        b"{\"a\":1}",
        "\u{feff}".as_bytes(),
        "🦀é".as_bytes(),
        b"\xff",
        b"\xf0\x9f",
        b"\xe2\x82",
        b"[DONE]",
        b":",
        b" ",
    ];
    let count = rng.random_range(0..40);
    (0..count)
        .flat_map(|_| PARTS[rng.random_range(0..PARTS.len())].to_vec())
        .collect()
}

#[test]
fn ten_thousand_random_splits_give_the_same_events() {
    for seed in seeds_up_to(1000) {
        let mut rng = StdRng::seed_from_u64(seed);
        let body = body(&mut rng);
        let whole = events(vec![Bytes::from(body.clone())]);
        for _ in 0..10 {
            let pieces = split(&body, &mut rng);
            assert_eq!(
                events(pieces),
                whole,
                "seed {seed}: {:?}",
                String::from_utf8_lossy(&body)
            );
        }
    }
}

#[test]
fn line_ends_marks_and_bad_bytes() {
    assert_eq!(data(b"data: a\n\ndata: b\n\n"), ["a", "b"]);
    assert_eq!(data(b"data: a\r\n\r\ndata: b\r\n\r\n"), ["a", "b"]);
    assert_eq!(data(b"data: a\r\rdata: b\r\r"), ["a", "b"]);
    assert_eq!(data(b"data: a\r\n\rdata: b\n\r\n"), ["a", "b"]);
    assert_eq!(data(b"data: a\ndata: b\n\n"), ["a\nb"]);
    assert_eq!(data("\u{feff}data: a\n\n".as_bytes()), ["a"]);
    assert_eq!(
        data("\u{feff}\u{feff}data: a\n\ndata: \u{feff}b\n\n".as_bytes()),
        ["\u{feff}b"]
    );
    assert_eq!(data(b"data: a\xffb\n\n"), ["a\u{fffd}b"]);
    assert_eq!(data("data: 🦀\n\n".as_bytes()), ["🦀"]);
    assert_eq!(data(b": x\nid: 1\nretry: 2\nevent: e\ndata: a\n\n"), ["a"]);
    assert_eq!(data(b""), [""; 0]);
}

#[test]
fn an_event_ends_as_soon_as_its_line_end_comes() {
    for ends in ["\r\r", "\n\n", "\r\n\r"] {
        let mut normaliser = Normaliser::default();
        normaliser.feed(Bytes::from(format!("data: a{ends}")));
        let mut lines = Vec::new();
        while let Some(line) = normaliser.next_line().unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, ["data: a\n", "\n"], "{ends:?}");
    }
}

#[test]
fn a_last_event_without_its_end_is_given_and_marked() {
    for (body, cut_off) in [
        ("data: a\n\n", false),
        ("data: a\n\n: comment", false),
        ("data: a\n\n\n", false),
        ("data: a\n", true),
        ("data: a", true),
        ("data: a\r", true),
    ] {
        let (events, was_cut_off) = events(vec![Bytes::from(body)]);
        assert_eq!(events, [Ok("a".to_owned())], "{body:?}");
        assert_eq!(was_cut_off, cut_off, "{body:?}");
    }
}

#[test]
fn a_broken_body_ends_like_any_other() {
    let pieces = [
        Ok(Bytes::from("data: a\n\ndata: b")),
        Err(std::io::Error::other("reset")),
    ];
    let mut events = Events::new(stream::iter(pieces));
    assert_eq!(block_on(events.next()), Some(Ok("a".to_owned())));
    assert_eq!(block_on(events.next()), Some(Ok("b".to_owned())));
    assert_eq!(block_on(events.next()), None);
    assert!(events.cut_off());
}

#[test]
fn lines_and_events_have_a_limit() {
    let line = |length: usize| format!("data: {}", "x".repeat(length - 6));
    let longest = line(LIMIT_BYTES);
    assert_eq!(data(format!("{longest}\n\n").as_bytes()), [&longest[6..]]);
    let half = line(LIMIT_BYTES / 2);
    assert_eq!(data(format!("{half}\n{half}\n\n").as_bytes()).len(), 1);
    for body in [
        format!("{longest}x\n\n"),
        format!("{longest}x"),
        format!("{}x", ":".repeat(LIMIT_BYTES)),
        format!("{half}\n{half}\ndata\n\n"),
        format!("{half}\n{half}\ndata"),
    ] {
        let mut rng = StdRng::seed_from_u64(0);
        let cut: Vec<Bytes> = (0..4).map(|_| Bytes::new()).collect();
        let whole = [cut, vec![Bytes::from(body.clone())]].concat();
        assert_eq!(events(whole).0, [Err(SseError::TooLong)]);
        let pieces = split(&body.as_bytes()[..1000], &mut rng);
        let pieces = [
            pieces,
            vec![Bytes::copy_from_slice(&body.as_bytes()[1000..])],
        ]
        .concat();
        assert_eq!(events(pieces).0, [Err(SseError::TooLong)]);
    }
}

#[test]
fn the_work_is_linear_whatever_the_pieces() {
    let long_line = format!("data: {}\n\n", "x".repeat(200_000));
    let short_lines = "data: x\n\n".repeat(20_000);
    let one_event = format!("{}\n", "data: x\n".repeat(20_000));
    let blank_lines = "\r\n".repeat(100_000);
    for body in [long_line, short_lines, one_event, blank_lines] {
        for size in [1, 7, 1000, body.len()] {
            let mut normaliser = Normaliser::default();
            for piece in body.as_bytes().chunks(size) {
                normaliser.feed(Bytes::copy_from_slice(piece));
                while normaliser.next_line().unwrap().is_some() {}
            }
            let visited = normaliser.visited();
            assert!(
                visited <= 3 * body.len() as u64,
                "{size}: {visited} of {}",
                body.len()
            );
        }
    }
}
