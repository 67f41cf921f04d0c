//! `kiln new`: makes a project, named after its prompt, and carries the prompt
//! to a running app. If the daemon refuses the prompt, the empty project is
//! taken away again.

use std::time::Duration;

use kiln_proto::v1 as pb;

use super::Context;
use super::args::New;
use super::exit::Stop;
use super::generate::{self, Work};
use super::interrupt::Interrupts;
use super::output::json;
use super::project;
use super::prompt;
use crate::client::Error;
use crate::sanitise;

/// Characters of a name made from a prompt.
const NAME_MAX: usize = 40;
/// How long making the project is tried.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) async fn run(context: &Context, args: New) -> Result<(), Stop> {
    let prompt = prompt::prompt_text(&args.prompt)?;
    let name = args.name.unwrap_or_else(|| name_from(&prompt));
    let model = args.model.unwrap_or_default();
    let client = context.client().await?;
    let mut interrupts = Interrupts::listen()?;
    let request = pb::CreateProjectRequest {
        name,
        template: args.template.unwrap_or_default(),
        default_model: model.clone(),
        request_id: uuid::Uuid::new_v4().to_string(),
        ..pb::CreateProjectRequest::default()
    };
    let project = client
        .persist(PATIENCE, || client.create_project(request.clone()))
        .await?
        .project
        .ok_or_else(|| Error::Protocol("no project".to_owned()))?;
    let work = Work {
        project,
        prompt,
        model,
        queue: false,
        patience: Duration::from_secs(args.patience.retry_for.into()),
    };
    let generation = match generate::start(&client, &work).await {
        Ok(generation) => generation,
        Err(error) => {
            // Refused for good: an empty project would only be in the way. Where
            // the answer was lost, the generation may have begun: it is kept.
            if matches!(error, Error::Refused(_)) && !error.is_retryable() {
                let _ = client
                    .delete_project(pb::DeleteProjectRequest {
                        project_id: work.project.id.clone(),
                    })
                    .await;
            }
            return Err(error.into());
        }
    };
    if context.output.json() {
        context.output.object(&json::project(&work.project))?;
    } else {
        context.output.note(&project::named(&work.project));
    }
    generate::follow(context, &client, &work, &generation, &mut interrupts).await
}

/// A name for a project: the beginning of its prompt, by whole words, without
/// what a name may not have.
fn name_from(prompt: &str) -> String {
    let clean: String = prompt
        .chars()
        .map(|c| if sanitise::is_unsafe(c) { ' ' } else { c })
        .collect();
    let mut name = String::new();
    let mut length = 0;
    for word in clean.split_whitespace() {
        let more = word.chars().count() + usize::from(length > 0);
        if length + more > NAME_MAX {
            break;
        }
        if length > 0 {
            name.push(' ');
        }
        name.push_str(word);
        length += more;
    }
    if name.is_empty() {
        // One word without an end, or nothing that can be shown.
        name = clean
            .split_whitespace()
            .next()
            .unwrap_or("project")
            .chars()
            .take(NAME_MAX)
            .collect();
    }
    name.trim_end_matches(['.', ',', ';', ':', '!', '?'])
        .to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_the_beginning_of_the_prompt() {
        assert_eq!(name_from("a todo list"), "a todo list");
        assert_eq!(
            name_from("Build me a small shop for tea,\nwith a cart and a checkout page"),
            "Build me a small shop for tea, with a"
        );
        assert_eq!(name_from("  hello,  "), "hello");
        assert_eq!(name_from(&"x".repeat(99)), "x".repeat(40));
        assert_eq!(name_from("\u{202e}\u{7}"), "project");
    }

    proptest! {
        #[test]
        fn names_are_short_and_clean(prompt in any::<String>()) {
            let name = name_from(&prompt);
            prop_assert!(name.chars().count() <= NAME_MAX);
            prop_assert!(!name.chars().any(sanitise::is_unsafe));
        }
    }
}
