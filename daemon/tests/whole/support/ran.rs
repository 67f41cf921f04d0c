//! A program that has ended, and what it said.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use super::PATIENCE;

/// What a program said and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Runs to the end, but not for ever.
    pub(crate) async fn of(mut command: Command) -> Self {
        let shown = format!("{:?}", command.as_std());
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
        let output = tokio::time::timeout(PATIENCE, output)
            .await
            .unwrap_or_else(|_| panic!("{shown} did not end within {PATIENCE:?}"))
            .unwrap_or_else(|error| panic!("{shown}: {error}"));
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Expects that it ended with this code.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Its standard output: one JSON object a line, and nothing else.
    #[track_caller]
    pub(crate) fn objects(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| match serde_json::from_str(line) {
                Ok(Value::Object(object)) => Value::Object(object),
                other => panic!("not an object: {line}: {other:?}"),
            })
            .collect()
    }

    /// The last object.
    #[track_caller]
    pub(crate) fn last(&self) -> Value {
        match self.objects().pop() {
            Some(object) => object,
            None => panic!("no object: {self:?}"),
        }
    }
}
