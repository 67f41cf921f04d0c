//! From one screen and pane to another, and out of the client.

use kiln_proto::v1 as pb;
use kiln_tui::client::link::Topic;
use kiln_tui::effect::{Call, Effect};
use kiln_tui::model::Screen;
use kiln_tui::model::workspace::{Pane, Tab};
use kiln_tui::msg::Input;
use secrecy::ExposeSecret;

use crate::support::client::Client;
use crate::support::log::Log;
use crate::support::messages::{self, new_project, project, refusal, sign_in_wanted};

const SIZE: (u16, u16) = (80, 24);
const WIDE: (u16, u16) = (120, 40);

fn three() -> Vec<pb::Project> {
    vec![
        project("p1", "first"),
        project("p2", "second"),
        project("p3", "third"),
    ]
}

fn open_id(client: &Client) -> Option<&str> {
    client.model.workspace().map(|w| w.project.id.as_str())
}

fn pane(client: &Client) -> Pane {
    client.model.workspace().unwrap().pane
}

fn selected(client: &Client) -> &str {
    match &client.model.screen {
        Screen::Projects(screen) => &screen.list.selected().unwrap().name,
        _ => panic!("not the projects"),
    }
}

fn quits(client: &Client) -> bool {
    client.wanted(|effect| matches!(effect, Effect::Quit))
}

#[test]
fn what_is_followed_belongs_to_what_is_seen() {
    let mut client = Client::online(SIZE, vec![project("p1", "a"), new_project("p2", "b")]);
    assert_eq!(client.followed(), [Topic::Projects]);
    client.press("enter");
    assert_eq!(
        client.followed(),
        [Topic::Projects, Topic::Project("p2".into())]
    );
    client.press("esc j enter");
    let logs = Topic::Logs {
        project_id: "p1".into(),
        life: 1,
    };
    assert_eq!(
        client.followed(),
        [Topic::Projects, Topic::Project("p1".into()), logs]
    );
    client.press("alt-p");
    assert_eq!(client.followed(), [Topic::Projects]);
}

#[test]
fn going_back_selects_what_was_open() {
    let mut client = Client::online(SIZE, three());
    client.press("G");
    let name = selected(&client).to_owned();
    client.press("enter");
    assert_ne!(open_id(&client), None);
    client.press("esc");
    assert_eq!(selected(&client), name);
}

#[test]
fn a_filter_narrows_the_list_and_goes_again() {
    let mut client = Client::online(SIZE, three());
    client.press("/");
    client.write("sec");
    assert!(client.shows("second") && !client.shows("third"));
    // Letters are text there, Enter opens.
    client.press("enter");
    assert_eq!(open_id(&client), Some("p2"));
    client.press("esc /");
    client.write("zzz");
    assert!(client.shows("No project has that in its name."));
    client.press("enter");
    assert_eq!(open_id(&client), None, "there is nothing to open");
    client.press("esc");
    assert!(client.shows("first") && client.shows("second") && client.shows("third"));
}

#[test]
fn a_click_selects_and_another_opens() {
    let mut client = Client::online(SIZE, three());
    client.click_on("second");
    assert_eq!(selected(&client), "second");
    assert_eq!(open_id(&client), None);
    client.click_on("second");
    assert_eq!(open_id(&client), Some("p2"));
}

#[test]
fn esc_goes_back_one_step_at_a_time() {
    let mut client = Client::opened(SIZE, project("p1", "a"));
    client.daemon.files = [("a.txt".to_owned(), b"text\n".to_vec())].into();
    let mut log = Log::new("p1");
    log.prompt("a").ends(pb::GenerationOutcome::Ready, "");
    client.report(log.report());
    client.settle();
    client.press("alt-2 enter");
    client.settle();
    assert_eq!(pane(&client), Pane::Viewer);
    assert!(client.shows("text"));
    client.press("esc");
    assert_eq!(pane(&client), Pane::Tree);
    client.press("esc");
    assert_eq!(pane(&client), Pane::Prompt);
    assert_eq!(client.model.workspace().unwrap().tab, Tab::Conversation);
    client.press("ctrl-p esc");
    assert_eq!(open_id(&client), Some("p1"), "only the palette was closed");
    client.press("esc");
    assert_eq!(open_id(&client), None);
    client.press("esc esc");
    assert!(!quits(&client), "Esc never leaves the client");
}

