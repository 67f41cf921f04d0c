//! What goes into a prepared image, as one archive. It is the engine that unpacks
//! it, as root and following links: safe in a container in which nothing has run
//! yet, and done nowhere else.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::address::hex;
use super::error::SandboxError;
use super::image::TemplateImage;
use super::profile;

/// Raised when the same parts would make another image than before.
const LAYOUT: u64 = 1;
/// The user of sandboxes.
const UID: u64 = 1000;

/// Where systems keep the certificates that they trust.
const CA_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// A larger bundle is none.
const CA_BYTES: u64 = 8 << 20;

/// The parts of a prepared image that come from this machine.
pub(super) struct Ingredients {
    pub(super) supervisor: Vec<u8>,
    pub(super) ca: Option<Vec<u8>>,
}

impl Ingredients {
    /// Reads the supervisor's binary and what this host trusts.
    pub(super) async fn read(supervisor: &Path) -> Result<Self, SandboxError> {
        let binary = tokio::fs::read(supervisor).await.map_err(|error| {
            SandboxError::Prepare(format!(
                "the supervisor's binary {} cannot be read: {error}",
                supervisor.display()
            ))
        })?;
        let mut ca = None;
        for path in CA_BUNDLES {
            let fits = tokio::fs::metadata(path)
                .await
                .is_ok_and(|meta| meta.is_file() && meta.len() <= CA_BYTES);
            if fits && let Ok(bytes) = tokio::fs::read(path).await {
                ca = Some(bytes);
                break;
            }
        }
        Ok(Self {
            supervisor: binary,
            ca,
        })
    }

    /// The key of an image: what is the same makes the same.
    pub(super) fn key(&self, base: &str, template: &TemplateImage) -> String {
        let mut hasher = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        };
        part(&LAYOUT.to_be_bytes());
        part(base.as_bytes());
        part(&self.supervisor);
        part(self.ca.as_deref().unwrap_or_default());
        part(template.name.as_bytes());
        part(&(template.install.len() as u64).to_be_bytes());
        for argument in &template.install {
            part(argument.as_bytes());
        }
        let mut files: Vec<_> = template.files.iter().collect();
        files.sort_by(|one, other| one.0.cmp(&other.0));
        for (path, content) in files {
            part(path.as_bytes());
            part(content);
        }
        hex(&hasher.finalize()[..12])
    }

    /// The archive, to be unpacked at the root.
    pub(super) fn archive(&self, template: &TemplateImage) -> Result<Bytes, SandboxError> {
        let mut archive = Archive(tar::Builder::new(Vec::new()));
        archive.directory("opt/kiln", 0)?;
        archive.directory("opt/kiln/bin", 0)?;
        archive.file(relative(profile::SUPERVISOR), 0o755, 0, &self.supervisor)?;
        if let Some(ca) = &self.ca {
            archive.file(relative(profile::CA_BUNDLE), 0o644, 0, ca)?;
        }
        // Where volumes are mounted: a new volume takes its owner from here.
        archive.directory("app", UID)?;
        archive.directory("data", UID)?;
        archive.directory(relative(profile::TEMPLATE), UID)?;
        let mut made = BTreeSet::new();
        for (path, content) in &template.files {
            let path = format!("{}/{path}", relative(profile::TEMPLATE));
            for (end, _) in path.match_indices('/') {
                let parent = &path[..end];
                if parent.len() > relative(profile::TEMPLATE).len()
                    && made.insert(parent.to_owned())
                {
                    archive.directory(parent, UID)?;
                }
            }
            archive.file(&path, 0o644, UID, content)?;
        }
        archive.0.into_inner().map(Bytes::from).map_err(failed)
    }
}

struct Archive(tar::Builder<Vec<u8>>);

impl Archive {
    fn directory(&mut self, path: &str, owner: u64) -> Result<(), SandboxError> {
        let mut header = header(tar::EntryType::Directory, 0o755, owner);
        self.0
            .append_data(&mut header, path, std::io::empty())
            .map_err(failed)
    }

    fn file(
        &mut self,
        path: &str,
        mode: u32,
        owner: u64,
        content: &[u8],
    ) -> Result<(), SandboxError> {
        let mut header = header(tar::EntryType::Regular, mode, owner);
        header.set_size(content.len() as u64);
        self.0
            .append_data(&mut header, path, content)
            .map_err(failed)
    }
}

fn header(kind: tar::EntryType, mode: u32, owner: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mtime(0);
    header.set_size(0);
    header
}

fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: std::io::Error) -> SandboxError {
    SandboxError::Prepare(format!("the archive of the template: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> TemplateImage {
        TemplateImage {
            name: "react".into(),
            files: vec![
                ("package.json".into(), Bytes::from_static(b"{}")),
                ("patches/a.patch".into(), Bytes::from_static(b"x")),
            ],
            install: vec!["bun".into(), "install".into()],
        }
    }

    fn ingredients() -> Ingredients {
        Ingredients {
            supervisor: b"elf".to_vec(),
            ca: Some(b"pem".to_vec()),
        }
    }

    #[test]
    fn the_key_follows_everything_that_goes_in_and_no_order() {
        let key = |base: &str, change: &dyn Fn(&mut Ingredients, &mut TemplateImage)| {
            let (mut ingredients, mut template) = (ingredients(), template());
            change(&mut ingredients, &mut template);
            ingredients.key(base, &template)
        };
        let same = key("base", &|_, _| {});
        assert_eq!(same, key("base", &|_, template| template.files.reverse()));
        let others = [
            key("other", &|_, _| {}),
            key("base", &|it, _| it.supervisor.push(0)),
            key("base", &|it, _| it.ca = None),
            key("base", &|_, it| it.name.push('x')),
            key("base", &|_, it| it.install.push("--yarn".into())),
            key("base", &|_, it| it.files[0].1 = Bytes::from_static(b"{ }")),
            key("base", &|_, it| {
                it.files.pop();
            }),
        ];
        for (index, other) in others.iter().enumerate() {
            assert_ne!(&same, other, "{index}");
        }
    }

    #[test]
    fn only_the_template_belongs_to_the_user_of_sandboxes() {
        let bytes = ingredients().archive(&template()).unwrap();
        let mut archive = tar::Archive::new(bytes.as_ref());
        let entries: Vec<(String, u64)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let path = entry.path().unwrap().to_string_lossy().into_owned();
                (path, entry.header().uid().unwrap())
            })
            .collect();
        let expected = [
            ("opt/kiln", 0),
            ("opt/kiln/bin", 0),
            ("opt/kiln/bin/kiln-supervisor", 0),
            ("opt/kiln/ca.pem", 0),
            ("app", 1000),
            ("data", 1000),
            ("opt/kiln/template", 1000),
            ("opt/kiln/template/package.json", 1000),
            ("opt/kiln/template/patches", 1000),
            ("opt/kiln/template/patches/a.patch", 1000),
        ]
        .map(|(path, owner)| (path.to_owned(), owner));
        assert_eq!(entries, expected);
    }

    #[test]
    fn a_template_cannot_write_outside_of_its_place() {
        let mut template = template();
        template.files[0].0 = "../bin/kiln-supervisor".into();
        assert!(ingredients().archive(&template).is_err());
    }
}
