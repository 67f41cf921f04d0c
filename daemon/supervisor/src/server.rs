//! Answers requests. Each handler checks, hands over and translates; what is
//! done is in the modules that it calls.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use kiln_proto::supervisor::v1 as proto;
use kiln_proto::supervisor::v1::supervisor_service_server::SupervisorService;
use tokio::sync::Semaphore;
use tokio_util::io::{StreamReader, SyncIoBridge};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use crate::apply::Before;
use crate::dev_server::DevServers;
use crate::error::Error;
use crate::follow::{AtEnd, Follower};
use crate::path::{RelativePath, Slot};
use crate::ring::Ring;
use crate::step::{StepEvent, Steps, WatchedStep};
use crate::upload::MAX_STREAM_BYTES;
use crate::workspace::Workspace;
use crate::{apply, convert, copy_tree, tcp};

/// Longest pause within an upload.
const UPLOAD_IDLE: Duration = Duration::from_secs(30);
/// Threads that work on files, all started at the beginning: when the sandbox
/// has no process left to give, there must be no need for another one.
pub const FILE_THREADS: usize = 4;
/// Uploads and copies at once, so that a thread is left for reading.
const FILE_CHANGES: usize = FILE_THREADS - 1;

type MessageStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Everything that requests are about.
#[derive(Debug)]
pub struct Server {
    /// Identity of this start of the supervisor.
    pub boot_id: String,
    /// The files.
    pub workspace: Arc<Workspace>,
    /// The steps.
    pub steps: Steps,
    /// The dev servers.
    pub servers: DevServers,
    /// The dev servers' output.
    pub log: Arc<Ring>,
    /// Who sees to connections.
    pub tasks: TaskTracker,
    /// Ends them.
    pub stop: CancellationToken,
    /// At most so many changes of files at once.
    pub file_changes: Arc<Semaphore>,
}

impl Server {
    /// The semaphore that `file_changes` is made of.
    #[must_use]
    pub fn file_changes() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(FILE_CHANGES))
    }

    /// Runs something that changes files on a thread of its own.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Workspace) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = Arc::clone(&self.file_changes)
            .acquire_owned()
            .await
            .map_err(|_| Error::Stopping)?;
        self.on_file_thread(move |workspace| {
            let result = change(workspace);
            drop(permit);
            result
        })
        .await
    }

    async fn on_file_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Workspace) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let workspace = Arc::clone(&self.workspace);
        tokio::task::spawn_blocking(move || work(&workspace))
            .await
            .map_err(|error| Error::system("work on files")(io::Error::other(error)))?
    }
}

#[tonic::async_trait]
impl SupervisorService for Server {
    type RunStepStream = MessageStream<proto::RunStepResponse>;
    type StreamLogsStream = MessageStream<proto::StreamLogsResponse>;
    type OpenTcpStream = MessageStream<proto::OpenTcpResponse>;

