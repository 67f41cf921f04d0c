//! Runs a command in a slot, with its output in the log of the project. What the
//! command is for, and what its failure means, is for who asks.

use std::time::Duration;

use tokio::sync::mpsc;

use super::steps::{environment, fault};
use super::{Run, Stopped};
use crate::domain::event::{Event, StepKind};
use crate::domain::generation::FailureReason;
use crate::domain::sandbox::Slot;
use crate::domain::{Error, Result};
use crate::sandbox::{LogBatch, Supervisor};

impl Run<'_> {
    /// Runs a command in the slot; its output goes to the log of the project.
    pub(super) async fn run_command(
        &self,
        supervisor: &Supervisor,
        slot: Slot,
        step: StepKind,
        argv: &[String],
        limit: Duration,
        reason: FailureReason,
    ) -> Result<(), Stopped> {
        let (sender, mut lines) = mpsc::channel::<LogBatch>(16);
        let reports = async {
            let mut tail = String::new();
            while let Some(batch) = lines.recv().await {
                let mut text = String::new();
                for line in batch.lines {
                    text.push_str(&line.text);
                    text.push('\n');
                }
                tail.push_str(&text);
                keep_tail(&mut tail, 4_000);
                self.reporter.pass(Event::StepOutput { step, text }).await?;
            }
            Ok::<_, Error>(tail)
        };
        let work = async {
            // Moved in, so that the reports end with the work.
            let sender = sender;
            supervisor
                .run_step(
                    slot,
                    argv,
                    &environment(self.candidate.template, slot),
                    limit,
                    &sender,
                )
                .await
        };
        let (exit, tail) = tokio::join!(work, reports);
        let tail = tail?;
        let exit = exit.map_err(fault)?;
        if exit.is_success() {
            return Ok(());
        }
        let command = argv.join(" ");
        let how = if exit.timed_out {
            format!("{command} did not end within {} s", limit.as_secs())
        } else {
            format!("{command} ended with {}", exit.code)
        };
        Err(Stopped::Fault(reason, format!("{how}: {}", tail.trim())))
    }
}

fn keep_tail(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let mut cut = text.len() - bytes;
        while !text.is_char_boundary(cut) {
            cut += 1;
        }
        text.drain(..cut);
    }
}
