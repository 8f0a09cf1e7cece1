//! Keyset pages: which part of a list to ask for, and where its neighbours begin.

use super::schema;

/// Rows on one page of a list.
pub const PAGE_SIZE: i32 = 25;

/// The most that the server gives in one page.
pub const MAX_PAGE_SIZE: i32 = 100;

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq, Eq)]
pub struct PageInfo {
    pub has_next_page: bool,
    pub has_previous_page: bool,
    pub start_cursor: Option<String>,
    pub end_cursor: Option<String>,
}

/// A place in a list, as it stands in the address: after or before a cursor, or the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub after: Option<String>,
    pub before: Option<String>,
}

impl Place {
    /// The `first` argument of the page at this place.
    pub fn first(&self) -> Option<i32> {
        self.before.is_none().then_some(PAGE_SIZE)
    }

    /// The `last` argument of the page at this place.
    pub fn last(&self) -> Option<i32> {
        self.before.is_some().then_some(PAGE_SIZE)
    }
}
