//! Revisions and the blobs that their files are made of. Blobs are put first,
//! outside any transaction, since they are addressed by content: one without a
//! revision is only waste.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::id::{GenerationId, ProjectId, RevisionId, UserId};
use crate::domain::revision::{Health, Revision};

use super::error::{Result, StoreError, known};
use super::page::PageRequest;

/// SHA-256 of a blob.
pub type Sha256 = [u8; 32];

/// A file of a revision, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Path in the project.
    pub path: String,
    /// SHA-256 of the content.
    pub sha256: Sha256,
    /// Bytes.
    pub size_bytes: i64,
}

/// A revision to be made. Its blobs are there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRevision {
    /// Its id.
    pub id: RevisionId,
    /// One more than that of the newest revision.
    pub number: i32,
    /// Where it came from.
    pub parent_id: Option<RevisionId>,
    /// The generation that made it.
    pub generation_id: Option<GenerationId>,
    /// What it is, for people.
    pub title: String,
    /// Whether it passed the gate.
    pub health: Health,
    /// All of its files.
    pub files: Vec<FileEntry>,
}

struct Row {
    id: Uuid,
    project_id: Uuid,
    number: i32,
    parent_id: Option<Uuid>,
    generation_id: Option<Uuid>,
    title: String,
    health: String,
    file_count: i32,
    total_bytes: i64,
    created_at: OffsetDateTime,
}

impl TryFrom<Row> for Revision {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id.into(),
            project_id: row.project_id.into(),
            number: row.number,
            parent_id: row.parent_id.map(Into::into),
            generation_id: row.generation_id.map(Into::into),
            title: row.title,
            health: known("revisions.health", &row.health, Health::parse)?,
            file_count: row.file_count,
            total_bytes: row.total_bytes,
            created_at: row.created_at,
        })
    }
}

/// Revisions, every column: `r` is the table.
macro_rules! select_revisions {
    ($tail:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            "select r.id, r.project_id, r.number, r.parent_id, r.generation_id, r.title, r.health,
                r.file_count, r.total_bytes, r.created_at
            from revisions r " + $tail,
            $($argument),+
        )
    };
}

/// The revision; `None` if it does not exist or is not the user's.
///
/// # Errors
/// The database.
pub async fn get(
    db: impl PgExecutor<'_>,
    user: UserId,
    revision: RevisionId,
) -> Result<Option<Revision>> {
    select_revisions!(
        "join projects p on p.id = r.project_id
         join team_members m on m.team_id = p.team_id and m.user_id = $1
         where r.id = $2",
        user.uuid(),
        revision.uuid()
    )
    .fetch_optional(db)
    .await?
    .map(Revision::try_from)
    .transpose()
}

/// The revision, for the daemon itself: whose it is was settled before.
///
/// # Errors
/// The database.
pub async fn get_unscoped(
    db: impl PgExecutor<'_>,
    revision: RevisionId,
) -> Result<Option<Revision>> {
    select_revisions!("where r.id = $1", revision.uuid())
        .fetch_optional(db)
        .await?
        .map(Revision::try_from)
        .transpose()
}

