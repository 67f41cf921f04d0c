//! Labels and names of everything that Kiln makes at an engine. Labels cannot
//! change and never carry anything but ids: whose a container is, a row says.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::address::hex;
use crate::domain::id::SandboxId;

/// Whose it is: nothing without the own value of this label is ever touched.
pub(super) const DEPLOYMENT: &str = "kiln.deployment";
/// The engine that it was made on.
pub(super) const ENGINE: &str = "kiln.engine";
/// The sandbox that it belongs to.
pub(super) const SANDBOX: &str = "kiln.sandbox";
/// A prepared image: the key of what is in it.
pub(super) const PREPARED: &str = "kiln.prepared";

/// The labels of one deployment on one engine.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    deployment: String,
}

impl Labels {
    pub(super) fn new(deployment: String) -> Self {
        Self { deployment }
    }

    /// Labels of what belongs to the deployment as a whole.
    pub(super) fn common(&self, engine: &str) -> HashMap<String, String> {
        HashMap::from([
            (DEPLOYMENT.to_owned(), self.deployment.clone()),
            (ENGINE.to_owned(), engine.to_owned()),
        ])
    }

    /// Labels of what belongs to a sandbox.
    pub(super) fn sandbox(&self, engine: &str, id: SandboxId) -> HashMap<String, String> {
        let mut labels = self.common(engine);
        labels.insert(SANDBOX.to_owned(), id.to_string());
        labels
    }

    /// A filter that finds everything of the deployment.
    pub(super) fn filter_all(&self) -> HashMap<String, Vec<String>> {
        self.filter([])
    }

    /// A filter that finds what belongs to a sandbox.
    pub(super) fn filter_sandbox(&self, id: SandboxId) -> HashMap<String, Vec<String>> {
        self.filter([format!("{SANDBOX}={id}")])
    }

    /// A filter that finds what carries `label` as well.
    pub(super) fn filter_with(&self, label: &str) -> HashMap<String, Vec<String>> {
        self.filter([label.to_owned()])
    }

    fn filter<const N: usize>(&self, more: [String; N]) -> HashMap<String, Vec<String>> {
        let mut labels = vec![format!("{DEPLOYMENT}={}", self.deployment)];
        labels.extend(more);
        HashMap::from([("label".to_owned(), labels)])
    }

    /// Whether `labels` are those of this deployment.
    pub(super) fn own(&self, labels: &HashMap<String, String>) -> bool {
        labels.get(DEPLOYMENT) == Some(&self.deployment)
    }

    /// A short name of the deployment, for things with short names.
    fn short(&self) -> String {
        hex(&Sha256::digest(self.deployment.as_bytes())[..5])
    }

    /// Name of the network of the deployment.
    pub(super) fn network(&self) -> String {
        format!("kiln-{}", self.short())
    }

    /// Name of its bridge on the host: 15 characters at most.
    pub(super) fn bridge(&self) -> String {
        format!("kiln{}", self.short())
    }

    /// Name of the container that prepares an image, for a moment. It is a name
    /// and no label, since an image passes its labels on to what is made from it.
    pub(super) fn helper(&self, key: &str) -> String {
        format!("{}{key}", self.helper_prefix())
    }

    /// Whether a container with these names and labels is such a helper of this
    /// deployment.
    pub(super) fn is_helper(&self, names: &[String], labels: &HashMap<String, String>) -> bool {
        let prefix = self.helper_prefix();
        self.own(labels)
            && !labels.contains_key(SANDBOX)
            && names
                .iter()
                .any(|name| name.trim_start_matches('/').starts_with(&prefix))
    }

    fn helper_prefix(&self) -> String {
        format!("kiln-helper-{}-", self.short())
    }

    /// Repository of the prepared images.
    pub(super) fn image_repository(&self) -> String {
        format!("kiln-sandbox-{}", self.short())
    }
}

/// The sandbox that `labels` name.
pub(super) fn sandbox_of(labels: &HashMap<String, String>) -> Option<SandboxId> {
    labels.get(SANDBOX)?.parse().ok()
}

/// Name of the container of a sandbox.
pub(super) fn container_name(id: SandboxId) -> String {
    format!("kiln-{id}")
}

/// Name of the volume with the workspace.
pub(super) fn workspace_name(id: SandboxId) -> String {
    format!("kiln-{id}-app")
}

/// Name of the volume with the app's own data.
pub(super) fn data_name(id: SandboxId) -> String {
    format!("kiln-{id}-data")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_name_fits_the_kernel() {
        let labels = Labels::new("0198f0a4-7b1c-7000-8000-000000000000".to_owned());
        assert!(labels.bridge().len() <= 15);
        assert_ne!(labels.bridge(), Labels::new("other".to_owned()).bridge());
    }

    #[test]
    fn a_helper_is_known_by_its_name_and_owner_and_no_sandbox_is_one() {
        let labels = Labels::new("one".to_owned());
        let names = [format!("/{}", labels.helper("00"))];
        assert!(labels.is_helper(&names, &labels.common("engine")));
        let id = SandboxId::from(uuid::Uuid::nil());
        assert!(!labels.is_helper(&names, &labels.sandbox("engine", id)));
        assert!(!labels.is_helper(&["/by-hand".to_owned()], &labels.common("engine")));
        let other = Labels::new("two".to_owned());
        assert!(!labels.is_helper(&names, &other.common("engine")));
    }
}
