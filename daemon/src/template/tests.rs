use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;
use crate::domain::project::DEFAULT_TEMPLATE;

const MINIMAL: &str = "title = \"T\"\nstart = [\"bun\", \"serve\", \"{port}\"]\n";

/// A data directory with these files below `templates`.
fn data(files: &[(&str, &str)]) -> TempDir {
    let data = TempDir::new().expect("a directory");
    for (path, text) in files {
        let file = data.path().join("templates").join(path);
        fs::create_dir_all(file.parent().expect("below templates")).expect("made");
        fs::write(file, text).expect("written");
    }
    data
}

fn problem(files: &[(&str, &str)]) -> String {
    let data = data(files);
    let error = Templates::load(data.path()).expect_err("should be refused");
    let folder = data.path().join("templates").display().to_string();
    error.to_string().replace(&folder, "T")
}

#[test]
fn the_binary_has_every_file_of_the_template_folders_and_no_other() {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let from_disk = folder::load(&folders).expect("readable");
    let embedded = Templates::embedded();
    let names: Vec<_> = embedded.iter().map(|template| &template.name).collect();
    assert_eq!(
        from_disk
            .iter()
            .map(|template| &template.name)
            .collect::<Vec<_>>(),
        names
    );
    for template in &from_disk {
        let embedded = embedded.get(&template.name).expect("has the same names");
        assert_eq!(embedded.initial_tree(), template.initial_tree());
    }
}

#[test]
fn the_default_template_knows_how_to_run_on_a_port() {
    let templates = Templates::embedded();
    let template = templates.get(DEFAULT_TEMPLATE).expect("there");
    assert!(template.start(5174).contains(&"5174".to_owned()));
    for command in [
        template.start(5174),
        template.check(5174),
        template.install.clone(),
    ] {
        assert_eq!(command[0], "bun");
        assert!(!command.iter().any(|argument| argument.contains('{')));
    }
    assert_eq!(template.environment(5173)["NO_COLOR"], "1");
    let names: Vec<_> = template
        .dependency_files()
        .iter()
        .map(|(path, _)| path.to_string())
        .collect();
    assert_eq!(names, ["package.json", "bun.lock"]);
    assert!(!template.note.contains('\n'));
    let tree = template.initial_tree();
    assert!(!tree.contains(&SafePath::parse(MANIFEST).expect("a path")));
    assert!(tree.contains(&SafePath::parse("src/App.tsx").expect("a path")));
}

#[test]
fn lockfiles_name_no_registry() {
    for template in Templates::embedded().iter() {
        for (path, bytes) in template.dependency_files() {
            let text = String::from_utf8(bytes.to_vec()).expect("text");
            assert!(!text.contains("://"), "{path} of {}", template.name);
        }
    }
}

#[test]
fn a_folder_in_the_data_directory_is_a_template() {
    let data = data(&[
        ("mine/kiln.toml", MINIMAL),
        ("mine/src/a.ts", "a"),
        ("mine/node_modules/x/index.js", "x"),
        ("mine/.git/config", "x"),
        (".hidden/x", "not a template"),
        ("README.md", "not a template"),
    ]);
    let templates = Templates::load(data.path()).expect("fine");
    let mine = templates.get("mine").expect("there");
    let files: Vec<_> = mine
        .initial_tree()
        .iter()
        .map(|(path, _)| path.to_string())
        .collect();
    assert_eq!(files, ["src/a.ts"]);
    assert_eq!(mine.start(7), ["bun", "serve", "7"]);
    assert_eq!(mine.check(7), Vec::<String>::new());
    assert_eq!(templates.iter().count(), 2);
    assert!(templates.get("nothing").is_none());
}

#[test]
fn a_folder_may_take_the_place_of_a_built_in_template() {
    let data = data(&[("react-vite-tailwind/kiln.toml", MINIMAL)]);
    let templates = Templates::load(data.path()).expect("fine");
    assert_eq!(templates.get(DEFAULT_TEMPLATE).expect("there").title, "T");
    assert_eq!(templates.iter().count(), 1);
}

#[test]
fn no_folder_is_no_error() {
    let data = TempDir::new().expect("a directory");
    assert!(Templates::load(data.path()).is_ok());
}

#[test]
fn links_are_passed_over() {
    let data = data(&[("mine/kiln.toml", MINIMAL), ("mine/a", "a")]);
    let templates = data.path().join("templates");
    symlink("/etc/passwd", templates.join("mine/stolen")).expect("made");
    symlink("/etc", templates.join("mine/directory")).expect("made");
    symlink("mine", templates.join("linked")).expect("made");
    let loaded = Templates::load(data.path()).expect("fine");
    assert_eq!(loaded.get("mine").expect("there").initial_tree().len(), 1);
    assert!(loaded.get("linked").is_none());
}

#[test]
fn what_is_wrong_is_said_with_the_file() {
    let large = "x".repeat(1024 * 1024 + 1);
    for (files, expected) in [
        (vec![("m/a", "")], "template T/m/kiln.toml: it is missing"),
        (
            vec![("Mine/kiln.toml", MINIMAL)],
            "template T/Mine/: the name of a template has",
        ),
        (
            vec![("m/kiln.toml", "title = \"T\"\n")],
            "template T/m/kiln.toml: TOML parse error at line 1",
        ),
        (
            vec![("m/kiln.toml", "title = \"\"\nstart = [\"x\"]\n")],
            "template T/m/kiln.toml: title is empty",
        ),
        (
            vec![("m/kiln.toml", "title = \"T\"\nstart = []\n")],
            "template T/m/kiln.toml: start is empty",
        ),
        (
            vec![("m/kiln.toml", "title = \"T\"\nstart = [\"x\"]\nstrat = 1\n")],
            "template T/m/kiln.toml: TOML parse error at line 3",
        ),
        (
            vec![(
                "m/kiln.toml",
                "title = \"T\"\nstart = [\"x\"]\ncheck_timeout_seconds = 0\n",
            )],
            "template T/m/kiln.toml: check_timeout_seconds is not",
        ),
        (
            vec![(
                "m/kiln.toml",
                "title = \"T\"\nstart = [\"x\"]\n[environment]\n\"a=b\" = \"c\"\n",
            )],
            "template T/m/kiln.toml: environment: \"a=b\"",
        ),
        (
            vec![(
                "m/kiln.toml",
                "title = \"T\"\nstart = [\"x\"]\ndependency_files = [\"../x\"]\n",
            )],
            "template T/m/kiln.toml: dependency_files: \"../x\"",
        ),
        (
            vec![(
                "m/kiln.toml",
                "title = \"T\"\nstart = [\"x\"]\ndependency_files = [\"x\"]\n",
            )],
            "template T/m/x: kiln.toml names it",
        ),
        (
            vec![("m/kiln.toml", MINIMAL), ("m/src/large", &large)],
            "template T/m/src/large: it is larger than 1048576 bytes",
        ),
        (
            vec![("m/kiln.toml", MINIMAL), ("m/a", ""), ("m/A", "")],
            "template T/m/a: a and A differ only in case",
        ),
        (
            vec![("m/kiln.toml", MINIMAL), ("m/a\nb", "")],
            "template T/m/a\nb: a path may not have the character U+000A",
        ),
    ] {
        let problem = problem(&files);
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn a_template_has_no_more_files_than_a_project() {
    let mut files = vec![("m/kiln.toml".to_owned(), MINIMAL)];
    files.extend((0..2_000).map(|number| (format!("m/f{number:04}"), "")));
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (path.as_str(), *text))
        .collect();
    let problem = problem(&files);
    assert!(problem.contains("more than 2000 files"), "{problem}");
}
