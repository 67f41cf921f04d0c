//! The gate: everything between "files applied" and "ready". A revision goes
//! into the slot that is not shown, and is asked what a browser would ask; the
//! preview shows it only after it has passed.

mod probe;
mod references;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::probe::{Dial, Fault};
use super::reporter::Reporter;
use super::sandboxes::{Held, Sandboxes, SlotContents};
use crate::domain::event::{Event, StepKind, StepOutcome};
use crate::domain::generation::{FailureReason, GenerationState};
use crate::domain::id::{ProjectId, RevisionId};
use crate::domain::path::SafePath;
use crate::domain::sandbox::Slot;
use crate::domain::tree::Tree;
use crate::domain::{Error, Result};
use crate::sandbox::{LogBatch, SandboxError, Supervisor, TcpTunnel};
use crate::store::change::RowChange;
use crate::template::Template;

/// How long dependencies may take to install.
const INSTALL_LIMIT: Duration = Duration::from_secs(120);

/// How long the page may take to answer as it should.
const PROBE_LIMIT: Duration = Duration::from_secs(30);

/// Between two tries while the server starts.
const PROBE_PAUSE: Duration = Duration::from_millis(15);

/// How many of them there are, for "step 3 of 6".
const STEPS: i32 = 6;

/// Files that say what is installed; their change means another install.
pub(crate) const MANIFEST_FILES: [&str; 2] = ["package.json", LOCKFILE];

/// What an install writes, and a revision takes over.
pub(crate) const LOCKFILE: &str = "bun.lock";

/// Largest lockfile taken over.
const LOCKFILE_MAX: usize = crate::domain::tree::FILE_BYTES_MAX;

/// What goes through the gate.
pub(crate) struct Candidate<'a> {
    pub(crate) project: ProjectId,
    pub(crate) revision: RevisionId,
    pub(crate) tree: &'a Tree,
    pub(crate) template: &'a Template,
}

/// What came of it.
pub(crate) enum Verdict {
    /// It runs in this slot and may be shown.
    Passed(Passed),
    /// It does not; what is shown has not been touched.
    Failed {
        reason: FailureReason,
        message: String,
    },
}

/// A revision that passed.
pub(crate) struct Passed {
    pub(crate) held: Arc<Held>,
    pub(crate) slot: Slot,
    /// The lockfile as the install left it, where it differs from the revision's.
    pub(crate) lockfile: Option<Bytes>,
}

/// What stops the gate before it has a verdict.
pub(crate) enum Stopped {
    /// The revision is at fault.
    Fault(FailureReason, String),
    /// Somebody cancelled, or the daemon goes down.
    Cancelled,
    /// Nothing to do with the revision.
    Error(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fault(_, message) => f.write_str(message),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Error(error) => error.fmt(f),
        }
    }
}

/// Reports where a generation is, if one is behind this run of the gate.
pub(crate) trait States {
    /// The row changes and events of a change of state.
    fn entered(&self, state: GenerationState) -> (Vec<Event>, Vec<RowChange>);
}

/// Takes a candidate through every step.
///
/// # Errors
/// What is no fault of the candidate: the database, the engine.
pub(crate) async fn run(
    candidate: &Candidate<'_>,
    sandboxes: &Sandboxes,
    reporter: &Reporter,
    states: &impl States,
    cancel: &CancellationToken,
) -> Result<Verdict, Stopped> {
    let run = Run {
        candidate,
        sandboxes,
        reporter,
        cancel,
    };
    match Box::pin(run.steps(states)).await {
        Ok(passed) => Ok(Verdict::Passed(passed)),
        Err(Stopped::Fault(reason, message)) => Ok(Verdict::Failed { reason, message }),
        Err(other) => Err(other),
    }
}

struct Run<'a> {
    candidate: &'a Candidate<'a>,
    sandboxes: &'a Sandboxes,
    reporter: &'a Reporter,
    cancel: &'a CancellationToken,
}