/// The revisions of a project, newest first; none where it is not the user's.
///
/// # Errors
/// The database.
pub async fn list(
    db: impl PgExecutor<'_>,
    user: UserId,
    project: ProjectId,
    page: PageRequest,
) -> Result<Vec<Revision>> {
    select_revisions!(
        "join projects p on p.id = r.project_id
         join team_members m on m.team_id = p.team_id and m.user_id = $1
         where r.project_id = $2
           and ($3::timestamptz is null or (r.created_at, r.id) < ($3, $4))
         order by r.created_at desc, r.id desc
         limit $5",
        user.uuid(),
        project.uuid(),
        page.created_before(),
        page.id_before(),
        page.limit
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(Revision::try_from)
    .collect()
}

/// The newest revision of a project, for the daemon itself.
///
/// # Errors
/// The database.
pub async fn head(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Option<Revision>> {
    select_revisions!(
        "where r.project_id = $1 order by r.number desc limit 1",
        project.uuid()
    )
    .fetch_optional(db)
    .await?
    .map(Revision::try_from)
    .transpose()
}

/// The newest revision of a project that passed the gate, for the daemon itself.
///
/// # Errors
/// The database.
pub async fn newest_healthy(
    db: impl PgExecutor<'_>,
    project: ProjectId,
) -> Result<Option<Revision>> {
    select_revisions!(
        "where r.project_id = $1 and r.health = 'healthy' order by r.number desc limit 1",
        project.uuid()
    )
    .fetch_optional(db)
    .await?
    .map(Revision::try_from)
    .transpose()
}

/// Paths that differ from the revision's parent, at most 100; of a first
/// revision, none are named.
///
/// # Errors
/// The database.
pub async fn changed_paths(db: impl PgExecutor<'_>, revision: RevisionId) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        r#"select coalesce(new.path, old.path) as "path!"
           from (select path, sha256 from revision_files where revision_id = $1) new
           full join (
               select f.path, f.sha256 from revision_files f
               join revisions r on r.parent_id = f.revision_id
               where r.id = $1
           ) old on old.path = new.path
           where exists (select from revisions where id = $1 and parent_id is not null)
             and new.sha256 is distinct from old.sha256
           order by 1 limit 100"#,
        revision.uuid()
    )
    .fetch_all(db)
    .await?)
}

/// The files of a revision, by path in the order of bytes.
///
/// # Errors
/// The database.
pub async fn files(db: impl PgExecutor<'_>, revision: RevisionId) -> Result<Vec<FileEntry>> {
    let rows = sqlx::query!(
        r#"select path, sha256, size_bytes from revision_files
           where revision_id = $1 order by path collate "C""#,
        revision.uuid()
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(FileEntry {
                path: row.path,
                sha256: sha256(&row.sha256)?,
                size_bytes: row.size_bytes,
            })
        })
        .collect()
}

/// One file of a revision with its content.
///
/// # Errors
/// The database.
pub async fn file(
    db: impl PgExecutor<'_>,
    revision: RevisionId,
    path: &str,
) -> Result<Option<(FileEntry, Vec<u8>)>> {
    let row = sqlx::query!(
        "select f.path, f.sha256, f.size_bytes, b.content
         from revision_files f join blobs b on b.sha256 = f.sha256
         where f.revision_id = $1 and f.path = $2",
        revision.uuid(),
        path
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| {
        let entry = FileEntry {
            path: row.path,
            sha256: sha256(&row.sha256)?,
            size_bytes: row.size_bytes,
        };
        Ok((entry, row.content))
    })
    .transpose()
}

