//! Reads the ports on which model servers of this machine are looked for.

use serde::Deserialize;

/// Ollama, LM Studio, llama.cpp, vLLM, text-generation-webui, Jan.
const LOCAL_PORTS: [u16; 6] = [11_434, 1_234, 8_080, 8_000, 5_000, 1_337];

/// A port: a number in the file, a text in the environment.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum RawPort {
    Number(i64),
    Text(String),
}

/// The ports; the well-known ones where nothing is said, none for `none`.
pub(super) fn local(raw: Option<Vec<RawPort>>, problems: &mut Vec<String>) -> Vec<u16> {
    let Some(raw) = raw else {
        return LOCAL_PORTS.to_vec();
    };
    if matches!(&raw[..], [RawPort::Text(text)] if text == "none") {
        return Vec::new();
    }
    let mut ports = Vec::new();
    for port in raw {
        let read = match &port {
            RawPort::Number(number) => u16::try_from(*number).ok(),
            RawPort::Text(text) => text.parse().ok(),
        };
        match read.filter(|port| *port > 0) {
            Some(port) => ports.push(port),
            None => problems.push(format!(
                "config: model.local_ports has {}, must be ports (1 to 65535) or none",
                match port {
                    RawPort::Number(number) => number.to_string(),
                    RawPort::Text(text) => format!("{text:?}"),
                }
            )),
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Option<Vec<RawPort>> {
        let texts = texts.iter().map(|text| RawPort::Text((*text).into()));
        Some(texts.collect())
    }

    #[test]
    fn ports_are_numbers_or_none_and_anything_else_is_said() {
        let mut problems = Vec::new();
        assert_eq!(local(None, &mut problems), LOCAL_PORTS);
        assert_eq!(local(Some(vec![]), &mut problems), [0_u16; 0]);
        assert_eq!(local(texts(&["none"]), &mut problems), [0_u16; 0]);
        assert_eq!(local(texts(&["8080", "1"]), &mut problems), [8_080, 1]);
        assert_eq!(
            local(Some(vec![RawPort::Number(65_535)]), &mut problems),
            [65_535]
        );
        assert_eq!(problems, [""; 0]);
        local(texts(&["0", "x", "none"]), &mut problems);
        local(Some(vec![RawPort::Number(65_536)]), &mut problems);
        assert_eq!(problems.len(), 4, "{problems:?}");
    }
}
