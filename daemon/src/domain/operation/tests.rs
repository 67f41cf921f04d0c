use super::*;

fn path(text: &str) -> SafePath {
    SafePath::parse(text).expect("valid")
}

fn tree(files: &[(&str, &str)]) -> Tree {
    Tree::from_files(
        files
            .iter()
            .map(|(name, text)| (path(name), FileContent::new((*text).to_owned()))),
    )
    .expect("fits")
}

fn write(path: &str, content: &str) -> Operation {
    Operation::Write {
        path: path.into(),
        content: content.into(),
    }
}

fn edit(path: &str, hunks: &[(&str, &str)]) -> Operation {
    Operation::Edit {
        path: path.into(),
        hunks: hunks
            .iter()
            .map(|(search, replace)| Hunk {
                search: (*search).into(),
                replace: (*replace).into(),
            })
            .collect(),
    }
}

fn rename(from: &str, to: &str) -> Operation {
    Operation::Rename {
        from: from.into(),
        to: to.into(),
    }
}

fn delete(path: &str) -> Operation {
    Operation::Delete { path: path.into() }
}

fn add(packages: &[&str]) -> Operation {
    Operation::AddDependency {
        packages: packages.iter().map(|&package| package.into()).collect(),
    }
}

fn applied(before: &[(&str, &str)], operations: &[Operation], after: &[(&str, &str)]) {
    assert_eq!(apply(&tree(before), operations), Ok(tree(after)));
}

/// The problems, as people and models read them.
fn refused(before: &[(&str, &str)], operations: &[Operation]) -> Vec<String> {
    let problems = apply(&tree(before), operations).expect_err("should be refused");
    problems.iter().map(ToString::to_string).collect()
}

fn edited(before: &str, hunks: &[(&str, &str)]) -> String {
    let after = apply(&tree(&[("f", before)]), &[edit("f", hunks)]).expect("fits");
    after
        .get(&path("f"))
        .expect("there")
        .text()
        .expect("text")
        .to_owned()
}

#[test]
fn operations_are_applied_in_their_order() {
    applied(
        &[("a.ts", "one\ntwo\n"), ("b.ts", "b\n")],
        &[
            write("c.ts", "c\n"),
            edit("c.ts", &[("c\n", "C\n")]),
            edit("a.ts", &[("one\n", "1\n"), ("two\n", "2\n")]),
            rename("a.ts", "src/a.ts"),
            delete("b.ts"),
            delete("never-there.css"),
            write("b.ts", "new\n"),
            Operation::Read { path: "x".into() },
        ],
        &[("c.ts", "C\n"), ("src/a.ts", "1\n2\n"), ("b.ts", "new\n")],
    );
}

#[test]
fn one_bad_operation_refuses_all_and_every_problem_is_said() {
    let before = tree(&[("a", "x\nx\n")]);
    let problems = apply(
        &before,
        &[
            write("fine", ""),
            write("../out", ""),
            edit("a", &[("x\n", ""), ("y\n", ""), ("", "z\n")]),
            edit("gone", &[("x\n", "")]),
            rename("gone", "b"),
            edit("b", &[("x\n", "")]),
            delete("A"),
        ],
    )
    .expect_err("should be refused");
    let found: Vec<_> = problems
        .iter()
        .map(|problem| (problem.operation, problem.to_string()))
        .collect();
    assert_eq!(
        found,
        [
            (1, "../out: a path may not have a part \"..\"".into()),
            (2, "a: hunk 1: its search lines, which start with \"x\", are in the file more than once (at lines 1 and 2); add lines around them".into()),
            (2, "a: hunk 2: its search lines, which start with \"y\", are not in the file; copy them from it exactly".into()),
            (2, "a: hunk 3 searches for nothing; give the lines to replace, or write the whole file".to_owned()),
            (3, "gone: there is no such file".into()),
            (4, "gone: there is no such file".into()),
            (6, "A: there is no such file; a differs from it only in case".into()),
        ]
    );
}

