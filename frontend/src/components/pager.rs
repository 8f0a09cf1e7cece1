//! Back and forth through a long list, with addresses that can be shared.

use leptos::prelude::*;

use super::icon::{self, Icon};
use crate::logic::{address, format};

/// What the list knows about its neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbours {
    pub previous: Option<String>,
    pub next: Option<String>,
    pub total: i32,
    pub shown: usize,
}

/// How the address names the place in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    pub after: &'static str,
    pub before: &'static str,
}

/// Of the one list of a page.
pub const KEYS: Keys = Keys { after: "after", before: "before" };

#[component]
pub fn Pager(
    #[prop(into)] neighbours: Signal<Neighbours>,
    /// Those of one of several lists, which stay where they are on the page.
    #[prop(default = KEYS)]
    keys: Keys,
    /// `model`, `models`
    one: &'static str,
    many: &'static str,
) -> impl IntoView {
    let set_query = address::use_set_query();
    let go = move |key: &'static str, other: &'static str, cursor: Option<String>| {
        set_query(&[(key, cursor), (other, None)], false);
        if keys == KEYS {
            window().scroll_to_with_x_and_y(0.0, 0.0);
        }
    };
    let back = go.clone();
    let paged = move || neighbours.with(|n| n.previous.is_some() || n.next.is_some());
    view! {
        <div class="mt-3 flex flex-wrap items-center justify-between gap-3 text-sm text-muted">
            <p role="status">
                {move || {
                    let n = neighbours.get();
                    let total = format::plural(n.total.into(), one, many);
                    if paged() { format!("{} of {total}", n.shown) } else { total }
                }}
            </p>
            <Show when=paged>
                <nav class="join" aria-label="Pages">
                    <button
                        type="button"
                        class="btn btn-sm join-item"
                        disabled=move || neighbours.read().previous.is_none()
                        on:click={
                            let back = back.clone();
                            move |_| back(keys.before, keys.after, neighbours.get_untracked().previous)
                        }
                    >
                        <Icon d=icon::CHEVRON_LEFT/>
                        "Previous"
                    </button>
                    <button
                        type="button"
                        class="btn btn-sm join-item"
                        disabled=move || neighbours.read().next.is_none()
                        on:click={
                            let go = go.clone();
                            move |_| go(keys.after, keys.before, neighbours.get_untracked().next)
                        }
                    >
                        "Next"
                        <Icon d=icon::CHEVRON_RIGHT/>
                    </button>
                </nav>
            </Show>
        </div>
    }
}