#[test]
fn tab_goes_around_the_panes_that_are_seen() {
    for (size, panes) in [
        (SIZE, vec![Pane::Conversation, Pane::Tree, Pane::Logs]),
        (WIDE, vec![Pane::Conversation, Pane::Tree, Pane::Logs]),
        ((200, 50), vec![Pane::Conversation, Pane::Tree, Pane::Logs]),
    ] {
        let mut client = Client::opened(size, project("p1", "a"));
        for expected in &panes {
            client.press("tab");
            assert_eq!(pane(&client), *expected, "{size:?}");
        }
        client.press("tab");
        assert_eq!(pane(&client), Pane::Prompt, "{size:?}");
        client.press("shift-tab");
        assert_eq!(pane(&client), Pane::Logs, "{size:?}");
    }
}

#[test]
fn tabs_are_clicked_and_have_keys() {
    let mut client = Client::opened(SIZE, project("p1", "a"));
    client.click_on("2 Files");
    assert_eq!(pane(&client), Pane::Tree);
    client.click_on("3 Logs");
    assert_eq!(pane(&client), Pane::Logs);
    client.click_on("1 Chat");
    assert_eq!(pane(&client), Pane::Conversation);
    client.press("f7");
    assert_eq!(pane(&client), Pane::Logs);
    client.press("i");
    assert_eq!(pane(&client), Pane::Prompt);
}

#[test]
fn the_app_is_opened_by_key_and_by_click() {
    let mut client = Client::opened(SIZE, project("p1", "a"));
    client.press("ctrl-o");
    client.click_on("http://127.0.0.1:5301");
    let opened = client
        .effects
        .iter()
        .filter(|e| matches!(e, Effect::Open(url) if url == "http://127.0.0.1:5301"))
        .count();
    assert_eq!(opened, 2);

    let mut client = Client::opened(SIZE, new_project("p1", "a"));
    client.press("ctrl-o");
    assert!(!client.wanted(|effect| matches!(effect, Effect::Open(_))));
    assert!(client.shows("there is nothing to see yet"));
}

#[test]
fn leaving_is_asked_for_twice_or_meant() {
    let mut client = Client::online(SIZE, three());
    client.press("ctrl-c");
    assert!(!quits(&client));
    assert!(client.shows("Ctrl-C again quits"));
    // Something else in between: it begins anew.
    client.press("down ctrl-c");
    assert!(!quits(&client));
    client.press("ctrl-c");
    assert!(quits(&client));

    let mut client = Client::opened(SIZE, project("p1", "a"));
    client.press("q");
    assert!(!quits(&client), "in the prompt it is a letter");
    client.press("ctrl-q");
    assert!(quits(&client));

    let mut client = Client::online(SIZE, three());
    client.press("q");
    assert!(quits(&client));
}

#[test]
fn the_terminal_is_given_away_and_drawn_anew() {
    let mut client = Client::online(SIZE, three());
    client.press("ctrl-z ctrl-l");
    assert!(client.wanted(|effect| matches!(effect, Effect::Suspend)));
    assert!(client.wanted(|effect| matches!(effect, Effect::Redraw)));
}

#[test]
fn connecting_now_is_for_those_who_are_not_connected() {
    let mut client = Client::online(SIZE, three());
    client.press("ctrl-r");
    assert!(!client.wanted(|effect| matches!(effect, Effect::Retry)));
    client.report(messages::offline(4_000, 1));
    client.press("ctrl-r");
    assert!(client.wanted(|effect| matches!(effect, Effect::Retry)));
}

