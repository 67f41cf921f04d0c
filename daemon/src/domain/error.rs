//! What can go wrong, in facts. `rpc::status` turns each into a gRPC status;
//! nothing here knows codes.

use std::time::Duration;

use super::account::Scope;
use super::id::GenerationId;
use super::sandbox::SandboxState;

/// Shorthand for results of use cases.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong. Messages are lower case, without a final stop, and say
/// what to do where there is something to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields of the request are not as they must be: all of them at once.
    #[error("{}", summary(.0))]
    Invalid(Vec<Violation>),
    /// It does not exist, or it is not the caller's: both look the same.
    #[error("not found")]
    NotFound,
    /// The call carries no credential.
    #[error("sign in first: no authorization metadata")]
    AuthRequired,
    /// The credential is malformed.
    #[error("the credential is malformed")]
    TokenInvalid,
    /// The credential has expired or was revoked.
    #[error("the session is over; sign in again")]
    SessionExpired,
    /// E-mail or password is wrong; which of them is never said.
    #[error("email or password is wrong")]
    BadCredentials,
    /// Too many tries.
    #[error("too many tries; wait {} s", .retry_after.as_secs().max(1))]
    Throttled {
        /// When to come back.
        retry_after: Duration,
    },
    /// An account with this e-mail exists.
    #[error("an account with this email exists; sign in instead")]
    EmailTaken,
    /// The invite is unknown, used or expired.
    #[error("the invite is unknown, used or expired; ask for a new one")]
    InviteInvalid,
    /// No new accounts here.
    #[error("this server takes no new accounts")]
    SignUpClosed,
    /// Not over the unix socket, or not the user who runs the daemon.
    #[error("only the user who runs the daemon signs in this way, over its unix socket")]
    NotLocalOwner,
    /// The sign-in is too old for this.
    #[error("sign in again first: this needs a sign-in at most ten minutes old")]
    FreshSignInRequired,
    /// An API token will not do.
    #[error("this needs a signed-in session; an api token does not do")]
    SessionRequired,
    /// A browser sent this.
    #[error("calls from a browser are refused")]
    OriginRefused,
    /// The caller's role does not allow it.
    #[error("your role in the team does not allow this")]
    RoleRequired,
    /// Only owners of the daemon may do this.
    #[error("only an owner of the daemon may do this")]
    OwnerRequired,
    /// The token's scopes do not allow it.
    #[error("the api token lacks the scope {0}")]
    ScopeRequired(Scope),
    /// A generation is running.
    #[error("a generation is running; wait for it, or cancel it")]
    GenerationRunning(GenerationId),
    /// As many generations run as may.
    #[error("you have {limit} generations running, which is the limit")]
    ConcurrencyLimit {
        /// The limit.
        limit: u32,
    },
    /// The budget is used up.
    #[error("the budget is used up")]
    BudgetExceeded,
    /// There is no key for a provider.
    #[error(
        "no model provider is set: only demo models can be used (an owner may choose one with `kiln provider set`, or set OPENROUTER_API_KEY or model.base_url)"
    )]
    NoProviderKey,
    /// The configuration says where models come from.
    #[error(
        "the daemon's configuration says where models come from (model.api_key, OPENROUTER_API_KEY or model.base_url): change it there, or remove it to choose here"
    )]
    ProviderFixed,
    /// The endpoint refuses the key, or wants one.
    #[error("{endpoint} {problem}; nothing was changed")]
    ProviderKeyRefused {
        /// Its address.
        endpoint: String,
        /// Completes the sentence.
        problem: &'static str,
    },
    /// The endpoint does not answer, or not now.
    #[error("{endpoint} {problem}; nothing was changed")]
    ProviderUnreachable {
        /// Its address.
        endpoint: String,
        /// Completes the sentence.
        problem: &'static str,
    },
    /// What answers is something else.
    #[error(
        "{endpoint} {problem}: it does not look like an OpenAI-compatible API; nothing was changed"
    )]
    ProviderProtocol {
        /// Its address.
        endpoint: String,
        /// Completes the sentence.
        problem: &'static str,
    },
    /// This `request_id` stands for something else.
    #[error("this request_id was used for another request, or for one whose answer was a secret")]
    RequestIdReused,
    /// The first call with this `request_id` made this already. A use case
    /// answers with it; it never reaches a client.
    #[error("answered before")]
    Repeated(uuid::Uuid),
    /// The position was compacted away.
    #[error("the log no longer goes back that far; the oldest entry is {oldest}")]
    SequenceCompacted {
        /// Oldest position that is there.
        oldest: i64,
    },
    /// The position lies past the head.
    #[error("the log has not come that far; its head is {head}")]
    SequenceAhead {
        /// Newest position.
        head: i64,
    },
    /// The reader made no progress.
    #[error("the reader made no progress for 60 s; resume from the last sequence")]
    SlowConsumer,
    /// As many streams as may.
    #[error("you hold {limit} streams, which is the limit")]
    StreamLimit {
        /// The limit.
        limit: u32,
    },
    /// As many of something as may.
    #[error("there are {limit} of these, which is the limit")]
    LimitReached {
        /// The limit.
        limit: u32,
    },
    /// Every preview port of the range is taken.
    #[error(
        "every preview port from {first} to {last} is taken: delete a project, or widen preview.port_first and \
         preview.port_last (KILN_PREVIEW_PORT_FIRST, KILN_PREVIEW_PORT_LAST) in kilnd's configuration"
    )]
    PreviewPorts {
        /// First of the range.
        first: u16,
        /// Last of it.
        last: u16,
    },
    /// The sandbox is in a state that does not allow this.
    #[error("the sandbox does not run: it is {0}")]
    SandboxState(SandboxState),
    /// As many sandboxes run as may.
    #[error("{limit} sandboxes run, which is the limit; stop one")]
    SandboxLimit {
        /// The limit.
        limit: u32,
    },
    /// A link or special file stands where a file was to be written.
    #[error("something that is not a plain file stands at {path}")]
    UploadRejected {
        /// Path in the project.
        path: String,
    },
    /// The workspace of the sandbox is full.
    #[error("the workspace of the sandbox is full")]
    SandboxDisk,
    /// There is no revision yet.
    #[error("the project has no files yet; give it a prompt first")]
    NoRevision,
    /// Two paths differ only in case or Unicode form.
    #[error("{path} differs from {other} only in case or in unicode form")]
    PathCollision {
        /// One.
        path: String,
        /// The other.
        other: String,
    },
    /// A path is a file and a directory at once.
    #[error("{path} is a file and a directory at once")]
    PathConflict {
        /// The path.
        path: String,
    },
    /// A file is too large.
    #[error("{path} is larger than {limit} bytes")]
    FileTooLarge {
        /// The path.
        path: String,
        /// The limit.
        limit: usize,
    },
    /// The project is too large.
    #[error("the project would have more than {files} files or {bytes} bytes")]
    ProjectTooLarge {
        /// The limit of files.
        files: usize,
        /// The limit of bytes.
        bytes: usize,
    },
    /// Somebody else changed it at the same moment.
    #[error("somebody else changed it at the same moment; try again")]
    Conflict,
    /// Too many calls under way.
    #[error("too many calls under way; try again")]
    Overloaded,
    /// The daemon is going down.
    #[error("the daemon is going down; try again")]
    ShuttingDown,
    /// The database does not answer.
    #[error("the database does not answer; try again")]
    DbUnavailable,
    /// The database did not answer in time.
    #[error("the database did not answer in time; try again")]
    DbTimeout,
    /// The database is out of space.
    #[error("the database is out of space; reading works")]
    StorageFull,
    /// The Docker engine does not answer.
    #[error("the docker engine does not answer: {0}")]
    DockerUnavailable(String),
    /// The sandbox image is missing, or could not be prepared.
    #[error("there is no image for the sandbox: {0}")]
    ImageMissing(String),
    /// Ours to fix: logged once, where it becomes a status.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// One field that is not as it must be.
    #[must_use]
    pub fn invalid(field: &'static str, rule: FieldRule, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation {
            field,
            rule,
            message: message.into(),
        }])
    }

    /// Something unexpected, with its cause.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }
}

/// A field of a request that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Name of the field in the schema.
    pub field: &'static str,
    /// The rule that it breaks.
    pub rule: FieldRule,
    /// What is wrong with it, for people.
    pub message: String,
}

/// Rules for fields. Each is a reason of its own in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages of the violations say it")]
pub enum FieldRule {
    Email,
    PasswordTooShort,
    PasswordTooLong,
    PasswordCommon,
    Id,
    PromptEmpty,
    PromptTooLong,
    PromptChar,
    ModelNotAllowed,
    Name,
    RequestId,
    PageToken,
    Sequence,
    PathTraversal,
    PathAbsolute,
    PathChar,
    PathInvalid,
    PathTooLong,
    PathReserved,
    ProviderUrl,
    /// Any other rule.
    Field,
}

fn summary(violations: &[Violation]) -> String {
    violations
        .iter()
        .map(|violation| format!("{}: {}", violation.field, violation.message))
        .collect::<Vec<_>>()
        .join("; ")
}
