use super::*;
use crate::model::event::{Body, Delta, Event, Finish, Outcome, Spent, Step};
use crate::text::Row;

/// A log that numbers itself.
#[derive(Default)]
struct Log {
    conversation: Conversation,
    generation: String,
    sequence: i64,
    time_ms: i64,
}

impl Log {
    fn add(&mut self, body: Body) -> &mut Self {
        self.sequence += 1;
        self.conversation.apply(Event {
            sequence: self.sequence,
            time_ms: self.time_ms,
            generation_id: self.generation.clone(),
            body,
        });
        self
    }

    fn prompt(&mut self, prompt: &str) -> &mut Self {
        self.generation = format!("g{}", self.sequence);
        self.add(Body::GenerationStarted {
            prompt: prompt.into(),
            model: "m".into(),
            demo: false,
        })
    }

    fn says(&mut self, text: &str) -> &mut Self {
        self.add(Body::Text(delta(text)))
    }

    fn lines(&mut self, count: usize) -> &mut Self {
        let text: String = (0..count).map(|n| format!("- line {n}\n")).collect();
        self.says(&text)
    }

    fn step(&mut self, step: Step, position: i32) -> &mut Self {
        self.add(Body::StepStarted {
            step,
            position,
            count: 6,
            title: "a step".into(),
        })
    }

    fn ends(&mut self, outcome: Ended, spent: Spent) -> &mut Self {
        self.add(Body::GenerationFinished(Finish {
            outcome,
            message: String::new(),
            spent,
            preview_url: String::new(),
        }))
    }

    fn seen(&mut self, height: u16) -> Vec<String> {
        self.conversation.layout(60, height, self.time_ms);
        self.conversation.rows().map(Row::plain).collect()
    }
}

fn delta(text: &str) -> Delta {
    Delta {
        text: text.into(),
        begins_line: text.starts_with('\n'),
        held_return: false,
    }
}

fn spent(cost: Option<i64>) -> Spent {
    Spent {
        prompt_tokens: 10,
        completion_tokens: 5,
        cost_micro_usd: cost,
        estimated: false,
    }
}

#[test]
fn an_entry_is_taken_once_and_a_hole_is_noticed() {
    let mut log = Log::default();
    log.prompt("p").says("one ");
    let again = Event {
        sequence: 2,
        time_ms: 0,
        generation_id: log.generation.clone(),
        body: Body::Text(delta("one ")),
    };
    log.conversation.apply(again);
    assert_eq!(log.seen(20).concat().matches("one").count(), 1);
    assert_eq!(
        (log.conversation.last_sequence(), log.conversation.faults()),
        (2, 0)
    );
    log.sequence = 7;
    log.says("two");
    assert_eq!(log.conversation.faults(), 1);
    assert!(
        log.seen(20).concat().contains("one two"),
        "shown all the same"
    );
}

#[test]
fn what_is_sent_here_becomes_the_daemons_whichever_is_first() {
    // The answer, then the first entry.
    let mut log = Log::default();
    log.conversation.begin("p", 0);
    assert!(log.conversation.is_busy());
    assert_eq!(log.conversation.running_id(), None, "nothing to cancel yet");
    log.conversation.begun("g0");
    assert_eq!(log.conversation.running_id(), Some("g0"));
    log.prompt("p");
    assert_eq!(log.conversation.prompts().count(), 1);

    // The first entry, then the answer.
    let mut log = Log::default();
    log.conversation.begin("p", 0);
    log.prompt("p");
    log.conversation.begun("g0");
    assert_eq!(log.conversation.prompts().count(), 1);

    // Somebody else's prompt comes between.
    let mut log = Log::default();
    log.conversation.begin("mine", 0);
    log.prompt("theirs");
    let prompts: Vec<&str> = log.conversation.prompts().collect();
    assert_eq!(prompts, ["mine", "theirs"]);
}

#[test]
fn a_prompt_that_is_refused_is_not_busy() {
    let mut log = Log::default();
    log.conversation.begin("p", 0);
    log.conversation.fail_begin("no key");
    assert!(!log.conversation.is_busy());
    assert!(log.seen(20).concat().contains("not sent: no key"));
}

