//! The lines as they go to a file.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Entry, Kind, Logs};

/// What is to be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The lines that are shown.
    Shown,
    /// All lines that are kept.
    Everything,
}

impl Logs {
    /// The lines as they go to a file: with time and stream, without line feeds.
    pub fn text_for_saving(&self, extent: Extent) -> impl Iterator<Item = String> + '_ {
        let front = (self.gone > 0).then(|| format!("… {} lines dropped", self.gone));
        let entries = (self.store.first()..self.store.next())
            .filter_map(|id| self.store.get(id))
            .filter(move |entry| match extent {
                Extent::Shown => self.filter.passes(entry),
                Extent::Everything => true,
            })
            .map(|entry| saved(&entry));
        front.into_iter().chain(entries)
    }
}

fn saved(entry: &Entry<'_>) -> String {
    let stream = match entry.kind {
        Kind::Stdout => "stdout",
        Kind::Stderr => "stderr",
        Kind::System => "system",
        Kind::Step => "step  ",
        Kind::Dropped => return format!("… {} lines dropped", entry.number),
        Kind::Restart => return format!("── {} ──", entry.text),
    };
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(entry.nanos))
        .ok()
        .filter(|_| entry.nanos != 0)
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| "-".to_owned());
    format!("{time} {stream} {}", entry.text)
}
