//! What the client keeps between runs, in its state directory: settings, and
//! prompts that were written and not sent. Losing any of it is a pity and no
//! error, so nothing here fails loudly.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::settings::Settings;
use crate::view::theme::Palette;

/// Drafts that are kept at most; the oldest keys go first.
const DRAFTS_MAX: usize = 100;
/// A file with more than this is not ours; in bytes.
const FILE_MAX: u64 = 16 << 20;

/// The state directory.
#[derive(Clone, Debug)]
pub struct Memory {
    dir: PathBuf,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    theme: Option<String>,
    mouse: Option<bool>,
    model: Option<String>,
    welcomed: bool,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Drafts {
    /// Keys in the order of the last change, oldest first, and their text.
    drafts: Vec<(String, String)>,
}

impl Memory {
    /// What is kept in a directory, which need not exist yet.
    #[must_use]
    pub fn in_dir(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    /// The settings that were kept, over these.
    #[must_use]
    pub fn settings(&self, mut settings: Settings) -> Settings {
        let kept: Kept = self.read("client.json");
        if let Some(palette) = kept.theme.as_deref().and_then(Palette::named) {
            settings.palette = palette;
        }
        if let Some(mouse) = kept.mouse {
            settings.mouse = mouse;
        }
        if let Some(model) = kept.model {
            settings.model = model;
        }
        settings.welcomed |= kept.welcomed;
        settings
    }

    /// Keeps the settings.
    pub fn keep_settings(&self, settings: &Settings) {
        self.write(
            "client.json",
            &Kept {
                theme: Some(settings.palette.name().to_owned()),
                mouse: Some(settings.mouse),
                model: Some(settings.model.clone()).filter(|model| !model.is_empty()),
                welcomed: settings.welcomed,
            },
        );
    }

    /// All drafts.
    #[must_use]
    pub fn drafts(&self) -> BTreeMap<String, String> {
        let drafts: Drafts = self.read("drafts.json");
        drafts.drafts.into_iter().collect()
    }

    /// Keeps a draft; an empty one is forgotten.
    pub fn keep_draft(&self, key: &str, text: &str) {
        let mut drafts: Drafts = self.read("drafts.json");
        let known = drafts
            .drafts
            .iter()
            .any(|(of, kept)| of == key && kept == text);
        if known || (text.is_empty() && !drafts.drafts.iter().any(|(of, _)| of == key)) {
            return;
        }
        drafts.drafts.retain(|(of, _)| of != key);
        if !text.is_empty() {
            drafts.drafts.push((key.to_owned(), text.to_owned()));
        }
        let surplus = drafts.drafts.len().saturating_sub(DRAFTS_MAX);
        drafts.drafts.drain(..surplus);
        self.write("drafts.json", &drafts);
    }

    fn read<T: Default + for<'de> Deserialize<'de>>(&self, name: &str) -> T {
        let path = self.dir.join(name);
        let is_ours = std::fs::metadata(&path).is_ok_and(|meta| meta.len() <= FILE_MAX);
        if !is_ours {
            return T::default();
        }
        std::fs::read(&path)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    }

    /// Replaces a file as a whole, so that a kill leaves the old or the new one.
    fn write<T: Serialize>(&self, name: &str, value: &T) {
        let Ok(text) = serde_json::to_vec(value) else {
            return;
        };
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir);
        let temporary = self
            .dir
            .join(format!("{name}.{}.tmp", uuid::Uuid::new_v4().simple()));
        let written = made
            .and_then(|()| {
                OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&temporary)
            })
            .and_then(|mut file| file.write_all(&text))
            .and_then(|()| std::fs::rename(&temporary, self.dir.join(name)));
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::in_dir(&dir.path().join("kiln"));
        assert_eq!(memory.settings(Settings::default()), Settings::default());
        let settings = Settings {
            palette: Palette::Light,
            mouse: false,
            model: "demo/kiln".into(),
            welcomed: true,
        };
        memory.keep_settings(&settings);
        assert_eq!(memory.settings(Settings::default()), settings);
        memory.keep_draft("a", "one");
        memory.keep_draft("b", "two");
        memory.keep_draft("a", "");
        assert_eq!(
            memory.drafts(),
            BTreeMap::from([("b".to_owned(), "two".to_owned())])
        );
    }

    #[test]
    fn damaged_files_are_as_if_they_were_not_there() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("client.json"), "{\"mouse\": 3").unwrap();
        std::fs::write(dir.path().join("drafts.json"), [0xff; 9]).unwrap();
        let memory = Memory::in_dir(dir.path());
        assert_eq!(memory.settings(Settings::default()), Settings::default());
        assert!(memory.drafts().is_empty());
        memory.keep_draft("a", "kept");
        assert_eq!(memory.drafts().len(), 1);
    }

    #[test]
    fn drafts_do_not_grow_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::in_dir(dir.path());
        for n in 0..DRAFTS_MAX + 3 {
            memory.keep_draft(&format!("k{n}"), "text");
        }
        let drafts = memory.drafts();
        assert_eq!(drafts.len(), DRAFTS_MAX);
        assert!(!drafts.contains_key("k0") && drafts.contains_key("k102"));
    }
}
