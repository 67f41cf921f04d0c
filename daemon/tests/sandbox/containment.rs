//! What code in a sandbox can and cannot do, tried from inside.

use std::collections::BTreeSet;

use bytes::Bytes;
use kiln_daemon::domain;
use kiln_daemon::domain::sandbox::Slot;
use kiln_daemon::sandbox::profile::ENVIRONMENT;
use kiln_daemon::sandbox::{Before, SandboxError};

use crate::support::{Deployment, config, docker, names};

#[tokio::test(flavor = "multi_thread")]
async fn code_in_a_sandbox_has_no_privileges() {
    let deployment = Deployment::new();
    let sandbox = deployment.sandbox().await;

    assert_eq!(
        sandbox.shell("id -u; id -g; id -G").await,
        "1000\n1000\n1000"
    );
    let status = sandbox
        .shell(
            "grep -E '^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status",
        )
        .await;
    let status: Vec<String> = status
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        status,
        [
            "CapInh:0000000000000000",
            "CapPrm:0000000000000000",
            "CapEff:0000000000000000",
            "CapBnd:0000000000000000",
            "CapAmb:0000000000000000",
            "NoNewPrivs:1",
            "Seccomp:2",
        ]
    );
    // Open files, soft and hard; a core dump has no place to go.
    let limits = sandbox.shell("ulimit -Sn; ulimit -Hn; ulimit -Hc").await;
    assert_eq!(limits, "4096\n8192\n0");
    for refused in [
        "unshare -Ur true",
        "mount -t tmpfs none /tmp",
        "mknod /tmp/null c 1 3",
        "su -c true",
        "kill -9 1 && sleep 0.2 && test ! -e /proc/1",
        "ls /var/run/docker.sock /run/docker.sock",
    ] {
        let ran = sandbox.run(&["sh", "-c", refused]).await;
        assert!(!ran.exit.is_success(), "{refused}: {}", ran.stdout);
    }
    for path in [
        "/x",
        "/etc/x",
        "/opt/kiln/bin/x",
        "/opt/kiln/template/x",
        "/usr/bin/x",
    ] {
        let ran = sandbox.run(&["touch", path]).await;
        assert!(
            ran.stderr.contains("Read-only file system"),
            "{path}: {}",
            ran.stderr
        );
    }
    // The supervisor has survived all that.
    sandbox.supervisor.status().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_do_not_reach_each_other() {
    let deployment = Deployment::new();
    let (one, two) = tokio::join!(deployment.sandbox(), deployment.sandbox());
    let server =
        r#"Bun.serve({ port: 5173, hostname: "0.0.0.0", fetch: () => new Response("private") });"#;
    one.write(&[("server.js", server)]).await.unwrap();
    drop(one.serve().await);
    let address = docker(&[
        "inspect",
        "--format",
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
        one.container.as_str(),
    ]);
    let ask = format!(
        "console.log(await (await fetch('http://{address}:5173', {{ signal: AbortSignal.timeout(2000) }})).text())"
    );
    let own = one.run(&["bun", "-e", &ask]).await;
    assert_eq!(own.stdout, "private", "{}", own.stderr);
    let neighbour = two.run(&["bun", "-e", &ask]).await;
    assert!(!neighbour.exit.is_success(), "{}", neighbour.stdout);
    assert_eq!(neighbour.stdout, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_workspace_executes_and_only_data_is_on_disk() {
    let deployment = Deployment::new();
    let sandbox = deployment.sandbox().await;
    for (path, executes) in [("/app/a", true), ("/tmp", false), ("/dev/shm", false)] {
        let script = format!("cp /usr/bin/true {path}/program && {path}/program");
        let ran = sandbox.run(&["sh", "-c", &script]).await;
        assert_eq!(ran.exit.is_success(), executes, "{path}: {}", ran.stderr);
    }
    let mounts = sandbox
        .shell("while read -r _ path kind options _; do echo \"$path $kind $options\"; done </proc/mounts")
        .await;
    let mount = |path: &str| {
        mounts
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .find(|parts| parts[0] == path)
            .unwrap_or_else(|| panic!("{path} is no mount: {mounts}"))
            .iter()
            .map(|part| (*part).to_owned())
            .collect::<Vec<_>>()
    };
    let app = mount("/app");
    assert_eq!(app[1], "tmpfs");
    assert!(app[2].contains("size=65536k"), "{app:?}");
    assert!(
        app[2].contains("nosuid") && app[2].contains("nodev"),
        "{app:?}"
    );
    assert_ne!(mount("/data")[1], "tmpfs");
    assert_eq!(
        sandbox.shell("echo kept >/data/x && cat /data/x").await,
        "kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_the_fixed_list_whatever_the_image_says() {
    // An image with variables of its own.
    let tag = format!("local/kiln-test-{}", uuid::Uuid::now_v7());
    let container = docker(&["create", &config().image, "true"]);
    docker(&[
        "commit",
        "--change",
        "ENV SECRET_OF_IMAGE=leaks LANG=xx",
        &container,
        &tag,
    ]);
    docker(&["rm", &container]);
    let result = {
        let mut config = config();
        config.image.clone_from(&tag);
        let deployment = Deployment::with(config);
        let sandbox = deployment.sandbox().await;
        let inside = sandbox.run(&["env"]).await.stdout;
        let outside = docker(&["exec", sandbox.container.as_str(), "env"]);
        (inside, outside)
    };
    docker(&["rmi", "-f", &tag]);

    let allowed: BTreeSet<String> = ENVIRONMENT.iter().map(|name| (*name).to_owned()).collect();
    let (inside, outside) = result;
    let mut inside_names = names(inside.lines());
    // The supervisor's own mark on what it starts.
    inside_names.remove("KILN_RUN");
    assert!(inside_names.is_subset(&allowed), "{inside}");
    assert!(names(outside.lines()).is_subset(&allowed), "{outside}");
    assert!(outside.contains("LANG=C.UTF-8"), "{outside}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_has_all_limits_and_nothing_of_the_host() {
    let deployment = Deployment::new();
    let sandbox = deployment.sandbox().await;
    let inspect = docker(&["inspect", sandbox.container.as_str()]);
    let inspect: serde_json::Value = serde_json::from_str(&inspect).unwrap();
    let container = &inspect[0];
    let host = &container["HostConfig"];
    for (key, expected) in [
        ("Privileged", serde_json::json!(false)),
        ("ReadonlyRootfs", serde_json::json!(true)),
        ("AutoRemove", serde_json::json!(false)),
        ("PublishAllPorts", serde_json::json!(false)),
        ("Binds", serde_json::json!(null)),
        ("CapDrop", serde_json::json!(["ALL"])),
        ("CapAdd", serde_json::json!(null)),
        ("SecurityOpt", serde_json::json!(["no-new-privileges"])),
        ("Memory", serde_json::json!(536_870_912)),
        ("MemorySwap", serde_json::json!(536_870_912)),
        ("NanoCpus", serde_json::json!(1_000_000_000)),
        ("PidsLimit", serde_json::json!(128)),
        ("IpcMode", serde_json::json!("private")),
        ("PidMode", serde_json::json!("")),
        ("UsernsMode", serde_json::json!("")),
    ] {
        assert_eq!(host[key], expected, "{key}");
    }
    assert_eq!(host["LogConfig"]["Type"], "none");
    assert_eq!(container["NetworkSettings"]["Ports"], serde_json::json!({}));
    assert_eq!(container["Config"]["User"], "1000:1000");
    assert_eq!(container["Config"]["Tty"], false);
    let mounts = container["Mounts"].as_array().unwrap();
    assert!(
        mounts.iter().all(|mount| mount["Type"] == "volume"),
        "{mounts:?}"
    );
    let labels = container["Config"]["Labels"].as_object().unwrap();
    let kiln: BTreeSet<&str> = labels
        .keys()
        .map(String::as_str)
        .filter(|key| key.starts_with("kiln.") && !matches!(*key, "kiln.base" | "kiln.prepared"))
        .collect();
    assert_eq!(
        kiln,
        BTreeSet::from(["kiln.deployment", "kiln.engine", "kiln.sandbox"])
    );
    let network = docker(&[
        "network",
        "ls",
        "-q",
        "--filter",
        &format!("label=kiln.deployment={}", deployment.label),
    ]);
    let network: serde_json::Value =
        serde_json::from_str(&docker(&["network", "inspect", &network])).unwrap();
    assert_eq!(network[0]["EnableIPv6"], false);
    assert_eq!(
        network[0]["Options"]["com.docker.network.bridge.enable_icc"],
        "false"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_workspace_says_so_and_recovers() {
    let deployment = Deployment::new();
    let sandbox = deployment.sandbox().await;
    let fill = sandbox
        .run(&["dd", "if=/dev/zero", "of=/app/a/big", "bs=1M", "count=200"])
        .await;
    assert!(fill.stderr.contains("No space left"), "{}", fill.stderr);
    let files = || [("more.bin".to_owned(), Bytes::from(vec![1_u8; 1 << 20]))];
    let full = sandbox
        .supervisor
        .apply(Slot::A, Before::Keep, &[], files())
        .await;
    assert!(matches!(full, Err(SandboxError::DiskFull)), "{full:?}");
    assert!(matches!(
        domain::Error::from(full.unwrap_err()),
        domain::Error::SandboxDisk
    ));
    let apply = |deletes: Vec<String>, files: Vec<(String, Bytes)>| {
        let supervisor = sandbox.supervisor.clone();
        async move {
            let applied = supervisor
                .apply(Slot::A, Before::Keep, &deletes, files)
                .await
                .unwrap();
            (applied.written, applied.deleted)
        }
    };
    assert_eq!(apply(vec!["big".to_owned()], vec![]).await, (0, 1));
    assert_eq!(apply(vec![], files().to_vec()).await, (1, 0));
}
