//! Servers with an OpenAI-compatible API that run on this machine: asked for their
//! models on well-known ports of the loopback address, and nowhere else.

use std::time::Duration;

use futures::future::join_all;

use super::endpoint::{Dialect, Endpoint};
use super::model_list::ask;

/// How long a server may take: it is on this machine.
const PATIENCE: Duration = Duration::from_millis(300);
/// Bytes of an answer: what lists more is no server of somebody's own.
const BODY_LIMIT_BYTES: usize = 1 << 20;

/// A server that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalServer {
    /// Its base URL.
    pub base_url: String,
    /// What usually listens on its port.
    pub name: &'static str,
    /// How many models it lists.
    pub models: usize,
}

/// What usually listens on a port.
fn name(port: u16) -> &'static str {
    match port {
        11_434 => "Ollama",
        1_234 => "LM Studio",
        8_080 => "llama.cpp",
        8_000 => "vLLM",
        5_000 => "text-generation-webui",
        1_337 => "Jan",
        _ => "OpenAI-compatible server",
    }
}

/// Asks all ports at once; gives the servers in the order of the ports.
pub async fn find(ports: &[u16]) -> Vec<LocalServer> {
    let found = join_all(ports.iter().map(|port| look(*port))).await;
    found.into_iter().flatten().collect()
}

async fn look(port: u16) -> Option<LocalServer> {
    let base_url = format!("http://127.0.0.1:{port}/v1");
    let endpoint = Endpoint::new(&base_url, None, Dialect::Plain).ok()?;
    let models = tokio::time::timeout(PATIENCE, ask(&endpoint, BODY_LIMIT_BYTES)).await;
    Some(LocalServer {
        base_url,
        name: name(port),
        models: models.ok()?.ok()?.len(),
    })
}
