//! What to do about it: one hint per reason, where there is something to do.

use crate::client::Address;
use crate::client::credentials::CredentialsError;
use crate::client::error::{Refusal, UnreachableKind};

/// What to do about a refusal.
#[must_use]
pub(super) fn for_refusal(refusal: &Refusal) -> Option<String> {
    if refusal.reason.as_deref() == Some("PROVIDER_UNREACHABLE") {
        // When that is mended, nobody knows.
        return Some("is that server running? `kiln provider` names those that do".to_owned());
    }
    if let Some(wait) = refusal.retry_after {
        let seconds = wait.as_secs().max(1);
        return Some(format!("try again in {seconds} s"));
    }
    let reason = match &refusal.reason {
        Some(reason) => reason.as_str(),
        None if refusal.code == "UNIMPLEMENTED" => "METHOD_UNKNOWN",
        None => return None,
    };
    for_reason(reason).map(str::to_owned)
}

/// What to do about a reason of the schema.
#[must_use]
pub(super) fn for_reason(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "NOT_FOUND" => "`kiln projects` lists what there is",
        "NO_PROVIDER_KEY" => {
            "the owner gives kilnd one with `kiln provider set`; or use a demo model: --model demo/kiln"
        }
        "PROVIDER_URL_REFUSED" => {
            "`kiln provider` names the servers that run there; any other is set as KILN_MODEL_BASE_URL for kilnd"
        }
        "PROVIDER_FIXED" => {
            "change OPENROUTER_API_KEY or KILN_MODEL_BASE_URL (or kilnd.toml) and restart kilnd"
        }
        "PROVIDER_KEY_REFUSED" => {
            "check the key; OpenRouter's are at https://openrouter.ai/keys, others are given with --key-stdin"
        }
        "PROVIDER_PROTOCOL" => "is it the base URL, the one that ends in /v1?",
        "MODEL_NOT_ALLOWED" => "`kiln models` lists the models",
        "DOCKER_UNAVAILABLE" => {
            "is the Docker engine running, and may kilnd's user use its socket? see `kiln status`"
        }
        "IMAGE_MISSING" => {
            "is the base image there (`scripts/sandbox-image` on the daemon's machine makes it), and does the machine reach the npm registry?"
        }
        "GENERATION_RUNNING" => {
            "follow it with `kiln watch`, end it with `kiln cancel`, or wait for it with `kiln generate --queue`"
        }
        "CONCURRENCY_LIMIT" => "wait for one of your generations to end, or `kiln cancel` one",
        "PREVIEW_PORTS" => {
            "`kiln projects delete` one that is not needed, or widen the range of kilnd"
        }
        "SANDBOX_LIMIT" => "`kiln sandbox stop` one that is not needed",
        "NO_REVISION" => "there is nothing to run yet: `kiln generate` makes the first revision",
        "SANDBOX_STATE" => "see `kiln sandbox status`; `kiln sandbox start` starts it",
        "BAD_CREDENTIALS" => "passwords are not shown; check the e-mail, then try again",
        "SIGN_UP_CLOSED" => "ask the owner of the server for an account",
        "INVITE_INVALID" => "ask for another invite: `kiln auth invite` makes one",
        "PASSWORD_TOO_SHORT" | "PASSWORD_COMMON" => {
            "twelve characters or more, and not one of the common ones"
        }
        "NOT_LOCAL_OWNER" => "sign in with e-mail and password: `kiln auth sign-in EMAIL`",
        "FRESH_SIGN_IN_REQUIRED" => "run `kiln auth sign-in` again, then this",
        "SESSION_REQUIRED" => "an API token cannot do this: leave KILN_TOKEN out and sign in",
        "LIMIT_REACHED" => "remove one that is not needed, then try again",
        "OVERLOADED" => "try again in a moment",
        "SCOPE_REQUIRED" => "use a token with this scope, or sign in: `kiln auth sign-in`",
        "ROLE_REQUIRED" => "ask an owner",
        "BUDGET_EXCEEDED" => "ask the owner to raise the budget, or use a demo model",
        "STORAGE_FULL" => "make room on the disk of the database; reading still works",
        "DB_UNAVAILABLE" | "DB_TIMEOUT" => "the database is down or starting; try again",
        "SHUTTING_DOWN" => "kilnd is going down; start it and try again",
        "SEQ_AHEAD" | "SEQ_COMPACTED" => "leave --after out, or begin with --after 0",
        "NAME_INVALID" => "a name has 1 to 100 characters and no control characters",
        "STREAM_LIMIT" => "close another `kiln watch` or `kiln logs -f`",
        "INTERNAL" => "this is a fault of kilnd; its log says more",
        "METHOD_UNKNOWN" => "kilnd is older than kiln: see `kiln status`",
        "SANDBOX_DISK" | "PROJECT_TOO_LARGE" | "FILE_TOO_LARGE" => {
            "ask for smaller files, or remove some"
        }
        _ => return None,
    })
}

