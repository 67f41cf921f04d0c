//! From a prompt to an app, to another version of it, to an archive of it.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;

use super::support::{Deployment, http, ready};

#[tokio::test]
async fn a_prompt_becomes_an_app_and_a_follow_up_edits_one_file_at_the_same_address() {
    let mut kiln = Deployment::new();
    kiln.start().await;

    let ran = kiln
        .run(&["new", "a todo list", "--model", "demo/kiln", "--json"])
        .await
        .ended(0);
    let (last, before) = ran
        .objects()
        .split_last()
        .map(|(l, b)| (l.clone(), b.to_vec()))
        .unwrap();
    let app = ready(&last);
    assert!(before.iter().all(|object| object["type"] != "result"));
    let mut sequences = before
        .iter()
        .filter_map(|object| object["sequence"].as_i64());
    let first = sequences.next().unwrap();
    assert!(
        sequences
            .zip(first + 1..)
            .all(|(got, expected)| got == expected)
    );

    for (path, accept, content_type) in [
        ("/", "text/html", "text/html"),
        ("/src/main.tsx", "*/*", "text/javascript"),
        ("/src/App.tsx", "*/*", "text/javascript"),
        ("/src/index.css", "text/css,*/*;q=0.1", "text/css"),
    ] {
        let answer = http::get(&app.url, path, accept).await.unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert!(
            answer.content_type.starts_with(content_type),
            "{path}: {answer:?}"
        );
    }
    let first_page = http::shown(&app.url, "/src/App.tsx").await.body;
    assert!(!first_page.contains("#e11d48"));

    let files = kiln.files().await;
    let ran = kiln
        .run(&["generate", "make it rose", "-p", &app.project, "--json"])
        .await
        .ended(0);
    let next = ready(&ran.last());
    assert_eq!(next.url, app.url);
    let files_now = kiln.files().await;
    let changed: Vec<_> = files_now
        .iter()
        .filter(|file| !files.contains(file))
        .collect();
    assert_eq!(files.len(), files_now.len());
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!(changed[0].0, "src/App.tsx");
    let second_page = http::shown(&app.url, "/src/App.tsx").await.body;
    assert!(second_page.contains("#e11d48"));

    let archive = kiln.path().join("app.tar.gz");
    kiln.run(&[
        "export",
        "-p",
        &app.project,
        "-o",
        archive.to_str().unwrap(),
    ])
    .await
    .ended(0);
    assert_eq!(exported(&archive), hashes(&files_now));
}

fn hashes(files: &[(String, String)]) -> BTreeMap<String, String> {
    files.iter().cloned().collect()
}

/// SHA-256 by path of the files in an archive.
pub(crate) fn exported(archive: &std::path::Path) -> BTreeMap<String, String> {
    use sha2::{Digest, Sha256};
    let mut archive = tar::Archive::new(GzDecoder::new(std::fs::File::open(archive).unwrap()));
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let hash = Sha256::digest(&bytes);
        files.insert(
            path,
            hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        );
    }
    files
}
