//! A project as its members see it.

use time::OffsetDateTime;

use super::generation::{GenerationState, Outcome};
use super::id::{GenerationId, ProjectId, RevisionId, TeamId, UserId};
use super::sandbox::SandboxState;

/// The template that a project starts from where none is named.
pub const DEFAULT_TEMPLATE: &str = "react-vite-tailwind";

/// One app, with what is known of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// The team that owns it.
    pub team_id: TeamId,
    /// Who made it.
    pub owner_id: UserId,
    /// 1 to 100 characters.
    pub name: String,
    /// Goes into the context of every prompt.
    pub description: String,
    /// The template that it started from.
    pub template: String,
    /// Empty: the server's default.
    pub default_model: String,
    /// Loopback port of its preview, once it has one.
    pub preview_port: Option<u16>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When anything last happened to it.
    pub changed_at: OffsetDateTime,
    /// State of the running generation; `None` where none runs.
    pub agent_state: Option<GenerationState>,
    /// The running generation.
    pub running_generation_id: Option<GenerationId>,
    /// Outcome of the last finished generation.
    pub last_outcome: Option<Outcome>,
    /// The newest revision.
    pub head_revision_id: Option<RevisionId>,
    /// State of the sandbox.
    pub sandbox_state: SandboxState,
    /// Position of the newest entry in its log.
    pub head_sequence: i64,
    /// What all its generations cost, as far as known.
    pub cost_micro_usd: i64,
}
