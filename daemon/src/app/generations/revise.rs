//! From an answer to a revision: all of its operations, or none.

use sqlx::PgPool;

use super::super::reporter::Reporter;
use crate::domain::event::Event;
use crate::domain::generation::{FailureReason, Generation};
use crate::domain::id::RevisionId;
use crate::domain::operation::{self, Operation};
use crate::domain::path::SafePath;
use crate::domain::revision::{Health, Revision};
use crate::domain::text::beginning;
use crate::domain::tree::{FileContent, Tree};
use crate::domain::{Error, Result};
use crate::fresh;
use crate::llm::parser::Ending;
use crate::store::change::RowChange;
use crate::store::revisions::{self, FileEntry, NewRevision};

/// Bytes of a revision's title at most.
const TITLE_MAX: usize = 120;

/// A revision that was just made.
pub(crate) struct Revised {
    pub(crate) id: RevisionId,
    pub(crate) tree: Tree,
}

/// Why an answer cannot become a revision.
pub(crate) struct Refused {
    pub(crate) reason: FailureReason,
    pub(crate) message: String,
}

/// The tree after all operations of an answer.
pub(crate) fn apply(tree: &Tree, answer: &Ending) -> Result<Tree, Refused> {
    if let Some(malformed) = answer.malformed.first() {
        return Err(Refused {
            reason: FailureReason::InvalidOperation,
            message: format!("the answer is not well formed, so nothing was applied: {malformed}"),
        });
    }
    let changing = answer.operations.iter().any(Operation::changes_files);
    if !changing {
        return Err(Refused {
            reason: FailureReason::NoOperations,
            message: "the model answered without changing a file; ask again, more plainly, or choose another model"
                .into(),
        });
    }
    operation::apply(tree, &answer.operations).map_err(|problems| Refused {
        reason: FailureReason::InvalidOperation,
        message: format!(
            "an operation cannot be applied, so none was: {}",
            problems
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; ")
        ),
    })
}

/// The files of a revision.
///
/// # Errors
/// The database.
pub(crate) async fn load(pool: &PgPool, revision: RevisionId) -> Result<Tree> {
    let entries = revisions::files(pool, revision).await?;
    let hashes: Vec<_> = entries.iter().map(|entry| entry.sha256).collect();
    let mut blobs: std::collections::HashMap<_, _> = revisions::blobs(pool, &hashes)
        .await?
        .into_iter()
        .map(|(hash, content)| (hash, bytes::Bytes::from(content)))
        .collect();
    let mut files = Vec::with_capacity(entries.len());
    for entry in entries {
        let path = SafePath::parse(&entry.path).map_err(Error::internal)?;
        // Several paths may have one content.
        let content = blobs.get_mut(&entry.sha256).cloned().ok_or_else(|| {
            Error::internal(format!("the content of {path} is not in the database"))
        })?;
        files.push((
            path,
            FileContent {
                sha256: entry.sha256,
                bytes: content,
            },
        ));
    }
    Tree::from_files(files).map_err(Error::internal)
}

/// Saves a tree as the next revision of the project.
///
/// # Errors
/// The database, or [`Error::Conflict`] if somebody else made one meanwhile.
pub(crate) async fn save(
    pool: &PgPool,
    reporter: &Reporter,
    parent: Option<&Revision>,
    before: &Tree,
    tree: Tree,
    generation: Option<&Generation>,
) -> Result<Revised> {
    let blobs: Vec<_> = tree
        .iter()
        .map(|(_, content)| (content.sha256, &content.bytes[..]))
        .collect();
    put_missing(pool, &blobs).await?;
    let id = fresh::id();
    let number = parent.map_or(1, |parent| parent.number + 1);
    let parent_id = parent.map(|parent| parent.id);
    let changes = match parent {
        Some(_) => tree.changes_from(before),
        None => tree.changes_from(&Tree::new()),
    };
    let title = generation.map_or("", |generation| {
        let line = generation.prompt.trim().lines().next().unwrap_or("");
        beginning(line, TITLE_MAX)
    });
    reporter
        .emit(
            vec![Event::RevisionCreated {
                revision_id: id,
                number,
                parent_id,
                changes,
            }],
            vec![RowChange::InsertRevision(NewRevision {
                id,
                number,
                parent_id,
                generation_id: generation.map(|generation| generation.id),
                title: title.to_owned(),
                health: Health::Unknown,
                files: entries(&tree),
            })],
        )
        .await?;
    Ok(Revised { id, tree })
}

/// Puts the contents that the database does not have yet.
async fn put_missing(pool: &PgPool, blobs: &[(revisions::Sha256, &[u8])]) -> Result<()> {
    let hashes: Vec<_> = blobs.iter().map(|(hash, _)| *hash).collect();
    let missing = revisions::missing_blobs(pool, &hashes).await?;
    let wanted: Vec<_> = blobs
        .iter()
        .filter(|(hash, _)| missing.contains(hash))
        .copied()
        .collect();
    if !wanted.is_empty() {
        revisions::put_blobs(pool, &wanted).await?;
    }
    Ok(())
}

fn entries(tree: &Tree) -> Vec<FileEntry> {
    tree.iter()
        .map(|(path, content)| entry(path.as_str(), content))
        .collect()
}

/// The row of a file.
pub(crate) fn entry(path: &str, content: &FileContent) -> FileEntry {
    FileEntry {
        path: path.to_owned(),
        sha256: content.sha256,
        size_bytes: i64::try_from(content.bytes.len()).unwrap_or(i64::MAX),
    }
}
