use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures::stream;
use kiln_proto::v1::event::Body;
use kiln_proto::v1::{Event, GenerationFinished, WatchProjectResponse};
use proptest::prelude::*;

use super::*;
use crate::client::error::Refusal;
use crate::client::watch::{Batch, WatchCursor};

/// What one opening of the stream does.
#[derive(Clone, Debug)]
enum Opening {
    /// Refused before it opens.
    Refused(Refusal),
    /// Answers, then an end.
    Answers(Vec<WatchProjectResponse>, End),
}

#[derive(Clone, Debug)]
enum End {
    Orderly,
    Broken,
    Silent,
}

const LAST: i64 = 20;

fn event(sequence: i64) -> Event {
    Event {
        sequence,
        generation_id: "g".into(),
        body: (sequence == LAST).then(|| Body::GenerationFinished(GenerationFinished::default())),
        ..Event::default()
    }
}

fn answer(sequences: impl IntoIterator<Item = i64>) -> WatchProjectResponse {
    WatchProjectResponse {
        events: sequences.into_iter().map(event).collect(),
        head_sequence: LAST,
        snapshot: None,
    }
}

fn refusal(retryable: bool) -> Refusal {
    Refusal {
        code: "UNAVAILABLE",
        reason: None,
        message: "no".into(),
        metadata: std::collections::BTreeMap::new(),
        violations: Vec::new(),
        retry_after: None,
        retryable,
    }
}

#[derive(Debug, Default)]
struct Seen {
    sequences: Vec<i64>,
    lost: usize,
    resumed: usize,
    asked_after: Vec<Option<i64>>,
    error: Option<String>,
}

/// Follows a log whose openings are scripted; after the script the rest comes
/// without a fault.
async fn follow(script: Vec<Opening>, patience: Option<Duration>) -> Seen {
    let script = Arc::new(Mutex::new(VecDeque::from(script)));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let cursor = WatchCursor {
        after: Some(0),
        until: Some("g".into()),
        complete: false,
    };
    let asked_in = Arc::clone(&asked);
    let mut follow: Follow<Batch> = Follow::spawn(
        move |cursor: &WatchCursor| {
            asked_in.lock().unwrap().push(cursor.after);
            let next = script.lock().unwrap().pop_front();
            let after = cursor.after.unwrap_or(0);
            async move {
                match next {
                    Some(Opening::Refused(refusal)) => Err(Error::Refused(Box::new(refusal))),
                    Some(Opening::Answers(answers, end)) => {
                        let answers = stream::iter(answers).map(Ok);
                        Ok(match end {
                            End::Orderly => answers.boxed(),
                            End::Broken => answers
                                .chain(stream::iter([Err(Error::Refused(Box::new(refusal(true))))]))
                                .boxed(),
                            End::Silent => answers.chain(stream::pending()).boxed(),
                        })
                    }
                    None => Ok(stream::iter([Ok(answer(after + 1..=LAST))]).boxed()),
                }
            }
        },
        cursor,
        patience,
    );
    let mut seen = Seen::default();
    loop {
        match follow.next().await {
            Ok(Some(Update::Item(batch))) => {
                seen.sequences
                    .extend(batch.events.iter().map(|event| event.sequence));
            }
            Ok(Some(Update::Lost { .. })) => seen.lost += 1,
            Ok(Some(Update::Resumed)) => seen.resumed += 1,
            Ok(None) => break,
            Err(error) => {
                seen.error = Some(error.to_string());
                break;
            }
        }
    }
    seen.asked_after = asked.lock().unwrap().clone();
    seen
}

/// Runs on a paused clock: waits cost nothing and are exact.
fn run_paused<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

fn all() -> Vec<i64> {
    (1..=LAST).collect()
}

#[test]
fn goes_on_where_it_broke() {
    let seen = run_paused(follow(
        vec![
            Opening::Answers(vec![answer(1..=3)], End::Broken),
            Opening::Refused(refusal(true)),
            Opening::Refused(refusal(true)),
            Opening::Answers(vec![answer(4..=9)], End::Orderly),
        ],
        None,
    ));
    assert_eq!(seen.sequences, all());
    assert_eq!(
        seen.asked_after,
        [Some(0), Some(3), Some(3), Some(3), Some(9)]
    );
    // Said once per break, however often it was tried.
    assert_eq!((seen.lost, seen.resumed), (2, 2));
    assert_eq!(seen.error, None);
}

