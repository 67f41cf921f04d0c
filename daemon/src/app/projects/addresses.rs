//! The addresses of previews: given, opened at each start, and what becomes of a
//! project that can have none.

use std::io::ErrorKind;

use super::Projects;
use crate::domain::account::Caller;
use crate::domain::id::ProjectId;
use crate::domain::{Error, Result};
use crate::store::projects as rows;
use crate::store::{StoreError, request_ids};

impl Projects {
    /// Opens the previews of all projects, and gives an address to those that
    /// have none.
    ///
    /// # Errors
    /// The database.
    pub(crate) async fn open_previews(&self) -> Result<()> {
        for (project, port) in rows::preview_ports(&self.parts.pool).await? {
            let refused = match port {
                None => vec![],
                Some(port) => match self.parts.gateway.ensure(project, port).await {
                    Ok(_) => continue,
                    Err(error) => {
                        tracing::warn!(%project, port, %error, "the preview's address is taken: giving it another");
                        vec![port]
                    }
                },
            };
            match self.give_address(project, refused).await {
                Ok(()) => {}
                // The others have theirs.
                Err(error @ Error::PreviewPorts { .. }) => {
                    tracing::warn!(%project, %error, "a project has no preview");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Gives a project the first address that can be listened on, and listens.
    /// `refused` are ports that somebody else on this host has.
    pub(super) async fn give_address(&self, id: ProjectId, mut refused: Vec<u16>) -> Result<()> {
        loop {
            let range = self.parts.ports.clone();
            let port = match rows::assign_preview_port(&self.parts.pool, id, range, &refused).await
            {
                Ok(port) => port,
                // Another daemon gave this port away at the same moment.
                Err(StoreError::Conflict) => continue,
                Err(StoreError::NoPortLeft) => {
                    return Err(Error::PreviewPorts {
                        first: *self.parts.ports.start(),
                        last: *self.parts.ports.end(),
                    });
                }
                Err(error) => return Err(error.into()),
            };
            match self.parts.gateway.ensure(id, port).await {
                Ok(_) => {
                    // Whoever has the list of projects sees the address.
                    self.parts.journal.touched();
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {
                    return Err(Error::ShuttingDown);
                }
                Err(error) => {
                    tracing::debug!(port, %error, "a preview port is taken");
                    refused.push(port);
                }
            }
        }
    }

    /// A project that could not have an address is as if it had never been
    /// asked for; the same request may be made again.
    pub(super) async fn take_back(&self, caller: &Caller, id: ProjectId, request_id: Option<&str>) {
        let pool = &self.parts.pool;
        let taken_back = async {
            if let Some(request_id) = request_id {
                request_ids::forget(pool, caller.user_id, request_id).await?;
            }
            rows::delete(pool, id).await
        };
        if let Err(error) = taken_back.await {
            tracing::warn!(project = %id, %error, "a project stays without an address until the next start");
        }
        self.parts.journal.forget(id);
    }
}
