//! Operations: what a model's answer asks to be done to the files, and doing
//! it. All of an answer is applied, or nothing: one bad path or one ambiguous
//! edit refuses the whole, with every problem that was found.

mod dependency;
mod edit;
mod problem;

use std::collections::{BTreeMap, BTreeSet};

use super::event::OperationKind;
use super::path::SafePath;
use super::text::without_nul;
use super::tree::{FileContent, Tree, TreeProblem};

pub use dependency::DependencyProblem;
pub use edit::EditProblem;
pub use problem::{OperationProblem, Problem};

/// Most operations of one answer, each hunk counted as one.
pub const OPERATIONS_MAX: usize = 4_096;

/// One instruction in a model's answer. Paths are as the model gave them:
/// [`apply`] checks them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Write a whole file, new or not.
    Write {
        /// Where.
        path: String,
        /// All of it.
        content: String,
    },
    /// Change parts of a file.
    Edit {
        /// Which.
        path: String,
        /// The changes, made one after the other.
        hunks: Vec<Hunk>,
    },
    /// Give a file another path.
    Rename {
        /// The path that it has.
        from: String,
        /// The path that it gets; nothing may be there.
        to: String,
    },
    /// Take a file away. One that is not there is as wanted already.
    Delete {
        /// Which.
        path: String,
    },
    /// Add packages to the dependencies of the manifest.
    AddDependency {
        /// `name` or `name@range` each.
        packages: Vec<String>,
    },
    /// Show a file to the model. Changes nothing.
    Read {
        /// Which.
        path: String,
    },
}

/// A replacement inside a file. Both texts are whole lines, each ended by a
/// line feed; no line at all is the empty text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// Lines as they are; they occur once in the file.
    pub search: String,
    /// Lines as they shall be.
    pub replace: String,
}

impl Operation {
    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> OperationKind {
        match self {
            Self::Write { .. } => OperationKind::Write,
            Self::Edit { .. } => OperationKind::Edit,
            Self::Rename { .. } => OperationKind::Rename,
            Self::Delete { .. } => OperationKind::Delete,
            Self::AddDependency { .. } => OperationKind::AddDependency,
            Self::Read { .. } => OperationKind::Read,
        }
    }

    /// Whether it changes files.
    #[must_use]
    pub const fn changes_files(&self) -> bool {
        !matches!(self, Self::Read { .. })
    }

    /// The path that it concerns, as the model gave it.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Write { path, .. }
            | Self::Edit { path, .. }
            | Self::Delete { path }
            | Self::Read { path }
            | Self::Rename { from: path, .. } => path,
            Self::AddDependency { .. } => dependency::MANIFEST,
        }
    }
}

/// The tree after all operations, in their order.
///
/// Two operations that spell one path in different Unicode forms collide; a
/// single one in another form than NFC means the file in NFC.
///
/// # Errors
/// Everything that is wrong with them, in their order; never empty.
pub fn apply(tree: &Tree, operations: &[Operation]) -> Result<Tree, Vec<OperationProblem>> {
    if let Some(problem) = too_many(operations) {
        return Err(vec![problem]);
    }
    let mut applying = Applying {
        tree: tree.clone(),
        spellings: BTreeMap::new(),
        failed: BTreeSet::new(),
    };
    let mut problems = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        let found = applying.apply(operation);
        problems.extend(found.into_iter().map(|problem| OperationProblem {
            operation: index,
            path: operation.path().to_owned(),
            problem,
        }));
    }
    if problems.is_empty() {
        Ok(applying.tree)
    } else {
        Err(problems)
    }
}

/// The work of an answer has a bound, whatever a model writes.
fn too_many(operations: &[Operation]) -> Option<OperationProblem> {
    let mut count = 0;
    for (index, operation) in operations.iter().enumerate() {
        count += match operation {
            Operation::Edit { hunks, .. } => hunks.len().max(1),
            Operation::AddDependency { packages } => packages.len().max(1),
            Operation::Write { .. }
            | Operation::Rename { .. }
            | Operation::Delete { .. }
            | Operation::Read { .. } => 1,
        };
        if count > OPERATIONS_MAX {
            return Some(OperationProblem {
                operation: index,
                path: operation.path().to_owned(),
                problem: Problem::TooMany,
            });
        }
    }
    None
}

