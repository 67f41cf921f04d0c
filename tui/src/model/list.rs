//! A list from which one is chosen: with a filter, a selection that stays with
//! its item when the items change, and a window that shows the selection.
//!
//! What the items are, and how they are drawn, is for others to know.

use std::ops::Range;

use super::editor::{Applied, Edit, Editor};
use super::fuzzy::{self, Hit};

/// What can be chosen.
pub trait Entry {
    /// What tells it apart, also after it has changed.
    fn id(&self) -> &str;
    /// What the filter looks at.
    fn text(&self) -> &str;
}

/// A move of a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Go {
    /// To the one above.
    Up,
    /// To the one below.
    Down,
    /// Up by what is seen.
    PageUp,
    /// Down by what is seen.
    PageDown,
    /// To the first.
    First,
    /// To the last.
    Last,
}

impl Go {
    /// Where this leads to from a place among so many.
    #[must_use]
    pub fn from(self, at: usize, count: usize, height: usize) -> usize {
        let page = height.saturating_sub(1).max(1);
        let to = match self {
            Self::Up => at.saturating_sub(1),
            Self::Down => at.saturating_add(1),
            Self::PageUp => at.saturating_sub(page),
            Self::PageDown => at.saturating_add(page),
            Self::First => 0,
            Self::Last => usize::MAX,
        };
        to.min(count.saturating_sub(1))
    }
}

/// The first of so many to be seen: as close to the one before as may be, with
/// the selection in sight.
#[must_use]
pub fn first_seen(top: usize, selected: usize, count: usize, height: usize) -> usize {
    let height = height.max(1);
    top.min(selected)
        .max((selected + 1).saturating_sub(height))
        .min(count.saturating_sub(height))
}

/// A list with a filter and a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterList<T> {
    items: Vec<T>,
    filter: Editor,
    hits: Vec<Hit>,
    /// The place among the hits; any where there are none.
    at: usize,
    /// The id of what is selected. It outlives its item, so that a list that is
    /// loaded anew finds it again.
    selected: Option<String>,
    top: usize,
    height: usize,
}

impl<T: Entry> Default for FilterList<T> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

/// One that is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen<'a, T> {
    /// It.
    pub item: &'a T,
    /// The bytes of its text that the filter found.
    pub positions: &'a [usize],
    /// Whether it is selected.
    pub is_selected: bool,
}

impl<T: Entry> FilterList<T> {
    /// A list without a filter, the first selected.
    #[must_use]
    pub fn new(items: Vec<T>) -> Self {
        let mut list = Self {
            items: Vec::new(),
            filter: Editor::line(),
            hits: Vec::new(),
            at: 0,
            selected: None,
            top: 0,
            height: 1,
        };
        list.set_items(items);
        list
    }

    /// Replaces the items. The selection stays with its item; where that is gone,
    /// with its place.
    pub fn set_items(&mut self, items: Vec<T>) {
        self.items = items;
        self.find();
    }

    /// All items.
    #[must_use]
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// What the filter says.
    #[must_use]
    pub fn filter(&self) -> &Editor {
        &self.filter
    }