#[test]
fn row_46_two_forms_of_one_path_collide_in_an_answer() {
    for (one, other) in [("README.md", "readme.md"), ("\u{e9}", "e\u{301}")] {
        let problems = apply(&Tree::new(), &[write(one, "a"), write(other, "b")]);
        assert!(
            matches!(
                &problems.expect_err("collides")[..],
                [OperationProblem {
                    operation: 1,
                    problem: Problem::Tree(TreeProblem::Collision { .. }),
                    ..
                }]
            ),
            "{one}"
        );
    }
    // Alone, another form means the file that is there.
    applied(
        &[("\u{e9}", "a\n")],
        &[edit("e\u{301}", &[("a\n", "b\n")])],
        &[("\u{e9}", "b\n")],
    );
    // The same path twice is a model that changed its mind.
    applied(&[], &[write("a", "1"), write("a", "2")], &[("a", "2")]);
}

#[test]
fn row_47_and_50_limits_of_the_tree_are_problems_of_the_operation() {
    assert_eq!(
        refused(&[("a", "")], &[write("a/b", ""), write("c", "")]),
        ["a/b: a would be a file and a directory at once"]
    );
    let large = "x".repeat(1024 * 1024 + 1);
    assert_eq!(
        refused(
            &[],
            &[write("large", &large), edit("large", &[("x\n", "")])]
        ),
        ["large: large is larger than 1048576 bytes"]
    );
}

#[test]
fn row_48_files_that_configure_tools_can_be_written() {
    assert_eq!(
        refused(&[], &[write("node_modules/x/index.js", "")]),
        ["node_modules/x/index.js: node_modules, .git and .ssh belong to tools"]
    );
    applied(
        &[],
        &[write(".npmrc", "x"), write(".env", "y")],
        &[(".npmrc", "x"), (".env", "y")],
    );
}

#[test]
fn row_59_nul_in_content_is_replaced() {
    applied(&[], &[write("a", "x\0y")], &[("a", "x\u{FFFD}y")]);
    assert_eq!(edited("a\n", &[("a\n", "b\0\n")]), "b\u{FFFD}\n");
}

#[test]
fn an_edit_matches_whole_lines_only() {
    assert_eq!(edited("ab\nb\n", &[("b\n", "c\n")]), "ab\nc\n");
    assert_eq!(edited("b x\nb\n", &[("b", "c")]), "b x\nc\n");
    assert_eq!(
        refused(&[("f", "  b\n")], &[edit("f", &[("b\n", "c\n")])]).len(),
        1
    );
}

#[test]
fn an_edit_replaces_lines_by_more_by_fewer_and_by_none() {
    assert_eq!(edited("a\nb\nc\n", &[("b\n", "1\n2\n")]), "a\n1\n2\nc\n");
    assert_eq!(edited("a\nb\nc\n", &[("a\nb\n", "x\n")]), "x\nc\n");
    assert_eq!(edited("a\nb\nc\n", &[("b\n", "")]), "a\nc\n");
    assert_eq!(edited("a\nb\nc\n", &[("b\n", "\n")]), "a\n\nc\n");
    assert_eq!(edited("a\n", &[("a\n", "")]), "");
}

#[test]
fn a_last_line_without_an_end_stays_without_one() {
    assert_eq!(edited("a\nb", &[("b\n", "c\n")]), "a\nc");
    assert_eq!(edited("a\nb", &[("a\n", "c\n")]), "c\nb");
}

#[test]
fn hunks_see_what_those_before_them_made() {
    assert_eq!(
        edited("a\n", &[("a\n", "b\nc\n"), ("c\n", "d\n")]),
        "b\nd\n"
    );
}

#[test]
fn places_that_overlap_are_ambiguous() {
    assert_eq!(
        refused(&[("f", "a\na\na\n")], &[edit("f", &[("a\na\n", "b\n")])]).len(),
        1
    );
}

#[test]
fn what_is_not_text_cannot_be_edited() {
    let mut tree = Tree::new();
    tree.insert(path("f"), FileContent::new(vec![0xff, b'\n']))
        .expect("fits");
    assert!(apply(&tree, &[edit("f", &[("x\n", "")])]).is_err());
    assert!(apply(&tree, &[write("f", "text")]).is_ok());
}

