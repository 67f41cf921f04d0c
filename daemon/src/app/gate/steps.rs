//! The six steps, each by itself: what it does in the slot, and what it finds. In
//! which order they run is not for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::manifest::{LOCKFILE, LOCKFILE_MAX, manifest_of, manifest_with, text};
use super::probe::{self, Dial, Fault};
use super::{Done, Run, Stopped};
use crate::app::sandboxes::{Held, SlotContents};
use crate::domain::event::StepKind;
use crate::domain::generation::FailureReason;
use crate::domain::sandbox::Slot;
use crate::sandbox::{SandboxError, Supervisor, TcpTunnel};
use crate::template::Template;

/// How long dependencies may take to install.
const INSTALL_LIMIT: Duration = Duration::from_secs(120);

/// How long the page may take to answer as it should.
const PROBE_LIMIT: Duration = Duration::from_secs(30);

/// Between two tries while the server starts.
const PROBE_PAUSE: Duration = Duration::from_millis(15);

impl Run<'_> {
    pub(super) async fn sandbox(&self) -> Result<Done<Arc<Held>>, Stopped> {
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
    pub(super) async fn sync(
        &self,
        held: &Held,
        slot: Slot,
    ) -> Result<Done<SlotContents>, Stopped> {
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
    pub(super) async fn install(
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

    pub(super) async fn start(&self, held: &Held, slot: Slot) -> Result<Done<()>, Stopped> {
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
    pub(super) async fn probe(&self, held: &Held, slot: Slot) -> Result<Done<()>, Stopped> {
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

    pub(super) async fn check(&self, held: &Held, slot: Slot) -> Result<Done<()>, Stopped> {
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
pub(super) fn fault(error: SandboxError) -> Stopped {
    match error {
        SandboxError::Rejected { .. } | SandboxError::DiskFull => {
            Stopped::Fault(FailureReason::SandboxFailed, error.to_string())
        }
        other => Stopped::Error(other.into()),
    }
}

/// What a command of the template sees.
pub(super) fn environment(template: &Template, slot: Slot) -> Vec<(String, String)> {
    template.environment(slot.port()).into_iter().collect()
}