struct Applying {
    tree: Tree,
    /// How the paths that were written are spelled in the answer.
    spellings: BTreeMap<SafePath, String>,
    /// Files that an operation could not make or change. That they are not
    /// there afterwards is no news.
    failed: BTreeSet<SafePath>,
}

impl Applying {
    fn apply(&mut self, operation: &Operation) -> Vec<Problem> {
        let result = match operation {
            Operation::Write { path, content } => self.write(path, content),
            Operation::Edit { path, hunks } => return self.edit(path, hunks),
            Operation::Rename { from, to } => self.rename(from, to),
            Operation::Delete { path } => self.delete(path),
            Operation::AddDependency { packages } => return self.add_dependencies(packages),
            Operation::Read { path } => SafePath::parse(path).map(drop).map_err(Problem::from),
        };
        result.err().into_iter().collect()
    }

    fn write(&mut self, spelled: &str, content: &str) -> Result<(), Problem> {
        let path = SafePath::parse(spelled)?;
        if let Some(before) = self
            .spellings
            .get(&path)
            .filter(|before| *before != spelled)
        {
            return Err(TreeProblem::Collision {
                path: spelled.to_owned(),
                other: before.clone(),
            }
            .into());
        }
        self.spellings.insert(path.clone(), spelled.to_owned());
        let content = FileContent::new(without_nul(content).into_owned());
        self.put(path, content)
    }

    fn edit(&mut self, path: &str, hunks: &[Hunk]) -> Vec<Problem> {
        let path = match SafePath::parse(path) {
            Ok(path) => path,
            Err(problem) => return vec![problem.into()],
        };
        let Some(file) = self.tree.get(&path) else {
            return self.no_file(&path);
        };
        let edited = match file.text() {
            Some(text) => edit::apply(text, hunks),
            None => Err(vec![EditProblem::NotText]),
        };
        match edited {
            Ok(text) => {
                let content = FileContent::new(without_nul(&text).into_owned());
                self.put(path, content).err().into_iter().collect()
            }
            Err(problems) => {
                self.failed.insert(path);
                problems.into_iter().map(Problem::from).collect()
            }
        }
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), Problem> {
        let from = SafePath::parse(from)?;
        let to = SafePath::parse(to)?;
        if from == to {
            return Ok(());
        }
        if self.tree.contains(&to) {
            return Err(Problem::TargetExists { to: to.to_string() });
        }
        match self.tree.rename(&from, to.clone()) {
            Ok(true) => Ok(()),
            Ok(false) => {
                // What it should have become is not there either.
                self.failed.insert(to);
                self.no_file(&from).pop().map_or(Ok(()), Err)
            }
            Err(problem) => {
                self.failed.insert(to);
                Err(problem.into())
            }
        }
    }

    fn delete(&mut self, path: &str) -> Result<(), Problem> {
        let path = SafePath::parse(path)?;
        if self.tree.remove(&path).is_some() {
            return Ok(());
        }
        // Models like to delete files that their own habits would have made;
        // that such a file is not there is as wanted. Another case is a mistake.
        match self.tree.resembling(&path) {
            None => Ok(()),
            Some(other) => Err(Problem::NoFile {
                resembling: Some(other.to_string()),
            }),
        }
    }

    fn add_dependencies(&mut self, packages: &[String]) -> Vec<Problem> {
        let path = SafePath::parse(dependency::MANIFEST).expect("a plain name is a path");
        let Some(file) = self.tree.get(&path) else {
            return self.no_file(&path);
        };
        match dependency::add(&file.bytes, packages) {
            Ok(text) => {
                let put = self.put(path, FileContent::new(text));
                put.err().into_iter().collect()
            }
            Err(problems) => problems.into_iter().map(Problem::from).collect(),
        }
    }

    fn put(&mut self, path: SafePath, content: FileContent) -> Result<(), Problem> {
        self.tree.insert(path.clone(), content).map_err(|problem| {
            self.failed.insert(path);
            problem.into()
        })
    }

    fn no_file(&self, path: &SafePath) -> Vec<Problem> {
        if self.failed.contains(path) {
            return Vec::new();
        }
        let resembling = self.tree.resembling(path).map(ToString::to_string);
        vec![Problem::NoFile { resembling }]
    }
}

#[cfg(test)]
mod tests;
