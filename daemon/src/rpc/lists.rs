//! Lists ordered by time and id: the page as the client asks for it, and as the
//! store is asked.

use time::OffsetDateTime;
use uuid::Uuid;

use super::fields::Fields;
use super::page::Page;
use crate::domain::error::Error;
use crate::store::page::{Cursor, PageRequest};

/// A page, twice.
pub(super) struct Listing {
    /// As the client asks for it; makes the next token.
    pub(super) page: Page<(OffsetDateTime, Uuid)>,
    /// As the store is asked: one row more, to know whether another page follows.
    pub(super) rows: PageRequest,
}

/// Reads the two paging fields of a list request.
///
/// # Errors
/// All violations so far.
pub(super) fn listing(
    fields: &mut Fields,
    (page_size, page_token): (i32, &str),
    list: &str,
    filters: &[&str],
) -> Result<Listing, Error> {
    let page = fields.take(Page::parse(page_size, page_token, list, filters));
    let Some(page) = page else {
        return Err(std::mem::take(fields).into_error());
    };
    let rows = PageRequest {
        limit: page.limit(),
        after: page.after.map(|(created_at, id)| Cursor { created_at, id }),
    };
    Ok(Listing { page, rows })
}
