//! What code in the sandbox may plant where files go to or come from.

use std::os::unix::fs::symlink;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tonic::Code;

use crate::support::{Sandbox, archive, assert_refused};

/// Plants something, then uploads to it, deletes it and reads it: refused each
/// time, and neither the slot nor what is outside changes.
async fn check(target: &str, plant: impl FnOnce(&Sandbox)) {
    let sandbox = Sandbox::start().await;
    let outside = sandbox.outside("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("file"), "outside").unwrap();
    sandbox.write("real/file", "real");
    sandbox.write("other", "other");
    plant(&sandbox);
    let before = sandbox.tree();

    let expected = format!("UPLOAD_REJECTED: {target}");
    // The good one comes first and must not be written either.
    let files = archive(&[("other", "changed"), (target, "planted")]);
    let refused = sandbox.upload(files).await;
    assert_refused(refused, Code::FailedPrecondition, &expected);
    let refused = sandbox
        .apply(&["other", target], archive(&[("new", "new")]))
        .await;
    assert_refused(refused, Code::FailedPrecondition, &expected);
    let refused = sandbox.read(target, 1000).await;
    let expected = format!("NOT_A_FILE: {target}");
    assert_refused(refused, Code::FailedPrecondition, &expected);

    assert_eq!(sandbox.tree(), before);
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
    let content = std::fs::read_to_string(outside.join("file")).unwrap();
    assert_eq!(content, "outside");
}

#[tokio::test]
async fn a_link_to_a_file_outside_is_refused() {
    check("link", |sandbox| {
        symlink(sandbox.outside("outside/file"), sandbox.path("link")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_link_to_a_new_file_outside_is_refused() {
    check("link", |sandbox| {
        symlink(sandbox.outside("outside/new"), sandbox.path("link")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_link_upwards_is_refused() {
    check("link", |sandbox| {
        symlink("../../outside/file", sandbox.path("link")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_link_to_a_place_that_can_be_written_is_refused() {
    check("link", |sandbox| {
        symlink("/tmp", sandbox.path("link")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_link_to_a_sibling_is_refused() {
    check("real/link", |sandbox| {
        symlink("file", sandbox.path("real/link")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_link_inside_the_slot_is_refused() {
    check("link", |sandbox| {
        symlink("real/file", sandbox.path("link")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_parent_that_is_a_link_to_outside_is_refused() {
    check("parent/file", |sandbox| {
        symlink(sandbox.outside("outside"), sandbox.path("parent")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_parent_that_is_a_link_to_inside_is_refused() {
    check("parent/file", |sandbox| {
        symlink("real", sandbox.path("parent")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_grandparent_that_is_a_link_is_refused() {
    check("parent/new/file", |sandbox| {
        symlink("real", sandbox.path("parent")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_link_into_the_process_table_is_refused() {
    check("parent/file", |sandbox| {
        symlink("/proc/self/cwd", sandbox.path("parent")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_pipe_is_refused_and_nobody_waits_for_it() {
    check("pipe", |sandbox| {
        mkfifo(&sandbox.path("pipe"), Mode::S_IRWXU).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_socket_is_refused() {
    check("socket", |sandbox| {
        std::os::unix::net::UnixListener::bind(sandbox.path("socket")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_directory_in_place_of_a_file_is_refused() {
    check("real", |_| {}).await;
}

#[tokio::test]
async fn a_file_in_place_of_a_parent_is_refused() {
    let sandbox = Sandbox::start().await;
    sandbox.write("file", "file");
    let refused = sandbox.upload(archive(&[("file/inner", "x")])).await;
    assert_refused(
        refused,
        Code::FailedPrecondition,
        "UPLOAD_REJECTED: file/inner",
    );
    // To delete what cannot be there is no error, and to read it finds nothing.
    let applied = sandbox.apply(&["file/inner"], Vec::new()).await.unwrap();
    assert_eq!(applied.deleted_count, 0);
    assert!(!sandbox.read("file/inner", 10).await.unwrap().found);
}

#[tokio::test]
async fn a_slot_that_became_a_link_is_refused() {
    let sandbox = Sandbox::start().await;
    let outside = sandbox.outside("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::remove_dir(sandbox.path("")).unwrap();
    symlink(&outside, sandbox.workspace().join("a")).unwrap();
    let refused = sandbox.upload(archive(&[("file", "x")])).await;
    assert_refused(refused, Code::FailedPrecondition, "UPLOAD_REJECTED: a");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}

#[tokio::test]
async fn a_staging_directory_that_became_a_link_is_refused() {
    let sandbox = Sandbox::start().await;
    let outside = sandbox.outside("outside");
    std::fs::create_dir(&outside).unwrap();
    symlink(&outside, sandbox.workspace().join(".kiln")).unwrap();
    let refused = sandbox.upload(archive(&[("file", "x")])).await;
    assert_refused(refused, Code::FailedPrecondition, "UPLOAD_REJECTED: .kiln");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}

#[tokio::test]
async fn files_are_read_up_to_the_size_that_is_asked_for() {
    let sandbox = Sandbox::start().await;
    sandbox.write("src/file", "0123456789");
    let read = sandbox.read("src/file", 10).await.unwrap();
    assert_eq!((read.found, &read.data[..]), (true, &b"0123456789"[..]));
    assert!(!sandbox.read("src/other", 10).await.unwrap().found);
    let refused = sandbox.read("src/file", 9).await;
    assert_refused(
        refused,
        Code::FailedPrecondition,
        "FILE_TOO_LARGE: src/file",
    );
    let refused = sandbox.read("../secret", 9).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}
