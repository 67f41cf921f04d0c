//! Revisions, as their readers see them: lists, files, exports.

use flate2::Compression;
use flate2::write::GzEncoder;
use sqlx::PgPool;

use super::access;
use super::generations::load;
use crate::domain::account::{Caller, TeamRole};
use crate::domain::event::FileChange;
use crate::domain::id::{ProjectId, RevisionId};
use crate::domain::revision::Revision;
use crate::domain::tree::Tree;
use crate::domain::{Error, Result};
use crate::store::page::PageRequest;
use crate::store::revisions::{self as rows, FileEntry};

/// Use cases around revisions.
#[derive(Clone)]
pub struct Revisions {
    pool: PgPool,
}

impl Revisions {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The revisions of a project, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn list(
        &self,
        caller: &Caller,
        project: ProjectId,
        page: PageRequest,
    ) -> Result<Vec<Revision>> {
        access::project(&self.pool, caller, project, TeamRole::Viewer).await?;
        Ok(rows::list(&self.pool, caller.user_id, project, page).await?)
    }

    /// One revision and how it differs from its parent.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(
        &self,
        caller: &Caller,
        id: RevisionId,
    ) -> Result<(Revision, Vec<FileChange>)> {
        let revision = rows::get(&self.pool, caller.user_id, id)
            .await?
            .ok_or(Error::NotFound)?;
        let tree = load(&self.pool, id).await?;
        let parent = match revision.parent_id {
            Some(parent) => load(&self.pool, parent).await?,
            None => Tree::new(),
        };
        let changes = tree.changes_from(&parent);
        Ok((revision, changes))
    }

    /// The files of a revision, by path; of the newest one where none is named.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NoRevision`].
    pub async fn files(
        &self,
        caller: &Caller,
        project: ProjectId,
        revision: Option<RevisionId>,
    ) -> Result<(RevisionId, Vec<FileEntry>)> {
        let revision = self.resolve(caller, project, revision).await?;
        Ok((revision.id, rows::files(&self.pool, revision.id).await?))
    }

    /// One file.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NoRevision`].
    pub async fn read(
        &self,
        caller: &Caller,
        project: ProjectId,
        revision: Option<RevisionId>,
        path: &str,
    ) -> Result<(FileEntry, Vec<u8>)> {
        let revision = self.resolve(caller, project, revision).await?;
        rows::file(&self.pool, revision.id, path)
            .await?
            .ok_or(Error::NotFound)
    }

    /// A revision as a tar archive compressed with gzip. Revisions never
    /// change, so it is whole whatever happens meanwhile; at 16 MiB at most it
    /// is made in memory.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NoRevision`].
    pub async fn export(
        &self,
        caller: &Caller,
        project: ProjectId,
        revision: Option<RevisionId>,
    ) -> Result<(Revision, Vec<u8>)> {
        let revision = self.resolve(caller, project, revision).await?;
        let tree = load(&self.pool, revision.id).await?;
        let modified = u64::try_from(revision.created_at.unix_timestamp()).unwrap_or(0);
        let archive = tokio::task::spawn_blocking(move || archive(&tree, modified))
            .await
            .map_err(Error::internal)?
            .map_err(Error::internal)?;
        Ok((revision, archive))
    }

    async fn resolve(
        &self,
        caller: &Caller,
        project: ProjectId,
        revision: Option<RevisionId>,
    ) -> Result<Revision> {
        access::project(&self.pool, caller, project, TeamRole::Viewer).await?;
        match revision {
            Some(id) => rows::get(&self.pool, caller.user_id, id)
                .await?
                .filter(|revision| revision.project_id == project)
                .ok_or(Error::NotFound),
            None => rows::head(&self.pool, project)
                .await?
                .ok_or(Error::NoRevision),
        }
    }
}

fn archive(tree: &Tree, modified: u64) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (path, content) in tree.iter() {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(modified);
        builder.append_data(&mut header, path.as_str(), &content.bytes[..])?;
    }
    builder.into_inner()?.finish()
}
