//! Questions to the daemon: one call, one cleaned answer.

use kiln_proto::v1 as pb;
use secrecy::ExposeSecret;

use crate::client::{Client, Error};
use crate::effect::{Answer, Call, Source};
use crate::failure::Failure;
use crate::ingest;
use crate::model::catalogue::Catalogue;

/// Pages of the catalogue that are read at most, 200 models each.
const PAGES_MAX: usize = 10;

/// Asks, and cleans what comes back.
pub(super) async fn perform(client: &Client, call: Call) -> Result<Answer, Failure> {
    ask(client, call).await.map_err(ingest::failure)
}

async fn ask(client: &Client, call: Call) -> Result<Answer, Error> {
    match call {
        Call::CreateProject {
            name,
            model,
            request_id,
        } => {
            let request = pb::CreateProjectRequest {
                name,
                default_model: model,
                request_id,
                ..Default::default()
            };
            project(client.create_project(request).await?.project)
        }
        Call::RenameProject {
            id,
            name,
            request_id,
        } => {
            let request = pb::UpdateProjectRequest {
                project_id: id,
                name,
                update_mask: mask("name"),
                request_id,
                ..Default::default()
            };
            project(client.update_project(request).await?.project)
        }
        Call::SetModel {
            id,
            model,
            request_id,
        } => {
            let request = pb::UpdateProjectRequest {
                project_id: id,
                default_model: model,
                update_mask: mask("default_model"),
                request_id,
                ..Default::default()
            };
            project(client.update_project(request).await?.project)
        }
        Call::DeleteProject { id } => {
            let request = pb::DeleteProjectRequest { project_id: id };
            client.delete_project(request).await?;
            Ok(Answer::Done)
        }
        Call::StartGeneration {
            project_id,
            prompt,
            model,
            request_id,
        } => {
            let request = pb::StartGenerationRequest {
                project_id,
                prompt,
                model,
                if_running: pb::IfRunning::Refuse.into(),
                request_id,
            };
            let generation = client.start_generation(request).await?.generation;
            let generation =
                generation.ok_or_else(|| Error::Protocol("no generation".to_owned()))?;
            Ok(Answer::Started(ingest::name(&generation.id)))
        }
        Call::Cancel { generation_id } => {
            let request = pb::CancelGenerationRequest { generation_id };
            client.cancel_generation(request).await?;
            Ok(Answer::Done)
        }
        Call::ListFiles { project_id } => {
            let request = pb::ListFilesRequest {
                project_id,
                ..Default::default()
            };
            let answer = client.list_files(request).await?;
            Ok(Answer::Files {
                revision_id: ingest::name(&answer.revision_id),
                files: answer.files.iter().map(ingest::file::entry).collect(),
            })
        }
        Call::ReadFile {
            project_id,
            revision_id,
            path,
        } => {
            let request = pb::ReadFileRequest {
                project_id,
                revision_id,
                path: path.clone(),
            };
            let answer = client.read_file(request).await?;
            Ok(ingest::file::answer(path, answer))
        }
        Call::StartSandbox { project_id } => {
            let request = pb::StartSandboxRequest { project_id };
            client.start_sandbox(request).await?;
            Ok(Answer::Done)
        }
        Call::StopSandbox { project_id } => {
            let request = pb::StopSandboxRequest { project_id };
            client.stop_sandbox(request).await?;
            Ok(Answer::Done)
        }
        Call::RestartSandbox { project_id } => {
            let request = pb::RestartSandboxRequest { project_id };
            client.restart_sandbox(request).await?;
            Ok(Answer::Done)
        }
        Call::ListModels => models(client).await,
        Call::GetProvider => {
            let answer = client.get_provider(pb::GetProviderRequest {}).await?;
            Ok(Answer::Provider(ingest::provider(&answer)))
        }
        Call::SetProvider(source) => {
            let request = match source {
                Source::OpenRouter(key) => pb::SetProviderRequest {
                    api_key: key.expose_secret().to_owned(),
                    ..Default::default()
                },
                Source::Endpoint(base_url) => pb::SetProviderRequest {
                    base_url,
                    ..Default::default()
                },
                Source::Demo => pb::SetProviderRequest {
                    demo_only: true,
                    ..Default::default()
                },
            };
            client.set_provider(request).await?;
            Ok(Answer::Done)
        }
        Call::SignIn { email, password } => {
            let request = pb::SignInRequest {
                email,
                password: password.expose_secret().to_owned(),
            };
            let answer = client.sign_in(request).await?;
            client
                .keep_session(answer.session, answer.user.as_ref())
                .await?;
            Ok(Answer::Done)
        }
        Call::SignUp {
            email,
            password,
            display_name,
            invite,
        } => {
            let request = pb::SignUpRequest {
                email,
                password: password.expose_secret().to_owned(),
                display_name,
                invite: invite.expose_secret().to_owned(),
            };
            let answer = client.sign_up(request).await?;
            client
                .keep_session(answer.session, answer.user.as_ref())
                .await?;
            Ok(Answer::Done)
        }
        Call::SignOut => {
            // The session is forgotten here whether or not it could be ended there.
            let told = client.sign_out(pb::SignOutRequest {}).await;
            client.forget_session().await?;
            told.map(|_| Answer::Done)
        }
    }
}

async fn models(client: &Client) -> Result<Answer, Error> {
    let mut catalogue = Catalogue::default();
    let mut page_token = String::new();
    for _ in 0..PAGES_MAX {
        let request = pb::ListModelsRequest {
            page_size: 200,
            page_token,
            ..Default::default()
        };
        let answer = client.list_models(request).await?;
        let page = ingest::catalogue(&answer);
        catalogue.models.extend(page.models);
        catalogue.warning = page.warning;
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    Ok(Answer::Models(catalogue))
}

fn project(project: Option<pb::Project>) -> Result<Answer, Error> {
    project
        .map(|project| Answer::Project(ingest::project::project(&project)))
        .ok_or_else(|| Error::Protocol("no project".to_owned()))
}

fn mask(path: &str) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask {
        paths: vec![path.to_owned()],
    })
}
