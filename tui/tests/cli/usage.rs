//! Arguments, configuration, and daemons that are not there.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Daemon, Home};

#[test]
fn alone_it_says_what_to_do() {
    let ran = Home::new().run(&[]);
    assert_eq!(ran.code, Some(2), "no terminal, no full-screen client");
    assert!(ran.stderr.contains("not a terminal"), "{}", ran.stderr);
    assert!(ran.stderr.contains("kiln new"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
}

#[test]
fn help_and_version_go_to_stdout() {
    let home = Home::new();
    for arguments in [
        &["--help"][..],
        &["new", "--help"],
        &["auth", "sign-in", "--help"],
    ] {
        let ran = home.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}");
        assert!(ran.stdout.contains("Usage: kiln"), "{}", ran.stdout);
    }
    assert!(home.run(&["new", "--help"]).stdout.contains("Examples:"));
    let version = format!("kiln {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(home.run(&["version"]).stdout, version);
    assert_eq!(home.run(&["--version"]).stdout, version);
}

#[test]
fn completions_need_no_daemon() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = Home::new().run(&["completions", shell]);
        assert_eq!(ran.code, Some(0));
        assert!(ran.stdout.contains("kiln"), "{shell}");
    }
}

#[test]
fn an_unknown_flag_is_one_line_and_the_usage() {
    let ran = Home::new().run(&["watch", "--frobnicate"]);
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.stdout, "");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert_eq!(lines[0], "kiln: unexpected argument '--frobnicate' found");
    assert!(ran.stderr.contains("Usage: kiln watch"), "{}", ran.stderr);
}

#[test]
fn wrong_usage_is_an_object_where_scripts_listen() {
    let ran = Home::new().run(&["--json", "logs", "--tail", "-5"]);
    assert_eq!(ran.code, Some(2));
    let objects = ran.objects();
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0]["type"], "error");
    assert_eq!(objects[0]["reason"], "USAGE");
}

#[test]
fn a_credential_on_the_command_line_is_refused_and_not_repeated() {
    for arguments in [
        &["status", "--token", "kiln_k_secret"][..],
        &["status", "--token=kiln_k_secret"],
        &["auth", "sign-in", "--password=kiln_k_secret"],
    ] {
        let ran = Home::new().run(arguments);
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains("is refused"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("kiln_k_secret"), "{}", ran.stderr);
    }
}

#[test]
fn no_daemon_is_unreachable_with_what_to_do() {
    let home = Home::new();
    let home = {
        let socket = home.path().join("none.sock").display().to_string();
        home.variable("KILN_SOCKET", &socket)
    };
    let ran = home.run(&["projects"]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert!(
        ran.stderr.starts_with("kiln: cannot reach kilnd at unix:"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("hint: start the daemon"),
        "{}",
        ran.stderr
    );

    let ran = home.run(&["projects", "--json"]);
    assert_eq!(ran.code, Some(5));
    assert_eq!(ran.objects()[0]["reason"], "UNREACHABLE");
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_socket_that_nobody_listens_to_is_unreachable() {
    let home = Home::new();
    let path = home.path().join("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let ran = home.run(&["projects", "--server", &format!("unix:{}", path.display())]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
}

#[test]
fn what_speaks_no_grpc_is_unreachable_and_not_a_hang() {
    // Answers every connection with the words of another protocol.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            use std::io::Write;
            let mut stream = stream.unwrap();
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let home = Home::new().variable("KILN_TOKEN", "kiln_k_1");
    for server in [format!("http://{address}"), format!("https://{address}")] {
        let ran = home.run(&["projects", "--server", &server]);
        assert_eq!(ran.code, Some(5), "{ran:?}");
        assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
    }
}

#[test]
fn addresses_that_would_leak_are_refused() {
    let home = Home::new().variable("KILN_TOKEN", "kiln_k_1");
    for server in [
        "http://kiln.example:50051",
        "http://0.0.0.0:1",
        "https://user:hunter2@kiln.example",
        "kiln.example",
        "http://127.0.0.1:70000",
    ] {
        let ran = home.run(&["projects", "--server", server]);
        assert_eq!(ran.code, Some(2), "{server}: {ran:?}");
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    }
}

#[test]
fn a_wrong_configuration_is_refused_with_its_line() {
    let home = Home::new();
    let path = home.path().join(".config/kiln/config.toml");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "server = \"/a\"\ncolour = 1\n").unwrap();
    let ran = home.run(&["projects"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr
            .starts_with("kiln: config: line 2: unknown key \"colour\""),
        "{}",
        ran.stderr
    );
    // What asks no daemon needs no configuration.
    assert_eq!(home.run(&["version"]).code, Some(0));

    std::fs::write(&path, "token = \"kiln_k_1\"\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let ran = home.run(&["projects"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("permissions 0644"), "{}", ran.stderr);
}

#[test]
fn an_older_daemon_is_said_to_be_older() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::unix(dir.path());
    daemon.fail("ListProjects", tonic::Status::unimplemented(""));
    let ran = Home::with_server(&daemon.address()).run(&["projects"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("older"), "{}", ran.stderr);
}

#[test]
fn status_says_which_daemon_and_who() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::unix(dir.path());
    let home = Home::with_server(&daemon.address());
    let ran = home.run(&["status"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("9.9.9"), "{}", ran.stdout);
    assert!(ran.stdout.contains("canned answers"), "{}", ran.stdout);
    assert!(ran.stdout.contains("ada@example.com"), "{}", ran.stdout);
    let types: Vec<_> = home
        .run(&["status", "--json"])
        .objects()
        .iter()
        .map(|object| object["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types, ["server", "user"]);
}