impl Run<'_> {
    async fn steps(&self, states: &impl States) -> Result<Passed, Stopped> {
        self.enter(states, GenerationState::Installing).await?;
        let held = self
            .step(
                StepKind::Sandbox,
                1,
                "prepare the sandbox",
                Box::pin(self.sandbox()),
            )
            .await?;
        let slot = held.candidate_slot();
        let before = self
            .step(
                StepKind::Sync,
                2,
                "copy the files in",
                Box::pin(self.sync(&held, slot)),
            )
            .await?;
        let lockfile = self
            .step(
                StepKind::Install,
                3,
                "install dependencies",
                Box::pin(self.install(&held, slot, &before)),
            )
            .await?;
        self.enter(states, GenerationState::Starting).await?;
        self.step(
            StepKind::Start,
            4,
            "start the dev server",
            Box::pin(self.start(&held, slot)),
        )
        .await?;
        self.enter(states, GenerationState::Checking).await?;
        self.step(
            StepKind::Probe,
            5,
            "open the page",
            Box::pin(self.probe(&held, slot)),
        )
        .await?;
        self.step(
            StepKind::Check,
            6,
            "check the code",
            Box::pin(self.check(&held, slot)),
        )
        .await?;
        Ok(Passed {
            held,
            slot,
            lockfile,
        })
    }

    async fn enter(&self, states: &impl States, state: GenerationState) -> Result<(), Stopped> {
        let (events, changes) = states.entered(state);
        if !events.is_empty() {
            self.reporter.emit(events, changes).await?;
        }
        Ok(())
    }

    async fn step<T>(
        &self,
        step: StepKind,
        position: i32,
        title: &str,
        work: impl Future<Output = Result<Done<T>, Stopped>>,
    ) -> Result<T, Stopped> {
        let work = async {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => Err(Stopped::Cancelled),
                done = work => done.map(|done| (done.outcome, done.detail, done.value)),
            }
        };
        self.reporter
            .step((step, position, STEPS), title, work)
            .await?
    }

    async fn sandbox(&self) -> Result<Done<Arc<Held>>, Stopped> {
        let (held, how) = self
            .sandboxes
            .acquire(
                self.candidate.project,
                self.candidate.template,
                self.reporter,
            )
            .await?;
        Ok(Done::passed(held, how))
    }

    /// Brings the slot to the candidate's tree; gives what was there before.
    async fn sync(&self, held: &Held, slot: Slot) -> Result<Done<SlotContents>, Stopped> {
        let before = held.contents(slot);
        // Half a sync is not what the slot was: unknown until it is done.
        held.set_contents(slot, SlotContents::Unknown);
        let (first, deletes, writes) = before.difference(self.candidate.tree);
        let (written, deleted) = (writes.len(), deletes.len());
        held.supervisor()
            .apply(slot, first, &deletes, writes)
            .await
            .map_err(fault)?;
        held.set_contents(slot, SlotContents::of(self.candidate.tree));
        let detail = match (written, deleted) {
            (0, 0) => return Ok(Done::skipped(before, "nothing changed")),
            (written, 0) => format!("{written} files written"),
            (written, deleted) => format!("{written} files written, {deleted} deleted"),
        };
        Ok(Done::passed(before, detail))
    }

    /// Installs if what is installed in the slot is not what the manifest asks
    /// for; gives the lockfile if the install changed it.
    async fn install(
        &self,
        held: &Held,
        slot: Slot,
        before: &SlotContents,
    ) -> Result<Done<Option<Bytes>>, Stopped> {
        let tree = self.candidate.tree;
        if text(tree, "package.json").is_none() {
            return Ok(Done::skipped(None, "the project has no package.json"));
        }
        let wanted = manifest_of(tree);
        if before.installed() == Some(&wanted) {
            held.set_installed(slot, wanted);
            return Ok(Done::skipped(None, "dependencies did not change"));
        }
        let supervisor = held.supervisor();
        if before.installed().is_none() {
            supervisor.copy_dependencies(slot).await.map_err(fault)?;
            if wanted == manifest_of(&self.candidate.template.initial_tree()) {
                held.set_installed(slot, wanted);
                return Ok(Done::passed(None, "taken from the prepared image"));
            }
        }
        self.run_command(
            supervisor,
            slot,
            StepKind::Install,
            &self.candidate.template.install,
            INSTALL_LIMIT,
            FailureReason::InstallFailed,
        )
        .await?;
        let lockfile = supervisor
            .read_file(slot, LOCKFILE, LOCKFILE_MAX)
            .await
            .map_err(fault)?
            .filter(|bytes| text(tree, LOCKFILE).is_none_or(|old| old.as_bytes() != &bytes[..]));
        if let Some(lockfile) = &lockfile {
            held.note_file(slot, LOCKFILE, lockfile);
        }
        held.set_installed(slot, manifest_with(tree, lockfile.as_deref()));
        Ok(Done::passed(lockfile, ""))
    }

    async fn start(&self, held: &Held, slot: Slot) -> Result<Done<()>, Stopped> {
        let template = self.candidate.template;
        held.supervisor()
            .start_server(
                slot,
                &template.start(slot.port()),
                &environment(template, slot),
                self.candidate.revision,
            )
            .await
            .map_err(fault)?;
        Ok(Done::passed((), ""))
    }

    /// Asks until the page is whole, the server has ended, or time is up. A
    /// wrong answer of a server that has just started is asked for once more:
    /// it may still be optimising its dependencies.
    async fn probe(&self, held: &Held, slot: Slot) -> Result<Done<()>, Stopped> {
        let deadline = Instant::now() + PROBE_LIMIT;
        let dial = Tunnel {
            supervisor: held.supervisor(),
            port: slot.port(),
        };
        let mut wrong_before = false;
        loop {
            let fault_text = match probe::page(&dial).await {
                Ok(fetched) => {
                    return Ok(Done::passed(
                        (),
                        format!("{fetched} files answered as they should"),
                    ));
                }
                Err(Fault::Wrong(text)) if wrong_before => {
                    return Err(Stopped::Fault(FailureReason::ProbeFailed, text));
                }
                Err(Fault::Wrong(text)) => {
                    wrong_before = true;
                    text
                }
                Err(Fault::NotYet(text)) => text,
            };
            if let Some(ended) = ended(held.supervisor(), slot).await.map_err(fault)? {
                let tail = held.log_tail(40).await;
                return Err(Stopped::Fault(
                    FailureReason::StartFailed,
                    format!("the dev server ended ({ended}): {tail}"),
                ));
            }
            if Instant::now() >= deadline {
                let tail = held.log_tail(40).await;
                return Err(Stopped::Fault(
                    FailureReason::StartFailed,
                    format!(
                        "the app does not answer after {} s ({fault_text}): {tail}",
                        PROBE_LIMIT.as_secs()
                    ),
                ));
            }
            tokio::time::sleep(PROBE_PAUSE).await;
        }
    }

    async fn check(&self, held: &Held, slot: Slot) -> Result<Done<()>, Stopped> {
        let argv = self.candidate.template.check(slot.port());
        if argv.is_empty() {
            return Ok(Done::skipped((), "the template has no check"));
        }
        self.run_command(
            held.supervisor(),
            slot,
            StepKind::Check,
            &argv,
            self.candidate.template.check_timeout,
            FailureReason::CheckFailed,
        )
        .await?;
        Ok(Done::passed((), ""))
    }

    /// Runs a command in the slot; its output goes to the log of the project.
    async fn run_command(
        &self,
        supervisor: &Supervisor,
        slot: Slot,
        step: StepKind,
        argv: &[String],
        limit: Duration,
        reason: FailureReason,
    ) -> Result<(), Stopped> {
        let (sender, mut lines) = mpsc::channel::<LogBatch>(16);
        let reports = async {
            let mut tail = String::new();
            while let Some(batch) = lines.recv().await {
                let mut text = String::new();
                for line in batch.lines {
                    text.push_str(&line.text);
                    text.push('\n');
                }
                tail.push_str(&text);
                keep_tail(&mut tail, 4_000);
                self.reporter.pass(Event::StepOutput { step, text }).await?;
            }
            Ok::<_, Error>(tail)
        };
        let work = async {
            // Moved in, so that the reports end with the work.
            let sender = sender;
            supervisor
                .run_step(
                    slot,
                    argv,
                    &environment(self.candidate.template, slot),
                    limit,
                    &sender,
                )
                .await
        };
        let (exit, tail) = tokio::join!(work, reports);
        let tail = tail?;
        let exit = exit.map_err(fault)?;
        if exit.is_success() {
            return Ok(());
        }
        let command = argv.join(" ");
        let how = if exit.timed_out {
            format!("{command} did not end within {} s", limit.as_secs())
        } else {
            format!("{command} ended with {}", exit.code)
        };
        Err(Stopped::Fault(reason, format!("{how}: {}", tail.trim())))
    }
}

