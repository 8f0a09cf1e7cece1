//! Which page of a list the address names, and what its pager says.

use leptos::prelude::*;

use crate::{
    components::pager::Neighbours,
    graphql::page::{PageInfo, Place},
    logic::address,
};

/// The place in a list that the address names.
pub fn use_place() -> Memo<Place> {
    let after = address::use_query("after");
    let before = address::use_query("before");
    Memo::new(move |_| Place { after: after.get(), before: before.get() })
}

/// Goes to the first page where all that the address leads to is gone, such as when the last page was deleted.
pub fn leave_when_empty(is_empty: impl Fn() -> bool + 'static) {
    let (place, set_query) = (use_place(), address::use_set_query());
    Effect::new(move |_| {
        if is_empty() && *place.read_untracked() != Place::default() {
            set_query(&[("after", None), ("before", None)], true);
        }
    });
}

pub fn neighbours(info: &PageInfo, total: i32, shown: usize) -> Neighbours {
    Neighbours {
        previous: info.start_cursor.clone().filter(|_| info.has_previous_page),
        next: info.end_cursor.clone().filter(|_| info.has_next_page),
        total,
        shown,
    }
}
