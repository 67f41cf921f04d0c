//! `kiln status`: how the daemon is, and who you are there.

use kiln_proto::v1 as pb;

use super::Context;
use super::auth;
use super::exit::Stop;
use super::output::{Line, Style, human, json};

pub(super) async fn run(context: &Context) -> Result<(), Stop> {
    let client = context.client().await?;
    let info = client.get_server_info(pb::GetServerInfoRequest {}).await?;
    let who = client
        .get_current_user(pb::GetCurrentUserRequest {})
        .await?;
    let address = client.address().to_string();
    let output = &context.output;
    if output.json() {
        output.object(&json::server(&info, &address))?;
        return auth::show(context, &address, &who);
    }
    output.result(&human::label(
        "kilnd",
        &format!("{} at {address}", info.version),
    ))?;
    if info.version != env!("CARGO_PKG_VERSION") {
        let text = format!("kiln is {}", env!("CARGO_PKG_VERSION"));
        output.result(&human::label("", &text))?;
    }
    output.result(&component("docker", info.docker.as_ref()))?;
    output.result(&component("database", info.database.as_ref()))?;
    if let Some(provider) = &info.provider {
        output.result(&models(provider))?;
    }
    if info.firewall == i32::from(pb::FirewallState::Unfiltered) {
        output.result(
            &human::label("firewall", "none")
                .add(Style::Warn, " (sandboxes reach what this host reaches)"),
        )?;
    }
    auth::show(context, &address, &who)
}

fn models(provider: &pb::ProviderStatus) -> Line {
    if provider.demo_only {
        return human::label("models", &provider.default_model).add(
            Style::Warn,
            " (canned answers only: `kiln provider` says how to get others)",
        );
    }
    let from = format!("from {}", provider.base_url);
    if provider.default_model.is_empty() {
        return human::label("models", "")
            .add(
                Style::Warn,
                "no model: name one with --model or set model.default",
            )
            .add(Style::Dim, format!(", {from} which lists none"));
    }
    human::label("models", &provider.default_model).add(Style::Dim, format!(" by default, {from}"))
}

fn component(what: &str, part: Option<&pb::ComponentStatus>) -> Line {
    let Some(part) = part else {
        return human::label(what, "unknown");
    };
    let mut line = human::label(what, "");
    line = if part.available {
        line.add(Style::Good, "available")
    } else {
        line.add(Style::Bad, "unavailable")
    };
    if !part.version.is_empty() {
        line = line.add(Style::Dim, format!(" ({})", part.version));
    }
    if !part.detail.is_empty() {
        let detail = part.detail.split_whitespace().collect::<Vec<_>>().join(" ");
        line = line.add(Style::Plain, format!(" {detail}"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::super::output::Manner;
    use super::*;

    #[test]
    fn an_endpoint_without_models_says_what_to_do_instead_of_nothing() {
        let mut provider = pb::ProviderStatus {
            base_url: "http://127.0.0.1:8080/v1".into(),
            ..pb::ProviderStatus::default()
        };
        let shown =
            |provider: &pb::ProviderStatus| models(provider).render(Manner::of(false, None, true));
        let text = shown(&provider);
        assert!(
            text.contains("no model: name one with --model or set model.default"),
            "{text}"
        );
        provider.default_model = "a/b".into();
        let text = shown(&provider);
        assert!(text.contains("a/b by default, from http"), "{text}");
    }
}
