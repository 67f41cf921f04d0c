//! The demo model's answers, through the parser and onto a tree.

use super::demo::ask_about;
use crate::domain::operation::apply;
use crate::domain::path::SafePath;
use crate::domain::tree::Tree;
use crate::llm::client::{Message, Role};
use crate::llm::demo;
use crate::llm::parser::OperationParser;

fn path() -> SafePath {
    SafePath::parse("src/App.tsx").unwrap()
}

fn context(tree: &Tree) -> String {
    let files = tree.iter().map(|(path, content)| {
        format!(
            "<file path=\"{path}\">\n{}</file>\n",
            content.text().unwrap()
        )
    });
    files.collect()
}

async fn turn(tree: &Tree, model: &str, prompt: &str) -> Tree {
    let (demo, _) = demo::start(0).await.unwrap();
    let messages = [(Role::User, context(tree)), (Role::User, prompt.to_owned())];
    let messages = messages.map(|(role, content)| Message { role, content });
    let outcome = ask_about(demo, model, messages.to_vec()).await;
    assert_eq!(outcome.error, None);
    let mut parser = OperationParser::new();
    parser.push(outcome.text.as_bytes(), &mut Vec::new());
    let ending = parser.finish(&mut Vec::new());
    assert!(ending.is_whole(), "{prompt}: {ending:?}");
    apply(tree, &ending.operations).unwrap()
}

#[tokio::test]
async fn every_app_applies_and_every_follow_up_changes_one_file() {
    for prompt in [
        "a todo list",
        "counter",
        "timer",
        "notes",
        "landing page",
        "ships",
    ] {
        let mut tree = turn(&Tree::new(), "demo/kiln", prompt).await;
        assert!(tree.contains(&path()), "{prompt}");
        for follow_up in [
            "make it green",
            "call it \"Mine\"",
            "more of it",
            "more of it",
        ] {
            let next = turn(&tree, "demo/kiln", follow_up).await;
            let changes = next.changes_from(&tree);
            assert_eq!(changes.len(), 1, "{prompt}: {follow_up}: {changes:?}");
            assert_ne!(next.get(&path()), tree.get(&path()));
            tree = next;
        }
    }
}

#[tokio::test]
async fn the_repair_model_mends_what_it_broke() {
    let broken = turn(&Tree::new(), "demo/repair", "a counter").await;
    let text = |tree: &Tree| tree.get(&path()).unwrap().text().unwrap().to_owned();
    assert!(text(&broken).contains("./components/Rings"));
    let mended = turn(&broken, "demo/repair", "it does not build").await;
    assert!(text(&mended).contains("from \"./components/Ring\""));
}
