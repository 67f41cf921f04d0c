//! Making a container. The row is committed first: a kill at any point leaves a
//! container that a row names.

use std::sync::Arc;

use time::OffsetDateTime;

use super::Sandboxes;
use super::connect::ConnectError;
use super::held::{Held, SlotContents};
use super::lanes::Lane;
use crate::app::reporter::Reporter;
use crate::domain::event::{Event, StepKind};
use crate::domain::sandbox::{Sandbox, SandboxState, Slot};
use crate::domain::{Error, Result};
use crate::fresh;
use crate::sandbox::{PreparedImage, TemplateImage};
use crate::store::change::RowChange;
use crate::store::sandboxes as rows;
use crate::template::Template;

impl Sandboxes {
    /// Makes a container for the project, and says how.
    pub(super) async fn make(
        &self,
        lane: &Lane,
        row: Option<Sandbox>,
        template: &Template,
        reporter: &Reporter,
    ) -> Result<(Arc<Held>, String)> {
        let engine_id = self.engine().info().await?.id;
        let running = rows::of_engine(self.pool(), &engine_id)
            .await?
            .iter()
            .filter(|other| other.project_id != lane.project())
            .filter(|other| matches!(other.state, SandboxState::Running | SandboxState::Starting))
            .count();
        let limit = self.inner.parts.limit;
        if running >= limit as usize {
            return Err(Error::SandboxLimit { limit });
        }
        let image = self.prepared(template, reporter).await?;
        let id = row.map_or_else(fresh::id, |row| row.id);
        let sandbox = Sandbox {
            id,
            project_id: lane.project(),
            engine_id,
            daemon_id: self.inner.parts.daemon,
            state: SandboxState::Starting,
            detail: String::new(),
            container_id: None,
            image: image.name.clone(),
            revision_id: None,
            slot: Slot::A,
            created_at: OffsetDateTime::now_utc(),
        };
        self.report(
            lane.project(),
            SandboxState::Starting,
            "",
            RowChange::UpsertSandbox(sandbox.clone()),
        )
        .await?;
        match self.create(lane, &sandbox, &image).await {
            Ok(held) => Ok((held, "made from the prepared image".into())),
            Err(error) => {
                let detail = error.to_string();
                if let Err(left) = self.engine().remove_container(id).await {
                    tracing::warn!(sandbox = %id, error = %left, "cannot remove what was made so far; reconcile will");
                }
                self.transition(
                    &sandbox,
                    &[SandboxState::Starting],
                    SandboxState::Failed,
                    &detail,
                )
                .await?;
                Err(error.into())
            }
        }
    }

    async fn create(
        &self,
        lane: &Lane,
        sandbox: &Sandbox,
        image: &PreparedImage,
    ) -> Result<Arc<Held>, ConnectError> {
        // What a kill left behind under this id goes first.
        self.engine().remove_container(sandbox.id).await?;
        let container = self.engine().create(sandbox.id, image).await?;
        let supervisor = self.engine().supervisor(&container).await?;
        let held = Arc::new(Held::new(
            lane.project(),
            sandbox.id,
            container.clone(),
            supervisor,
            &SlotContents::Empty,
        ));
        let running = Sandbox {
            state: SandboxState::Running,
            container_id: Some(container.to_string()),
            ..sandbox.clone()
        };
        self.report(
            lane.project(),
            SandboxState::Running,
            "",
            RowChange::UpsertSandbox(running),
        )
        .await?;
        self.hold(&held);
        Ok(held)
    }

    async fn prepared(&self, template: &Template, reporter: &Reporter) -> Result<PreparedImage> {
        let image = TemplateImage {
            name: template.name.clone(),
            files: template
                .dependency_files()
                .into_iter()
                .map(|(path, bytes)| (path.to_string(), bytes))
                .collect(),
            install: template.install.clone(),
        };
        let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
        let reports = async {
            while let Some(text) = lines.recv().await {
                reporter
                    .pass(Event::StepOutput {
                        step: StepKind::Sandbox,
                        text,
                    })
                    .await?;
            }
            Ok::<_, Error>(())
        };
        let prepare = async {
            // Moved in, so that the reports end with the work.
            let sender = sender;
            self.engine()
                .prepare_image(&image, |line| {
                    // The reader is beside us; it cannot be gone.
                    let _ = sender.send(line + "\n");
                })
                .await
        };
        let (image, reported) = tokio::join!(prepare, reports);
        reported?;
        Ok(image?)
    }
}
