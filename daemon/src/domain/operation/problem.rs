//! What can be wrong with the operations of an answer, in words for people and
//! for the model that wrote them.

use super::{DependencyProblem, EditProblem, OPERATIONS_MAX};
use crate::domain::path::PathProblem;
use crate::domain::tree::TreeProblem;

/// Why an operation cannot be applied. The text is for people and for the
/// model that wrote the operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct OperationProblem {
    /// Place of the operation in the answer, from 0.
    pub operation: usize,
    /// The path that it concerns, as the model gave it.
    pub path: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong with an operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The path is not one.
    #[error("{0}")]
    Path(#[from] PathProblem),
    /// The file cannot be in the tree.
    #[error("{0}")]
    Tree(#[from] TreeProblem),
    /// There is no such file.
    #[error("there is no such file{}", hint(.resembling.as_ref()))]
    NoFile {
        /// A path that differs only in case.
        resembling: Option<String>,
    },
    /// A rename would overwrite a file.
    #[error("there is a file at {to} already; delete it first")]
    TargetExists {
        /// The new path.
        to: String,
    },
    /// An edit does not fit.
    #[error("{0}")]
    Edit(#[from] EditProblem),
    /// A package cannot be added.
    #[error("{0}")]
    Dependency(#[from] DependencyProblem),
    /// The answer has too many operations.
    #[error("an answer has at most {OPERATIONS_MAX} operations and hunks")]
    TooMany,
}

fn hint(resembling: Option<&String>) -> String {
    resembling.map_or_else(String::new, |path| {
        format!("; {path} differs from it only in case")
    })
}
