//! What is known of an engine, and what is wrong with it.

use bollard::models::SystemInfo;

use super::error::bounded;

/// Engines before this get no fixes from their makers any more.
const OLDEST_ENGINE: [u32; 3] = [25, 0, 0];
/// The first runc of each line without the known escapes of 2025.
const PATCHED_RUNC: [u32; 3] = [1, 2, 8];

/// An engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineInfo {
    /// Its own id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Its cores.
    pub cores: u32,
    /// Its memory in bytes.
    pub memory_bytes: u64,
    /// What makes it contain less than it should, for people.
    pub warnings: Vec<String>,
    /// What keeps sandboxes from the host and its networks.
    pub firewall: FirewallState,
}

/// What keeps sandboxes from the host and its networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirewallState {
    /// Sandboxes have no network.
    NoNetwork,
    /// Nothing but the engine's own isolation between containers: a sandbox
    /// reaches whatever the host's bridge lets it reach.
    Unfiltered,
}

/// Reads what the engine says of itself.
pub(super) fn read(info: &SystemInfo, firewall: FirewallState) -> EngineInfo {
    let text = |value: &Option<String>| bounded(value.as_deref().unwrap_or_default());
    let mut warnings = warnings(info);
    match firewall {
        FirewallState::NoNetwork => {}
        FirewallState::Unfiltered => warnings.push(
            "the network of sandboxes is unfiltered: code in them can reach this host's services and its networks".to_owned(),
        ),
    }
    EngineInfo {
        id: text(&info.id),
        version: text(&info.server_version),
        cores: info
            .ncpu
            .and_then(|cores| u32::try_from(cores).ok())
            .unwrap_or(0),
        memory_bytes: info
            .mem_total
            .and_then(|bytes| u64::try_from(bytes).ok())
            .unwrap_or(0),
        warnings,
        firewall,
    }
}

fn warnings(info: &SystemInfo) -> Vec<String> {
    let mut warnings = Vec::new();
    let engine = info.server_version.as_deref().unwrap_or_default();
    if is_older(engine, OLDEST_ENGINE) {
        warnings.push(format!(
            "docker engine {} no longer gets fixes from its makers: update it",
            bounded(engine)
        ));
    }
    let runc = info
        .runc_commit
        .as_ref()
        .and_then(|commit| commit.id.as_deref())
        .unwrap_or_default();
    if is_older(runc, PATCHED_RUNC) {
        warnings.push(format!(
            "runc {} has known ways out of a container unless your distribution mended them: update it",
            bounded(runc)
        ));
    }
    let missing = [
        (info.memory_limit, "memory"),
        (info.swap_limit, "swap"),
        (info.cpu_cfs_quota, "processor time"),
        (info.pids_limit, "processes"),
    ];
    for (there, what) in missing {
        if there == Some(false) {
            warnings.push(format!(
                "this engine cannot limit {what}: a sandbox may take more than its share"
            ));
        }
    }
    let options = info.security_options.as_deref().unwrap_or_default();
    if !options.iter().any(|option| option.contains("seccomp")) {
        warnings.push("this engine filters no system calls (seccomp is off)".to_owned());
    }
    if options
        .iter()
        .any(|option| option.contains("name=seccomp,profile=unconfined"))
    {
        warnings.push("this engine's default seccomp profile is unconfined".to_owned());
    }
    warnings
}

/// Whether `version` is known and lower than `limit`. Commit hashes and other
/// text are not versions.
fn is_older(version: &str, limit: [u32; 3]) -> bool {
    let mut numbers = [0_u32; 3];
    let core = version
        .trim_start_matches('v')
        .split(['-', '+', '~'])
        .next()
        .unwrap_or_default();
    if !core.contains('.') {
        return false;
    }
    for (number, part) in numbers.iter_mut().zip(core.split('.')) {
        match part.parse() {
            Ok(parsed) => *number = parsed,
            Err(_) => return false,
        }
    }
    numbers < limit
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::Commit;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_older("20.10.24+dfsg1", OLDEST_ENGINE));
        assert!(!is_older("28.2.2", OLDEST_ENGINE));
        assert!(is_older("1.1.5+ds1-1+deb12u1", PATCHED_RUNC));
        assert!(is_older("v1.2.7", PATCHED_RUNC));
        assert!(!is_older("1.10.0", PATCHED_RUNC));
        assert!(!is_older("4d6eb3a", PATCHED_RUNC));
        assert!(!is_older("", PATCHED_RUNC));
    }

    #[test]
    fn a_sound_engine_has_only_the_network_to_warn_of() {
        let mut info = SystemInfo {
            id: Some("ABC".into()),
            server_version: Some("29.0.1".into()),
            runc_commit: Some(Commit {
                id: Some("v1.3.4-0-gd6d73eb8".into()),
            }),
            memory_limit: Some(true),
            swap_limit: Some(true),
            cpu_cfs_quota: Some(true),
            pids_limit: Some(true),
            security_options: Some(vec!["name=seccomp,profile=builtin".into()]),
            ..SystemInfo::default()
        };
        assert_eq!(
            read(&info, FirewallState::NoNetwork).warnings,
            Vec::<String>::new()
        );
        assert_eq!(read(&info, FirewallState::Unfiltered).warnings.len(), 1);
        info.memory_limit = Some(false);
        info.security_options = None;
        let warnings = read(&info, FirewallState::NoNetwork).warnings;
        assert_eq!(warnings.len(), 2, "{warnings:?}");
    }
}
