//! Paging of lists: `page_size` in its bounds, and `page_token` as an opaque
//! position that belongs to one list and its filters. A token is no secret and
//! grants nothing: it only says where to go on.

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::error::{FieldRule, Violation};

/// Entries of a page where none is asked for.
pub const DEFAULT_SIZE: i32 = 50;
/// Entries of a page at most.
pub const MAX_SIZE: i32 = 200;

const VERSION: u8 = 1;
const FILTER: usize = 8;
/// Hex characters of a token at most; a path of 240 bytes fits.
const MAX_TOKEN: usize = 1024;

/// A position in a list: the sort key of the last entry of a page.
pub trait Cursor: Sized {
    /// The bytes that stand for it.
    fn encode(&self) -> Vec<u8>;
    /// The position that bytes stand for.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// Lists ordered by time and id.
impl Cursor for (OffsetDateTime, Uuid) {
    fn encode(&self) -> Vec<u8> {
        // Postgres keeps microseconds.
        let micros = self.0.unix_timestamp_nanos() / 1_000;
        [&micros.to_be_bytes()[..], self.1.as_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (micros, id) = bytes.split_at_checked(16)?;
        let micros = i128::from_be_bytes(micros.try_into().ok()?);
        let at = OffsetDateTime::from_unix_timestamp_nanos(micros.checked_mul(1_000)?).ok()?;
        // What Postgres has no timestamp for was not given out by us.
        (0..=9999).contains(&at.year()).then_some(())?;
        Some((at, Uuid::from_slice(id).ok()?))
    }
}

/// Lists ordered by a number.
impl Cursor for i64 {
    fn encode(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_be_bytes)
    }
}

/// Lists ordered by a text, such as a path.
impl Cursor for String {
    fn encode(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let text = Self::from_utf8(bytes.to_vec()).ok()?;
        (!text.contains('\0')).then_some(text)
    }
}

/// Which page of a list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<C> {
    /// Entries of the page at most: 1 to [`MAX_SIZE`].
    pub size: i32,
    /// The position after which it starts; `None` for the first page.
    pub after: Option<C>,
    filter: [u8; FILTER],
}

impl<C: Cursor> Page<C> {
    /// Reads the two fields of a list request. `list` is the name of the method
    /// and `filters` all that narrows or scopes the list (the project, the
    /// caller): a token of another list, or of other filters, is refused.
    ///
    /// # Errors
    /// The violation: a negative size, or a token that was not given out for this.
    pub fn parse(
        page_size: i32,
        page_token: &str,
        list: &str,
        filters: &[&str],
    ) -> Result<Self, Violation> {
        let size = match page_size {
            ..0 => {
                return Err(Violation {
                    field: "page_size",
                    rule: FieldRule::Field,
                    message: "must not be negative".into(),
                });
            }
            0 => DEFAULT_SIZE,
            asked => asked.min(MAX_SIZE),
        };
        let filter = filter_hash(list, filters);
        let after = match page_token {
            "" => None,
            token => Some(read(token, filter).ok_or_else(|| Violation {
                field: "page_token",
                rule: FieldRule::PageToken,
                message: "is not one that this list gave out for these filters".into(),
            })?),
        };
        Ok(Self {
            size,
            after,
            filter,
        })
    }

    /// How many rows to ask the database for: one more than the page holds, so
    /// that it is known whether another page follows.
    #[must_use]
    pub fn limit(&self) -> i64 {
        i64::from(self.size) + 1
    }

    /// Cuts the surplus row off and makes the token of the next page, which is
    /// empty on the last one.
    pub fn finish<T>(&self, rows: &mut Vec<T>, position: impl FnOnce(&T) -> C) -> String {
        let size = usize::try_from(self.size).unwrap_or(0);
        if rows.len() <= size {
            return String::new();
        }
        rows.truncate(size);
        rows.last()
            .map(|last| write(&position(last), self.filter))
            .unwrap_or_default()
    }
}

fn filter_hash(list: &str, filters: &[&str]) -> [u8; FILTER] {
    let mut hash = Sha256::new();
    for part in [list].iter().chain(filters) {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut short = [0; FILTER];
    short.copy_from_slice(&hash.finalize()[..FILTER]);
    short
}

fn write<C: Cursor>(position: &C, filter: [u8; FILTER]) -> String {
    let bytes = [&[VERSION][..], &filter, &position.encode()].concat();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read<C: Cursor>(token: &str, filter: [u8; FILTER]) -> Option<C> {
    if token.len() > MAX_TOKEN || !token.len().is_multiple_of(2) {
        return None;
    }
    let bytes = token
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            u8::try_from(digit(0)? * 16 + digit(1)?).ok()
        })
        .collect::<Option<Vec<u8>>>()?;
    let rest = bytes.strip_prefix(&[VERSION])?;
    C::decode(rest.strip_prefix(&filter)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type At = (OffsetDateTime, Uuid);

    #[test]
    fn sizes_have_a_default_and_a_cap() {
        let size = |asked| Page::<i64>::parse(asked, "", "ListX", &[]).map(|page| page.size);
        assert_eq!(size(0), Ok(50));
        assert_eq!(size(1), Ok(1));
        assert_eq!(size(10_001), Ok(200));
        assert_eq!(size(-1).expect_err("negative").rule, FieldRule::Field);
    }

    #[test]
    fn a_token_belongs_to_its_list_and_its_filters() {
        let first = Page::<i64>::parse(2, "", "ListX", &["a", "b"]).expect("no token");
        let mut rows = vec![7, 8, 9];
        let token = first.finish(&mut rows, |row| *row);
        assert_eq!(rows, [7, 8]);
        let next = Page::<i64>::parse(2, &token, "ListX", &["a", "b"]).expect("ours");
        assert_eq!(next.after, Some(8));
        assert_eq!(next.finish(&mut vec![9], |row| *row), "");
        for (token, list, filters) in [
            (token.as_str(), "ListY", &["a", "b"][..]),
            (&token, "ListX", &["ab", ""]),
            (&token, "ListX", &["a"]),
            (&token[1..], "ListX", &["a", "b"]),
            (&token[..token.len() - 2], "ListX", &["a", "b"]),
            ("zz", "ListX", &["a", "b"]),
            ("é", "ListX", &["a", "b"]),
            (&"0".repeat(1 << 20), "ListX", &["a", "b"]),
        ] {
            let refused = Page::<i64>::parse(2, token, list, filters).expect_err(list);
            assert_eq!(refused.rule, FieldRule::PageToken);
        }
    }

    proptest! {
        #[test]
        fn positions_survive_the_round_trip(seconds in 0i64..4_000_000_000, micros in 0i64..1_000_000, id: u128, text in "[^\0]{0,240}") {
            let filter = filter_hash("ListX", &[]);
            let at = OffsetDateTime::from_unix_timestamp(seconds).expect("in range")
                + time::Duration::microseconds(micros);
            let position = (at, Uuid::from_u128(id));
            prop_assert_eq!(read::<At>(&write(&position, filter), filter), Some(position));
            if text.len() <= 240 {
                prop_assert_eq!(read::<String>(&write(&text, filter), filter), Some(text));
            }
        }

        #[test]
        fn no_token_makes_it_panic(bytes: Vec<u8>, text: String) {
            let filter = filter_hash("ListX", &[]);
            let _ = read::<At>(&text, filter);
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let _ = read::<At>(&hex, filter);
            let _ = <At as Cursor>::decode(&bytes);
        }
    }
}