#[test]
fn a_file_that_is_not_finished_was_cut_off() {
    let mut log = Log::default();
    log.prompt("p").add(Body::FileStarted {
        operation: 0,
        edits: false,
        path: "a.css".into(),
    });
    log.add(Body::FileDelta {
        operation: 0,
        text: delta("a {}\n"),
    });
    let running = log.conversation.running().unwrap();
    assert_eq!(running.words(), "writing a.css");
    assert!(
        log.seen(20).join("\n").contains("a {}"),
        "open while it is written"
    );
    log.ends(Ended::Interrupted, Spent::default());
    let seen = log.seen(20).join("\n");
    assert!(seen.contains("cut off a.css"), "{seen}");
    assert!(!seen.contains("a {}"), "folded afterwards: {seen}");
    assert_eq!(log.conversation.last_outcome(), Some(Ended::Interrupted));
}

/// A piece of a file that nobody began, or of a step that never started, is of
/// no use and does no harm.
#[test]
fn pieces_without_a_whole_are_passed_over() {
    let mut log = Log::default();
    log.says("before any prompt");
    log.prompt("p");
    log.add(Body::FileDelta {
        operation: 4,
        text: delta("lost"),
    });
    log.add(Body::StepFinished {
        step: Step::Check,
        outcome: Outcome::Failed,
        duration: std::time::Duration::ZERO,
        detail: "lost".into(),
    });
    let seen = log.seen(20).concat();
    assert!(
        !seen.contains("lost") && !seen.contains("before any prompt"),
        "{seen}"
    );
}

#[test]
fn steps_of_another_try_are_another_part() {
    let mut log = Log::default();
    log.prompt("p").step(Step::Sandbox, 1).step(Step::Check, 6);
    log.add(Body::StepFinished {
        step: Step::Check,
        outcome: Outcome::Failed,
        duration: std::time::Duration::from_secs(1),
        detail: "one error".into(),
    });
    log.add(Body::AttemptStarted {
        again: Some("mending what the checks found"),
    });
    log.step(Step::Sandbox, 1);
    let seen = log.seen(30);
    let at = |words: &str| seen.iter().rposition(|row| row.contains(words)).unwrap();
    assert!(at("one error") < at("mending"), "{seen:?}");
    assert!(at("mending") < at("1/6 a step"), "{seen:?}");
    assert_eq!(log.conversation.running().unwrap().words(), "1/6 a step");
}

#[test]
fn what_it_cost_is_never_less_than_is_known() {
    let totals = |ends: &[(bool, Spent)]| {
        let mut log = Log::default();
        for (demo, spent) in ends {
            log.generation = format!("g{}", log.sequence);
            log.add(Body::GenerationStarted {
                prompt: "p".into(),
                model: "m".into(),
                demo: *demo,
            });
            log.ends(Ended::Ready, *spent);
        }
        log.conversation.totals()
    };
    assert_eq!(totals(&[]), "");
    assert_eq!(
        totals(&[(false, Spent::default())]),
        "",
        "nothing used, nothing said"
    );
    assert!(totals(&[(false, spent(Some(20_000)))]).contains("$0.02"));
    assert!(totals(&[(true, spent(Some(0)))]).contains("demo: free"));
    let unknown = totals(&[(false, spent(None))]);
    assert!(
        unknown.contains("unknown") && !unknown.contains("free"),
        "{unknown}"
    );
    let some = totals(&[(false, spent(Some(20_000))), (false, spent(None))]);
    assert!(!some.contains('$') && !some.contains("free"), "{some}");
    let with_demo = totals(&[(false, spent(Some(20_000))), (true, spent(None))]);
    assert!(
        with_demo.contains("$0.02") && !with_demo.contains("free"),
        "{with_demo}"
    );
    let most = Spent {
        prompt_tokens: i64::MAX,
        completion_tokens: i64::MAX,
        ..spent(Some(i64::MAX))
    };
    assert!(!totals(&[(false, most), (false, most)]).is_empty());
}

#[test]
fn the_end_is_followed_until_somebody_reads_above_it() {
    let mut log = Log::default();
    log.prompt("p").lines(50);
    assert!(log.seen(10).concat().contains("line 49"));
    log.lines(3);
    assert!(log.seen(10).concat().contains("line 2"));
    assert!(!log.conversation.new_below());

    log.conversation.page_up();
    log.conversation.page_up();
    let before = log.seen(10);
    assert!(log.conversation.new_below());
    log.lines(20);
    assert_eq!(log.seen(10), before, "what is read stays where it is");
    log.conversation.to_end();
    assert!(log.seen(10).concat().contains("line 19"));
}

