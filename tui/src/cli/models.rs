//! `kiln models`: the models that can be used, with window and price. An unknown
//! price is shown as unknown, never as nothing.

use kiln_proto::v1 as pb;

use super::Context;
use super::args::Models;
use super::exit::Stop;
use super::output::{Line, Style, format, json};
use super::project::{PAGE_SIZE, PAGES_MAX};
use crate::client::Error;

pub(super) async fn run(context: &Context, args: Models) -> Result<(), Stop> {
    let client = context.client().await?;
    let filter = args.filter.unwrap_or_default();
    let mut models = Vec::new();
    let mut warning = String::new();
    let mut page_token = String::new();
    for page in 0.. {
        if page == PAGES_MAX {
            return Err(Error::Protocol("a list without an end".to_owned()).into());
        }
        let answer = client
            .list_models(pb::ListModelsRequest {
                page_size: PAGE_SIZE,
                page_token,
                filter: filter.clone(),
            })
            .await?;
        models.extend(answer.models);
        warning = answer.warning;
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let output = &context.output;
    if !warning.is_empty() {
        output.note(&Line::styled(Style::Warn, warning));
    }
    if output.json() {
        for model in &models {
            output.object(&json::model(model))?;
        }
        return Ok(());
    }
    if models.is_empty() {
        output.note(&Line::plain(if filter.is_empty() {
            "no models"
        } else {
            "no model has this in its id or name; any id of the provider may be used all the same"
        }));
        return Ok(());
    }
    let rows: Vec<Vec<String>> = models.iter().map(row).collect();
    let headings = ["MODEL", "WINDOW", "IN $/M", "OUT $/M", "NOTE"];
    for line in format::table(&headings, &rows) {
        output.result(&line)?;
    }
    Ok(())
}

fn row(model: &pb::Model) -> Vec<String> {
    let tokens = if model.context_tokens > 0 {
        format::count(model.context_tokens)
    } else {
        "?".to_owned()
    };
    let price = |micro: Option<i64>| match micro {
        None => "?".to_owned(),
        Some(0) => "free".to_owned(),
        Some(micro) => format::dollars(micro),
    };
    let mut notes = Vec::new();
    if model.demo {
        notes.push("canned answers".to_owned());
    }
    notes.extend(model.roles.iter().map(|role| role.replace('_', " ")));
    if !model.name.is_empty() && model.name != model.id {
        notes.push(model.name.clone());
    }
    vec![
        model.id.clone(),
        tokens,
        price(model.prompt_micro_usd_per_million),
        price(model.completion_micro_usd_per_million),
        notes.join(", "),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_not_nothing() {
        let model = pb::Model {
            id: "a/b".into(),
            completion_micro_usd_per_million: Some(0),
            ..pb::Model::default()
        };
        assert_eq!(row(&model), ["a/b", "?", "?", "free", ""]);
        let model = pb::Model {
            id: "demo/kiln".into(),
            context_tokens: 32_000,
            prompt_micro_usd_per_million: Some(150_000),
            demo: true,
            roles: vec!["default".into()],
            ..pb::Model::default()
        };
        assert_eq!(
            row(&model),
            [
                "demo/kiln",
                "32,000",
                "$0.15",
                "?",
                "canned answers, default"
            ]
        );
    }
}
