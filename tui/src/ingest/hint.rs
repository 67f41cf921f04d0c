//! What to do about a failure, where that is something else here than on the
//! command line.

/// What to do about it in the full-screen client; `said` is what the command line
/// says.
pub(super) fn here<'a>(reason: &str, said: Option<&'a str>) -> Option<&'a str> {
    match reason {
        // What there is, and the fields to sign in with, are on the screen.
        "NOT_FOUND" | "AUTH_REQUIRED" => None,
        "BAD_CREDENTIALS" => Some("check both, then try again"),
        "NO_PROVIDER_KEY" => Some("Ctrl-P, then \"models come from\"; or a demo model with Alt-M"),
        "MODEL_NOT_ALLOWED" => Some("Alt-M lists the models"),
        "GENERATION_RUNNING" => Some("wait for it to end, or open the project and cancel it"),
        "CONCURRENCY_LIMIT" => Some("wait for one of your prompts to end, or cancel one"),
        "SANDBOX_LIMIT" => Some("stop the app of a project that is not needed"),
        "PREVIEW_PORTS" => Some("delete a project that is not needed, or widen the range of kilnd"),
        "SANDBOX_STATE" => Some("Alt-S starts the app"),
        "NO_REVISION" => Some("the first prompt makes the app"),
        "INVITE_INVALID" => Some("ask the owner of the server for another invite"),
        "PROVIDER_UNREACHABLE" => Some("is that server running?"),
        "PROVIDER_KEY_REFUSED" => Some("OpenRouter's keys are at https://openrouter.ai/keys"),
        _ => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_here_is_to_be_typed_into_a_shell() {
        assert_eq!(here("NOT_FOUND", Some("`kiln projects` lists it")), None);
        let other = Some("the database is down or starting; try again");
        assert_eq!(here("DB_UNAVAILABLE", other), other);
        for reason in ["NO_PROVIDER_KEY", "SANDBOX_STATE", "MODEL_NOT_ALLOWED"] {
            let hint = here(reason, Some("run `kiln x`")).unwrap();
            assert!(!hint.contains('`'), "{reason}: {hint}");
        }
    }
}
