//! Finds the processes of a run in `/proc`: those of its session, and those that
//! left it but kept their environment. Reads only; a process that hides from
//! both is the container's to end.

use std::path::Path;

use nix::unistd::Pid;

/// Most of a process's environment that is looked at, in bytes.
const MAX_ENVIRONMENT_BYTES: u64 = 256 << 10;

/// The living processes that belong to a session or carry a mark in their environment.
#[must_use]
pub fn members(session: Pid, mark: &[u8]) -> Vec<Pid> {
    let Ok(listing) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    listing
        .flatten()
        .filter_map(|entry| {
            let number: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            let stat = Stat::parse(&stat)?;
            let belongs = stat.session == session.as_raw()
                || stat.group == session.as_raw()
                || carries(&entry.path(), mark);
            (stat.is_alive && belongs).then(|| Pid::from_raw(number))
        })
        .collect()
}

fn carries(process: &Path, mark: &[u8]) -> bool {
    use std::io::Read as _;
    let Ok(file) = std::fs::File::open(process.join("environ")) else {
        return false;
    };
    let mut environment = Vec::new();
    let read = file
        .take(MAX_ENVIRONMENT_BYTES)
        .read_to_end(&mut environment);
    read.is_ok() && environment.split(|byte| *byte == 0).any(|it| it == mark)
}

/// What is of interest in `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    is_alive: bool,
    group: i32,
    session: i32,
}

impl Stat {
    fn parse(line: &str) -> Option<Self> {
        // The name comes before, in brackets, and may contain anything.
        let (_, fields) = line.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next()?;
        let _parent = fields.next()?;
        Some(Self {
            is_alive: !matches!(state, "Z" | "X" | "x"),
            group: fields.next()?.parse().ok()?,
            session: fields.next()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_confuse_the_table() {
        let parsed = Stat::parse("12 (a) Z 1 2 3) S 1 70 71 0 -1");
        let expected = Stat {
            is_alive: true,
            group: 70,
            session: 71,
        };
        assert_eq!(parsed, Some(expected));
        assert!(!Stat::parse("12 (x) Z 1 70 71").unwrap().is_alive);
        assert_eq!(Stat::parse("12 (x"), None);
    }
}
