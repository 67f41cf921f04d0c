//! What contains a sandbox: the whole profile of its container, in one place.
//!
//! No capability, no other user, no way to gain privileges, a read-only root,
//! nothing of the host mounted, no port published, and a limit on everything that
//! can be used up.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType,
    ResourcesUlimits,
};

use super::image::PreparedImage;
use crate::config::{SandboxConfig, SandboxNetwork};

/// Everything in a sandbox runs as this user and group.
pub(super) const USER: &str = "1000:1000";
/// Where the supervisor is in the image.
pub(super) const SUPERVISOR: &str = "/opt/kiln/bin/kiln-supervisor";
/// What the host trusts, in the image.
pub(super) const CA_BUNDLE: &str = "/opt/kiln/ca.pem";
/// Where the template and its dependencies are in the image.
pub(super) const TEMPLATE: &str = "/opt/kiln/template";
/// Where commands are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Names in the environment of a sandbox; every other one is an accident.
/// `HOSTNAME` comes from the engine.
pub const ENVIRONMENT: [&str; 8] = [
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "HOSTNAME",
    "BUN_INSTALL_CACHE_DIR",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
];

/// What the profile of one container is made from.
pub(super) struct Parts<'a> {
    pub(super) config: &'a SandboxConfig,
    pub(super) image: &'a PreparedImage,
    pub(super) labels: HashMap<String, String>,
    /// Name of the network; unused where sandboxes have none.
    pub(super) network: String,
    /// Name of the volume with the workspace.
    pub(super) workspace: String,
    /// Name of the volume with the app's own data.
    pub(super) data: String,
}

/// The container of a sandbox.
pub(super) fn sandbox(parts: Parts<'_>) -> ContainerCreateBody {
    let Parts {
        config,
        image,
        labels,
        network,
        workspace,
        data,
    } = parts;
    let mut environment = base_environment("/app", image.has_ca);
    // In the workspace, so that packages are linked into it and not copied.
    environment.push("BUN_INSTALL_CACHE_DIR=/app/.cache/bun".to_owned());
    // A name without a value takes the image's own variable away.
    environment.extend(
        image
            .variables
            .iter()
            .filter(|name| !ENVIRONMENT.contains(&name.as_str()))
            .cloned(),
    );
    let memory = i64::try_from(config.memory_bytes).unwrap_or(i64::MAX);
    ContainerCreateBody {
        hostname: Some("sandbox".to_owned()),
        user: Some(USER.to_owned()),
        tty: Some(false),
        open_stdin: Some(false),
        env: Some(environment),
        entrypoint: Some(vec![SUPERVISOR.to_owned()]),
        cmd: Some(vec!["init".to_owned()]),
        image: Some(image.id.clone()),
        working_dir: Some("/app".to_owned()),
        labels: Some(labels),
        healthcheck: Some(no_health_check()),
        host_config: Some(HostConfig {
            mounts: Some(vec![volume(workspace, "/app"), volume(data, "/data")]),
            network_mode: Some(match config.network {
                SandboxNetwork::Bridge => network,
                SandboxNetwork::None => "none".to_owned(),
            }),
            readonly_rootfs: Some(true),
            tmpfs: Some(HashMap::from([
                (
                    "/tmp".to_owned(),
                    "rw,noexec,nosuid,nodev,size=64m,mode=1777".to_owned(),
                ),
                (
                    "/run/kiln".to_owned(),
                    "rw,noexec,nosuid,nodev,size=1m,mode=0700,uid=1000,gid=1000".to_owned(),
                ),
            ])),
            shm_size: Some(16 << 20),
            memory: Some(memory),
            // The same as `memory`: no swap.
            memory_swap: Some(memory),
            nano_cpus: Some(nano_cpus(config.cpus)),
            pids_limit: Some(i64::from(config.pids)),
            runtime: config.runtime.clone(),
            auto_remove: Some(false),
            // The supervisor is the first process and reaps.
            init: Some(false),
            ..hardened()
        }),
        ..ContainerCreateBody::default()
    }
}

