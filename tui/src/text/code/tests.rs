use proptest::prelude::*;

use super::*;

fn roles(path: &str, text: &str) -> Vec<Vec<(String, Role)>> {
    rows(path, text)
        .into_iter()
        .map(|row| {
            row.pieces
                .into_iter()
                .filter(|piece| !piece.text.trim().is_empty())
                .map(|piece| (piece.text.trim().to_owned(), piece.role))
                .collect()
        })
        .collect()
}

fn role_of(path: &str, text: &str, word: &str) -> Role {
    roles(path, text)
        .into_iter()
        .flatten()
        .find(|(piece, _)| piece == word)
        .unwrap_or_else(|| panic!("{word} is no piece of {:?}", roles(path, text)))
        .1
}

#[test]
fn scripts_with_markup() {
    let text = "import { useState } from 'react';\nexport function App() {\n  // a remark\n  const n = 42;\n  return <Card title=\"x\" on={() => add(`a ${n} b`)}>hello</Card>;\n}\n";
    assert_eq!(role_of("a.tsx", text, "import"), Role::CodeKeyword);
    assert_eq!(role_of("a.tsx", text, "'react'"), Role::CodeString);
    assert_eq!(role_of("a.tsx", text, "// a remark"), Role::CodeComment);
    assert_eq!(role_of("a.tsx", text, "42"), Role::CodeConstant);
    assert_eq!(role_of("a.tsx", text, "Card"), Role::CodeTag);
    assert_eq!(role_of("a.tsx", text, "title"), Role::CodeAttribute);
    assert_eq!(role_of("a.tsx", text, "add"), Role::CodeFunction);
    assert_eq!(role_of("a.tsx", text, "`a"), Role::CodeString);
}

#[test]
fn comparisons_and_types_are_no_tags() {
    let text = "const x = a < b && c > d;\nconst y = useState<Todo[]>([]);";
    assert!(
        roles("a.ts", text)
            .iter()
            .flatten()
            .all(|(_, role)| *role != Role::CodeTag)
    );
}

#[test]
fn what_is_open_goes_on_in_the_next_line() {
    let text = "a /* one\ntwo */ const b = `three\nfour` + 5";
    let rows = roles("a.ts", text);
    assert_eq!(rows[1][0], ("two */".into(), Role::CodeComment));
    assert_eq!(rows[2][0], ("four`".into(), Role::CodeString));
    assert_eq!(rows[2].last().unwrap().1, Role::CodeConstant);
}

#[test]
fn styles_data_markup_and_the_rest() {
    let css = "@theme {\n  --accent: #0d9488;\n}\n.card { color: red; }";
    assert_eq!(role_of("a.css", css, "@theme"), Role::CodeKeyword);
    assert_eq!(role_of("a.css", css, "--accent"), Role::CodeAttribute);
    assert_eq!(role_of("a.css", css, "#0d9488"), Role::CodeConstant);
    assert_eq!(role_of("a.css", css, "card"), Role::CodeTag);
    let json = "{ \"name\": \"kiln\", \"n\": 3, \"ok\": true }";
    assert_eq!(role_of("a.json", json, "\"name\""), Role::CodeAttribute);
    assert_eq!(role_of("a.json", json, "\"kiln\""), Role::CodeString);
    assert_eq!(role_of("a.json", json, "true"), Role::CodeConstant);
    let html = "<!-- hi --><div class=\"a\">text</div>";
    assert_eq!(role_of("a.html", html, "div"), Role::CodeTag);
    assert_eq!(role_of("a.html", html, "text"), Role::Text);
    let toml = "# remark\n[a]\nkey = \"value\"";
    assert_eq!(role_of("a.toml", toml, "key"), Role::CodeAttribute);
    let rust = "fn main<'a>(x: &'a str) { let c = 'c'; }";
    assert_eq!(role_of("a.rs", rust, "'c'"), Role::CodeString);
    assert_eq!(role_of("a.unknown", "if x", "if x"), Role::Text);
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_added(
        path in prop::sample::select(vec!["a.tsx", "a.css", "a.html", "a.json", "a.py", "a.rs", "a"]),
        text in "[a-zA-Z0-9<>{}()'\"`/*#@=:;.$\\\\ é漢\\-]{0,80}",
    ) {
        let mut highlighter = Highlighter::for_path(path);
        prop_assert_eq!(highlighter.line(&text).plain(), text);
    }
}