/// What a step did.
struct Done<T> {
    outcome: StepOutcome,
    detail: String,
    value: T,
}

impl<T> Done<T> {
    fn passed(value: T, detail: impl Into<String>) -> Self {
        Self {
            outcome: StepOutcome::Passed,
            detail: detail.into(),
            value,
        }
    }

    fn skipped(value: T, detail: impl Into<String>) -> Self {
        Self {
            outcome: StepOutcome::Skipped,
            detail: detail.into(),
            value,
        }
    }
}

struct Tunnel<'a> {
    supervisor: &'a Supervisor,
    port: u16,
}

impl Dial for Tunnel<'_> {
    type Stream = TcpTunnel;

    async fn dial(&self) -> std::io::Result<TcpTunnel> {
        self.supervisor
            .open_tcp(self.port)
            .await
            .map_err(std::io::Error::other)
    }
}

/// How the dev server of a slot ended, if it did.
async fn ended(supervisor: &Supervisor, slot: Slot) -> Result<Option<String>, SandboxError> {
    let status = supervisor.status().await?;
    Ok(status
        .servers
        .into_iter()
        .find(|server| server.slot == slot)
        .and_then(|server| server.exit)
        .map(|exit| format!("exit code {}", exit.code)))
}

/// What a sandbox's refusal means for the generation.
fn fault(error: SandboxError) -> Stopped {
    match error {
        SandboxError::Rejected { .. } | SandboxError::DiskFull => {
            Stopped::Fault(FailureReason::SandboxFailed, error.to_string())
        }
        other => Stopped::Error(other.into()),
    }
}

