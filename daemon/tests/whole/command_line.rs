//! How `kiln` ends.

use std::process::Stdio;

use super::support::{Deployment, Ran};

#[tokio::test]
async fn exit_codes_say_what_kind_of_failure_it_was() {
    let mut kiln = Deployment::on_a_server().await;
    // Nobody has listened yet.
    let ran = kiln.run(&["projects"]).await.ended(5);
    assert!(ran.stderr.contains("kilnd.sock"), "{}", ran.stderr);
    kiln.start().await;

    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let wrong = format!("http://{nobody}");
    kiln.run(&["projects", "--server", &wrong]).await.ended(5);

    let ran = kiln.run(&["projects", "--no-such-flag"]).await.ended(2);
    assert!(ran.stderr.contains("--no-such-flag"), "{}", ran.stderr);

    let ran = kiln
        .run(&["files", "-p", "no such project", "--json"])
        .await
        .ended(1);
    assert_eq!(ran.last()["type"], "error", "{ran:?}");
    assert_eq!(ran.last()["reason"], "NOT_FOUND", "{ran:?}");

    let tcp = format!("http://{}", kiln.daemon().tcp);
    let ran = kiln
        .run(&["projects", "--server", &tcp, "--json"])
        .await
        .ended(4);
    assert_eq!(ran.last()["type"], "error", "{ran:?}");
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_is_no_error() {
    let mut kiln = Deployment::on_a_server().await;
    kiln.start().await;
    for arguments in [
        &["models"][..],
        &["models", "--json"],
        &["status"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let child = kiln
            .command(arguments)
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        assert_eq!(said, "", "{arguments:?}");
    }
    // As people do it.
    let script = "set -o pipefail; \"$0\" models --json | head -1";
    let program = kiln.command(&[]).get_program().to_owned();
    let shell = kiln.program(
        std::path::Path::new("bash"),
        &["-c", script, program.to_str().unwrap()],
    );
    let ran = Ran::of(shell.into()).await.ended(0);
    assert_eq!(ran.objects().len(), 1);
}
