//! Which key does what. Help, hints and the palette are made from the one table
//! of [`action`], so that none of them can say something else.
//!
//! - [`action`]: everything that can be done, with its words and default keys.
//! - [`chord`]: a key with its modifiers, as people write it.
//!
//! Where several things could be meant, the innermost scope wins: the keys of a
//! pane hide those of the screen, and those hide the keys that work everywhere.

pub mod action;
pub mod chord;

use std::collections::BTreeMap;

pub use self::action::{Action, Scope};
pub use self::chord::Chord;

/// Keys and what they do, in each scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    bindings: Vec<(Action, Vec<Chord>)>,
}

/// Why a keymap of the configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// There is nothing of that name.
    #[error("[keys]: there is no action \"{0}\"; the help (F1) lists them")]
    Action(String),
    /// A key that cannot be read.
    #[error("[keys] {action}: \"{chord}\" is no key; write it like ctrl-p, alt-1, f1, enter or G")]
    Chord {
        /// The action's name.
        action: String,
        /// What was written.
        chord: String,
    },
    /// Two things on one key, in one place.
    #[error("[keys]: {chord} would mean both {first} and {second}")]
    Twice {
        /// The key.
        chord: String,
        /// The one.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
}

impl Default for Keymap {
    fn default() -> Self {
        let bindings = Action::ALL
            .iter()
            .map(|action| {
                let chords = action
                    .entry()
                    .keys
                    .iter()
                    .map(|key| Chord::parse(key).unwrap_or(Chord::NONE))
                    .collect();
                (*action, chords)
            })
            .collect();
        Self { bindings }
    }
}

impl Keymap {
    /// The default keys, changed as the configuration says: names of actions,
    /// each with all its keys.
    ///
    /// # Errors
    /// If a name or a key is not known, or a key would mean two things.
    pub fn configured(changes: &BTreeMap<String, Vec<String>>) -> Result<Self, KeymapError> {
        let mut keymap = Self::default();
        for (name, keys) in changes {
            let action = Action::ALL
                .iter()
                .copied()
                .find(|action| action.entry().name == name)
                .ok_or_else(|| KeymapError::Action(name.clone()))?;
            let mut chords = Vec::with_capacity(keys.len());
            for key in keys {
                chords.push(Chord::parse(key).ok_or_else(|| KeymapError::Chord {
                    action: name.clone(),
                    chord: key.clone(),
                })?);
            }
            if let Some(binding) = keymap.bindings.iter_mut().find(|(of, _)| *of == action) {
                binding.1 = chords;
            }
        }
        keymap.check()?;
        keymap.check_hidden(changes)?;
        Ok(keymap)
    }

    /// What a key does. `scopes` from the innermost to the outermost; `typing`
    /// says that plain characters are text there.
    #[must_use]
    pub fn action(&self, chord: Chord, scopes: &[Scope], typing: bool) -> Option<Action> {
        if typing && chord.is_text() {
            return None;
        }
        scopes.iter().find_map(|scope| {
            self.bindings
                .iter()
                .find(|(action, chords)| action.entry().scope == *scope && chords.contains(&chord))
                .map(|(action, _)| *action)
        })
    }

    /// All keys of an action.
    #[must_use]
    pub fn keys(&self, action: Action) -> &[Chord] {
        self.bindings
            .iter()
            .find(|(of, _)| *of == action)
            .map_or(&[], |(_, chords)| chords)
    }

    /// The key to name in a hint: the first that works where text is typed, or
    /// simply the first.
    #[must_use]
    pub fn hint(&self, action: Action, typing: bool) -> Option<Chord> {
        let keys = self.keys(action);
        keys.iter()
            .find(|chord| !(typing && chord.is_text()))
            .or_else(|| if typing { None } else { keys.first() })
            .copied()
    }

    /// A key that the configuration gives must not be hidden by another in a place
    /// where both work, nor hide one. Plain keys may: `n` is one thing in a list
    /// and another after a search.
    fn check_hidden(&self, changes: &BTreeMap<String, Vec<String>>) -> Result<(), KeymapError> {
        let changed = |action: Action| changes.contains_key(action.entry().name);
        for (first, chords) in self.bindings.iter().filter(|(action, _)| changed(*action)) {
            for (second, others) in &self.bindings {
                let meet = first.entry().scope.meets(second.entry().scope)
                    || second.entry().scope.meets(first.entry().scope);
                let is_both = |chord: &&Chord| chord.is_special() && others.contains(chord);
                if let Some(chord) = chords.iter().find(is_both).filter(|_| meet) {
                    return Err(KeymapError::Twice {
                        chord: chord.to_string(),
                        first: first.entry().name,
                        second: second.entry().name,
                    });
                }
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), KeymapError> {
        for (index, (first, chords)) in self.bindings.iter().enumerate() {
            for (second, others) in &self.bindings[index + 1..] {
                if first.entry().scope != second.entry().scope {
                    continue;
                }
                if let Some(chord) = chords.iter().find(|chord| others.contains(chord)) {
                    return Err(KeymapError::Twice {
                        chord: chord.to_string(),
                        first: first.entry().name,
                        second: second.entry().name,
                    });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