/// What says which dependencies are installed.
pub(crate) fn manifest_of(tree: &Tree) -> Vec<u8> {
    manifest_with(tree, None)
}

fn manifest_with(tree: &Tree, lockfile: Option<&[u8]>) -> Vec<u8> {
    let mut manifest = Vec::new();
    for name in MANIFEST_FILES {
        let content = match lockfile {
            Some(lockfile) if name == LOCKFILE => Some(lockfile),
            _ => text(tree, name).map(str::as_bytes),
        };
        if let Some(content) = content {
            manifest.extend_from_slice(name.as_bytes());
            manifest.push(0);
            manifest.extend_from_slice(content);
            manifest.push(0);
        }
    }
    manifest
}

fn environment(template: &Template, slot: Slot) -> Vec<(String, String)> {
    template.environment(slot.port()).into_iter().collect()
}

fn text<'a>(tree: &'a Tree, name: &str) -> Option<&'a str> {
    let path = SafePath::parse(name).ok()?;
    tree.get(&path)?.text()
}

fn keep_tail(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let mut cut = text.len() - bytes;
        while !text.is_char_boundary(cut) {
            cut += 1;
        }
        text.drain(..cut);
    }
}

/// Shows a revision that passed: the preview flips, what the install wrote is
/// taken over, and the server that was shown before ends.
///
/// # Errors
/// The journal.
pub(crate) async fn show(
    passed: Passed,
    candidate: &Candidate<'_>,
    reporter: &Reporter,
    url: Option<String>,
) -> Result<()> {
    let Passed {
        held,
        slot,
        lockfile,
    } = passed;
    let mut changes = Vec::new();
    if let Some(lockfile) = lockfile {
        let content = crate::domain::tree::FileContent::new(lockfile);
        changes.push(RowChange::AmendRevision {
            revision_id: candidate.revision,
            content: content.bytes.clone(),
            file: super::generations::entry(LOCKFILE, &content),
        });
    }
    changes.push(RowChange::SetRevisionHealth {
        revision_id: candidate.revision,
        health: crate::domain::revision::Health::Healthy,
    });
    changes.push(RowChange::SetSandboxShown {
        sandbox_id: held.sandbox(),
        revision_id: candidate.revision,
        slot,
    });
    let events = url
        .map(|url| Event::PreviewChanged {
            url,
            revision_id: candidate.revision,
        })
        .into_iter()
        .collect();
    let before = held.show(slot, candidate.revision);
    reporter.emit(events, changes).await?;
    if let Some((old, _)) = before
        && old != slot
    {
        // Its end closes the page's socket, which makes the browser reload.
        if let Err(error) = held.supervisor().stop_server(old).await {
            tracing::warn!(%error, "cannot stop the dev server that was shown before");
        }
    }
    Ok(())
}
