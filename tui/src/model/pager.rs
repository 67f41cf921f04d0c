//! The place in a long text that a pane shows: an entry, and a row of it.
//!
//! Every move costs as many entries as it passes, however many there are.

/// Entries in order, each of one or more rows.
pub trait Paged {
    /// The first.
    fn first(&self) -> Option<u64>;
    /// The last.
    fn last(&self) -> Option<u64>;
    /// The one before.
    fn before(&self, id: u64) -> Option<u64>;
    /// The one after.
    fn after(&self, id: u64) -> Option<u64>;
    /// It, or where it is not there the next that is.
    fn at_or_after(&self, id: u64) -> Option<u64>;
    /// Its rows; at least one.
    fn rows(&self, id: u64) -> usize;
}

/// A row of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The entry.
    pub id: u64,
    /// The row of it, from 0.
    pub row: usize,
}

/// The place at the top when the last row is at the bottom.
#[must_use]
pub fn bottom(text: &impl Paged, height: usize) -> Place {
    let Some(id) = text.last() else {
        return Place::default();
    };
    let end = Place {
        id,
        row: text.rows(id) - 1,
    };
    up(text, end, height.saturating_sub(1))
}

/// So many rows above; the first row where there are not so many.
#[must_use]
pub fn up(text: &impl Paged, from: Place, mut rows: usize) -> Place {
    let mut place = from;
    loop {
        if rows <= place.row {
            place.row -= rows;
            return place;
        }
        rows -= place.row;
        place.row = 0;
        let Some(id) = text.before(place.id) else {
            return place;
        };
        place = Place {
            id,
            row: text.rows(id) - 1,
        };
        rows -= 1;
    }
}

/// So many rows below; the last row where there are not so many.
#[must_use]
pub fn down(text: &impl Paged, from: Place, mut rows: usize) -> Place {
    let mut place = from;
    while rows > 0 {
        let below = text.rows(place.id).saturating_sub(place.row + 1);
        if rows <= below {
            place.row += rows;
            return place;
        }
        let Some(id) = text.after(place.id) else {
            place.row += below;
            return place;
        };
        rows -= below + 1;
        place = Place { id, row: 0 };
    }
    place
}

/// The place to be shown at the top: the wish where it is there and leaves no
/// row empty that could be filled.
#[must_use]
pub fn settle(text: &impl Paged, wish: Place, height: usize) -> Place {
    let bottom = bottom(text, height);
    match text.at_or_after(wish.id) {
        Some(id) if id == wish.id => {
            let row = wish.row.min(text.rows(id) - 1);
            Place { id, row }.min(bottom)
        }
        Some(id) => Place { id, row: 0 }.min(bottom),
        None => bottom,
    }
}

/// The rows that are seen from a place on.
#[must_use]
pub fn seen(text: &impl Paged, top: Place, height: usize) -> Vec<Place> {
    let mut seen = Vec::with_capacity(height);
    let mut next = text.at_or_after(top.id);
    let mut row = top.row;
    while let Some(id) = next {
        let rows = text.rows(id);
        while row < rows {
            if seen.len() == height {
                return seen;
            }
            seen.push(Place { id, row });
            row += 1;
        }
        if seen.len() == height {
            return seen;
        }
        row = 0;
        next = text.after(id);
    }
    seen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Entries with so many rows each; every other number is missing.
    struct Rows(Vec<usize>);

    impl Paged for Rows {
        fn first(&self) -> Option<u64> {
            self.at_or_after(0)
        }
        fn last(&self) -> Option<u64> {
            (self.0.len() as u64 * 2).checked_sub(2)
        }
        fn before(&self, id: u64) -> Option<u64> {
            id.checked_sub(2)
        }
        fn after(&self, id: u64) -> Option<u64> {
            self.at_or_after(id + 2)
        }
        fn at_or_after(&self, id: u64) -> Option<u64> {
            let id = id.next_multiple_of(2);
            (id < self.0.len() as u64 * 2).then_some(id)
        }
        fn rows(&self, id: u64) -> usize {
            self.0[usize::try_from(id / 2).unwrap()]
        }
    }

    proptest! {
        #[test]
        fn moves_are_what_they_would_be_on_a_list_of_all_rows(
            rows in prop::collection::vec(1usize..5, 1..8),
            from in 0usize..30,
            distance in 0usize..30,
            height in 1usize..8,
        ) {
            let text = Rows(rows);
            let all = seen(&text, Place::default(), 1000);
            let from = from.min(all.len() - 1);
            let last = all.len() - 1;
            prop_assert_eq!(up(&text, all[from], distance), all[from.saturating_sub(distance)]);
            prop_assert_eq!(down(&text, all[from], distance), all[(from + distance).min(last)]);
            let bottom_at = all.len().saturating_sub(height);
            prop_assert_eq!(bottom(&text, height), all[bottom_at]);
            prop_assert_eq!(settle(&text, all[from], height), all[from.min(bottom_at)]);
            let end = (from + height).min(all.len());
            prop_assert_eq!(seen(&text, all[from], height), &all[from..end]);
        }
    }
}
