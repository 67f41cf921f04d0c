//! Prepared images: the base image with the supervisor, what this host trusts,
//! and a template with its dependencies, committed once for each combination.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{CreateImageInfo, ImageInspect};
use bollard::query_parameters::{CreateImageOptionsBuilder, ListImagesOptionsBuilder};
use bytes::Bytes;
use futures::StreamExt;
use tokio::time::timeout;

use super::engine::{CALL, Engine};
use super::error::{SandboxError, bounded, engine_error};
use super::image_archive::Ingredients;
use super::labels::PREPARED;

/// Prepared images of one deployment that are kept.
const KEPT: usize = 4;
/// Longest silence of a pull.
const PULL_SILENCE: Duration = Duration::from_secs(60);
/// Longest pull.
const PULL: Duration = Duration::from_secs(900);

/// A template: what is installed in an image before any project asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateImage {
    /// Its name, such as `react`.
    pub name: String,
    /// What the installation needs: the manifest, the lockfile and the like.
    pub files: Vec<(String, Bytes)>,
    /// The command that installs; empty for a template without dependencies.
    /// It runs as the user of sandboxes, contained as one, with the network.
    pub install: Vec<String>,
}

/// An image that sandboxes are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedImage {
    /// Its name with its tag, for people and for rows.
    pub name: String,
    /// The engine's id of it.
    pub(super) id: String,
    /// Whether it holds what the host trusts.
    pub(super) has_ca: bool,
    /// Names of variables in the image's own configuration.
    pub(super) variables: Vec<String>,
}

impl Engine {
    /// Makes sure that the image of a template is there: at once if it is, in
    /// seconds if only the dependencies are missing, longer if the base image must
    /// be pulled. One at a time; `progress` hears what is done, for people.
    pub async fn prepare_image(
        &self,
        template: &TemplateImage,
        mut progress: impl FnMut(String) + Send,
    ) -> Result<PreparedImage, SandboxError> {
        let _preparing = self.preparing().lock().await;
        let base = Box::pin(self.base_image(&mut progress)).await?;
        let base_id = base.id.unwrap_or_default();
        let ingredients = Ingredients::read(self.supervisor_binary()).await?;
        let key = ingredients.key(&base_id, template);
        let name = format!("{}:{key}", self.labels().image_repository());
        if let Some(image) = self.find_image(&name).await? {
            return Ok(prepared(name, image, &ingredients));
        }
        self.remove_helpers().await?;
        Box::pin(self.build(&name, &key, &base_id, &ingredients, template, &mut progress)).await?;
        let image = self.find_image(&name).await?.ok_or_else(|| {
            SandboxError::Prepare("the image vanished right after it was made".to_owned())
        })?;
        let prepared = prepared(name, image, &ingredients);
        if let Err(error) = self.prune_images(&prepared.id).await {
            tracing::warn!(%error, "old prepared images could not be removed");
        }
        Ok(prepared)
    }

    async fn base_image(
        &self,
        progress: &mut (impl FnMut(String) + Send),
    ) -> Result<ImageInspect, SandboxError> {
        let name = self.config().image.clone();
        if let Some(image) = self.find_image(&name).await? {
            return Ok(image);
        }
        let missing = |why: &str| {
            SandboxError::ImageMissing(format!(
                "the image {name} is not there{why}; run scripts/sandbox-image, or set sandbox.image"
            ))
        };
        // Images that scripts/sandbox-image assembles are in no registry.
        if name.starts_with("kiln-") {
            return Err(missing(""));
        }
        progress(format!("pulling {name}"));
        self.pull(&name, progress)
            .await
            .map_err(|error| match error {
                SandboxError::Unavailable(_) => error,
                other => missing(&format!(" and cannot be pulled ({other})")),
            })?;
        self.find_image(&name).await?.ok_or_else(|| missing(""))
    }

