//! `kiln.v1.RevisionService`: messages in, use cases, messages out.

use bytes::Bytes;
use kiln_proto::v1::{self, revision_service_server};
use tonic::{Request, Response, Status};

use super::auth::caller;
use super::convert;
use super::fields::Fields;
use super::lists::{Listing, listing};
use super::streams::{Streams, WatchStream};
use crate::app::revisions::Revisions;
use crate::domain::error::Error;
use crate::domain::id::{ProjectId, RevisionId};
use crate::store::revisions::FileEntry;

/// Bytes of a piece of an export.
const PIECE: usize = 64 * 1024;

/// The service.
#[derive(Clone)]
pub struct RevisionService {
    revisions: Revisions,
    streams: Streams,
}

impl RevisionService {
    /// The service over these use cases.
    #[must_use]
    pub fn new(revisions: Revisions, streams: Streams) -> Self {
        Self { revisions, streams }
    }
}

#[tonic::async_trait]
impl revision_service_server::RevisionService for RevisionService {
    async fn list_revisions(
        &self,
        request: Request<v1::ListRevisionsRequest>,
    ) -> Result<Response<v1::ListRevisionsResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let mut fields = Fields::default();
        let project = fields.id::<ProjectId>("project_id", &message.project_id);
        let Listing { page, rows } = listing(
            &mut fields,
            (message.page_size, &message.page_token),
            "ListRevisions",
            &[&message.project_id],
        )?;
        let Some(project) = project else {
            return Err(fields.into_error().into());
        };
        let mut revisions = self.revisions.list(&caller, project, rows).await?;
        let next_page_token = page.finish(&mut revisions, |revision| {
            (revision.created_at, revision.id.uuid())
        });
        Ok(Response::new(v1::ListRevisionsResponse {
            revisions: revisions
                .into_iter()
                .map(|revision| convert::revision(revision, vec![]))
                .collect(),
            next_page_token,
        }))
    }

    async fn get_revision(
        &self,
        request: Request<v1::GetRevisionRequest>,
    ) -> Result<Response<v1::GetRevisionResponse>, Status> {
        let caller = caller(&request)?;
        let mut fields = Fields::default();
        let Some(id) = fields.id("revision_id", &request.into_inner().revision_id) else {
            return Err(fields.into_error().into());
        };
        let (revision, changes) = self.revisions.get(&caller, id).await?;
        Ok(Response::new(v1::GetRevisionResponse {
            revision: Some(convert::revision(revision, changes)),
        }))
    }

    async fn list_files(
        &self,
        request: Request<v1::ListFilesRequest>,
    ) -> Result<Response<v1::ListFilesResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let (project, revision) = read_ids(&message.project_id, &message.revision_id)?;
        let (revision, files) = self.revisions.files(&caller, project, revision).await?;
        Ok(Response::new(v1::ListFilesResponse {
            files: files.into_iter().map(file).collect(),
            revision_id: revision.to_string(),
        }))
    }

    async fn read_file(
        &self,
        request: Request<v1::ReadFileRequest>,
    ) -> Result<Response<v1::ReadFileResponse>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let (project, revision) = read_ids(&message.project_id, &message.revision_id)?;
        let (entry, content) = self
            .revisions
            .read(&caller, project, revision, &message.path)
            .await?;
        let (text, data) = match String::from_utf8(content) {
            Ok(text) => (text, vec![]),
            Err(other) => (String::new(), other.into_bytes()),
        };
        Ok(Response::new(v1::ReadFileResponse {
            file: Some(file(entry)),
            text,
            data,
        }))
    }

    type ExportRevisionStream = WatchStream<v1::ExportRevisionResponse>;

    async fn export_revision(
        &self,
        request: Request<v1::ExportRevisionRequest>,
    ) -> Result<Response<Self::ExportRevisionStream>, Status> {
        let caller = caller(&request)?;
        let message = request.into_inner();
        let (project, revision) = read_ids(&message.project_id, &message.revision_id)?;
        let (revision, archive) = self.revisions.export(&caller, project, revision).await?;
        let first = v1::ExportRevisionResponse {
            data: Bytes::new(),
            revision: Some(convert::revision(revision, vec![])),
        };
        let archive = Bytes::from(archive);
        let pieces =
            (0..archive.len())
                .step_by(PIECE)
                .map(move |start| v1::ExportRevisionResponse {
                    data: archive.slice(start..(start + PIECE).min(archive.len())),
                    revision: None,
                });
        let stream = self
            .streams
            .finite(&caller, std::iter::once(first).chain(pieces))?;
        Ok(Response::new(stream))
    }
}

fn read_ids(project: &str, revision: &str) -> Result<(ProjectId, Option<RevisionId>), Error> {
    let mut fields = Fields::default();
    let project = fields.id("project_id", project);
    let revision = fields.optional_id("revision_id", revision);
    match (project, revision) {
        (Some(project), Some(revision)) => Ok((project, revision)),
        _ => Err(fields.into_error()),
    }
}

fn file(entry: FileEntry) -> v1::File {
    v1::File {
        path: entry.path,
        size_bytes: entry.size_bytes,
        sha256: entry
            .sha256
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    }
}
