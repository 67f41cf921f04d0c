//! The daemon's side of the supervisor: a typed client over the standard streams
//! of one exec. Every call has an end; what is answered goes through `reply`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use hyper_util::rt::TokioIo;
use kiln_proto::supervisor::v1::supervisor_service_client::SupervisorServiceClient;
use kiln_proto::supervisor::v1::{
    CopyTreeRequest, GetStatusRequest, OpenTcpRequest, ReadFileRequest, RunStepRequest,
    StartServerRequest, StopServerRequest, StreamLogsRequest,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, PollSender};
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use super::container::{ContainerId, ContainerPhase};
use super::engine::{CALL, Engine};
use super::error::SandboxError;
use super::exec_io::{ExecIo, LastWords};
use super::profile;
use super::reply::{self, Applied, Copied, LogBatch, StepExit, SupervisorStatus};
use super::tunnel::TcpTunnel;
use super::upload::{self, Before};
use crate::domain::id::RevisionId;
use crate::domain::sandbox::Slot;

/// A connection is tried again for this long: a container that was just started
/// may not listen yet.
const CONNECT: Duration = Duration::from_secs(10);
/// Limit of calls that change little.
const SHORT: Duration = Duration::from_secs(5);
/// Limit of stopping a dev server, which may be asked politely first.
const STOP: Duration = Duration::from_secs(15);
/// Limit of copying dependencies.
const COPY: Duration = Duration::from_secs(30);
/// Limit of an upload, beside what its size adds.
const UPLOAD: Duration = Duration::from_secs(10);
/// A slow line to a far engine, in bytes a second.
const SLOW_LINE: usize = 1 << 20;
/// What the supervisor may take longer than a step's own limit to end it.
const STEP_GRACE: Duration = Duration::from_secs(15);

/// What one stream may have under way: enough for 180 MB/s at the latency of an exec.
const STREAM_WINDOW: u32 = 256 << 10;
/// All streams together. As much as 256 of them may have, since streams that
/// nobody reads would otherwise use it up and hold up every other call.
const CONNECTION_WINDOW: u32 = 64 << 20;
/// Largest message that is taken, but for files. A message of nothing but empty
/// lines becomes forty times its size in memory, so this is small.
const MESSAGE_BYTES: usize = 512 << 10;
/// Most bytes of a file that is read.
const FILE_BYTES: usize = 3 << 20;

/// The supervisor in one container. Cheap to clone; the connection ends with the
/// last clone. What it says is bounded and checked, never believed.
#[derive(Clone)]
pub struct Supervisor {
    client: SupervisorServiceClient<Channel>,
    ended: CancellationToken,
}

impl std::fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervisor")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Connects to the supervisor in a running container, and waits up to 10 s
    /// until it answers.
    pub async fn supervisor(&self, container: &ContainerId) -> Result<Supervisor, SandboxError> {
        let deadline = Instant::now() + CONNECT;
        let mut pause = Duration::from_millis(10);
        loop {
            let failed = match self.connect(container).await {
                Ok(supervisor) => return Ok(supervisor),
                Err(error @ (SandboxError::Unavailable(_) | SandboxError::NotFound(_))) => {
                    return Err(error);
                }
                Err(error) => error,
            };
            let status = self.inspect(container).await?;
            match status.phase {
                ContainerPhase::Running => {}
                ContainerPhase::Created | ContainerPhase::Paused | ContainerPhase::Ended => {
                    return Err(SandboxError::Gone(format!(
                        "its container is {:?}, exit code {:?}: {failed}",
                        status.phase, status.exit_code
                    )));
                }
            }
            if Instant::now() + pause > deadline {
                return Err(failed);
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }

    async fn connect(&self, container: &ContainerId) -> Result<Supervisor, SandboxError> {
        let docker = self.docker().await?;
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(false),
            privileged: Some(false),
            user: Some(profile::USER.to_owned()),
            cmd: Some(vec![profile::SUPERVISOR.to_owned(), "connect".to_owned()]),
            ..ExecConfig::default()
        };
        let exec = self
            .call(
                "create exec",
                CALL,
                docker.create_exec(container.as_str(), config),
            )
            .await?;
        let options = StartExecOptions {
            detach: false,
            tty: false,
            output_capacity: Some(64 << 10),
        };
        let started = self
            .call(
                "start exec",
                CALL,
                docker.start_exec(&exec.id, Some(options)),
            )
            .await?;
        let StartExecResults::Attached { output, input } = started else {
            return Err(SandboxError::Protocol("the exec is detached".to_owned()));
        };
        let ended = CancellationToken::new();
        let words = LastWords::default();
        let io = ExecIo::new(output, input, words.clone(), ended.clone().drop_guard());
        let supervisor = Supervisor {
            client: client(io).await?,
            ended,
        };
        match supervisor.status().await {
            Ok(_) => Ok(supervisor),
            Err(error) => {
                let words = words.get();
                Err(if words.is_empty() {
                    error
                } else {
                    SandboxError::Gone(words)
                })
            }
        }
    }
}