#[test]
fn signing_in_goes_from_field_to_field() {
    let mut client = Client::new(SIZE);
    client.report(sign_in_wanted());
    client.press("enter enter");
    assert!(client.calls.is_empty(), "an e-mail is needed");
    assert!(client.shows("the e-mail is missing"));
    client.write(" ada@example.com ");
    client.press("enter");
    client.write("a pass word");
    client.press("enter");
    match client.last_call() {
        Some(Call::SignIn { email, password }) => {
            assert_eq!(email, "ada@example.com");
            assert_eq!(password.expose_secret(), "a pass word");
        }
        other => panic!("{other:?}"),
    }
    assert!(!client.shows("a pass word"), "it is masked");
    client.press("enter");
    assert_eq!(client.calls.len(), 1, "it is sent once");
    client.refuse(refusal(
        "BAD_CREDENTIALS",
        "the e-mail or the password is wrong",
    ));
    assert!(client.shows("the e-mail or the password is wrong"));
    client.write("!");
    assert!(
        !client.shows("is wrong"),
        "it goes as soon as something is typed"
    );
    client.press("enter");
    client.settle();
    assert!(client.wanted(|effect| matches!(effect, Effect::Reconnect)));
    client.report(messages::hello());
    assert!(matches!(client.model.screen, Screen::Projects(_)));
}

#[test]
fn signing_up_keeps_the_e_mail_that_was_typed() {
    let mut client = Client::new(SIZE);
    client.report(sign_in_wanted());
    client.write("ada@example.com");
    client.press("alt-u tab tab");
    client.write("twelve letters");
    client.press("tab");
    client.write(" invite ");
    client.press("enter");
    match client.last_call() {
        Some(Call::SignUp {
            email,
            password,
            display_name,
            invite,
        }) => {
            assert_eq!(
                (email.as_str(), display_name.as_str()),
                ("ada@example.com", "")
            );
            assert_eq!(password.expose_secret(), "twelve letters");
            assert_eq!(invite.expose_secret(), "invite");
        }
        other => panic!("{other:?}"),
    }
}

/// Whoever is asked to sign in again finds what was being written.
#[test]
fn a_session_that_ends_takes_no_draft_with_it() {
    let mut client = Client::opened(SIZE, project("p1", "a"));
    client.write("half a thought");
    client.report(sign_in_wanted());
    assert!(client.wanted(
        |effect| matches!(effect, Effect::KeepDraft { key, text } if key == "p1" && text == "half a thought")
    ));
    client.report(messages::hello());
    client.press("enter");
    assert!(client.shows("half a thought"));

    let mut client = Client::online(SIZE, three());
    client.press("n");
    client.write("half an app");
    client.report(sign_in_wanted());
    client.report(messages::hello());
    client.press("n");
    assert!(client.shows("half an app"));
}

#[test]
fn somebody_else_sees_nothing_of_who_was_there_before() {
    let mut client = Client::online(SIZE, three());
    client.report(sign_in_wanted());
    client.report(messages::hello_of(
        pb::GetServerInfoResponse::default(),
        "Grace",
    ));
    assert!(!client.shows("first"));
    assert!(client.shows("loading"));
}

#[test]
fn a_window_without_the_keys_rings_when_a_prompt_is_over() {
    for (focused, rings) in [(true, false), (false, true)] {
        let mut client = Client::opened(SIZE, project("p1", "a"));
        let mut log = Log::new("p1");
        log.prompt("a");
        client.report(log.report());
        client.input(Input::Focus(focused));
        log.ends(pb::GenerationOutcome::Ready, "");
        client.report(log.report());
        assert_eq!(client.wanted(|e| matches!(e, Effect::Bell)), rings);
    }
}

/// Nothing to draw means no work.
#[test]
fn the_clock_is_only_looked_at_while_something_moves() {
    let mut client = Client::online(SIZE, three());
    assert_eq!(client.model.next_tick_ms(), None);
    client.press("enter");
    let mut log = Log::new("p3");
    log.prompt("a").ends(pb::GenerationOutcome::Ready, "");
    client.now_ms = log.now_ms;
    client.report(log.report());
    client.settle();
    assert_eq!(client.model.next_tick_ms(), None);
    log.prompt("b");
    client.report(log.report());
    let next = client.model.next_tick_ms().unwrap();
    assert!((client.now_ms + 1..client.now_ms + 500).contains(&next));
    log.ends(pb::GenerationOutcome::Ready, "");
    client.report(log.report());
    client.report(messages::offline(4_000, 1));
    assert_eq!(client.model.next_tick_ms(), Some(client.now_ms + 1_000));
}
