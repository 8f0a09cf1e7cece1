//! Filters of a list that stand in the address: one of a few values, or a day.

use leptos::prelude::*;

use crate::address;

/// One of a few values; the first option, with an empty value, filters nothing.
#[component]
pub fn QuerySelect(
    /// The part of the query: `state`.
    name: &'static str,
    #[prop(into)] label: String,
    /// Value and text.
    options: &'static [(&'static str, &'static str)],
) -> impl IntoView {
    let query = address::use_query(name);
    let set_query = address::use_set_query();
    let chosen = move || query.get().unwrap_or_default();
    // An address may name a value that is not offered here.
    let other = move || query.get().filter(|value| options.iter().all(|(key, _)| key != value));
    view! {
        <select
            class="select w-auto"
            aria-label=label
            prop:value=chosen
            on:change:target=move |event| {
                let value = event.target().value();
                set_query(&[(name, Some(value)), ("after", None), ("before", None)], false);
            }
        >
            {options
                .iter()
                .map(|(value, text)| view! {
                    <option value=*value selected=move || chosen() == *value>{*text}</option>
                })
                .collect_view()}
            {move || other().map(|value| view! { <option value=value.clone() selected>{value.clone()}</option> })}
        </select>
    }
}

/// A day of the calendar.
#[component]
pub fn QueryDate(
    /// The part of the query: `since`.
    name: &'static str,
    #[prop(into)] label: String,
) -> impl IntoView {
    let query = address::use_query(name);
    let set_query = address::use_set_query();
    view! {
        <label class="input w-auto">
            <span class="text-sm text-muted">{label}</span>
            <input
                type="date"
                prop:value=move || query.get().unwrap_or_default()
                on:change:target=move |event| {
                    let value = event.target().value();
                    set_query(&[(name, Some(value)), ("after", None), ("before", None)], false);
                }
            />
        </label>
    }
}