/// Speaks HTTP/2 over `io`, once: when it ends, nothing is dialled again.
async fn client(io: ExecIo) -> Result<SupervisorServiceClient<Channel>, SandboxError> {
    let once = Arc::new(Mutex::new(Some(TokioIo::new(io))));
    let connector = tower::service_fn(move |_: http::Uri| {
        let io = once
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected));
        std::future::ready(io)
    });
    let endpoint = Endpoint::from_static("http://supervisor")
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(16 << 10);
    match timeout(SHORT, endpoint.connect_with_connector(connector)).await {
        Ok(Ok(channel)) => {
            Ok(SupervisorServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES))
        }
        Ok(Err(error)) => Err(SandboxError::Gone(error.to_string())),
        Err(_) => Err(SandboxError::Timeout("connect to the supervisor")),
    }
}

impl Supervisor {
    /// What runs.
    pub async fn status(&self) -> Result<SupervisorStatus, SandboxError> {
        let mut client = self.client.clone();
        let answer = limited("status", SHORT, client.get_status(GetStatusRequest {})).await?;
        Ok(reply::status(answer.into_inner()))
    }

    /// Deletes paths of a slot, then writes files, following no link. Paths that
    /// are not there to be deleted are no error. Everything must fit before
    /// anything is deleted: to make room, delete in a call of its own.
    pub async fn apply(
        &self,
        slot: Slot,
        before: Before,
        deletes: &[String],
        files: impl IntoIterator<Item = (String, Bytes)>,
    ) -> Result<Applied, SandboxError> {
        let (messages, bytes) = upload::messages(slot, before, deletes, files)?;
        let limit = UPLOAD + Duration::from_secs((bytes / SLOW_LINE) as u64);
        let mut client = self.client.clone();
        let upload = client.apply_files(futures::stream::iter(messages));
        Ok(reply::applied(
            limited("write files", limit, upload).await?.into_inner(),
        ))
    }

    /// Copies the dependencies of the template in the image to a slot's
    /// `node_modules`, replacing what is there.
    pub async fn copy_dependencies(&self, slot: Slot) -> Result<Copied, SandboxError> {
        let request = CopyTreeRequest {
            source: format!("{}/node_modules", profile::TEMPLATE),
            slot: slot.to_string(),
            target: "node_modules".to_owned(),
        };
        let mut client = self.client.clone();
        let answer = limited("copy dependencies", COPY, client.copy_tree(request)).await?;
        Ok(reply::copied(answer.into_inner()))
    }

    /// Reads a file of a slot, following no link. `None` if it is not there;
    /// `TooLarge` beyond `max` bytes, of which at most 3 MiB are granted.
    pub async fn read_file(
        &self,
        slot: Slot,
        path: &str,
        max: usize,
    ) -> Result<Option<Bytes>, SandboxError> {
        let max = max.min(FILE_BYTES);
        let request = ReadFileRequest {
            slot: slot.to_string(),
            path: path.to_owned(),
            max_bytes: max as i64,
        };
        let mut client = self.client.clone().max_decoding_message_size(max + 4_096);
        let answer = limited_with("read a file", SHORT, client.read_file(request), 0, max)
            .await?
            .into_inner();
        if answer.data.len() > max {
            return Err(SandboxError::TooLarge {
                path: path.to_owned(),
                limit: max,
            });
        }
        Ok(answer.found.then_some(answer.data))
    }

