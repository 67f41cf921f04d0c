//! Templates that somebody put into the data directory: one folder each, with a
//! `kiln.toml`. Bounded in every direction; links and special files are passed
//! over, and so are the directories of tools.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;

use super::{Template, TemplateError};
use crate::domain::path::{PathProblem, SafePath};
use crate::domain::tree::{FILE_BYTES_MAX, PROJECT_BYTES_MAX, PROJECT_FILES_MAX};

/// Most folders.
const TEMPLATES_MAX: usize = 32;

/// The templates in a directory; none where there is no such directory.
pub(super) fn load(directory: &Path) -> Result<Vec<Template>, TemplateError> {
    let mut templates = Vec::new();
    let names = match entries(directory) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(templates),
        Err(error) => return Err(at(directory, &error)),
    };
    for name in names {
        let folder = directory.join(&name);
        if !kind(&folder)?.is_dir() || name.starts_with('.') {
            continue;
        }
        if templates.len() == TEMPLATES_MAX {
            return Err(at(
                directory,
                &format!("there are more than {TEMPLATES_MAX} templates"),
            ));
        }
        let mut reader = Reader {
            files: Vec::new(),
            total_bytes: 0,
        };
        reader.read_directory(&folder, "")?;
        let template =
            Template::from_files(&name, reader.files).map_err(|error| TemplateError {
                file: directory.join(error.file),
                problem: error.problem,
            })?;
        templates.push(template);
    }
    Ok(templates)
}

struct Reader {
    files: Vec<(SafePath, Bytes)>,
    total_bytes: usize,
}

impl Reader {
    /// Reads what lies in a directory, whose path in the template is `prefix`.
    fn read_directory(&mut self, directory: &Path, prefix: &str) -> Result<(), TemplateError> {
        for name in entries(directory).map_err(|error| at(directory, &error))? {
            let file = directory.join(&name);
            let kind = kind(&file)?;
            if !kind.is_dir() && !kind.is_file() {
                continue;
            }
            // The depth of a path is bounded, and with it that of this recursion.
            let path = match SafePath::parse(&format!("{prefix}{name}")) {
                Ok(path) => path,
                Err(PathProblem::Reserved) => continue,
                Err(problem) => return Err(at(&file, &problem)),
            };
            if kind.is_dir() {
                self.read_directory(&file, &format!("{path}/"))?;
            } else {
                self.read_file(&file, path)?;
            }
        }
        Ok(())
    }

    fn read_file(&mut self, file: &Path, path: SafePath) -> Result<(), TemplateError> {
        let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        File::open(file)
            .and_then(|open| open.take(limit + 1).read_to_end(&mut bytes))
            .map_err(|error| at(file, &error))?;
        if bytes.len() > FILE_BYTES_MAX {
            return Err(at(
                file,
                &format!("it is larger than {FILE_BYTES_MAX} bytes"),
            ));
        }
        self.total_bytes += bytes.len();
        // The manifest counts too here, which changes nothing that matters.
        if self.files.len() == PROJECT_FILES_MAX || self.total_bytes > PROJECT_BYTES_MAX {
            return Err(at(
                file,
                &format!(
                    "with it the template has more than {PROJECT_FILES_MAX} files or {PROJECT_BYTES_MAX} bytes"
                ),
            ));
        }
        self.files.push((path, Bytes::from(bytes)));
        Ok(())
    }
}

/// The names in a directory, in order; at most as many as a template has files.
fn entries(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        // The manifest is one more, and a few things may be passed over.
        if names.len() > PROJECT_FILES_MAX + TEMPLATES_MAX {
            return Err(io::Error::other(format!(
                "it holds more than {PROJECT_FILES_MAX} files"
            )));
        }
        let name = entry?
            .file_name()
            .into_string()
            .map_err(|name| io::Error::other(format!("the name {name:?} in it is not UTF-8")))?;
        names.push(name);
    }
    names.sort_unstable();
    Ok(names)
}

/// What something is, without following a link.
fn kind(file: &Path) -> Result<fs::FileType, TemplateError> {
    fs::symlink_metadata(file)
        .map(|metadata| metadata.file_type())
        .map_err(|error| at(file, &error))
}

fn at(file: &Path, problem: &impl ToString) -> TemplateError {
    TemplateError {
        file: file.to_owned(),
        problem: problem.to_string(),
    }
}
