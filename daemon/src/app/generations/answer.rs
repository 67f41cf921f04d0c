//! One model call: chunks in, events out, and the whole answer at the end. The
//! raw text is kept once; operations are a function of it.

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::super::reporter::Reporter;
use crate::domain::Result;
use crate::domain::event::{Event, OperationKind};
use crate::domain::generation::{FinishReason, Usage};
use crate::domain::operation::Operation;
use crate::llm::parser::{Ending, OperationParser, ParserEvent};
use crate::llm::{ChatRequest, Chunk, Edge, UpstreamError};

/// How a model call ended.
pub(super) struct Call {
    /// The answer as it came.
    pub(super) text: String,
    /// What it asks for.
    pub(super) answer: Ending,
    /// What it used.
    pub(super) usage: Usage,
    /// The model that was billed.
    pub(super) billed_model: String,
    /// How it ended.
    pub(super) end: CallEnd,
}

/// Why a model call ended.
pub(super) enum CallEnd {
    /// The model said why.
    Finished(FinishReason),
    /// Somebody cancelled.
    Cancelled,
    /// The provider or the way to it failed.
    Failed(UpstreamError),
}

/// Asks the model and reports what it says as it comes.
///
/// # Errors
/// The journal: nothing more can be reported.
pub(super) async fn ask(
    edge: &Edge,
    request: ChatRequest,
    reporter: &Reporter,
    cancel: &CancellationToken,
) -> Result<Call> {
    let mut billed_model = request.model.clone();
    let mut stream = edge.stream(request);
    let mut parser = OperationParser::new();
    let mut text = String::new();
    let mut events = Vec::new();
    let mut usage = None;
    let end = loop {
        let chunk = tokio::select! {
            biased;
            () = cancel.cancelled() => break CallEnd::Cancelled,
            chunk = stream.next() => chunk,
        };
        match chunk {
            Some(Ok(Chunk::Text(piece))) => {
                let piece = crate::domain::text::without_nul(&piece);
                text.push_str(&piece);
                parser.push(piece.as_bytes(), &mut events);
                for event in events.drain(..) {
                    reporter.pass(said(event)).await?;
                }
            }
            Some(Ok(Chunk::Model(model))) => billed_model = model,
            Some(Ok(Chunk::Usage(used))) => usage = Some(used),
            Some(Ok(Chunk::Finish(reason))) => break CallEnd::Finished(reason),
            Some(Err(error)) => break CallEnd::Failed(error),
            // The stream always says how it ends; ending without is a failure of ours.
            None => break CallEnd::Finished(FinishReason::Error),
        }
    };
    let usage = usage.unwrap_or_else(|| stream.usage_so_far());
    // Dropping the stream closes the connection to the provider.
    drop(stream);
    let answer = parser.finish(&mut events);
    for event in events {
        reporter.pass(said(event)).await?;
    }
    Ok(Call {
        text,
        answer,
        usage,
        billed_model,
        end,
    })
}

fn said(event: ParserEvent) -> Event {
    match event {
        ParserEvent::Text(text) => Event::TextDelta { text },
        ParserEvent::FileStarted { index, kind, path } => Event::FileStarted {
            operation: index,
            operation_kind: kind,
            path,
        },
        ParserEvent::FileDelta { index, text } => Event::FileDelta {
            operation: index,
            text,
        },
        ParserEvent::FileFinished { index, size_bytes } => Event::FileFinished {
            operation: index,
            size_bytes,
        },
        ParserEvent::Operation { index, operation } => {
            let (operation_kind, path, new_path, packages) = match operation {
                Operation::Rename { from, to } => (OperationKind::Rename, from, to, vec![]),
                Operation::Delete { path } => (OperationKind::Delete, path, String::new(), vec![]),
                Operation::AddDependency { packages } => (
                    OperationKind::AddDependency,
                    String::new(),
                    String::new(),
                    packages,
                ),
                Operation::Read { path } => (OperationKind::Read, path, String::new(), vec![]),
                // Those with content come as files; only their path is of use here.
                Operation::Write { path, .. } => {
                    (OperationKind::Write, path, String::new(), vec![])
                }
                Operation::Edit { path, .. } => (OperationKind::Edit, path, String::new(), vec![]),
            };
            Event::OperationReceived {
                operation: index,
                operation_kind,
                path,
                new_path,
                packages,
            }
        }
    }
}