#[test]
fn an_orderly_end_without_the_last_event_is_a_break() {
    let seen = run_paused(follow(
        vec![Opening::Answers(vec![answer(1..=LAST - 1)], End::Orderly)],
        None,
    ));
    assert_eq!(seen.sequences, all());
    assert_eq!((seen.lost, seen.resumed), (1, 1));
}

#[test]
fn silence_is_a_break_and_heartbeats_are_not() {
    let heartbeat = answer([]);
    let began = std::time::Instant::now();
    let seen = run_paused(async {
        let clock = Instant::now();
        let seen = follow(
            vec![Opening::Answers(
                vec![answer(1..=2), heartbeat],
                End::Silent,
            )],
            None,
        )
        .await;
        assert!(clock.elapsed() >= Duration::from_secs(45));
        seen
    });
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(seen.sequences, all());
    assert_eq!((seen.lost, seen.resumed), (1, 1));
}

#[test]
fn a_hole_is_asked_for_again_and_not_for_ever() {
    let seen = run_paused(follow(
        vec![Opening::Answers(
            vec![answer([1, 2, 4, 5]), answer([6])],
            End::Orderly,
        )],
        None,
    ));
    assert_eq!(seen.sequences, all());
    assert_eq!(seen.asked_after, [Some(0), Some(2)]);

    let hole = Opening::Answers(vec![answer([4])], End::Orderly);
    let seen = run_paused(follow(vec![hole; 5], None));
    assert_eq!(seen.sequences, Vec::<i64>::new());
    assert_eq!(
        seen.error.as_deref(),
        Some("the daemon sent sequence 4 where 1 was due")
    );
    assert_eq!(seen.asked_after.len(), 3);
}

#[test]
fn what_cannot_be_mended_ends_it_at_once() {
    let seen = run_paused(follow(
        vec![
            Opening::Answers(vec![answer(1..=3)], End::Broken),
            Opening::Refused(refusal(false)),
        ],
        None,
    ));
    assert_eq!(seen.sequences, [1, 2, 3]);
    assert_eq!(seen.error.as_deref(), Some("no"));
}

#[test]
fn patience_ends() {
    let seen = run_paused(async {
        let clock = Instant::now();
        let seen = follow(
            vec![Opening::Refused(refusal(true)); 1000],
            Some(Duration::from_secs(60)),
        )
        .await;
        let waited = clock.elapsed();
        assert!(
            waited > Duration::from_secs(50) && waited <= Duration::from_secs(60),
            "{waited:?}"
        );
        seen
    });
    assert_eq!(seen.error.as_deref(), Some("no"));
    assert_eq!(seen.lost, 1);
}

fn opening() -> impl Strategy<Value = Opening> {
    let answers = prop::collection::vec(
        prop_oneof![
            // A run of the log, from anywhere: overlaps, holes and repeats.
            (1..=LAST, 0..8i64).prop_map(|(first, n)| answer(first..=(first + n).min(LAST))),
            Just(answer([])),
        ],
        0..4,
    );
    let end = prop_oneof![Just(End::Orderly), Just(End::Broken), Just(End::Silent)];
    prop_oneof![
        1 => Just(Opening::Refused(refusal(true))),
        4 => (answers, end).prop_map(|(answers, end)| Opening::Answers(answers, end)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// However the daemon, or what stands between, mangles the log: what the
    /// reader gets is a prefix of it, and all of it unless it was told otherwise.
    #[test]
    fn no_hole_and_nothing_twice(script in prop::collection::vec(opening(), 0..12)) {
        let seen = run_paused(follow(script, None));
        let expected: Vec<i64> = (1..).take(seen.sequences.len()).collect();
        prop_assert_eq!(&seen.sequences, &expected);
        if seen.error.is_none() {
            prop_assert_eq!(seen.sequences.len(), usize::try_from(LAST).unwrap());
        }
    }
}
