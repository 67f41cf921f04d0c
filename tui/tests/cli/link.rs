//! The connection of the full-screen client against daemons that go, come back,
//! refuse, and ask who is there.

use std::time::{Duration, Instant};

use kiln_proto::v1 as pb;
use kiln_tui::client::link::{Command, Link, Report, State, Topic};
use kiln_tui::client::{Address, Options, Store};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;
use tonic::Code;

use crate::support::daemon::refusal;
use crate::support::{Daemon, Plan, events};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

struct Linked {
    runtime: Runtime,
    daemon: Daemon,
    link: Link,
    reports: Receiver<Report>,
    dir: tempfile::TempDir,
}

impl Linked {
    /// To a daemon with one project, whose log is this.
    fn new(log: Vec<pb::Event>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let daemon = Daemon::unix(dir.path());
        daemon.project("shop");
        daemon.shared.append(log);
        Self::to(daemon, dir)
    }

    fn to(daemon: Daemon, dir: tempfile::TempDir) -> Self {
        let runtime = Runtime::new().unwrap();
        let options = Options {
            address: Address::parse(&daemon.address()).unwrap(),
            token: None,
            authority: None,
            store: Store::in_dir(dir.path()),
        };
        let (link, reports) = runtime.block_on(async { Link::start(options) });
        Self {
            runtime,
            daemon,
            link,
            reports,
            dir,
        }
    }

    fn next(&mut self) -> Report {
        let next = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, self.reports.recv()).await });
        next.unwrap().unwrap()
    }

    /// The next report of which something is wanted.
    fn until<T>(&mut self, mut of: impl FnMut(&Report) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let report = self.next();
            if let Some(found) = of(&report) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "{report:?} and no end");
        }
    }

    fn until_online(&mut self) {
        self.until(|report| matches!(report, Report::State(State::Online(_))).then_some(()));
    }

    fn follow(&self, topics: &[Topic]) {
        self.link.send(Command::Follow(topics.to_vec()));
    }

    /// Numbers of entries, up to this one.
    fn sequences(&mut self, last: i64) -> Vec<i64> {
        let mut all = Vec::new();
        while all.last().is_none_or(|seen| *seen < last) {
            all.extend(self.until(|report| match report {
                Report::Project { batch, .. } => {
                    Some(batch.events.iter().map(|e| e.sequence).collect::<Vec<_>>())
                }
                _ => None,
            }));
        }
        all
    }

    fn asked_after(&self) -> Vec<Option<i64>> {
        let state = self.daemon.state();
        state.watched.iter().map(|w| w.after_sequence).collect()
    }
}

fn shop() -> Topic {
    Topic::Project("0193a7c2-0000-7000-8000-000000000001".into())
}

#[test]
fn it_says_who_is_there_before_anything_else() {
    let mut linked = Linked::new(Vec::new());
    assert!(matches!(linked.next(), Report::State(State::Connecting)));
    let Report::State(State::Online(hello)) = linked.next() else {
        panic!("not online");
    };
    assert_eq!(hello.user.display_name, "Ada");
    assert_eq!(hello.server.version, "9.9.9");
    assert!(linked.link.client().is_some());
}

#[test]
fn a_log_goes_on_after_the_daemon_was_killed_without_a_gap_or_a_repeat() {
    let mut linked = Linked::new(events::ready());
    let count = i64::try_from(linked.daemon.state().log.len()).unwrap();
    linked.follow(&[shop()]);
    let mut seen = linked.sequences(count);

    linked.daemon.kill();
    let attempt = linked.until(|report| match report {
        Report::State(State::Waiting { attempt, wait, .. }) => {
            assert!(*wait >= Duration::from_millis(250) && *wait <= Duration::from_secs(5));
            Some(*attempt)
        }
        _ => None,
    });
    assert_eq!(attempt, 1);
    linked.daemon.shared.append([events::started()]);
    linked.daemon.restart();
    linked.until_online();
    seen.extend(linked.sequences(count + 1));
    assert_eq!(seen, (1..=count + 1).collect::<Vec<_>>());
    assert_eq!(linked.asked_after(), [Some(0), Some(count)]);
}

