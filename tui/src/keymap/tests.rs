use super::*;

fn chord(text: &str) -> Chord {
    Chord::parse(text).unwrap()
}

#[test]
fn arrows_have_names_where_they_cannot_be_drawn() {
    let chord = Chord::parse("ctrl-up").unwrap();
    assert_eq!(chord.shown(false), "Ctrl-↑");
    assert_eq!(chord.shown(true), "Ctrl-Up");
    for action in Action::ALL {
        for chord in Keymap::default().keys(*action) {
            assert!(chord.shown(true).is_ascii(), "{chord}");
        }
    }
}

#[test]
fn every_default_key_can_be_read_and_none_means_two_things() {
    for action in Action::ALL {
        for key in action.entry().keys {
            assert!(Chord::parse(key).is_some(), "{key}");
        }
    }
    assert_eq!(Keymap::default().check(), Ok(()));
    let mut names: Vec<_> = Action::ALL
        .iter()
        .map(|action| action.entry().name)
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Action::ALL.len());
}

#[test]
fn the_innermost_scope_wins() {
    let keymap = Keymap::default();
    let in_logs = [
        Scope::Logs,
        Scope::Pane,
        Scope::Workspace,
        Scope::Everywhere,
    ];
    assert_eq!(
        keymap.action(chord("s"), &in_logs, false),
        Some(Action::LogStream)
    );
    assert_eq!(
        keymap.action(chord("q"), &in_logs, false),
        Some(Action::Quit)
    );
    let page = [Scope::Page, Scope::Pane, Scope::Everywhere];
    assert_eq!(
        keymap.action(chord("q"), &page, false),
        Some(Action::ClosePage)
    );
}

#[test]
fn where_text_is_typed_letters_are_text() {
    let keymap = Keymap::default();
    let prompt = [Scope::Prompt, Scope::Workspace, Scope::Everywhere];
    assert_eq!(keymap.action(chord("q"), &prompt, true), None);
    assert_eq!(keymap.action(chord("?"), &prompt, true), None);
    assert_eq!(
        keymap.action(chord("ctrl-p"), &prompt, true),
        Some(Action::Palette)
    );
    assert_eq!(
        keymap.action(chord("enter"), &prompt, true),
        Some(Action::Send)
    );
}

#[test]
fn keys_are_read_as_people_write_them() {
    assert_eq!(chord("ctrl-p").to_string(), "Ctrl-P");
    assert_eq!(chord("Ctrl-P"), chord("ctrl-p"));
    assert_eq!(chord("shift-tab").to_string(), "Shift-Tab");
    assert_eq!(chord("G").to_string(), "G");
    assert_eq!(chord("-").to_string(), "-");
    assert_eq!(chord("ctrl--").to_string(), "Ctrl--");
    assert_eq!(chord("f12").to_string(), "F12");
    for wrong in ["", "ctrl-", "hyper-x", "enterr", "xy"] {
        assert_eq!(Chord::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn the_configuration_changes_keys_and_is_checked() {
    let change = |name: &str, keys: &[&str]| {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        Keymap::configured(&BTreeMap::from([(name.to_owned(), keys)]))
    };
    let keymap = change("palette", &["ctrl-k"]).unwrap();
    assert_eq!(keymap.keys(Action::Palette), [chord("ctrl-k")]);
    assert_eq!(
        change("palete", &["ctrl-k"]),
        Err(KeymapError::Action("palete".into()))
    );
    // The workspace would hide it, or be hidden.
    for (name, key) in [
        ("models", "ctrl-o"),
        ("open-preview", "f1"),
        ("edit-prompt", "ctrl-o"),
    ] {
        let refused = change(name, &[key]);
        assert!(
            matches!(refused, Err(KeymapError::Twice { .. })),
            "{name}: {refused:?}"
        );
    }
    change("open-preview", &["ctrl-o", "f9"]).unwrap();
    // What the table says may be said again.
    for action in Action::ALL {
        change(action.entry().name, action.entry().keys).unwrap();
    }
    assert!(matches!(
        change("palette", &["ctrl-"]),
        Err(KeymapError::Chord { .. })
    ));
    assert!(matches!(
        change("palette", &["ctrl-q"]),
        Err(KeymapError::Twice { .. })
    ));
    assert!(
        change("palette", &[])
            .unwrap()
            .keys(Action::Palette)
            .is_empty()
    );
}
