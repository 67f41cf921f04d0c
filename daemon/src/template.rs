//! Templates: what a new project starts from, and how its app is installed,
//! started and checked.
//!
//! The templates of this repository are part of the binary; folders in
//! `<data>/templates/` are added to them. A template is read and checked as a
//! whole, once: what is wrong with it is said with the name of the file. Links
//! and special files are never followed.

mod embedded;
mod folder;
mod manifest;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;

use self::manifest::Manifest;
use crate::domain::path::SafePath;
use crate::domain::tree::{FileContent, Tree};

/// What stands for the port of the dev server in commands and values.
const PORT: &str = "{port}";
/// Name of the file that describes a template.
const MANIFEST: &str = "kiln.toml";

/// What a new project starts from.
#[derive(Clone, Debug)]
pub struct Template {
    /// What projects call it: lower-case letters, digits and dashes.
    pub name: String,
    /// For people.
    pub title: String,
    /// For people: what one gets.
    pub description: String,
    /// Program and arguments that install the dependencies.
    pub install: Vec<String>,
    /// What a model has to know of it: goes into the system prompt.
    pub note: String,
    /// How long the check may take.
    pub check_timeout: Duration,
    start: Vec<String>,
    check: Vec<String>,
    environment: BTreeMap<String, String>,
    dependency_files: Vec<SafePath>,
    tree: Tree,
}

impl Template {
    /// Program and arguments of the dev server, which is to listen on this port
    /// of the sandbox's loopback address.
    #[must_use]
    pub fn start(&self, port: u16) -> Vec<String> {
        with_port(&self.start, port)
    }

    /// Program and arguments of the check; empty if there is none. The port is
    /// that of the running dev server.
    #[must_use]
    pub fn check(&self, port: u16) -> Vec<String> {
        with_port(&self.check, port)
    }

    /// Variables for the programs above.
    #[must_use]
    pub fn environment(&self, port: u16) -> BTreeMap<String, String> {
        let port = port.to_string();
        self.environment
            .iter()
            .map(|(name, value)| (name.clone(), value.replace(PORT, &port)))
            .collect()
    }

    /// The files of a new project.
    #[must_use]
    pub fn initial_tree(&self) -> Tree {
        self.tree.clone()
    }

    /// The files that decide what an installation brings, in a fixed order: what
    /// a prepared image is made from.
    #[must_use]
    pub fn dependency_files(&self) -> Vec<(SafePath, Bytes)> {
        self.dependency_files_of(&self.tree)
    }

    /// The same files as they are in a revision of a project. One that is not
    /// there is left out.
    #[must_use]
    pub fn dependency_files_of(&self, tree: &Tree) -> Vec<(SafePath, Bytes)> {
        self.dependency_files
            .iter()
            .filter_map(|path| Some((path.clone(), tree.get(path)?.bytes.clone())))
            .collect()
    }

    /// Puts a template together from its files, the manifest among them.
    fn from_files(name: &str, files: Vec<(SafePath, Bytes)>) -> Result<Self, TemplateError> {
        let fail = |file: &str, problem: String| TemplateError {
            file: Path::new(name).join(file),
            problem,
        };
        if !is_name(name) {
            return Err(fail(
                "",
                "the name of a template has 1 to 64 lower-case letters, digits and dashes".into(),
            ));
        }
        let mut tree = Tree::new();
        let mut manifest = None;
        for (path, bytes) in files {
            if path.as_str() == MANIFEST {
                manifest = Some(bytes);
                continue;
            }
            let shown = path.to_string();
            tree.insert(path, FileContent::new(bytes))
                .map_err(|problem| fail(&shown, problem.to_string()))?;
        }
        let manifest = manifest.ok_or_else(|| fail(MANIFEST, "it is missing".into()))?;
        let manifest = Manifest::parse(&manifest).map_err(|problem| fail(MANIFEST, problem))?;
        if let Some(missing) = manifest
            .dependency_files
            .iter()
            .find(|path| !tree.contains(path))
        {
            return Err(fail(
                missing.as_str(),
                format!("{MANIFEST} names it, but it is missing"),
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            title: manifest.title,
            description: manifest.description,
            install: manifest.install,
            note: manifest.note,
            check_timeout: manifest.check_timeout,
            start: manifest.start,
            check: manifest.check,
            environment: manifest.environment,
            dependency_files: manifest.dependency_files,
            tree,
        })
    }
}

/// All templates that a project may start from.
#[derive(Clone, Debug)]
pub struct Templates(BTreeMap<String, Template>);

impl Templates {
    /// The templates of the binary, and those of the folder `templates` in the
    /// daemon's data directory, if there is one. A folder with the name of a
    /// built-in template takes its place. Blocks: reads files.
    ///
    /// # Errors
    /// The first file with which something is wrong.
    pub fn load(data_directory: &Path) -> Result<Self, TemplateError> {
        let mut templates = Self::embedded();
        for template in folder::load(&data_directory.join("templates"))? {
            templates.0.insert(template.name.clone(), template);
        }
        Ok(templates)
    }

    /// The templates of the binary alone.
    #[must_use]
    pub fn embedded() -> Self {
        let templates = embedded::TEMPLATES.iter().map(|(name, files)| {
            let files = files
                .iter()
                .map(|(path, bytes)| {
                    let path = SafePath::parse(path).expect("a test parses every embedded path");
                    (path, Bytes::from_static(bytes))
                })
                .collect();
            let template =
                Template::from_files(name, files).expect("a test builds every embedded template");
            ((*name).to_owned(), template)
        });
        Self(templates.collect())
    }

    /// The template of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Template> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Template> {
        self.0.values()
    }
}

/// What is wrong with a template, and in which file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template {}: {problem}", .file.display())]
pub struct TemplateError {
    /// The file, or the folder.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

fn with_port(command: &[String], port: u16) -> Vec<String> {
    let port = port.to_string();
    command
        .iter()
        .map(|argument| argument.replace(PORT, &port))
        .collect()
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

#[cfg(test)]
mod tests;
