//! The helper container in which a prepared image is made: files in, the
//! installation run, the result committed, the helper removed.

use std::collections::VecDeque;
use std::time::Duration;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::ContainerConfig;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CommitContainerOptionsBuilder, CreateContainerOptionsBuilder,
    StartContainerOptions, UploadToContainerOptionsBuilder,
};
use futures::StreamExt;
use tokio::time::timeout;

use super::container::ContainerId;
use super::engine::{Engine, REMOVE, START};
use super::error::{SandboxError, bounded};
use super::image::TemplateImage;
use super::image_archive::Ingredients;
use super::profile;

/// Longest installation.
const INSTALL: Duration = Duration::from_secs(600);
/// Longest commit: a slow disk writes a whole tree of dependencies.
const COMMIT: Duration = Duration::from_secs(120);
/// Lines of a failed installation that are shown.
const LAST_LINES: usize = 3;

impl Engine {
    /// Makes the image `name`. The caller holds the lock of preparations.
    pub(super) async fn build(
        &self,
        name: &str,
        key: &str,
        base: &str,
        ingredients: &Ingredients,
        template: &TemplateImage,
        progress: &mut (impl FnMut(String) + Send),
    ) -> Result<(), SandboxError> {
        let archive = ingredients.archive(template)?;
        let docker = self.docker().await?;
        let network = self.ensure_network().await?;
        let labels = self.labels().common(self.id().await?);
        let body = profile::helper(
            base.to_owned(),
            &template.install,
            ingredients.ca.is_some(),
            labels,
            network,
            self.config(),
        );
        let options = CreateContainerOptionsBuilder::default()
            .name(&self.labels().helper(key))
            .build();
        let helper = self
            .call(
                "create helper",
                START,
                docker.create_container(Some(options), body),
            )
            .await?
            .id;

        let built = async {
            let options = UploadToContainerOptionsBuilder::default().path("/").build();
            self.call(
                "fill helper",
                START,
                docker.upload_to_container(&helper, Some(options), bollard::body_full(archive)),
            )
            .await?;
            if !template.install.is_empty() {
                progress(format!("installing the dependencies of {}", template.name));
                let install = self.install(&helper, progress);
                match timeout(INSTALL, install).await {
                    Ok(result) => result?,
                    Err(_) => return Err(SandboxError::Timeout("install the dependencies")),
                }
            }
            progress("saving the image".to_owned());
            let (repository, tag) = name.split_once(':').unwrap_or((name, "latest"));
            let options = CommitContainerOptionsBuilder::default()
                .container(&helper)
                .repo(repository)
                .tag(tag)
                .pause(false)
                .build();
            let config = ContainerConfig {
                labels: Some(self.image_labels(key).await?),
                ..ContainerConfig::default()
            };
            self.call(
                "commit image",
                COMMIT,
                docker.commit_container(options, config),
            )
            .await?;
            Ok(())
        }
        .await;

        match (built, self.force_remove(&docker, &helper).await) {
            (Err(error), _) => Err(error),
            (Ok(()), Ok(())) => Ok(()),
            (Ok(()), Err(error)) => {
                tracing::warn!(%error, "a helper container is left; it is swept later");
                Ok(())
            }
        }
    }

    /// Runs the helper to its end.
    async fn install(
        &self,
        helper: &str,
        progress: &mut (impl FnMut(String) + Send),
    ) -> Result<(), SandboxError> {
        let docker = self.docker().await?;
        let options = AttachContainerOptionsBuilder::default()
            .stream(true)
            .stdout(true)
            .stderr(true)
            .build();
        let AttachContainerResults { mut output, .. } = self
            .call(
                "attach helper",
                START,
                docker.attach_container(helper, Some(options)),
            )
            .await?;
        self.call(
            "start helper",
            START,
            docker.start_container(helper, None::<StartContainerOptions>),
        )
        .await?;
        let mut lines = Lines::default();
        while let Some(item) = output.next().await {
            match item {
                Ok(item) => {
                    for line in lines.push(&item) {
                        progress(line);
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "the output of a helper broke off");
                    break;
                }
            }
        }
        let code = self.exit_code(helper).await?;
        if code == Some(0) {
            return Ok(());
        }
        Err(SandboxError::Prepare(format!(
            "installing the template's dependencies ended with {}: {}",
            code.map_or_else(|| "no code".to_owned(), |code| code.to_string()),
            lines.last.into_iter().collect::<Vec<_>>().join("; "),
        )))
    }

    /// Waits until a container has ended.
    async fn exit_code(&self, container: &str) -> Result<Option<i64>, SandboxError> {
        let id = ContainerId::from(container.to_owned());
        let wait = async {
            loop {
                if let Some(code) = self.inspect(&id).await?.exit_code {
                    return Ok(Some(code));
                }
                // Its output ends a moment before it does.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        match timeout(REMOVE, wait).await {
            Ok(code) => code,
            Err(_) => Ok(None),
        }
    }
}

/// Output as lines, bounded.
#[derive(Default)]
struct Lines {
    unfinished: Vec<u8>,
    last: VecDeque<String>,
}

impl Lines {
    fn push(&mut self, output: &LogOutput) -> Vec<String> {
        let mut finished = Vec::new();
        for byte in output.as_ref() {
            match byte {
                // Progress bars write carriage returns.
                b'\n' | b'\r' => {
                    let line = bounded(&String::from_utf8_lossy(&self.unfinished));
                    self.unfinished.clear();
                    if line.is_empty() {
                        continue;
                    }
                    if self.last.len() == LAST_LINES {
                        self.last.pop_front();
                    }
                    self.last.push_back(line.clone());
                    finished.push(line);
                }
                _ if self.unfinished.len() < 4_096 => self.unfinished.push(*byte),
                _ => {}
            }
        }
        finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_comes_as_whole_bounded_lines() {
        let mut lines = Lines::default();
        let mut push = |text: &str| {
            lines.push(&LogOutput::StdOut {
                message: text.to_owned().into(),
            })
        };
        assert_eq!(push("bun inst"), Vec::<String>::new());
        assert_eq!(push("all\n\n\r1 %\r2"), ["bun install", "1 %"]);
        assert_eq!(push("\u{1b}[0m %\n"), ["2 [0m %"]);
        let long = push(&format!("{}\n", "x".repeat(100_000)));
        assert!(long[0].len() < 600);
        push(&"again\n".repeat(100));
        assert_eq!(lines.last.len(), LAST_LINES);
    }
}
