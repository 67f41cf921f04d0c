//! `kiln provider`: where models come from, and choosing it. A key comes from a
//! question that shows nothing, or from stdin; never from an argument.

use kiln_proto::v1 as pb;
use secrecy::{ExposeSecret, SecretString};

use super::Context;
use super::args::{Provider, ProviderCommand, SetProvider};
use super::exit::{Failure, Stop};
use super::output::{Line, Style, format, human, json};
use super::prompt;

pub(super) async fn run(context: &Context, args: Provider) -> Result<(), Stop> {
    match args.command.unwrap_or(ProviderCommand::Show) {
        ProviderCommand::Show => show(context).await,
        ProviderCommand::Set(args) => set(context, args).await,
        ProviderCommand::Demo => {
            let request = pb::SetProviderRequest {
                demo_only: true,
                ..pb::SetProviderRequest::default()
            };
            choose(context, request).await
        }
    }
}

async fn show(context: &Context) -> Result<(), Stop> {
    let client = context.client().await?;
    let answer = client.get_provider(pb::GetProviderRequest {}).await?;
    let output = &context.output;
    if output.json() {
        return output.object(&json::provider(&answer));
    }
    for line in described(answer.provider.as_ref(), answer.source, &answer.detail) {
        output.result(&line)?;
    }
    for (index, found) in answer.local_endpoints.iter().enumerate() {
        let what = if index == 0 { "found" } else { "" };
        // The name is a guess: what listens there has not said so.
        let about = format!(
            "  {}, by its port {}",
            models(found.model_count),
            found.name
        );
        output.result(&human::label(what, &found.base_url).add(Style::Dim, about))?;
    }
    let used = answer.provider.as_ref().map(|status| &status.base_url);
    if answer.can_change
        && let Some(found) = answer
            .local_endpoints
            .iter()
            .find(|found| Some(&found.base_url) != used)
    {
        output.note(&Line::styled(
            Style::Dim,
            format!(
                "`kiln provider set --endpoint {}` takes its models from there",
                found.base_url
            ),
        ));
    }
    Ok(())
}

async fn set(context: &Context, args: SetProvider) -> Result<(), Stop> {
    let key = if args.openrouter || args.key_stdin {
        key(&args).await?
    } else {
        SecretString::default()
    };
    let request = pb::SetProviderRequest {
        base_url: args.endpoint.unwrap_or_default(),
        api_key: key.expose_secret().to_owned(),
        demo_only: false,
    };
    choose(context, request).await
}

/// The key, without what is around it when it is pasted.
async fn key(args: &SetProvider) -> Result<SecretString, Stop> {
    let typed = if !args.key_stdin && prompt::can_ask() {
        prompt::password("OpenRouter key (not shown): ").await?
    } else {
        SecretString::from(prompt::read_line().await?)
    };
    let key = typed.expose_secret().trim();
    if key.is_empty() {
        return Err(Failure::usage("the key is empty")
            .hint("OpenRouter makes keys at https://openrouter.ai/keys")
            .into());
    }
    Ok(SecretString::from(key))
}

async fn choose(context: &Context, request: pb::SetProviderRequest) -> Result<(), Stop> {
    let client = context.client().await?;
    let answer = client.set_provider(request).await?;
    let output = &context.output;
    if output.json() {
        return output.object(&json::provider_set(&answer));
    }
    for line in described(answer.provider.as_ref(), answer.source, &answer.detail) {
        output.result(&line)?;
    }
    if answer.model_count > 0 {
        let count = models(answer.model_count);
        output.note(&Line::styled(
            Style::Dim,
            format!("{count} from now on; `kiln models` lists them"),
        ));
    }
    Ok(())
}

fn models(count: i32) -> String {
    format::plural(usize::try_from(count).unwrap_or(0), "model")
}

/// Where models come from, line by line.
fn described(provider: Option<&pb::ProviderStatus>, source: i32, detail: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(provider) = provider {
        lines.push(if provider.demo_only {
            human::label("provider", "the demo models").add(Style::Warn, " (canned answers only)")
        } else {
            let key = if provider.has_key {
                " (with a key)"
            } else {
                " (without a key)"
            };
            human::label("provider", &provider.base_url).add(Style::Dim, key)
        });
        let default = match provider.default_model.as_str() {
            "" => "none",
            model => model,
        };
        lines.push(human::label("default", default));
    }
    let by = match pb::ProviderSource::try_from(source) {
        Ok(pb::ProviderSource::Demo) => Some("by nobody yet"),
        Ok(pb::ProviderSource::Configuration) => Some("by the daemon's configuration"),
        Ok(pb::ProviderSource::Chosen) => Some("by an owner of the daemon"),
        Ok(pb::ProviderSource::Unspecified) | Err(_) => None,
    };
    lines.extend(by.map(|by| human::label("chosen", by)));
    if !detail.is_empty() {
        lines.push(human::label("note", "").add(Style::Warn, detail));
    }
    lines
}