/// What to do about a generation that failed for this reason.
#[must_use]
pub(super) fn for_failed_generation(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "UPSTREAM_KEY_INVALID" => {
            "give kilnd another key: `kiln provider` says where this one is from"
        }
        "NO_CREDITS" => "add credits at the provider, or use a demo model: --model demo/kiln",
        "MODEL_NOT_FOUND" => "`kiln models` lists the models",
        "UPSTREAM_RATE_LIMITED"
        | "UPSTREAM_UNAVAILABLE"
        | "UPSTREAM_IDLE"
        | "UPSTREAM_FIRST_TOKEN_TIMEOUT"
        | "UPSTREAM_ERROR"
        | "UPSTREAM_TRUNCATED" => "try again, or another model with --model",
        "NO_OPERATIONS" | "INVALID_OPERATION" => {
            "ask again in other words, or a stronger model with --model"
        }
        "INSTALL_FAILED" | "START_FAILED" | "PROBE_FAILED" | "CHECK_FAILED" => {
            "tell the model about it with `kiln generate`; `kiln logs` has the app's own words"
        }
        other => return for_reason(other),
    })
}

/// What to do when nobody answers.
#[must_use]
pub(super) fn for_unreachable(address: &Address, kind: UnreachableKind) -> String {
    match (kind, address) {
        (UnreachableKind::NoDaemon, Address::Unix(_)) => {
            "start the daemon with `scripts/run` or `kilnd`, or say where it is with --server"
                .into()
        }
        (UnreachableKind::NoDaemon, Address::Plain { .. } | Address::Tls { .. }) => {
            "is kilnd running there, and is the port right?".into()
        }
        (UnreachableKind::NoPermission, _) => {
            "the socket belongs to another user: use that user's http:// or https:// address".into()
        }
        (UnreachableKind::Tls, Address::Tls { host, port }) => format!(
            "TLS failed: is the certificate for {host} trusted (KILN_CA_FILE), and does port {port} speak TLS?"
        ),
        (UnreachableKind::Broken, Address::Plain { host, port }) => format!(
            "does port {port} of {host} speak gRPC without TLS? with TLS it is https://{host}:{port}"
        ),
        (UnreachableKind::Broken, Address::Tls { host, port }) => {
            format!("does port {port} of {host} speak gRPC with TLS?")
        }
        (UnreachableKind::Broken | UnreachableKind::Tls, Address::Unix(_))
        | (UnreachableKind::Tls, Address::Plain { .. }) => {
            "the connection broke; is kilnd still running?".into()
        }
    }
}

/// What to do about a file of credentials.
#[must_use]
pub(super) fn for_credentials(error: &CredentialsError) -> Option<String> {
    match error {
        CredentialsError::Permissions { path, .. } => Some(format!(
            "others may have read it: run `chmod 600 {}`, and sign in again if that matters",
            path.display()
        )),
        CredentialsError::Damaged { .. }
        | CredentialsError::Io { .. }
        | CredentialsError::Malformed { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use kiln_proto::v1::{ErrorReason, FailureReason};

    use super::*;

    /// A hint for a reason that the schema does not have would never be shown.
    #[test]
    fn hints_are_for_reasons_that_exist() {
        for reason in [
            "NO_PROVIDER_KEY",
            "DOCKER_UNAVAILABLE",
            "IMAGE_MISSING",
            "PREVIEW_PORTS",
            "GENERATION_RUNNING",
            "NO_REVISION",
            "SANDBOX_STATE",
            "SEQ_AHEAD",
            "METHOD_UNKNOWN",
        ] {
            assert!(
                ErrorReason::from_str_name(&format!("ERROR_REASON_{reason}")).is_some(),
                "{reason}"
            );
            assert!(for_reason(reason).is_some(), "{reason}");
        }
        for reason in ["NO_CREDITS", "PROBE_FAILED", "DOCKER_UNAVAILABLE"] {
            assert!(
                FailureReason::from_str_name(&format!("FAILURE_REASON_{reason}")).is_some(),
                "{reason}"
            );
            assert!(for_failed_generation(reason).is_some(), "{reason}");
        }
    }
}