#[test]
fn another_width_keeps_what_is_read() {
    let mut log = Log::default();
    log.prompt("p");
    for n in 0..40 {
        log.add(Body::AttemptStarted {
            again: Some("mending what the checks found"),
        });
        log.add(Body::FileStarted {
            operation: n,
            edits: false,
            path: format!("file{n}.css"),
        });
        log.add(Body::FileFinished {
            operation: n,
            size: 10,
        });
    }
    log.seen(12);
    log.conversation.to_top();
    for _ in 0..30 {
        log.conversation.select_next();
    }
    let first = log.seen(12)[0].clone();
    log.conversation.layout(20, 12, 0);
    log.conversation.layout(60, 12, 0);
    let again: Vec<String> = log.conversation.rows().map(Row::plain).collect();
    assert_eq!(again[0], first);
}

#[test]
fn no_row_is_wider_than_there_is_room() {
    let mut log = Log::default();
    log.prompt(&"漢字 and words ".repeat(9))
        .says("| a | b |\n|---|---|\n| 漢 | x |\n\n```rust\nlet x = 1;\n```\n\nprose");
    log.add(Body::FileStarted {
        operation: 0,
        edits: false,
        path: "a/very/long/path/that/does/not/fit/anywhere/漢字.css".into(),
    });
    log.step(Step::Install, 3);
    log.ends(Ended::OverBudget, spent(None));
    for width in 1..90u16 {
        log.conversation.layout(width, 200, 0);
        for row in log.conversation.rows() {
            assert!(
                row.width() <= usize::from(width),
                "{width}: {:?}",
                row.plain()
            );
        }
    }
}

#[test]
fn folding_goes_where_the_cursor_is() {
    let mut log = Log::default();
    log.prompt("p").add(Body::FileStarted {
        operation: 0,
        edits: false,
        path: "a.css".into(),
    });
    log.add(Body::FileDelta {
        operation: 0,
        text: delta("inside {}\n"),
    });
    log.add(Body::FileFinished {
        operation: 0,
        size: 10,
    });
    let row = |log: &mut Log| {
        let seen = log.seen(20);
        seen.iter().position(|row| row.contains("a.css")).unwrap()
    };
    assert!(!log.seen(20).concat().contains("inside"));
    let at = row(&mut log);
    log.conversation.click(at);
    assert!(log.seen(20).concat().contains("inside"));
    assert_eq!(
        log.conversation.selected_text().as_deref(),
        Some("inside {}\n")
    );
    log.conversation.toggle_selected(false);
    assert!(!log.seen(20).concat().contains("inside"));
    log.conversation.toggle_all();
    assert!(log.seen(20).concat().contains("inside"));
    log.conversation.toggle_all();
    assert!(!log.seen(20).concat().contains("inside"));
    log.conversation.click(500);
    assert!(
        !log.seen(20).concat().contains("inside"),
        "there is nothing there"
    );
}

#[test]
fn a_search_goes_around() {
    let mut log = Log::default();
    log.prompt("p").lines(60);
    log.seen(10);
    assert_eq!(log.conversation.find("LINE 7"), 1);
    assert!(log.seen(10).concat().contains("line 7"));
    assert_eq!(log.conversation.find("line 1"), 11);
    log.conversation.next_match();
    assert!(
        log.seen(10)
            .iter()
            .any(|row| row.trim_end().ends_with("line 1"))
    );
    log.conversation.previous_match();
    assert!(log.seen(10).concat().contains("line 19"));
    assert_eq!(log.conversation.find("zebra"), 0);
    assert_eq!(log.conversation.find(""), 0);
}

#[test]
fn a_step_ends_with_its_turn_whoever_is_left_to_say_so() {
    let mut log = Log::default();
    log.prompt("one").step(Step::Install, 3);
    assert!(log.seen(40).iter().any(|row| row.contains("3/6 a step")));
    log.time_ms += 4_000;
    log.ends(Ended::Interrupted, spent(None));
    let at_the_end = log.seen(40);
    log.time_ms += 60_000;
    assert_eq!(log.seen(40), at_the_end, "no clock runs on");
    assert!(!at_the_end.iter().any(|row| row.contains("3/6")));
    let step = at_the_end.iter().find(|row| row.contains("install"));
    assert!(step.unwrap().contains("4.0 s"), "{at_the_end:?}");
}

#[test]
fn an_app_before_is_spoken_of_only_where_there_was_one() {
    let mut log = Log::default();
    log.prompt("one").ends(Ended::Failed, spent(None));
    let first = log.seen(40).join(" ");
    assert!(first.contains("brings the prompt back"), "{first}");
    assert!(!first.contains("The app before"), "{first}");
    log.prompt("two").ends(Ended::Ready, spent(None));
    log.prompt("three").ends(Ended::Failed, spent(None));
    assert!(log.seen(40).join(" ").contains("The app before"));
}
