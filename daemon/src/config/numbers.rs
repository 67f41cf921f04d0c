//! Numbers of the configuration: each has a range, and a default for when there
//! is none or it is out of it. It knows no key.

use std::time::Duration;

/// A whole number from `min` to `max`.
pub(super) fn whole(
    problems: &mut Vec<String>,
    key: &str,
    value: Option<i64>,
    default: u32,
    min: u32,
    max: u32,
) -> u32 {
    let Some(value) = value else { return default };
    match u32::try_from(value) {
        Ok(value) if (min..=max).contains(&value) => value,
        _ => {
            problems.push(format!("config: {key} is {value}, must be {min} to {max}"));
            default
        }
    }
}

/// A port that needs no privilege.
pub(super) fn port(problems: &mut Vec<String>, key: &str, value: Option<i64>, default: u16) -> u16 {
    let value = whole(problems, key, value, u32::from(default), 1_024, 65_535);
    u16::try_from(value).unwrap_or(default)
}

/// A time of a second to a day.
pub(super) fn seconds(
    problems: &mut Vec<String>,
    key: &str,
    value: Option<i64>,
    default: u32,
) -> Duration {
    Duration::from_secs(u64::from(whole(problems, key, value, default, 1, 86_400)))
}
