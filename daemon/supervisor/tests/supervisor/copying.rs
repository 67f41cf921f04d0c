//! Directories that are copied into a slot.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use kiln_proto::supervisor::v1::{CopyTreeRequest, CopyTreeResponse};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tonic::{Code, Status};

use crate::support::{Sandbox, assert_refused, within};

async fn copy(sandbox: &Sandbox, source: &Path, target: &str) -> Result<CopyTreeResponse, Status> {
    let request = CopyTreeRequest {
        source: source.to_str().unwrap().to_owned(),
        slot: "a".to_owned(),
        target: target.to_owned(),
    };
    Ok(within(sandbox.client.clone().copy_tree(request))
        .await?
        .into_inner())
}

/// Something like the dependencies of an app.
fn dependencies(root: PathBuf) -> PathBuf {
    std::fs::create_dir_all(root.join("vite/bin")).unwrap();
    std::fs::create_dir(root.join(".bin")).unwrap();
    std::fs::write(root.join("vite/bin/vite.js"), "#!").unwrap();
    std::fs::write(root.join("vite/large"), vec![7; 600_000]).unwrap();
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(root.join("vite/bin/vite.js"), executable).unwrap();
    symlink("../vite/bin/vite.js", root.join(".bin/vite")).unwrap();
    symlink("/nowhere", root.join("dangling")).unwrap();
    mkfifo(&root.join("pipe"), Mode::S_IRWXU).unwrap();
    root
}

/// Links are made within one mount, copies between two: `/dev/shm` is another one
/// than the temporary directory wherever these tests run.
#[tokio::test]
async fn trees_are_copied_within_a_mount_and_between_two() {
    let sandbox = Sandbox::start().await;
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    for source in [
        dependencies(sandbox.outside("deps")),
        dependencies(elsewhere.path().join("deps")),
    ] {
        let copied = copy(&sandbox, &source, "node_modules").await.unwrap();
        assert_eq!((copied.file_count, copied.total_bytes), (4, 600_002));
        let target = sandbox.path("node_modules");
        let link = std::fs::read_link(target.join(".bin/vite")).unwrap();
        assert_eq!(link, Path::new("../vite/bin/vite.js"));
        assert_eq!(
            std::fs::read_link(target.join("dangling")).unwrap(),
            Path::new("/nowhere")
        );
        let vite = std::fs::metadata(target.join(".bin/vite")).unwrap();
        assert_eq!(vite.permissions().mode() & 0o777, 0o755);
        let large = target.join("vite/large");
        assert_eq!(std::fs::read(&large).unwrap(), vec![7; 600_000]);
        let same_mount = source.metadata().unwrap().dev() == target.metadata().unwrap().dev();
        let links = std::fs::metadata(&large).unwrap().nlink();
        assert_eq!(links, if same_mount { 2 } else { 1 });
        assert!(!target.join("pipe").exists());
    }
}

#[tokio::test]
async fn a_copy_replaces_what_was_there() {
    let sandbox = Sandbox::start().await;
    let source = dependencies(sandbox.outside("deps"));
    sandbox.write("node_modules/old/file", "old");
    copy(&sandbox, &source, "node_modules").await.unwrap();
    assert!(!sandbox.path("node_modules/old").exists());
    sandbox.write("deep/er/node_modules", "a file");
    copy(&sandbox, &source, "deep/er/node_modules")
        .await
        .unwrap();
    assert!(sandbox.path("deep/er/node_modules/vite").is_dir());
    let staging = sandbox.workspace().join(".kiln");
    assert_eq!(std::fs::read_dir(staging).unwrap().count(), 0);
}

#[tokio::test]
async fn a_link_in_place_of_the_target_is_replaced_and_not_followed() {
    let sandbox = Sandbox::start().await;
    let source = dependencies(sandbox.outside("deps"));
    let outside = sandbox.outside("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("file"), "outside").unwrap();
    symlink(&outside, sandbox.path("node_modules")).unwrap();
    copy(&sandbox, &source, "node_modules").await.unwrap();
    assert!(
        sandbox
            .path("node_modules")
            .symlink_metadata()
            .unwrap()
            .is_dir()
    );
    symlink(&outside, sandbox.path("parent")).unwrap();
    let refused = copy(&sandbox, &source, "parent/node_modules").await;
    assert_refused(
        refused,
        Code::FailedPrecondition,
        "UPLOAD_REJECTED: parent/node_modules",
    );
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
}

#[tokio::test]
async fn odd_sources_and_targets_are_refused() {
    let sandbox = Sandbox::start().await;
    let source = dependencies(sandbox.outside("deps"));
    for (source, target, code) in [
        (Path::new("relative"), "target", Code::InvalidArgument),
        (Path::new("/tmp/../etc"), "target", Code::InvalidArgument),
        (Path::new("/does/not/exist"), "target", Code::NotFound),
        (&source, "../target", Code::InvalidArgument),
        (&source, "", Code::InvalidArgument),
    ] {
        let refused = copy(&sandbox, source, target).await.unwrap_err();
        assert_eq!(refused.code(), code, "{source:?} {target}");
    }
    assert!(sandbox.tree().is_empty());
}
