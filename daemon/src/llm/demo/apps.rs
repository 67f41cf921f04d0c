//! The canned apps: complete React apps on the React + Vite + Tailwind template.
//! Their sources are real files under `apps/`, so that they can be type-checked.

/// A canned app.
#[derive(Debug, PartialEq)]
pub(super) struct App {
    /// What it is, after "Here is".
    pub(super) label: &'static str,
    /// Words of a prompt that ask for it.
    words: &'static [&'static str],
    /// Whether its heading becomes what was asked for.
    pub(super) takes_title: bool,
    /// Path in the project and content; `src/App.tsx` comes last, when all that
    /// it imports is there.
    pub(super) files: &'static [(&'static str, &'static str)],
}

macro_rules! files {
    ($app:literal: $($path:literal),* $(,)?) => {
        &[$((concat!("src/", $path), include_str!(concat!("apps/", $app, "/", $path)))),*]
    };
}

static APPS: &[App] = &[
    App {
        label: "a todo list",
        words: &[
            "todo",
            "todos",
            "task",
            "tasks",
            "checklist",
            "shopping",
            "chores",
        ],
        takes_title: false,
        files: files!("todo": "useStored.ts", "components/TaskForm.tsx", "components/TaskItem.tsx", "App.tsx"),
    },
    App {
        label: "a counter",
        words: &["counter", "count", "counting", "tally", "clicker"],
        takes_title: false,
        files: files!("counter": "components/Ring.tsx", "components/History.tsx", "App.tsx"),
    },
    App {
        label: "a focus timer with a stopwatch",
        words: &[
            "timer",
            "stopwatch",
            "pomodoro",
            "countdown",
            "clock",
            "focus",
        ],
        takes_title: false,
        files: files!("timer": "clock.ts", "useElapsed.ts", "components/Focus.tsx", "components/Stopwatch.tsx", "App.tsx"),
    },
    App {
        label: "a notebook",
        words: &[
            "note", "notes", "notebook", "notepad", "journal", "diary", "memo", "memos",
        ],
        takes_title: false,
        files: files!("notes": "note.ts", "components/NoteList.tsx", "components/Editor.tsx", "App.tsx"),
    },
    App {
        label: "a landing page",
        words: &[
            "landing",
            "portfolio",
            "homepage",
            "website",
            "marketing",
            "startup",
            "shop",
            "pricing",
        ],
        takes_title: false,
        files: files!("landing": "components/Features.tsx", "components/Pricing.tsx", "components/Faq.tsx", "components/SignUp.tsx", "App.tsx"),
    },
];

/// What is written where no word of the prompt is known.
static BOARD: App = App {
    label: "a board to plan it on",
    words: &[],
    takes_title: true,
    files: files!("board": "card.ts", "components/Column.tsx", "App.tsx"),
};

/// The app that the first known word of a prompt asks for.
pub(super) fn for_prompt(prompt: &str) -> &'static App {
    let lower = prompt.to_lowercase();
    lower
        .split(|c: char| !c.is_alphanumeric())
        .find_map(|word| APPS.iter().find(|app| app.words.contains(&word)))
        .unwrap_or(&BOARD)
}

/// The small app that the repair model writes, and the line of it that it breaks.
pub(super) fn for_repair() -> (&'static App, Broken) {
    let counter = &APPS[1];
    (
        counter,
        Broken {
            path: "src/App.tsx",
            right: "import { Ring } from \"./components/Ring\";",
            wrong: "import { Ring } from \"./components/Rings\";",
        },
    )
}

/// A line with an error in it.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) path: &'static str,
    pub(super) right: &'static str,
    pub(super) wrong: &'static str,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn all() -> impl Iterator<Item = &'static App> {
        APPS.iter().chain([&BOARD])
    }

    #[test]
    fn the_first_known_word_decides() {
        let label = |prompt| for_prompt(prompt).label;
        assert_eq!(label("a todo list"), "a todo list");
        assert_eq!(label("A TO-DO list with Tasks"), "a todo list");
        assert_eq!(label("a landing page for a todo app"), "a landing page");
        assert_eq!(label("Pomodoro timer!"), "a focus timer with a stopwatch");
        assert_eq!(label("a notes app"), "a notebook");
        assert_eq!(label("counter"), "a counter");
        assert_eq!(label("something about ships"), "a board to plan it on");
        assert_eq!(label(""), "a board to plan it on");
    }

    #[test]
    fn every_app_can_be_edited_afterwards() {
        for app in all() {
            let (path, source) = app.files[app.files.len() - 1];
            assert_eq!(path, "src/App.tsx", "{}", app.label);
            for start in [
                "const TITLE = \"",
                "const TAGLINE = \"",
                "const ACCENT = \"#",
            ] {
                let lines = source.lines().filter(|line| line.starts_with(start));
                assert_eq!(lines.count(), 1, "{}: {start}", app.label);
            }
        }
    }

    #[test]
    fn the_repair_model_breaks_a_line_that_is_there() {
        let (app, broken) = for_repair();
        let source = app.files.iter().find(|(path, _)| *path == broken.path);
        assert_eq!(source.unwrap().1.matches(broken.right).count(), 1);
    }

    #[test]
    fn every_source_is_part_of_its_app() {
        let apps = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/llm/demo/apps");
        let mut on_disk = Vec::new();
        let mut directories = vec![apps];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    on_disk.push(std::fs::read_to_string(path).unwrap());
                }
            }
        }
        let mut embedded: Vec<_> = all()
            .flat_map(|app| app.files.iter().map(|(_, source)| (*source).to_owned()))
            .collect();
        on_disk.sort();
        embedded.sort();
        assert_eq!(on_disk, embedded);
    }

    #[test]
    fn every_import_is_there() {
        for app in all() {
            for (path, source) in app.files {
                let folder = path.rsplit_once('/').unwrap().0;
                for line in source.lines().filter(|line| line.starts_with("import ")) {
                    let from = line.rsplit('"').nth(1).unwrap();
                    let target = match (from.strip_prefix("./"), from.strip_prefix("../")) {
                        (Some(rest), _) => format!("{folder}/{rest}"),
                        (None, Some(rest)) => format!("src/{rest}"),
                        (None, None) => {
                            assert_eq!(from, "react", "{path}");
                            continue;
                        }
                    };
                    let found = app.files.iter().any(|(other, _)| {
                        *other == format!("{target}.ts") || *other == format!("{target}.tsx")
                    });
                    assert!(found, "{}: {path} imports {from}", app.label);
                }
            }
        }
    }
}