#[test]
fn an_edit_of_a_large_uniform_file_is_quick() {
    // Would take minutes if places were tried one by one.
    let lines = "\n".repeat(500_000);
    let search = format!("{}x\n", "\n".repeat(250_000));
    assert_eq!(
        refused(&[("f", &lines)], &[edit("f", &[(&search, "")])]).len(),
        1
    );
}

#[test]
fn a_rename_overwrites_nothing() {
    assert_eq!(
        refused(&[("a", ""), ("b", "")], &[rename("a", "b")]),
        ["a: there is a file at b already; delete it first"]
    );
    applied(&[("a", "x")], &[rename("a", "A")], &[("A", "x")]);
    applied(&[("a", "x")], &[rename("a", "a")], &[("a", "x")]);
    applied(
        &[("a", "x"), ("b", "y")],
        &[delete("b"), rename("a", "b")],
        &[("b", "x")],
    );
}

#[test]
fn packages_are_added_in_order_and_the_rest_of_the_manifest_stays() {
    let before = "{\n\t\"name\": \"app\",\n\t\"dependencies\": {\n\t\t\"react\": \"^19.0.0\"\n\t},\n\t\"devDependencies\": {\n\t\t\"vite\": \"^8\"\n\t},\n\t\"a\": [1.50, null]\n}\n";
    let after = "{\n\t\"name\": \"app\",\n\t\"dependencies\": {\n\t\t\"@scope/x\": \"1\",\n\t\t\"react\": \"^19.0.0\",\n\t\t\"zod\": \"latest\"\n\t},\n\t\"devDependencies\": {\n\t\t\"vite\": \"~8.1\"\n\t},\n\t\"a\": [\n\t\t1.5,\n\t\tnull\n\t]\n}\n";
    applied(
        &[("package.json", before)],
        &[add(&["zod", "@scope/x@1", "react", "vite@~8.1"])],
        &[("package.json", after)],
    );
    applied(
        &[("package.json", "{}")],
        &[add(&["zod@^3"])],
        &[(
            "package.json",
            "{\n  \"dependencies\": {\n    \"zod\": \"^3\"\n  }\n}",
        )],
    );
}

#[test]
fn only_names_and_ranges_of_the_registry_are_added() {
    let manifest = [("package.json", "{}")];
    for package in [
        "Zod",
        "../x",
        ".x",
        "_x",
        "a b",
        "@scope",
        "@/x",
        "@a/b/c",
        "a/b",
        "node_modules",
        "",
        "@",
        "é",
        "a=b",
    ] {
        let problem = &refused(&manifest, &[add(&[package])])[0];
        assert!(
            problem.contains("is not the name"),
            "{package:?}: {problem}"
        );
    }
    for package in [
        "zod@",
        "zod@http://x",
        "zod@file:../x",
        "zod@npm:x",
        "zod@a/b",
        "zod@1 2",
        "zod@\"",
    ] {
        let problem = &refused(&manifest, &[add(&[package])])[0];
        assert!(
            problem.contains("does not name a version"),
            "{package:?}: {problem}"
        );
    }
    assert_eq!(
        refused(&manifest, &[add(&[])]),
        ["package.json: no package is named"]
    );
    assert_eq!(
        refused(&[], &[add(&["zod"])]),
        ["package.json: there is no such file"]
    );
    for text in ["", "[]", "{\"dependencies\": 1}", "{"] {
        let problems = refused(&[("package.json", text)], &[add(&["zod"])]);
        assert!(problems[0].contains("not a manifest"), "{problems:?}");
    }
}

#[test]
fn the_work_of_an_answer_is_bounded() {
    let many = vec![delete("x"); OPERATIONS_MAX];
    assert!(apply(&Tree::new(), &many).is_ok());
    let hunks = vec![("a\n", "b\n"); OPERATIONS_MAX];
    let problems = refused(&[("f", "a\n")], &[edit("f", &hunks), delete("x")]);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("at most 4096"), "{problems:?}");
}