    /// How many the filter lets through.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hits.len()
    }

    /// Whether the filter lets none through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hits.is_empty()
    }

    /// Changes the filter. Where it says something else, the best is selected.
    pub fn edit(&mut self, edit: Edit) -> Applied {
        let before = self.filter.text().to_owned();
        let applied = self.filter.apply(edit);
        if self.filter.text() != before {
            self.filter_changed();
        }
        applied
    }

    /// Takes the filter away; the selection stays.
    pub fn clear_filter(&mut self) {
        self.filter.clear();
        self.find();
    }

    /// Sets the filter.
    pub fn set_filter(&mut self, text: &str) {
        self.filter.restore(text);
        self.filter_changed();
    }

    /// What is selected; `None` where the filter lets none through.
    #[must_use]
    pub fn selected(&self) -> Option<&T> {
        self.hits.get(self.at).map(|hit| &self.items[hit.index])
    }

    /// The place of what is selected among those the filter lets through.
    #[must_use]
    pub fn selected_place(&self) -> Option<usize> {
        (self.at < self.hits.len()).then_some(self.at)
    }

    /// Selects an item; says whether it is there. One that is not there yet is
    /// selected when it comes.
    pub fn select(&mut self, id: &str) -> bool {
        self.selected = Some(id.to_owned());
        self.settle();
        self.selected().is_some_and(|item| item.id() == id)
    }

    /// Moves the selection; says whether it moved.
    pub fn go(&mut self, go: Go) -> bool {
        let to = go.from(self.at, self.hits.len(), self.height);
        let moved = to != self.at;
        self.select_place(to);
        moved
    }

    /// Says how many are seen at once.
    pub fn set_height(&mut self, height: usize) {
        self.height = height.max(1);
        self.top = self.top_for(self.height);
    }

    /// Scrolls by rows, as a mouse wheel does; the selection stays in sight.
    pub fn scroll(&mut self, rows: isize) {
        let last = self.hits.len().saturating_sub(self.height);
        self.top = self.top.saturating_add_signed(rows).min(last);
        let seen = self.top..(self.top + self.height).min(self.hits.len());
        if !seen.is_empty() {
            let at = self.at.clamp(seen.start, seen.end - 1);
            self.select_place(at);
        }
    }

    /// Those that are seen in so many rows, from top to bottom.
    pub fn seen(&self, height: usize) -> impl Iterator<Item = Seen<'_, T>> {
        self.window(height).map(|place| {
            let hit = &self.hits[place];
            Seen {
                item: &self.items[hit.index],
                positions: &hit.positions,
                is_selected: place == self.at,
            }
        })
    }

    /// The places that are seen in so many rows.
    #[must_use]
    pub fn window(&self, height: usize) -> Range<usize> {
        let top = self.top_for(height);
        top..(top + height).min(self.hits.len())
    }

    /// Selects what a row of so many shows, counted from the top; says whether
    /// there is one.
    pub fn click(&mut self, row: usize, height: usize) -> bool {
        let window = self.window(height);
        let place = window.start + row;
        let is_hit = window.contains(&place);
        if is_hit {
            self.select_place(place);
        }
        is_hit
    }

    fn filter_changed(&mut self) {
        self.selected = None;
        self.at = 0;
        self.top = 0;
        self.find();
    }

    /// Filters anew.
    fn find(&mut self) {
        let texts: Vec<&str> = self.items.iter().map(Entry::text).collect();
        self.hits = fuzzy::rank(self.filter.text(), &texts);
        self.settle();
    }

    /// Finds the place of what is selected; where it is gone, stays where it was.
    fn settle(&mut self) {
        let place = self.selected.as_deref().and_then(|id| {
            self.hits
                .iter()
                .position(|hit| self.items[hit.index].id() == id)
        });
        match place {
            Some(place) => self.at = place,
            None => self.at = self.at.min(self.hits.len().saturating_sub(1)),
        }
        self.top = self.top_for(self.height);
        if self.selected.is_none() {
            self.selected = self.selected().map(|item| item.id().to_owned());
        }
    }

    fn select_place(&mut self, place: usize) {
        self.at = place;
        self.selected = self.selected().map(|item| item.id().to_owned());
        self.top = self.top_for(self.height);
    }

    fn top_for(&self, height: usize) -> usize {
        first_seen(self.top, self.at, self.hits.len(), height)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Entry for String {
        fn id(&self) -> &str {
            self
        }
        fn text(&self) -> &str {
            self
        }
    }

    fn list(items: &[&str]) -> FilterList<String> {
        FilterList::new(owned(items))
    }

    fn owned(items: &[&str]) -> Vec<String> {
        items.iter().map(|&item| item.to_owned()).collect()
    }

    fn selected(list: &FilterList<String>) -> Option<&str> {
        list.selected().map(String::as_str)
    }

    #[test]
    fn the_selection_stays_with_its_item() {
        let mut list = list(&["a", "b", "c"]);
        assert_eq!(selected(&list), Some("a"));
        list.go(Go::Down);
        list.set_items(owned(&["x", "c", "b"]));
        assert_eq!(selected(&list), Some("b"));
        list.set_items(Vec::new());
        assert_eq!(selected(&list), None);
        list.set_items(owned(&["a", "b"]));
        assert_eq!(selected(&list), Some("b"), "it came back");
        list.set_items(owned(&["a"]));
        assert_eq!(selected(&list), Some("a"));
    }

    #[test]
    fn a_filter_selects_the_best_and_clearing_it_keeps_the_choice() {
        let mut list = list(&["xay", "ay", "b", "ayz"]);
        list.edit(Edit::Insert('a'));
        list.edit(Edit::Insert('y'));
        assert_eq!(selected(&list), Some("ay"));
        assert_eq!(list.len(), 3);
        list.go(Go::Last);
        assert_eq!(selected(&list), Some("xay"));
        list.clear_filter();
        assert_eq!((selected(&list), list.len()), (Some("xay"), 4));
        list.set_filter("nothing");
        assert_eq!(selected(&list), None);
    }

    #[test]
    fn the_window_follows_the_selection() {
        let mut list = list(&["0", "1", "2", "3", "4", "5", "6"]);
        list.set_height(3);
        list.go(Go::PageDown);
        list.go(Go::PageDown);
        assert_eq!((selected(&list), list.window(3)), (Some("4"), 2..5));
        list.go(Go::Up);
        assert_eq!(list.window(3), 2..5);
        list.scroll(-2);
        assert_eq!((selected(&list), list.window(3)), (Some("2"), 0..3));
        assert!(list.click(1, 3));
        assert_eq!(selected(&list), Some("1"));
        assert!(!list.click(3, 3));
        let seen: Vec<_> = list.seen(3).map(|seen| seen.is_selected).collect();
        assert_eq!(seen, [false, true, false]);
    }

    #[derive(Clone, Debug)]
    enum Do {
        Items(Vec<String>),
        Edit(Edit),
        Go(Go),
        Height(usize),
        Scroll(isize),
        Click(usize),
        Clear,
        Select(String),
    }

    fn action() -> impl Strategy<Value = Do> {
        prop_oneof![
            prop::collection::vec("[ab]{1,2}", 0..12).prop_map(Do::Items),
            prop::sample::select(vec![
                Edit::Insert('a'),
                Edit::Insert('b'),
                Edit::Backspace,
                Edit::Undo
            ])
            .prop_map(Do::Edit),
            prop::sample::select(vec![
                Go::Up,
                Go::Down,
                Go::PageUp,
                Go::PageDown,
                Go::First,
                Go::Last
            ])
            .prop_map(Do::Go),
            (0usize..6).prop_map(Do::Height),
            (-9isize..9).prop_map(Do::Scroll),
            (0usize..9).prop_map(Do::Click),
            Just(Do::Clear),
            "[ab]{1,2}".prop_map(Do::Select),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_done_the_selection_is_there_and_seen(
            actions in prop::collection::vec(action(), 0..30),
            height in 1usize..6,
        ) {
            let mut list = FilterList::<String>::default();
            for action in actions {
                match action {
                    Do::Items(items) => list.set_items(items),
                    Do::Edit(edit) => { list.edit(edit); }
                    Do::Go(go) => { list.go(go); }
                    Do::Height(height) => list.set_height(height),
                    Do::Scroll(rows) => list.scroll(rows),
                    Do::Click(row) => { list.click(row, height); }
                    Do::Clear => list.clear_filter(),
                    Do::Select(id) => { list.select(&id); }
                }
                prop_assert_eq!(list.selected().is_some(), !list.is_empty());
                let seen: Vec<_> = list.seen(height).collect();
                prop_assert_eq!(seen.len(), list.len().min(height));
                prop_assert_eq!(seen.iter().filter(|seen| seen.is_selected).count(), usize::from(!list.is_empty()));
            }
        }
    }
}
