use proptest::prelude::*;

use super::*;

fn shown(source: &str, width: usize) -> Vec<String> {
    rows(source, width)
        .iter()
        .map(|row| row.plain().trim_end().to_owned())
        .collect()
}

#[test]
fn blocks_look_like_what_they_are() {
    let source = "# Title\n\nSome *fine* and **bold** prose with `code`.\n\n- one\n- two\n  1. deep\n\n> said\n\n```ts\nconst a = 1;\n```\n\n| a | b |\n|---|---|\n| 1 | two |\n";
    assert_eq!(
        shown(source, 60),
        [
            "Title",
            "",
            "Some fine and bold prose with code.",
            "",
            "• one",
            "• two",
            "  1. deep",
            "",
            "│ said",
            "",
            "  const a = 1;",
            "",
            "a │ b",
            "1 │ two",
        ]
    );
}

#[test]
fn lists_and_quotes_keep_their_place_when_they_are_wrapped() {
    assert_eq!(
        shown("- one two three four\n- five", 10),
        ["• one two", "  three", "  four", "• five"]
    );
    assert_eq!(shown("> one two three", 9), ["│ one two", "│ three"]);
}

#[test]
fn what_is_not_finished_is_shown_as_far_as_it_goes() {
    assert_eq!(shown("```ts\nconst a", 40), ["  const a"]);
    assert_eq!(shown("some **bo", 40), ["some **bo"]);
    assert_eq!(shown("<b>hi</b>", 40), ["<b>hi</b>"]);
    assert_eq!(
        shown("[a link](http://x.example)", 60),
        ["a link (http://x.example)"]
    );
}

proptest! {
    #[test]
    fn no_row_is_wider_than_it_may_be(
        source in "[a-z #*_`>|\\-\\[\\]().0-9\n漢😀]{0,160}",
        width in 1usize..80,
    ) {
        for row in rows(&source, width) {
            prop_assert!(row.width() <= width, "{:?}", row.plain());
        }
    }
}
