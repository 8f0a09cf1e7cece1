//! Order of a list, in the address as `sort=name` or `sort=-updated`.

use leptos::prelude::*;

use super::icon::{self, Icon};
use crate::logic::address;

/// What to sort by, and which way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    pub key: String,
    pub descending: bool,
}

impl Sort {
    fn parse(text: &str) -> Self {
        match text.strip_prefix('-') {
            Some(key) => Self { key: key.to_owned(), descending: true },
            None => Self { key: text.to_owned(), descending: false },
        }
    }

    fn text(&self) -> String {
        format!("{}{}", if self.descending { "-" } else { "" }, self.key)
    }
}

/// The order in the address, or `default`.
pub fn use_sort(default: &'static str) -> Memo<Sort> {
    let query = address::use_query("sort");
    Memo::new(move |_| Sort::parse(query.read().as_deref().unwrap_or(default)))
}

/// A column heading that sorts; a second click turns the order round.
#[component]
pub fn SortHeader(
    #[prop(into)] key: String,
    #[prop(into)] text: String,
    sort: Memo<Sort>,
    /// Which way the first click sorts.
    #[prop(optional)]
    descending_first: bool,
    #[prop(default = "")] class: &'static str,
    /// What stands below it.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let narrow = address::use_narrow();
    let key = StoredValue::new(key);
    let active = move || sort.read().key == *key.read_value();
    let direction = move || match (active(), sort.read().descending) {
        (false, _) => "none",
        (true, false) => "ascending",
        (true, true) => "descending",
    };
    let on_click = move |_| {
        let now = sort.get_untracked();
        let key = key.get_value();
        let descending = if now.key == key { !now.descending } else { descending_first };
        let next = Sort { key, descending }.text();
        narrow("sort", Some(next), false);
    };
    view! {
        <th class=class aria-sort=direction scope="col">
            <button type="button" class="group inline-flex cursor-pointer items-center gap-1 whitespace-nowrap" on:click=on_click>
                {text}
                {move || match direction() {
                    "ascending" => view! { <Icon d=icon::ARROW_UP class="size-3.5"/> }.into_any(),
                    "descending" => view! { <Icon d=icon::ARROW_DOWN class="size-3.5"/> }.into_any(),
                    _ => view! {
                        <span class="opacity-0 group-hover:opacity-60 group-focus-visible:opacity-60">
                            <Icon d=icon::SORT class="size-3.5"/>
                        </span>
                    }.into_any(),
                }}
            </button>
            {children.map(|children| children())}
        </th>
    }
}

/// The same choice where there is no table: a list of orders to pick from.
#[component]
pub fn SortSelect(
    sort: Memo<Sort>,
    /// Order and what it is called: `("-updated", "Last updated")`.
    options: &'static [(&'static str, &'static str)],
    #[prop(default = "select w-auto")] class: &'static str,
) -> impl IntoView {
    let narrow = address::use_narrow();
    view! {
        <select
            class=class
            aria-label="Sort by"
            prop:value=move || sort.read().text()
            on:change:target=move |event| {
                let next = event.target().value();
                narrow("sort", Some(next), false);
            }
        >
            {options
                .iter()
                .map(|(value, text)| view! {
                    <option value=*value selected=move || sort.read().text() == *value>{*text}</option>
                })
                .collect_view()}
        </select>
    }
}
