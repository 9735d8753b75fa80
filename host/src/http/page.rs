//! Pages of a listing: `page[offset]`, `page[cursor]`, `page[limit]`, and the links between them.

use serde_json::{Value, json};

use super::{HttpError, extract::Params};
use crate::tree::{ListRequest, Listing};

const DEFAULT_PAGE_SIZE: u64 = 100;
const MAX_PAGE_SIZE: u64 = 300;

/// Where a page begins and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    offset: u64,
    cursor: Option<i64>,
    limit: u64,
}

impl Page {
    /// Reads the three parameters.
    ///
    /// # Errors
    /// 422 for what is out of bounds, 400 for both offset and cursor.
    pub fn parse(params: &Params) -> Result<Self, HttpError> {
        let offset = params.number("page[offset]", 0, i64::MAX as u64)?;
        let cursor = params.number("page[cursor]", 0, i64::MAX as u64)?;
        if offset.is_some() && cursor.is_some() {
            return Err(HttpError::bad_request("Cannot specify both page[cursor] and page[offset]"));
        }
        let limit = params.number("page[limit]", 0, MAX_PAGE_SIZE)?.unwrap_or(DEFAULT_PAGE_SIZE);
        Ok(Page { offset: offset.unwrap_or(0), cursor: cursor.and_then(|c| i64::try_from(c).ok()), limit })
    }

    /// The same in a request for a listing.
    pub fn fill(&self, request: &mut ListRequest) {
        request.offset = self.offset;
        request.cursor = self.cursor;
        request.limit = self.limit;
    }

    /// `self`, `first`, `next`. Only page parameters: the client adds its own again.
    pub fn links(&self, url: &str, listing: &Listing) -> Value {
        let limit = self.limit;
        let own = match self.cursor {
            Some(cursor) => format!("{url}?page[cursor]={cursor}&page[limit]={limit}"),
            None => format!("{url}?page[offset]={}&page[limit]={limit}", self.offset),
        };
        let next = match listing.next_cursor {
            _ if !listing.has_more || limit == 0 => None,
            Some(cursor) => Some(format!("{url}?page[cursor]={cursor}&page[limit]={limit}")),
            None => Some(format!("{url}?page[offset]={}&page[limit]={limit}", self.offset + limit)),
        };
        json!({"self": own, "first": format!("{url}?page[offset]=0&page[limit]={limit}"), "next": next})
    }
}
