//! Which page of a list the address names, and what its pager says.

use leptos::prelude::*;

use crate::{
    address,
    components::pager::Neighbours,
    graphql::page::{PageInfo, Place},
};

/// The place in a list that the address names.
pub fn use_place() -> Memo<Place> {
    let after = address::use_query("after");
    let before = address::use_query("before");
    Memo::new(move |_| Place { after: after.get(), before: before.get() })
}

pub fn neighbours(info: &PageInfo, total: i32, shown: usize) -> Neighbours {
    Neighbours {
        previous: info.start_cursor.clone().filter(|_| info.has_previous_page),
        next: info.end_cursor.clone().filter(|_| info.has_next_page),
        total,
        shown,
    }
}
