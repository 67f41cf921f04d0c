//! Planted links and special files: whatever code in a sandbox puts in the way,
//! no file is written or read anywhere else.

use kiln_daemon::domain::sandbox::Slot;
use kiln_daemon::sandbox::{Before, SandboxError};

use crate::support::Deployment;

#[tokio::test(flavor = "multi_thread")]
async fn no_planted_link_is_followed() {
    let deployment = Deployment::new();
    let sandbox = deployment.sandbox().await;
    sandbox
        .shell(
            "mkdir -p /app/a/src /app/b && cd /app/a/src \
             && echo untouched | tee /tmp/target /app/b/target /app/a/target >/dev/null \
             && mkdir /tmp/dir && ln -s /tmp/dir out && ln -s /etc root && ln -s ../../b sibling \
             && ln -s /etc/hostname root.txt && ln -s /tmp/target tmp.txt \
             && ln -s ../../b/target sibling.txt && ln -s ../target inside.txt \
             && ln -s /proc/self/cwd loop && mkfifo fifo.txt && ln -s nowhere dangling.txt",
        )
        .await;
    for path in [
        "src/root.txt",
        "src/tmp.txt",
        "src/sibling.txt",
        "src/inside.txt",
        "src/dangling.txt",
        "src/fifo.txt",
        "src/out/file.txt",
        "src/root/file.txt",
        "src/sibling/target",
        "src/loop/file.txt",
    ] {
        let written = sandbox
            .write(&[("src/fine.txt", "new"), (path, "written")])
            .await;
        assert!(
            matches!(&written, Err(SandboxError::Rejected { path: named }) if path.starts_with(named.as_str())),
            "{path}: {written:?}"
        );
        // The daemon's own answer is FAILED_PRECONDITION UPLOAD_REJECTED.
        let error = kiln_daemon::domain::Error::from(written.unwrap_err());
        assert!(
            matches!(error, kiln_daemon::domain::Error::UploadRejected { .. }),
            "{error:?}"
        );
        let read = sandbox.supervisor.read_file(Slot::A, path, 1_000).await;
        assert!(
            matches!(read, Err(SandboxError::Rejected { .. }) | Ok(None)),
            "{path}: {read:?}"
        );
    }
    // Nothing was written anywhere, not even the good file of a bad upload.
    let after = sandbox
        .shell("cat /tmp/target /app/b/target /app/a/target; ls /tmp/dir; ls /app/b; ls /app/a/src/fine.txt 2>/dev/null || true; test -p /app/a/src/fifo.txt && test -L /app/a/src/tmp.txt && echo in place")
        .await;
    assert_eq!(after, "untouched\nuntouched\nuntouched\ntarget\nin place");
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_lead_outside_are_refused() {
    let deployment = Deployment::new();
    let sandbox = deployment.sandbox().await;
    for path in ["../b/x", "/app/b/x", "a/../../b/x"] {
        assert!(sandbox.write(&[(path, "x")]).await.is_err(), "{path}");
        let deleted = sandbox
            .supervisor
            .apply(Slot::A, Before::Keep, &[path.to_owned()], [])
            .await;
        assert!(deleted.is_err(), "{path}");
        assert!(
            sandbox
                .supervisor
                .read_file(Slot::A, path, 10)
                .await
                .is_err(),
            "{path}"
        );
    }
    assert_eq!(
        sandbox.shell("ls -A /app/a /app/b").await,
        "/app/a:\n\n/app/b:"
    );
}
