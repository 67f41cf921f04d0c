//! What the daemon would answer: plain data, and the same cleaning as the runtime
//! does.

use std::collections::BTreeMap;

use kiln_proto::v1 as pb;
use kiln_tui::client::Error;
use kiln_tui::effect::{Answer, Call};
use kiln_tui::ingest;

use super::messages::{new_project, refusal};

/// The revision that it has.
pub(crate) const REVISION: &str = "0198c5a2-0000-7000-8000-00000000cafe";

/// The daemon.
#[derive(Default)]
pub(crate) struct Daemon {
    /// Files of every project, by path.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// The models.
    pub(crate) models: pb::ListModelsResponse,
    /// Where they come from.
    pub(crate) provider: pb::GetProviderResponse,
    made: u32,
}

impl Daemon {
    /// Answers a call.
    pub(crate) fn answer(&mut self, call: &Call) -> Result<Answer, Error> {
        Ok(match call {
            Call::CreateProject { name, .. } => {
                self.made += 1;
                let made = new_project(&format!("made-{}", self.made), name);
                Answer::Project(ingest::project::project(&made))
            }
            Call::RenameProject { id, name, .. } => {
                let renamed = super::messages::project(id, name);
                Answer::Project(ingest::project::project(&renamed))
            }
            Call::SetModel { id, model, .. } => {
                let changed = pb::Project {
                    default_model: model.clone(),
                    ..super::messages::project(id, "changed")
                };
                Answer::Project(ingest::project::project(&changed))
            }
            Call::StartGeneration { .. } => {
                Answer::Started("0198c5a2-0000-7000-8000-000000000001".to_owned())
            }
            Call::ListFiles { .. } if self.files.is_empty() => {
                return Err(refusal("NO_REVISION", "the project has no revision yet"));
            }
            Call::ListFiles { .. } => Answer::Files {
                revision_id: REVISION.to_owned(),
                files: self
                    .files
                    .iter()
                    .map(|(path, data)| ingest::file::entry(&file(path, data)))
                    .collect(),
            },
            Call::ReadFile { path, .. } => {
                // Paths come back as they were shown: cleaned.
                let found = self
                    .files
                    .iter()
                    .find(|(known, _)| ingest::path(known) == *path);
                let Some((known, data)) = found else {
                    return Err(refusal("NOT_FOUND", "there is no such file"));
                };
                let text = std::str::from_utf8(data).map(str::to_owned);
                let answer = pb::ReadFileResponse {
                    file: Some(file(known, data)),
                    data: if text.is_err() {
                        data.clone()
                    } else {
                        Vec::new()
                    },
                    text: text.unwrap_or_default(),
                };
                ingest::file::answer(path.clone(), &answer)
            }
            Call::ListModels => Answer::Models(ingest::catalogue(&self.models)),
            Call::GetProvider => Answer::Provider(ingest::provider(&self.provider)),
            Call::DeleteProject { .. }
            | Call::Cancel { .. }
            | Call::StartSandbox { .. }
            | Call::StopSandbox { .. }
            | Call::RestartSandbox { .. }
            | Call::SetProvider(_)
            | Call::SignIn { .. }
            | Call::SignUp { .. }
            | Call::SignOut => Answer::Done,
        })
    }
}

fn file(path: &str, data: &[u8]) -> pb::File {
    pb::File {
        path: path.to_owned(),
        size_bytes: i64::try_from(data.len()).unwrap(),
        ..pb::File::default()
    }
}

/// A model of a catalogue; prices in dollars for a million tokens.
pub(crate) fn model(id: &str, context: i64, price: Option<(f64, f64)>) -> pb::Model {
    #[allow(clippy::cast_possible_truncation, reason = "prices are small")]
    let micro = |dollars: f64| (dollars * 1e6) as i64;
    pb::Model {
        id: id.to_owned(),
        name: id.rsplit('/').next().unwrap_or(id).to_owned(),
        context_tokens: context,
        prompt_micro_usd_per_million: price.map(|(prompt, _)| micro(prompt)),
        completion_micro_usd_per_million: price.map(|(_, completion)| micro(completion)),
        ..pb::Model::default()
    }
}