    async fn pull(
        &self,
        name: &str,
        progress: &mut (impl FnMut(String) + Send),
    ) -> Result<(), SandboxError> {
        let docker = self.docker().await?;
        let (image, tag) = split_name(name);
        let options = CreateImageOptionsBuilder::default()
            .from_image(image)
            .tag(tag)
            .build();
        let pull = async {
            let mut messages = std::pin::pin!(docker.create_image(Some(options), None, None));
            let mut last = String::new();
            loop {
                let message: CreateImageInfo = match timeout(PULL_SILENCE, messages.next()).await {
                    Err(_) => return Err(SandboxError::Timeout("pull the base image")),
                    Ok(None) => return Ok(()),
                    Ok(Some(message)) => message.map_err(|error| engine_error("pull", &error))?,
                };
                if let Some(detail) = message.error_detail {
                    let text = detail.message.unwrap_or_default();
                    return Err(SandboxError::Refused(bounded(&text)));
                }
                let status = bounded(&message.status.unwrap_or_default());
                // Every layer counts its bytes; only what is new is worth a line.
                if !status.is_empty() && status != last {
                    progress(status.clone());
                    last = status;
                }
            }
        };
        match timeout(PULL, pull).await {
            Ok(result) => result,
            Err(_) => Err(SandboxError::Timeout("pull the base image")),
        }
    }

    async fn find_image(&self, name: &str) -> Result<Option<ImageInspect>, SandboxError> {
        let docker = self.docker().await?;
        match self
            .call("inspect image", CALL, docker.inspect_image(name))
            .await
        {
            Ok(image) => Ok(Some(image)),
            Err(SandboxError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps the newest images of this deployment, and `current`.
    async fn prune_images(&self, current: &str) -> Result<(), SandboxError> {
        let docker = self.docker().await?;
        let options = ListImagesOptionsBuilder::default()
            .filters(&self.labels().filter_with(PREPARED))
            .build();
        let mut images = self
            .call("list images", CALL, docker.list_images(Some(options)))
            .await?;
        images.retain(|image| image.id != current);
        images.sort_by_key(|image| std::cmp::Reverse(image.created));
        for image in images.iter().skip(KEPT - 1) {
            self.remove_image(&image.id).await?;
        }
        Ok(())
    }

    /// Labels of a prepared image.
    pub(super) async fn image_labels(
        &self,
        key: &str,
    ) -> Result<HashMap<String, String>, SandboxError> {
        let mut labels = self.labels().common(self.id().await?);
        labels.insert(PREPARED.to_owned(), key.to_owned());
        Ok(labels)
    }
}

fn prepared(name: String, image: ImageInspect, ingredients: &Ingredients) -> PreparedImage {
    let environment = image
        .config
        .and_then(|config| config.env)
        .unwrap_or_default();
    PreparedImage {
        name,
        id: image.id.unwrap_or_default(),
        has_ca: ingredients.ca.is_some(),
        variables: environment
            .iter()
            .filter_map(|variable| variable.split('=').next())
            .map(str::to_owned)
            .collect(),
    }
}

/// Splits the name of an image for a pull. Without a tag the engine would pull
/// every tag there is.
fn split_name(name: &str) -> (&str, &str) {
    if name.contains('@') {
        return (name, "");
    }
    match name.rsplit_once(':') {
        // A colon before a slash belongs to a port.
        Some((image, tag)) if !tag.contains('/') => (image, tag),
        _ => (name, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_always_names_one_image() {
        assert_eq!(split_name("oven/bun:1"), ("oven/bun", "1"));
        assert_eq!(split_name("oven/bun"), ("oven/bun", "latest"));
        assert_eq!(
            split_name("localhost:5000/bun"),
            ("localhost:5000/bun", "latest")
        );
        assert_eq!(
            split_name("localhost:5000/bun:2"),
            ("localhost:5000/bun", "2")
        );
        assert_eq!(split_name("bun@sha256:00"), ("bun@sha256:00", ""));
    }
}
