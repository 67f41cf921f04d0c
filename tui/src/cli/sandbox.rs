//! `kiln sandbox`: starts, stops, restarts a sandbox, or says how it is.

use kiln_proto::v1 as pb;

use super::Context;
use super::args::{OfProject, Sandbox, SandboxCommand};
use super::exit::Stop;
use super::output::{Line, Style, human, json};
use super::project;
use crate::client::{Client, Error};

enum Wish {
    Start,
    Stop,
    Restart,
    Status,
}

pub(super) async fn run(context: &Context, args: Sandbox) -> Result<(), Stop> {
    let (wish, of) = match args.command {
        SandboxCommand::Start(of) => (Wish::Start, of),
        SandboxCommand::Stop(of) => (Wish::Stop, of),
        SandboxCommand::Restart(of) => (Wish::Restart, of),
        SandboxCommand::Status(of) => (Wish::Status, of),
    };
    let OfProject { project } = of;
    let client = context.client().await?;
    let project = project::resolve(context, &client, project.as_deref()).await?;
    let sandbox = call(&client, &wish, project.id.clone()).await?;
    let sandbox = sandbox.ok_or_else(|| Error::Protocol("no sandbox".to_owned()))?;
    show(context, &project, &sandbox)
}

async fn call(
    client: &Client,
    wish: &Wish,
    project_id: String,
) -> Result<Option<pb::Sandbox>, Error> {
    Ok(match wish {
        Wish::Start => {
            client
                .start_sandbox(pb::StartSandboxRequest { project_id })
                .await?
                .sandbox
        }
        Wish::Stop => {
            client
                .stop_sandbox(pb::StopSandboxRequest { project_id })
                .await?
                .sandbox
        }
        Wish::Restart => {
            client
                .restart_sandbox(pb::RestartSandboxRequest { project_id })
                .await?
                .sandbox
        }
        Wish::Status => {
            client
                .get_sandbox(pb::GetSandboxRequest { project_id })
                .await?
                .sandbox
        }
    })
}

fn show(context: &Context, project: &pb::Project, sandbox: &pb::Sandbox) -> Result<(), Stop> {
    let output = &context.output;
    if output.json() {
        return output.object(&json::sandbox(sandbox));
    }
    let state = json::sandbox_state(sandbox.state).unwrap_or("STOPPED");
    output.result(&human::label("sandbox", &state.to_lowercase()))?;
    let rows = [
        ("why", &sandbox.detail),
        ("preview", &sandbox.preview_url),
        ("container", &sandbox.container_id),
    ];
    for (what, text) in rows {
        if !text.is_empty() {
            output.result(&human::label(what, text))?;
        }
    }
    if sandbox.state == i32::from(pb::SandboxState::Starting) {
        let handle = project::handle(project);
        output.note(&Line::styled(Style::Dim, "hint: ").add(
            Style::Plain,
            format!("`kiln watch -p {handle}` shows the steps"),
        ));
    }
    Ok(())
}