/// The container that installs the dependencies of a template into an image:
/// as contained as a sandbox, but for its writable root.
pub(super) fn helper(
    image: String,
    argv: &[String],
    has_ca: bool,
    labels: HashMap<String, String>,
    network: String,
    config: &SandboxConfig,
) -> ContainerCreateBody {
    let mut environment = base_environment("/tmp", has_ca);
    environment.push("BUN_INSTALL_CACHE_DIR=/tmp/bun".to_owned());
    let memory = i64::try_from(config.memory_bytes.max(1 << 30)).unwrap_or(i64::MAX);
    ContainerCreateBody {
        user: Some(USER.to_owned()),
        tty: Some(false),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        env: Some(environment),
        entrypoint: Some(vec![]),
        cmd: Some(if argv.is_empty() {
            vec!["true".to_owned()]
        } else {
            argv.to_vec()
        }),
        image: Some(image),
        working_dir: Some(TEMPLATE.to_owned()),
        labels: Some(labels),
        healthcheck: Some(no_health_check()),
        host_config: Some(HostConfig {
            network_mode: Some(network),
            tmpfs: Some(HashMap::from([(
                "/tmp".to_owned(),
                "rw,noexec,nosuid,nodev,size=1g,mode=1777".to_owned(),
            )])),
            memory: Some(memory),
            memory_swap: Some(memory),
            pids_limit: Some(i64::from(config.pids)),
            runtime: config.runtime.clone(),
            // It is committed after its end.
            auto_remove: Some(false),
            init: Some(true),
            ..hardened()
        }),
        ..ContainerCreateBody::default()
    }
}

/// What every container has in common.
fn hardened() -> HostConfig {
    HostConfig {
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        privileged: Some(false),
        ulimits: Some(vec![limit("nofile", 4096, 8192), limit("core", 0, 0)]),
        // A flood through a log driver costs the engine more than a core,
        // outside of all limits of the container.
        log_config: Some(HostConfigLogConfig {
            typ: Some("none".to_owned()),
            config: None,
        }),
        publish_all_ports: Some(false),
        ipc_mode: Some("private".to_owned()),
        ..HostConfig::default()
    }
}

fn base_environment(home: &str, has_ca: bool) -> Vec<String> {
    let mut environment = vec![
        format!("PATH={PATH}"),
        format!("HOME={home}"),
        "LANG=C.UTF-8".to_owned(),
        "TMPDIR=/tmp".to_owned(),
    ];
    if has_ca {
        environment.push(format!("NODE_EXTRA_CA_CERTS={CA_BUNDLE}"));
        environment.push(format!("SSL_CERT_FILE={CA_BUNDLE}"));
    }
    environment
}

fn volume(name: String, target: &str) -> Mount {
    Mount {
        target: Some(target.to_owned()),
        source: Some(name),
        typ: Some(MountType::VOLUME),
        ..Mount::default()
    }
}

fn limit(name: &str, soft: i64, hard: i64) -> ResourcesUlimits {
    ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(soft),
        hard: Some(hard),
    }
}

fn no_health_check() -> HealthConfig {
    HealthConfig {
        test: Some(vec!["NONE".to_owned()]),
        ..HealthConfig::default()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked first"
)]
fn nano_cpus(cpus: f64) -> i64 {
    if cpus.is_finite() && cpus > 0.0 {
        (cpus.min(1_024.0) * 1e9) as i64
    } else {
        0
    }
}

/// Options of the volume that is the workspace: memory with a hard end. It may
/// execute, since the app's own tools live there.
pub(super) fn workspace_options(config: &SandboxConfig) -> HashMap<String, String> {
    HashMap::from([
        ("type".to_owned(), "tmpfs".to_owned()),
        ("device".to_owned(), "tmpfs".to_owned()),
        (
            "o".to_owned(),
            format!(
                "size={},uid=1000,gid=1000,mode=0755,nosuid,nodev",
                config.workspace_bytes
            ),
        ),
    ])
}
