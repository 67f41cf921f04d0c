//! The flip: a revision that passed is what the preview shows from now on. It
//! judges nothing.

use super::manifest::LOCKFILE;
use super::{Candidate, Passed};
use crate::app::reporter::Reporter;
use crate::domain::Result;
use crate::domain::event::Event;
use crate::store::change::RowChange;

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
            file: crate::app::generations::entry(LOCKFILE, &content),
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
