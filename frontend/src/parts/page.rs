//! Which page of a list the address names, and what its pager says.

use leptos::prelude::*;

use crate::{
    components::pager::{KEYS, Keys, Neighbours},
    graphql::page::{PageInfo, Place},
    logic::address,
};

/// The place in a list that the address names.
pub fn use_place() -> Memo<Place> {
    use_place_of(KEYS)
}

/// As [`use_place`], in one of several lists.
pub fn use_place_of(keys: Keys) -> Memo<Place> {
    let after = address::use_query(keys.after);
    let before = address::use_query(keys.before);
    Memo::new(move |_| Place { after: after.get(), before: before.get() })
}

/// Goes to the first page where all that the address leads to is gone, such as when the last page was deleted.
pub fn leave_when_empty(is_empty: impl Fn() -> bool + 'static) {
    leave_when_empty_of(KEYS, is_empty);
}

/// As [`leave_when_empty`], in one of several lists.
pub fn leave_when_empty_of(keys: Keys, is_empty: impl Fn() -> bool + 'static) {
    let (place, set_query) = (use_place_of(keys), address::use_set_query());
    Effect::new(move |_| {
        if is_empty() && *place.read_untracked() != Place::default() {
            set_query(&[(keys.after, None), (keys.before, None)], true);
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
