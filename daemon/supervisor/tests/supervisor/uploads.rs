//! Uploads of honest files, and archives that are refused.

use kiln_proto::supervisor::v1::{ApplyFilesHeader, ApplyFilesRequest, ApplyFilesResponse};
use tar::EntryType;
use tonic::Code;

use crate::support::{Sandbox, archive, assert_refused, odd_archive, until, within};

#[tokio::test]
async fn files_are_written_replaced_and_deleted() {
    let sandbox = Sandbox::start().await;
    let long_name = format!("deep/{}/{}.ts", "d".repeat(120), "n".repeat(120));
    let applied = sandbox
        .upload(archive(&[
            ("index.html", "<p>"),
            ("src/lib/a.ts", "a"),
            ("src/lib/b.ts", "b"),
            (&long_name, "long"),
            ("empty", ""),
        ]))
        .await
        .unwrap();
    let expected = ApplyFilesResponse {
        written_count: 5,
        written_bytes: 9,
        deleted_count: 0,
    };
    assert_eq!(applied, expected);
    assert_eq!(sandbox.tree()[&long_name].as_deref(), Some("long"));

    let applied = sandbox
        .apply(
            &["src/lib/a.ts", "src/lib/b.ts", "src/never/was", &long_name],
            archive(&[("index.html", "<h1>")]),
        )
        .await
        .unwrap();
    assert_eq!((applied.written_count, applied.deleted_count), (1, 3));
    let tree = sandbox.tree();
    // The directories that became empty are gone as well.
    assert_eq!(tree.len(), 2, "{tree:?}");
    assert_eq!(tree["index.html"].as_deref(), Some("<h1>"));
    // Nothing is left where uploads are prepared.
    let staging = sandbox.workspace().join(".kiln");
    assert_eq!(std::fs::read_dir(staging).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_and_a_directory_can_change_places() {
    let sandbox = Sandbox::start().await;
    sandbox
        .upload(archive(&[("one", "file"), ("two/inner/file", "inner")]))
        .await
        .unwrap();
    sandbox
        .apply(
            &["one", "two/inner/file"],
            archive(&[("one/file", "1"), ("two", "2")]),
        )
        .await
        .unwrap();
    let tree = sandbox.tree();
    assert_eq!(tree["one/file"].as_deref(), Some("1"));
    assert_eq!(tree["two"].as_deref(), Some("2"));
    assert_eq!(tree.len(), 3);
}

#[tokio::test]
async fn clearing_leaves_what_was_installed_and_follows_no_link() {
    let sandbox = Sandbox::start().await;
    sandbox
        .upload(archive(&[
            ("old/deep/file", "old"),
            ("node_modules/react/index.js", "kept"),
            ("top", "old"),
        ]))
        .await
        .unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("precious"), "untouched").unwrap();
    std::os::unix::fs::symlink(outside.path(), sandbox.workspace().join("a/link")).unwrap();
    sandbox
        .clear_and_upload(archive(&[("top", "new")]))
        .await
        .unwrap();
    let tree = sandbox.tree();
    assert_eq!(tree["top"].as_deref(), Some("new"));
    assert_eq!(tree["node_modules/react/index.js"].as_deref(), Some("kept"));
    assert!(
        !tree
            .keys()
            .any(|path| path.starts_with("old") || path.starts_with("link")),
        "{tree:?}"
    );
    let precious = std::fs::read_to_string(outside.path().join("precious")).unwrap();
    assert_eq!(precious, "untouched");
}

#[tokio::test]
async fn deletions_alone_need_no_archive() {
    let sandbox = Sandbox::start().await;
    sandbox.upload(archive(&[("a", "a")])).await.unwrap();
    let applied = sandbox.apply(&["a", "b"], Vec::new()).await.unwrap();
    assert_eq!(applied.deleted_count, 1);
    assert!(sandbox.tree().is_empty());
}

#[tokio::test]
async fn archives_of_anything_but_plain_files_are_refused_whole() {
    let sandbox = Sandbox::start().await;
    sandbox.write("kept", "kept");
    for (path, kind, link) in [
        ("../outside", EntryType::Regular, ""),
        ("a/../../outside", EntryType::Regular, ""),
        ("/tmp/outside", EntryType::Regular, ""),
        ("./kept", EntryType::Regular, ""),
        ("a//b", EntryType::Regular, ""),
        ("link", EntryType::Symlink, "/etc/passwd"),
        ("hard", EntryType::Link, "kept"),
        ("pipe", EntryType::Fifo, ""),
        ("char", EntryType::Char, ""),
        ("block", EntryType::Block, ""),
        ("directory", EntryType::Directory, ""),
        ("directory/", EntryType::Directory, ""),
    ] {
        // Behind a good one: that must not be written either.
        let mut bytes = archive(&[("good", "good")]);
        bytes.truncate(1024);
        bytes.extend(odd_archive(path, kind, link));
        let refused = sandbox.upload(bytes).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{path} {refused}");
        assert_eq!(sandbox.tree().len(), 1, "{path}");
    }
    assert!(!sandbox.workspace().join("outside").exists());
}

#[tokio::test]
async fn broken_and_oversized_archives_are_refused_whole() {
    let sandbox = Sandbox::start().await;
    let whole = archive(&[("good", &"x".repeat(5000))]);
    let mut lying = archive(&[("good", "good")]);
    lying[124..135].copy_from_slice(b"77777777777");
    let large = "x".repeat((1 << 20) + 1);
    let full = "x".repeat(1 << 20);
    let names: Vec<String> = (0..17).map(|number| format!("file{number}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|it| (it.as_str(), &*full)).collect();
    for bytes in [
        vec![7; 4096],
        whole[..3000].to_vec(),
        lying,
        archive(&[("good", "good"), ("large", &large)]),
        archive(&many),
    ] {
        let refused = sandbox.upload(bytes).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(sandbox.tree().is_empty());
    }
    assert!(sandbox.upload(archive(&many[..16])).await.is_ok());
}

#[tokio::test]
async fn odd_requests_are_refused() {
    let sandbox = Sandbox::start().await;
    for slot in ["", "c", "../a", "a/b"] {
        let message = ApplyFilesRequest {
            header: Some(ApplyFilesHeader {
                clear: false,
                slot: slot.to_owned(),
                delete_paths: Vec::new(),
            }),
            data: archive(&[("a", "a")]).into(),
        };
        let request = futures::stream::iter([message]);
        let refused = within(sandbox.client.clone().apply_files(request)).await;
        assert_refused(refused, Code::InvalidArgument, "slot: must be a or b");
    }
    for path in ["../x", "/x", ""] {
        let refused = sandbox.apply(&[path], Vec::new()).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{path}");
    }
    let nothing = futures::stream::iter([]);
    let refused = within(sandbox.client.clone().apply_files(nothing)).await;
    assert_refused(refused, Code::InvalidArgument, "no message");
    let headless = futures::stream::iter([ApplyFilesRequest::default()]);
    let refused = within(sandbox.client.clone().apply_files(headless)).await;
    assert_refused(refused, Code::InvalidArgument, "header: missing");
}

#[tokio::test]
async fn an_upload_whose_caller_leaves_changes_nothing() {
    let sandbox = Sandbox::start().await;
    sandbox.write("kept", "old");
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut client = sandbox.client.clone();
    let call = tokio::spawn(async move { client.apply_files(stream).await });
    let bytes = archive(&[("kept", "new"), ("more", &"x".repeat(4000))]);
    let message = ApplyFilesRequest {
        header: Some(ApplyFilesHeader {
            clear: false,
            slot: "a".to_owned(),
            delete_paths: vec!["kept".to_owned()],
        }),
        data: bytes[..2048].to_vec().into(),
    };
    within(sender.send(message)).await.unwrap();
    let staging = sandbox.workspace().join(".kiln");
    let staged = || std::fs::read_dir(&staging).map_or(0, Iterator::count);
    until("the upload has begun", || staged() == 1).await;
    call.abort();
    until("the upload is cleared away", || staged() == 0).await;
    assert_eq!(sandbox.tree().len(), 1);
    assert_eq!(sandbox.tree()["kept"].as_deref(), Some("old"));
}