/// Keeps contents by their hash; those that are there already are left alone.
/// To be called before the revision is made; at most about 16 MiB at once.
///
/// # Errors
/// The database.
pub async fn put_blobs(db: impl PgExecutor<'_>, blobs: &[(Sha256, &[u8])]) -> Result<()> {
    // In the order of their hashes, so that two writers never wait for each other.
    let mut sorted: Vec<_> = blobs.iter().collect();
    sorted.sort_unstable_by_key(|(hash, _)| *hash);
    sorted.dedup_by_key(|(hash, _)| *hash);
    let hashes: Vec<&[u8]> = sorted.iter().map(|(hash, _)| hash.as_slice()).collect();
    let contents: Vec<&[u8]> = sorted.iter().map(|(_, content)| *content).collect();
    sqlx::query!(
        "insert into blobs (sha256, size_bytes, content)
         select sha256, octet_length(content), content
         from unnest($1::bytea[], $2::bytea[]) as blob (sha256, content)
         on conflict (sha256) do nothing",
        &hashes as &[&[u8]],
        &contents as &[&[u8]]
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Which of these blobs are not there yet.
///
/// # Errors
/// The database.
pub async fn missing_blobs(db: impl PgExecutor<'_>, hashes: &[Sha256]) -> Result<Vec<Sha256>> {
    let hashes: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
    let rows = sqlx::query_scalar!(
        r#"select wanted.sha256 as "sha256!" from unnest($1::bytea[]) as wanted (sha256)
           where not exists (select from blobs b where b.sha256 = wanted.sha256)"#,
        &hashes as &[&[u8]]
    )
    .fetch_all(db)
    .await?;
    rows.iter().map(|hash| sha256(hash)).collect()
}

/// The contents of several blobs, in no order; those that are not there are
/// left out.
///
/// # Errors
/// The database.
pub async fn blobs(db: impl PgExecutor<'_>, hashes: &[Sha256]) -> Result<Vec<(Sha256, Vec<u8>)>> {
    let hashes: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
    let rows = sqlx::query!(
        "select sha256, content from blobs where sha256 = any($1)",
        &hashes as &[&[u8]]
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| Ok((sha256(&row.sha256)?, row.content)))
        .collect()
}

/// Makes a revision with its files.
///
/// # Errors
/// [`StoreError::Conflict`] if the number is taken, [`StoreError::NotFound`] if
/// a blob is not there.
pub(crate) async fn insert(
    db: &mut PgConnection,
    project: ProjectId,
    new: &NewRevision,
) -> Result<()> {
    let total: i64 = new.files.iter().map(|file| file.size_bytes).sum();
    let count = i32::try_from(new.files.len()).unwrap_or(i32::MAX);
    sqlx::query!(
        "insert into revisions (id, project_id, number, parent_id, generation_id, title, health,
             file_count, total_bytes)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        new.id.uuid(),
        project.uuid(),
        new.number,
        new.parent_id.map(RevisionId::uuid),
        new.generation_id.map(GenerationId::uuid),
        new.title,
        new.health.as_str(),
        count,
        total
    )
    .execute(&mut *db)
    .await?;
    let paths: Vec<&str> = new.files.iter().map(|file| file.path.as_str()).collect();
    let hashes: Vec<&[u8]> = new
        .files
        .iter()
        .map(|file| file.sha256.as_slice())
        .collect();
    let sizes: Vec<i64> = new.files.iter().map(|file| file.size_bytes).collect();
    sqlx::query!(
        "insert into revision_files (revision_id, path, sha256, size_bytes)
         select $1, path, sha256, size_bytes
         from unnest($2::text[], $3::bytea[], $4::bigint[]) as file (path, sha256, size_bytes)",
        new.id.uuid(),
        &paths as &[&str],
        &hashes as &[&[u8]],
        &sizes
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Records whether a revision passed the gate.
///
/// # Errors
/// [`StoreError::NotFound`] if it is gone.
pub(crate) async fn set_health(
    db: &mut PgConnection,
    project: ProjectId,
    revision: RevisionId,
    health: Health,
) -> Result<()> {
    let done = sqlx::query!(
        "update revisions set health = $3 where id = $1 and project_id = $2",
        revision.uuid(),
        project.uuid(),
        health.as_str()
    )
    .execute(db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::NotFound);
    }
    Ok(())
}

/// Puts a file into a revision that is not known to be healthy or not, in place
/// of one of the same path.
///
/// # Errors
/// [`StoreError::Conflict`] if it has been through the gate, or is gone.
pub(crate) async fn amend(
    db: &mut PgConnection,
    project: ProjectId,
    revision: RevisionId,
    file: &FileEntry,
    content: &[u8],
) -> Result<()> {
    put_blobs(&mut *db, &[(file.sha256, content)]).await?;
    sqlx::query!(
        "insert into revision_files (revision_id, path, sha256, size_bytes) values ($1, $2, $3, $4)
         on conflict (revision_id, path) do update
         set sha256 = excluded.sha256, size_bytes = excluded.size_bytes",
        revision.uuid(),
        file.path,
        &file.sha256,
        file.size_bytes
    )
    .execute(&mut *db)
    .await?;
    let done = sqlx::query!(
        "update revisions r
         set file_count = sums.files::integer, total_bytes = sums.bytes
         from (select count(*) as files, coalesce(sum(size_bytes), 0)::bigint as bytes
               from revision_files where revision_id = $1) sums
         where r.id = $1 and r.project_id = $2 and r.health = 'unknown'",
        revision.uuid(),
        project.uuid()
    )
    .execute(&mut *db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Conflict);
    }
    Ok(())
}

fn sha256(bytes: &[u8]) -> Result<Sha256> {
    bytes.try_into().map_err(|_| StoreError::Unknown {
        column: "sha256",
        value: format!("{} bytes", bytes.len()),
    })
}