    /// Runs a command in a slot to its end. Its output goes to `on_lines` as it
    /// comes; a receiver that is gone is no reason to stop. Dropping the future
    /// ends the command with all that it started.
    pub async fn run_step(
        &self,
        slot: Slot,
        argv: &[String],
        environment: &[(String, String)],
        limit: Duration,
        on_lines: &mpsc::Sender<LogBatch>,
    ) -> Result<StepExit, SandboxError> {
        let request = RunStepRequest {
            slot: slot.to_string(),
            argv: argv.to_vec(),
            environment: variables(environment),
            timeout: prost_types::Duration::try_from(limit).ok(),
        };
        let mut client = self.client.clone();
        let run = async {
            let mut stream = client
                .run_step(request)
                .await
                .map_err(|status| reply::failure(&status, 0, 0))?
                .into_inner();
            while let Some(message) = stream.next().await {
                let message = message.map_err(|status| reply::failure(&status, 0, 0))?;
                if !message.lines.is_empty() || message.dropped_count > 0 {
                    let batch = reply::batch(message.lines, message.dropped_count);
                    // Who does not listen any more misses only output.
                    let _ = on_lines.send(batch).await;
                }
                if let Some(exit) = message.exit {
                    return Ok(reply::exit(exit));
                }
            }
            Err(SandboxError::Gone(
                "the step ended without saying how".to_owned(),
            ))
        };
        match timeout(limit + STEP_GRACE, run).await {
            Ok(result) => result,
            Err(_) => Err(SandboxError::Timeout("a step")),
        }
    }

    /// Starts the dev server of a slot, on the slot's port; one that runs is
    /// stopped first. It may not listen yet when this returns.
    pub async fn start_server(
        &self,
        slot: Slot,
        argv: &[String],
        environment: &[(String, String)],
        revision_id: RevisionId,
    ) -> Result<(), SandboxError> {
        let request = StartServerRequest {
            slot: slot.to_string(),
            argv: argv.to_vec(),
            environment: variables(environment),
            port: i32::from(slot.port()),
            revision_id: revision_id.to_string(),
        };
        let mut client = self.client.clone();
        limited("start the dev server", STOP, client.start_server(request)).await?;
        Ok(())
    }

    /// Stops the dev server of a slot with everything that it started.
    pub async fn stop_server(&self, slot: Slot) -> Result<(), SandboxError> {
        let request = StopServerRequest {
            slot: slot.to_string(),
        };
        let mut client = self.client.clone();
        limited("stop the dev server", STOP, client.stop_server(request)).await?;
        Ok(())
    }

    /// The newest `tail` lines of the dev servers, then, with `follow`, new ones
    /// until the connection ends.
    pub async fn logs(
        &self,
        tail: u32,
        follow: bool,
    ) -> Result<impl Stream<Item = Result<LogBatch, SandboxError>> + Send + use<>, SandboxError>
    {
        let request = StreamLogsRequest {
            tail: i32::try_from(tail).unwrap_or(i32::MAX),
            follow,
            after_number: 0,
        };
        let mut client = self.client.clone();
        let answer = limited("logs", SHORT, client.stream_logs(request)).await?;
        Ok(answer.into_inner().map(|message| match message {
            Ok(message) => Ok(reply::batch(message.lines, message.dropped_count)),
            Err(status) => Err(reply::failure(&status, 0, 0)),
        }))
    }

    /// Connects to a port of the sandbox's own loopback. `NotListening` if
    /// nothing is there.
    pub async fn open_tcp(&self, port: u16) -> Result<TcpTunnel, SandboxError> {
        // One message ahead of the one that is being sent.
        let (sender, receiver) = mpsc::channel(2);
        sender
            .try_send(OpenTcpRequest {
                port: i32::from(port),
                data: Bytes::new(),
            })
            .map_err(|_| SandboxError::Protocol("an empty channel is full".to_owned()))?;
        let mut client = self.client.clone();
        let open = async {
            let mut incoming = client
                .open_tcp(ReceiverStream::new(receiver))
                .await?
                .into_inner();
            // The first message says that it is connected.
            match incoming.message().await? {
                Some(first) => Ok((incoming, first.data)),
                None => Err(Status::unavailable("PORT_UNREACHABLE: closed at once")),
            }
        };
        let (incoming, unread) = limited_with("open a port", SHORT, open, port, 0).await?;
        Ok(TcpTunnel::new(incoming, unread, PollSender::new(sender)))
    }

    /// Whether the connection has ended. It does not come back: connect again.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Waits until the connection has ended.
    pub async fn closed(&self) {
        self.ended.cancelled().await;
    }
}

fn variables(environment: &[(String, String)]) -> HashMap<String, String> {
    environment.iter().cloned().collect()
}

async fn limited<T>(
    what: &'static str,
    limit: Duration,
    call: impl Future<Output = Result<T, Status>>,
) -> Result<T, SandboxError> {
    limited_with(what, limit, call, 0, 0).await
}

async fn limited_with<T>(
    what: &'static str,
    limit: Duration,
    call: impl Future<Output = Result<T, Status>>,
    port: u16,
    max: usize,
) -> Result<T, SandboxError> {
    match timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(status)) => Err(reply::failure(&status, port, max)),
        Err(_) => Err(SandboxError::Timeout(what)),
    }
}
