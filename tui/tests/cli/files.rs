//! Files, archives and history.

use std::io::Write;

use kiln_proto::v1 as pb;

use crate::support::{Daemon, Home};

/// What the daemon sends for an archive.
fn archive() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(b"some files").unwrap();
    encoder.finish().unwrap()
}

fn daemon() -> (tempfile::TempDir, Daemon, Home) {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Daemon::unix(dir.path());
    daemon.project("Tea shop");
    {
        let mut state = daemon.state();
        state.files = vec![
            ("package.json".into(), b"{}\n".to_vec()),
            ("src/App.tsx".into(), b"export {}\n".to_vec()),
            ("logo.png".into(), vec![0x89, 0xff, 0x00, 0x1b]),
        ];
        state.revisions = vec![pb::Revision {
            id: "0193a7c2-bbbb-7000-8000-000000000001".into(),
            number: 3,
            title: "a shop\nfor tea".into(),
            health: pb::RevisionHealth::Healthy.into(),
            ..pb::Revision::default()
        }];
        state.archive = archive();
    }
    let home = Home::with_server(&daemon.address());
    (dir, daemon, home)
}

#[test]
fn files_are_listed_and_printed() {
    let (_dir, _daemon, home) = daemon();
    let ran = home.run(&["files"]);
    assert!(ran.stdout.contains("src/App.tsx"), "{}", ran.stdout);
    assert_eq!(home.run(&["files", "--json"]).objects().len(), 3);
    assert_eq!(home.run(&["files", "src/App.tsx"]).stdout, "export {}\n");
    let ran = home.run(&["files", "src/"]);
    assert!(ran.stdout.contains("src/App.tsx"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("package.json"), "{}", ran.stdout);
    let ran = home.run(&["files", "nothing"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
}

#[test]
fn bytes_come_as_they_are_but_not_to_a_terminal() {
    let (_dir, _daemon, home) = daemon();
    let ran = home.shell("\"$KILN\" files logo.png | od -An -tx1");
    assert_eq!(ran.stdout.trim(), "89 ff 00 1b");
    let (code, shown) = home.on_terminal(&["files", "logo.png"], &[]);
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("not text"), "{shown}");
}

#[test]
fn an_archive_is_whole_or_not_there() {
    let (_dir, daemon, home) = daemon();
    let ran = home.run(&["export"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stdout, "tea-shop-r3.tar.gz\n");
    let path = home.path().join("tea-shop-r3.tar.gz");
    assert_eq!(std::fs::read(&path).unwrap(), archive());

    // Not replaced unless that is wished.
    assert_eq!(home.run(&["export"]).code, Some(1));
    assert_eq!(home.run(&["export", "--force"]).code, Some(0));

    daemon.state().archive.pop();
    let ran = home.run(&["export", "-o", "other.tar.gz"]);
    assert_eq!(ran.code, Some(5), "{ran:?}");
    assert!(!home.path().join("other.tar.gz").exists());
}

#[test]
fn an_archive_may_go_to_a_pipe_but_not_to_a_terminal() {
    let (_dir, _daemon, home) = daemon();
    let ran = home.shell("\"$KILN\" export -o - | wc -c");
    assert_eq!(ran.stdout.trim(), archive().len().to_string());
    let (code, shown) = home.on_terminal(&["export", "-o", "-"], &[]);
    assert_eq!(code, 2, "{shown}");
}

#[test]
fn revisions_are_named_by_number() {
    let (_dir, _daemon, home) = daemon();
    let ran = home.run(&["history"]);
    assert!(ran.stdout.contains("a shop"), "{}", ran.stdout);
    assert!(ran.stdout.contains("healthy"), "{}", ran.stdout);
    assert_eq!(home.run(&["files", "-r", "3"]).code, Some(0));
    assert_eq!(home.run(&["files", "-r", "4"]).code, Some(1));
    assert_eq!(home.run(&["files", "-r", "x"]).code, Some(2));
}