    async fn get_status(
        &self,
        _request: Request<proto::GetStatusRequest>,
    ) -> Result<Response<proto::GetStatusResponse>, Status> {
        let servers = self.servers.list();
        Ok(Response::new(proto::GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: self.boot_id.clone(),
            servers: servers.into_iter().map(convert::server_status).collect(),
        }))
    }

    async fn apply_files(
        &self,
        request: Request<Streaming<proto::ApplyFilesRequest>>,
    ) -> Result<Response<proto::ApplyFilesResponse>, Status> {
        let mut messages = request.into_inner();
        let first = first_message(&mut messages).await?;
        let header = first
            .header
            .ok_or_else(|| Error::Invalid("header: missing".to_owned()))?;
        let slot = Slot::parse(&header.slot)?;
        let delete_paths = convert::paths(&header.delete_paths)?;
        let clear = header.clear;
        let stream = upload_stream(first.data, messages);
        let applied = self
            .change(move |workspace| {
                let reader = SyncIoBridge::new(StreamReader::new(stream));
                let before = if clear {
                    Before::Clear
                } else {
                    Before::Delete(&delete_paths)
                };
                apply::apply(workspace, slot, before, reader)
            })
            .await?;
        Ok(Response::new(proto::ApplyFilesResponse {
            written_count: bounded(applied.written_count),
            written_bytes: convert::signed(applied.written_bytes),
            deleted_count: bounded(applied.deleted_count),
        }))
    }

    async fn copy_tree(
        &self,
        request: Request<proto::CopyTreeRequest>,
    ) -> Result<Response<proto::CopyTreeResponse>, Status> {
        let request = request.into_inner();
        let slot = Slot::parse(&request.slot)?;
        let target = RelativePath::parse(&request.target)?;
        let copied = self
            .change(move |workspace| {
                copy_tree::copy_tree(workspace, &request.source, slot, &target)
            })
            .await?;
        Ok(Response::new(proto::CopyTreeResponse {
            file_count: bounded(copied.file_count),
            total_bytes: convert::signed(copied.total_bytes),
        }))
    }

    async fn read_file(
        &self,
        request: Request<proto::ReadFileRequest>,
    ) -> Result<Response<proto::ReadFileResponse>, Status> {
        let request = request.into_inner();
        let slot = Slot::parse(&request.slot)?;
        let path = RelativePath::parse(&request.path)?;
        let max_bytes = u64::try_from(request.max_bytes)
            .map_err(|_| Error::Invalid("max_bytes: must not be negative".to_owned()))?;
        let data = self
            .on_file_thread(move |workspace| workspace.read_file(slot, &path, max_bytes))
            .await?;
        Ok(Response::new(proto::ReadFileResponse {
            found: data.is_some(),
            data: data.unwrap_or_default().into(),
        }))
    }

    async fn run_step(
        &self,
        request: Request<proto::RunStepRequest>,
    ) -> Result<Response<Self::RunStepStream>, Status> {
        let plan = convert::step_plan(request.into_inner())?;
        let step = self
            .steps
            .start(plan.slot, &plan.invocation, plan.timeout)?;
        Ok(Response::new(Box::pin(futures::stream::unfold(
            Some(step),
            next_of_step,
        ))))
    }

    async fn start_server(
        &self,
        request: Request<proto::StartServerRequest>,
    ) -> Result<Response<proto::StartServerResponse>, Status> {
        let plan = convert::server_plan(request.into_inner())?;
        let pid = self.servers.start(plan).await?;
        Ok(Response::new(proto::StartServerResponse { pid }))
    }

    async fn stop_server(
        &self,
        request: Request<proto::StopServerRequest>,
    ) -> Result<Response<proto::StopServerResponse>, Status> {
        self.servers
            .stop(Slot::parse(&request.into_inner().slot)?)
            .await;
        Ok(Response::new(proto::StopServerResponse {}))
    }

    async fn stream_logs(
        &self,
        request: Request<proto::StreamLogsRequest>,
    ) -> Result<Response<Self::StreamLogsStream>, Status> {
        let request = request.into_inner();
        let at_end = if request.follow {
            AtEnd::Follow
        } else {
            AtEnd::Stop
        };
        let follower = Follower::new(Arc::clone(&self.log), convert::start(&request)?, at_end);
        let batches = futures::stream::unfold(follower, |mut follower| async move {
            Some((follower.next().await?, follower))
        });
        Ok(Response::new(Box::pin(
            batches.map(|batch| Ok(convert::log_message(batch))),
        )))
    }

    async fn open_tcp(
        &self,
        request: Request<Streaming<proto::OpenTcpRequest>>,
    ) -> Result<Response<Self::OpenTcpStream>, Status> {
        let mut messages = request.into_inner();
        let first = first_message(&mut messages).await?;
        let connection = tcp::connect(convert::port(first.port)?).await?;
        let first = futures::stream::iter([Some(first.data)]);
        let pieces = messages.map(|message| message.ok().map(|message| message.data));
        let answers = connection.forward(first.chain(pieces), &self.tasks, &self.stop);
        let connected = futures::stream::iter([Bytes::new()]);
        Ok(Response::new(Box::pin(
            connected
                .chain(answers)
                .map(|data| Ok(proto::OpenTcpResponse { data })),
        )))
    }
}

async fn next_of_step(
    step: Option<WatchedStep>,
) -> Option<(Result<proto::RunStepResponse, Status>, Option<WatchedStep>)> {
    let mut step = step?;
    match step.next().await {
        Ok(StepEvent::Output(batch)) => Some((Ok(convert::step_message(batch)), Some(step))),
        Ok(StepEvent::Ended(ended)) => {
            let message = proto::RunStepResponse {
                exit: Some(convert::exit(ended)),
                ..Default::default()
            };
            Some((Ok(message), None))
        }
        Err(error) => Some((Err(error.into()), None)),
    }
}

async fn first_message<T>(messages: &mut Streaming<T>) -> Result<T, Status> {
    let first = tokio::time::timeout(UPLOAD_IDLE, messages.message())
        .await
        .map_err(|_| Error::UploadAborted("no first message".to_owned()))?;
    Ok(first?.ok_or_else(|| Error::Invalid("no message".to_owned()))?)
}

/// The bytes of an upload; an error if they stop coming or are too many.
fn upload_stream(
    first: Bytes,
    messages: Streaming<proto::ApplyFilesRequest>,
) -> Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>> {
    let rest = tokio_stream::StreamExt::timeout(messages, UPLOAD_IDLE);
    let rest = rest.map(|message| match message {
        Ok(Ok(message)) => Ok(message.data),
        Ok(Err(status)) => Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            status.message(),
        )),
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
    });
    let mut left = MAX_STREAM_BYTES;
    let all = futures::stream::iter([Ok(first)]).chain(rest);
    Box::pin(all.map(move |piece: io::Result<Bytes>| {
        let piece = piece?;
        left = left
            .checked_sub(piece.len() as u64)
            .ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(piece)
    }))
}

/// Counts that our own limits keep far below `i32`.
fn bounded(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
