//! A recording as asciicast, version 2: one JSON line for the size, then one for
//! each piece of output.

use std::time::Duration;

use serde_json::json;

use crate::terminal::Chunk;

/// Nobody waits longer than this while watching.
const GAP_MAX: Duration = Duration::from_millis(1_500);
/// Pieces that came closer than this are one.
const TOGETHER: Duration = Duration::from_millis(8);

/// The recording; long gaps are shortened.
pub(crate) fn recording(chunks: &[Chunk], (width, height): (u16, u16)) -> String {
    let head = json!({
        "version": 2,
        "width": width,
        "height": height,
        "title": "kiln: from a prompt to a running app",
        "env": {"TERM": "xterm-256color"},
    });
    let mut lines = vec![head.to_string()];
    let mut shown = Duration::ZERO;
    for piece in pieces(chunks) {
        shown += piece.after.min(GAP_MAX);
        let seconds = (shown.as_secs_f64() * 1000.0).round() / 1000.0;
        lines.push(json!([seconds, "o", piece.text]).to_string());
    }
    lines.push(String::new());
    lines.join("\n")
}

struct Piece {
    after: Duration,
    text: String,
}

fn pieces(chunks: &[Chunk]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut before = Duration::ZERO;
    let mut open: Vec<u8> = Vec::new();
    for chunk in chunks {
        let after = chunk.at.saturating_sub(before);
        before = chunk.at;
        open.extend(&chunk.bytes);
        // A character may be cut: the rest comes with the next piece.
        let whole = match std::str::from_utf8(&open) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Ok(_) | Err(_) => open.len(),
        };
        let text = String::from_utf8_lossy(&open[..whole]).into_owned();
        open.drain(..whole);
        match pieces.last_mut() {
            Some(last) if after < TOGETHER => last.text.push_str(&text),
            _ => pieces.push(Piece { after, text }),
        }
    }
    pieces
}
