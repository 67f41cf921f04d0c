//! Finds items by a few letters of theirs, best first.
//!
//! A query is taken as it is written: no character of it means anything but
//! itself. Words are looked for one by one, in any order.

use std::cmp::Reverse;

use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use unicode_segmentation::UnicodeSegmentation;

/// Bytes of an item that are looked at.
const LOOKED_AT: usize = 4096;

/// An item that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hit {
    /// Which of the items.
    pub index: usize,
    /// How well it fits; more is better.
    pub score: u32,
    /// The bytes at which its clusters that fit begin, in order.
    pub positions: Vec<usize>,
}

/// The items that a query finds, best first; those that fit equally well keep
/// their order. An empty query finds all of them, as they are.
#[must_use]
pub fn rank<T: AsRef<str>>(query: &str, items: &[T]) -> Vec<Hit> {
    if query.trim().is_empty() {
        return (0..items.len())
            .map(|index| Hit {
                index,
                ..Hit::default()
            })
            .collect();
    }
    let pattern = Pattern::new(
        query,
        CaseMatching::Smart,
        Normalization::Smart,
        AtomKind::Fuzzy,
    );
    let mut matcher = Matcher::new(Config::DEFAULT.match_paths());
    let (mut clusters, mut found) = (Vec::new(), Vec::new());
    let mut hits = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let item = beginning(item.as_ref());
        found.clear();
        let text = Utf32Str::new(item, &mut clusters);
        let Some(score) = pattern.indices(text, &mut matcher, &mut found) else {
            continue;
        };
        found.sort_unstable();
        found.dedup();
        hits.push(Hit {
            index,
            score,
            positions: bytes(item, &found),
        });
    }
    hits.sort_by_key(|hit| Reverse(hit.score));
    hits
}

/// The beginning of an item, as far as it is looked at.
fn beginning(item: &str) -> &str {
    let mut end = item.len().min(LOOKED_AT);
    while !item.is_char_boundary(end) {
        end -= 1;
    }
    &item[..end]
}

/// The first bytes of clusters that are known by their place in the text.
fn bytes(item: &str, places: &[u32]) -> Vec<usize> {
    if item.is_ascii() && !item.contains("\r\n") {
        return places.iter().map(|&place| place as usize).collect();
    }
    let mut places = places.iter().map(|&place| place as usize).peekable();
    item.grapheme_indices(true)
        .enumerate()
        .filter_map(|(place, (at, _))| places.next_if_eq(&place).map(|_| at))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(query: &str, items: &[&str]) -> Vec<String> {
        rank(query, items)
            .iter()
            .map(|hit| items[hit.index].to_owned())
            .collect()
    }

    #[test]
    fn the_best_comes_first() {
        let items = ["src/components/Header.tsx", "src/App.tsx", "public/app.css"];
        assert_eq!(
            found("app", &["a/p/plain.ts", "src/App.tsx"])[0],
            "src/App.tsx"
        );
        assert_eq!(found("App", &items)[0], "src/App.tsx");
        assert_eq!(found("head tsx", &items), ["src/components/Header.tsx"]);
        assert!(found("!app", &items).is_empty(), "nothing is special");
    }

    #[test]
    fn an_empty_query_keeps_the_order() {
        assert_eq!(found(" ", &["b", "a"]), ["b", "a"]);
    }

    #[test]
    fn equal_ones_keep_their_order() {
        assert_eq!(found("a", &["a 2", "a 1", "a 3"]), ["a 2", "a 1", "a 3"]);
    }

    #[test]
    fn positions_are_bytes_of_clusters() {
        let hits = rank("字b", &["漢e\u{301}字ab"]);
        assert_eq!(hits[0].positions, [6, 10]);
    }

    proptest! {
        #[test]
        fn every_position_begins_a_cluster(
            query in "[a-c漢é ]{0,4}",
            items in prop::collection::vec("[a-cA-C/漢é😀\u{301}\u{200d}\r\n ]{0,12}", 0..8),
        ) {
            let hits = rank(&query, &items);
            for pair in hits.windows(2) {
                prop_assert!(pair[0].score > pair[1].score
                    || (pair[0].score == pair[1].score && pair[0].index < pair[1].index));
            }
            for hit in hits {
                let starts: Vec<_> = items[hit.index].grapheme_indices(true).map(|(at, _)| at).collect();
                prop_assert!(hit.positions.iter().all(|at| starts.contains(at)));
                prop_assert!(hit.positions.is_sorted());
            }
        }
    }
}
