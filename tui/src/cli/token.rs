//! `kiln auth token`: API tokens for scripts. A secret is shown once, on stdout.

use kiln_proto::v1 as pb;

use super::Context;
use super::args::{Scope, TokenCommand};
use super::exit::{Failure, Stop};
use super::output::{Line, Style, format, json};
use super::project::{PAGE_SIZE, PAGES_MAX};
use crate::client::{Client, Error};

pub(super) async fn run(context: &Context, command: TokenCommand) -> Result<(), Stop> {
    let client = context.client().await?;
    match command {
        TokenCommand::Create { name, scope, days } => {
            create(context, &client, name, &scope, days).await
        }
        TokenCommand::List => list(context, &client).await,
        TokenCommand::Revoke { token } => revoke(context, &client, &token).await,
    }
}

async fn create(
    context: &Context,
    client: &Client,
    name: String,
    scopes: &[Scope],
    days: i32,
) -> Result<(), Stop> {
    let answer = client
        .create_api_token(pb::CreateApiTokenRequest {
            name,
            scopes: scopes
                .iter()
                .map(|scope| {
                    i32::from(match scope {
                        Scope::Read => pb::ApiTokenScope::Read,
                        Scope::Generate => pb::ApiTokenScope::Generate,
                        Scope::Sandbox => pb::ApiTokenScope::Sandbox,
                        Scope::Admin => pb::ApiTokenScope::Admin,
                    })
                })
                .collect(),
            valid_days: days,
            request_id: uuid::Uuid::new_v4().to_string(),
        })
        .await?;
    let described = answer.api_token.unwrap_or_default();
    let output = &context.output;
    if output.json() {
        return output.object(&json::token(&described).with("token", answer.token));
    }
    output.result(&Line::plain(answer.token))?;
    let until = format::until(described.expire_time.as_ref(), format::now());
    output.note(&Line::styled(
        Style::Dim,
        format!("shown this once; ends {until}; scripts take it from KILN_TOKEN or --token-file"),
    ));
    Ok(())
}

async fn list(context: &Context, client: &Client) -> Result<(), Stop> {
    let tokens = all(client).await?;
    let output = &context.output;
    if output.json() {
        for token in &tokens {
            output.object(&json::token(token))?;
        }
        return Ok(());
    }
    if tokens.is_empty() {
        output.note(&Line::plain("no API tokens"));
        return Ok(());
    }
    let now = format::now();
    let rows: Vec<Vec<String>> = tokens
        .iter()
        .map(|token| {
            let scopes: Vec<String> = token
                .scopes
                .iter()
                .filter_map(|value| json::scope(*value))
                .map(str::to_lowercase)
                .collect();
            vec![
                token.id.clone(),
                token.name.clone(),
                scopes.join(","),
                format::until(token.expire_time.as_ref(), now),
                match &token.last_use_time {
                    None => "never".to_owned(),
                    time => format::ago(time.as_ref(), now),
                },
            ]
        })
        .collect();
    for line in format::table(&["ID", "NAME", "SCOPES", "ENDS", "LAST USED"], &rows) {
        output.result(&line)?;
    }
    Ok(())
}

async fn revoke(context: &Context, client: &Client, wanted: &str) -> Result<(), Stop> {
    let (id, name) = if uuid::Uuid::try_parse(wanted).is_ok() {
        (wanted.to_ascii_lowercase(), wanted.to_owned())
    } else {
        let tokens = all(client).await?;
        let matches: Vec<&pb::ApiToken> =
            tokens.iter().filter(|token| token.name == wanted).collect();
        match matches.as_slice() {
            [token] => (token.id.clone(), token.name.clone()),
            [] => {
                return Err(Failure::failed(
                    "NOT_FOUND",
                    format!("there is no API token \"{wanted}\""),
                )
                .hint("`kiln auth token list` lists them")
                .into());
            }
            several => {
                return Err(Failure::usage(format!(
                    "{} API tokens have the name \"{wanted}\"",
                    several.len()
                ))
                .hint("give the id: `kiln auth token list`")
                .into());
            }
        }
    };
    client
        .revoke_api_token(pb::RevokeApiTokenRequest {
            api_token_id: id.clone(),
        })
        .await?;
    if context.output.json() {
        return context.output.object(
            &json::Object::new("result")
                .with("outcome", "REVOKED")
                .with("api_token_id", id),
        );
    }
    context
        .output
        .note(&Line::plain("revoked ").add(Style::Strong, name));
    Ok(())
}

async fn all(client: &Client) -> Result<Vec<pb::ApiToken>, Stop> {
    let mut tokens = Vec::new();
    let mut page_token = String::new();
    for _ in 0..PAGES_MAX {
        let answer = client
            .list_api_tokens(pb::ListApiTokensRequest {
                page_size: PAGE_SIZE,
                page_token,
            })
            .await?;
        tokens.extend(answer.api_tokens);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return Ok(tokens);
        }
    }
    Err(Error::Protocol("a list without an end".to_owned()).into())
}