#[test]
fn streams_that_break_their_promises_are_opened_again_where_they_were() {
    let mut linked = Linked::new(events::ready());
    let count = i64::try_from(linked.daemon.state().log.len()).unwrap();
    linked.daemon.state().plans = [Plan::Repeat, Plan::End(1), Plan::Skip(5)].into();
    linked.follow(&[shop()]);
    let seen = linked.sequences(count);
    assert_eq!(seen, (1..=count).collect::<Vec<_>>());
}

#[test]
fn waits_grow_while_nobody_answers_and_a_word_ends_them() {
    let mut linked = Linked::new(events::ready());
    linked.follow(&[shop()]);
    linked.sequences(1);
    linked.daemon.kill();
    let mut attempts = Vec::new();
    while attempts.len() < 4 {
        attempts.push(linked.until(|report| match report {
            Report::State(State::Waiting { attempt, .. }) => Some(*attempt),
            _ => None,
        }));
    }
    assert_eq!(attempts, [1, 2, 3, 4]);
    assert!(linked.link.client().is_none(), "calls fail at once");
    // The wait now is 2 s at least.
    linked.daemon.restart();
    let asked = Instant::now();
    linked.link.send(Command::Retry);
    linked.until_online();
    assert!(
        asked.elapsed() < Duration::from_millis(1_500),
        "{:?}",
        asked.elapsed()
    );
}

#[test]
fn who_is_not_signed_in_is_asked_and_nothing_is_tried_until_told() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::unix(dir.path());
    daemon.state().local = false;
    let mut linked = Linked::to(daemon, dir);
    linked.until(|report| matches!(report, Report::State(State::SignIn(_))).then_some(()));
    assert!(
        linked.link.client().is_some(),
        "signing in needs the channel"
    );
    let calls = linked.daemon.calls().len();
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(linked.daemon.calls().len(), calls);
    linked.daemon.state().local = true;
    linked.link.send(Command::Reconnect);
    linked.until_online();
}

#[test]
fn what_trying_again_would_not_mend_is_not_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::unix(dir.path());
    daemon.fail(
        "GetServerInfo",
        refusal(Code::Unimplemented, "METHOD_UNKNOWN", "older"),
    );
    let mut linked = Linked::to(daemon, dir);
    linked.until(|report| matches!(report, Report::State(State::Refused(_))).then_some(()));
    let calls = linked.daemon.calls().len();
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(linked.daemon.calls().len(), calls);
    linked.link.send(Command::Retry);
    linked.until_online();
}

/// One subscription that cannot be is no reason to give up the others.
#[test]
fn a_topic_that_ends_leaves_the_others_alone() {
    let mut linked = Linked::new(events::ready());
    let count = i64::try_from(linked.daemon.state().log.len()).unwrap();
    let gone = Topic::Project("0193a7c2-0000-7000-8000-00000000dead".into());
    linked.follow(&[Topic::Projects, gone.clone(), shop()]);
    let mut ended = Vec::new();
    let mut last = 0;
    while ended.len() < 2 || last < count {
        match linked.next() {
            Report::Ended { topic, error } => {
                assert!(error.is_some());
                ended.push(topic);
            }
            Report::Project { batch, .. } => {
                last = batch.events.last().map_or(last, |event| event.sequence);
            }
            Report::State(State::Connecting | State::Online(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(ended.contains(&gone), "{ended:?}");
    // The fake daemon has no list of projects.
    assert!(ended.contains(&Topic::Projects), "{ended:?}");
    linked.daemon.shared.append([events::started()]);
    assert_eq!(linked.sequences(count + 1), [count + 1]);
}

#[test]
fn what_is_let_go_begins_anew_when_it_is_followed_again() {
    let mut linked = Linked::new(events::ready());
    let count = i64::try_from(linked.daemon.state().log.len()).unwrap();
    linked.follow(&[shop()]);
    linked.sequences(count);
    linked.follow(&[]);
    linked.follow(&[shop()]);
    assert_eq!(linked.sequences(count), (1..=count).collect::<Vec<_>>());
    assert_eq!(linked.asked_after(), [Some(0), Some(0)]);
    // The same again is no news: nothing is opened anew.
    linked.follow(&[shop()]);
    linked.daemon.shared.append([events::started()]);
    assert_eq!(linked.sequences(count + 1), [count + 1]);
    assert_eq!(linked.asked_after().len(), 2);
    assert!(linked.dir.path().exists());
}
