//! Who one is: local sign-in, sessions that end, passwords, tokens, files.

use std::os::unix::fs::PermissionsExt;

use tonic::Code;

use crate::support::daemon::refusal;
use crate::support::kiln::SIGTERM;
use crate::support::{Daemon, Home};

fn daemon() -> (tempfile::TempDir, Daemon) {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::unix(dir.path());
    (dir, daemon)
}

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn on_ones_own_socket_one_is_signed_in_once() {
    let (_dir, daemon) = daemon();
    let home = Home::with_server(&daemon.address());
    assert_eq!(home.run(&["projects"]).code, Some(0));
    assert_eq!(home.run(&["projects"]).code, Some(0));
    assert_eq!(
        daemon.calls(),
        ["SignInLocal", "ListProjects", "ListProjects"]
    );
    assert_eq!(mode(&home.credentials()), 0o600);
}

#[test]
fn a_local_session_that_ended_is_replaced_by_itself() {
    let (_dir, daemon) = daemon();
    let home = Home::with_server(&daemon.address());
    assert_eq!(home.run(&["projects"]).code, Some(0));
    daemon.state().tokens.clear();
    let ran = home.run(&["projects"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        daemon.calls(),
        [
            "SignInLocal",
            "ListProjects",
            "ListProjects",
            "SignInLocal",
            "ListProjects"
        ]
    );
}

#[test]
fn where_a_fresh_sign_in_is_wanted_the_local_owner_gets_one() {
    let (_dir, daemon) = daemon();
    let home = Home::with_server(&daemon.address());
    let stale = refusal(
        Code::FailedPrecondition,
        "FRESH_SIGN_IN_REQUIRED",
        "too long ago",
    );
    daemon.fail("CreateApiToken", stale.clone());
    let ran = home.run(&["auth", "token", "create", "ci"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stdout, "kiln_k_new\n");
    assert_eq!(
        daemon.calls(),
        [
            "SignInLocal",
            "CreateApiToken",
            "SignInLocal",
            "CreateApiToken"
        ]
    );
    // Once, and then it is said.
    daemon.fail("CreateApiToken", stale.clone());
    daemon.fail("CreateApiToken", stale);
    let ran = home.run(&["auth", "token", "create", "ci"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.stderr.contains("kiln auth sign-in"), "{}", ran.stderr);
}

#[test]
fn somebody_elses_socket_asks_for_a_sign_in() {
    let (_dir, daemon) = daemon();
    daemon.state().local = false;
    let ran = Home::with_server(&daemon.address()).run(&["projects"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(
        ran.stderr.contains("kiln auth sign-in EMAIL"),
        "{}",
        ran.stderr
    );
}

#[test]
fn over_tcp_one_must_sign_in() {
    let daemon = Daemon::tcp();
    let home = Home::with_server(&daemon.address());
    let ran = home.run(&["projects"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.stderr.contains("not signed in"), "{}", ran.stderr);
    assert!(ran.stderr.contains("kiln auth sign-in"), "{}", ran.stderr);
    // Nothing was sent that could only be refused.
    assert_eq!(daemon.calls(), Vec::<&str>::new());
    let error = &home.run(&["projects", "--json"]).objects()[0];
    assert_eq!(error["reason"], "AUTH_REQUIRED");
    assert_eq!(error["exit_code"], 4);
}

#[test]
fn a_password_comes_from_stdin_and_a_session_is_kept() {
    let daemon = Daemon::tcp();
    let ada = ("ada@example.com".to_owned(), "correct horse".to_owned());
    daemon.state().passwords.insert(ada.0, ada.1);
    let home = Home::with_server(&daemon.address());
    let sign_in = ["auth", "sign-in", "ada@example.com", "--password-stdin"];

    let ran = home.run_with_stdin(&sign_in, b"wrong\n");
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(
        ran.stderr.contains("email or password is wrong"),
        "{}",
        ran.stderr
    );
    assert!(!home.credentials().exists());

    let ran = home.run_with_stdin(&sign_in, b"correct horse\n");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("ada@example.com"), "{}", ran.stderr);
    assert_eq!(mode(&home.credentials()), 0o600);
    assert_eq!(home.run(&["projects"]).code, Some(0));

    // A session that a password gave is not renewed without one.
    daemon.state().tokens.clear();
    let ran = home.run(&["projects"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(
        ran.stderr.contains("the session has expired"),
        "{}",
        ran.stderr
    );
}

#[test]
fn signing_up_takes_password_and_invite_from_stdin() {
    let daemon = Daemon::tcp();
    let home = Home::with_server(&daemon.address());
    let ran = home.run_with_stdin(
        &["auth", "sign-up", "ada@example.com", "--name", "Ada"],
        b"correct horse battery\nkiln_i_1\n",
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    {
        let state = daemon.state();
        assert_eq!(state.sign_ups[0].password, "correct horse battery");
        assert_eq!(state.sign_ups[0].invite, "kiln_i_1");
        assert_eq!(state.sign_ups[0].display_name, "Ada");
    }
    assert_eq!(home.run(&["auth", "status"]).code, Some(0));
}

#[test]
fn a_password_typed_on_a_terminal_is_not_shown() {
    let daemon = Daemon::tcp();
    let ada = ("ada@example.com".to_owned(), "correct horse".to_owned());
    daemon.state().passwords.insert(ada.0, ada.1);
    let home = Home::with_server(&daemon.address());
    let (code, shown) = home.on_terminal(
        &["auth", "sign-in"],
        &[
            ("E-mail: ", "ada@example.com\r"),
            ("Password: ", "wrong\x15correct horsX\x7fe\r"),
        ],
    );
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("signed in"), "{shown}");
    assert!(
        !shown.contains("horse") && !shown.contains("wrong"),
        "{shown}"
    );

    let (code, shown) = home.on_terminal(
        &["auth", "sign-in", "ada@example.com"],
        &[("Password: ", "corr\x03")],
    );
    assert_eq!(code, 1, "{shown}");
}

#[test]
fn a_question_that_is_ended_leaves_the_terminal_as_it_was() {
    let daemon = Daemon::tcp();
    let home = Home::with_server(&daemon.address());
    let (code, shown) = home.on_terminal(
        &["auth", "sign-in", "ada@example.com"],
        &[("Password: ", SIGTERM)],
    );
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("ended by SIGTERM"), "{shown}");
}

#[test]
fn credentials_that_others_may_read_are_refused() {
    let (_dir, daemon) = daemon();
    let home = Home::with_server(&daemon.address());
    home.run(&["projects"]);
    std::fs::set_permissions(home.credentials(), std::fs::Permissions::from_mode(0o640)).unwrap();
    let ran = home.run(&["projects"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(
        ran.stderr.starts_with("kiln: permissions 0640 on "),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("chmod 600"), "{}", ran.stderr);
}

#[test]
fn tokens_come_from_the_environment_or_a_private_file() {
    let daemon = Daemon::tcp();
    daemon.state().tokens.push("kiln_k_script".into());
    let home = Home::with_server(&daemon.address());
    let file = home.path().join("token");
    std::fs::write(&file, "kiln_k_script\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let with_file = ["projects", "--token-file", file.to_str().unwrap()];
    assert_eq!(home.run(&with_file).code, Some(0));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o604)).unwrap();
    assert_eq!(home.run(&with_file).code, Some(2));

    let home = home.variable("KILN_TOKEN", "kiln_k_script");
    assert_eq!(home.run(&["projects"]).code, Some(0));
    assert!(!home.credentials().exists());
    let home = home.variable("KILN_TOKEN", "kiln_k_old");
    assert_eq!(home.run(&["projects"]).code, Some(4));
    // A session would be kept and never used.
    assert_eq!(home.run(&["auth", "sign-in"]).code, Some(2));
}

#[test]
fn signing_out_forgets_the_session() {
    let (_dir, daemon) = daemon();
    let home = Home::with_server(&daemon.address());
    home.run(&["projects"]);
    let ran = home.run(&["auth", "sign-out"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(daemon.calls().contains(&"SignOut"));
    let text = std::fs::read_to_string(home.credentials()).unwrap();
    assert!(!text.contains("kiln_s_"), "{text}");
    assert!(ran.stderr.contains("signed out"), "{ran:?}");
    assert!(!ran.stderr.contains("not be told"), "{ran:?}");
    // Twice is as good as once, and needs no daemon.
    drop(daemon);
    assert_eq!(home.run(&["auth", "sign-out"]).code, Some(0));
}

#[test]
fn signing_out_works_without_the_daemon_and_says_that_it_was_not_told() {
    let (_dir, daemon) = daemon();
    let home = Home::with_server(&daemon.address());
    home.run(&["projects"]);
    drop(daemon);
    let ran = home.run(&["auth", "sign-out", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.objects()[0]["outcome"], "SIGNED_OUT");
    assert_eq!(ran.objects()[0]["daemon_told"], false);
    let text = std::fs::read_to_string(home.credentials()).unwrap();
    assert!(!text.contains("kiln_s_"), "{text}");
}

#[test]
fn secrets_are_results_and_all_else_is_not() {
    let (_dir, daemon) = daemon();
    let home = Home::with_server(&daemon.address());
    assert_eq!(home.run(&["auth", "invite"]).stdout, "kiln_i_welcome\n");
    let ran = home.run(&["auth", "token", "create", "ci", "--scope", "read"]);
    assert_eq!(ran.stdout, "kiln_k_new\n");
    let object = &home
        .run(&["auth", "token", "create", "ci", "--scope", "read", "--json"])
        .objects()[0];
    assert_eq!(object["token"], "kiln_k_new");
    assert_eq!(object["scopes"][0], "READ");
}

#[test]
fn throttling_says_when_to_come_back() {
    let daemon = Daemon::tcp();
    let mut details = tonic_types::ErrorDetails::with_error_info("THROTTLED", "kiln", []);
    details.set_retry_info(Some(std::time::Duration::from_secs(90)));
    let status = <tonic::Status as tonic_types::StatusExt>::with_error_details(
        Code::ResourceExhausted,
        "too many tries",
        details,
    );
    daemon.fail("SignIn", status);
    let ran = Home::with_server(&daemon.address())
        .run_with_stdin(&["auth", "sign-in", "a@b.example"], b"x\n");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("try again in 90 s"), "{}", ran.stderr);
}

#[test]
fn a_fault_of_the_daemon_is_one_line() {
    let (_dir, daemon) = daemon();
    daemon.fail(
        "ListProjects",
        refusal(Code::Internal, "INTERNAL", "something\nof two lines"),
    );
    let ran = Home::with_server(&daemon.address()).run(&["projects"]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        ran.stderr,
        "kiln: something of two lines\nhint: this is a fault of kilnd; its log says more\n"
    );
}
