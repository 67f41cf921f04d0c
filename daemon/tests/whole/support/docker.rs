//! The docker command: a view of the engine that shares no code with ours.

use std::collections::BTreeSet;
use std::process::Command;

/// Runs it and expects it to end well.
#[track_caller]
pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "docker {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn filter(label: &str) -> String {
    format!("label=kiln.deployment={label}")
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// Ids of all containers of a deployment, running or not.
pub(crate) fn containers(label: &str) -> Vec<String> {
    lines(&docker(&[
        "ps",
        "-aq",
        "--no-trunc",
        "--filter",
        &filter(label),
    ]))
}

/// The sandboxes that have a container.
pub(crate) fn sandboxes(label: &str) -> BTreeSet<String> {
    let format = "{{.Label \"kiln.sandbox\"}}";
    let text = docker(&["ps", "-a", "--filter", &filter(label), "--format", format]);
    lines(&text).into_iter().collect()
}

/// Everything that carries the label: containers, volumes, networks, images.
pub(crate) fn labelled(label: &str) -> Vec<String> {
    let filter = filter(label);
    let lists: [&[&str]; 4] = [
        &["ps", "-aq", "--filter", &filter],
        &["volume", "ls", "-q", "--filter", &filter],
        &["network", "ls", "-q", "--filter", &filter],
        &["images", "-q", "--filter", &filter],
    ];
    lists.iter().flat_map(|list| lines(&docker(list))).collect()
}

/// Notes a deployment in the list that `scripts/test` goes through at the end: by
/// then nothing of it may be left.
pub(crate) fn note_deployment(label: &str) {
    use std::io::Write;

    if let Ok(path) = std::env::var("KILN_TEST_DEPLOYMENTS") {
        let mut list = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        list.write_all(format!("{label}\n").as_bytes()).unwrap();
    }
}
