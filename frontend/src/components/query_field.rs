//! Filters of a list that stand in the address: one of a few values, yes or no, or a day.

use leptos::prelude::*;

use crate::logic::address;

/// One of a few values; the first option, with an empty value, filters nothing.
#[component]
pub fn QuerySelect(
    /// The part of the query: `state`.
    name: &'static str,
    #[prop(into)] label: String,
    /// Value and text.
    options: &'static [(&'static str, &'static str)],
) -> impl IntoView {
    let owned = |(value, text): &(&str, &str)| ((*value).to_owned(), (*text).to_owned());
    let options = Signal::stored(options.iter().map(owned).collect());
    view! { <QueryChoice name label options/> }
}

/// As [`QuerySelect`], of values that are known later.
#[component]
pub fn QueryChoice(
    name: &'static str,
    label: String,
    options: Signal<Vec<(String, String)>>,
    #[prop(default = "select w-auto")] class: &'static str,
) -> impl IntoView {
    let query = address::use_query(name);
    let narrow = address::use_narrow();
    let chosen = move || query.get().unwrap_or_default();
    // An address may name a value that is not offered here.
    let shown = move || {
        let (mut options, chosen) = (options.get(), chosen());
        if options.iter().all(|(value, _)| *value != chosen) {
            options.push((chosen.clone(), chosen));
        }
        options
    };
    let option = move |(value, text): (String, String)| {
        let selected = value == untrack(chosen);
        view! { <option value=value selected=selected>{text}</option> }
    };
    view! {
        <select
            class=class
            class:font-semibold=move || query.read().is_some()
            class:text-primary=move || query.read().is_some()
            aria-label=label
            prop:value=chosen
            on:change:target=move |event| {
                let value = event.target().value();
                narrow(name, Some(value), false);
            }
        >
            {move || shown().into_iter().map(option).collect_view()}
        </select>
    }
}

/// Yes or no, as [`is_checked`] reads it.
#[component]
pub fn QueryCheck(
    /// The part of the query: `yanked`.
    name: &'static str,
    #[prop(into)] label: String,
) -> impl IntoView {
    let query = address::use_query(name);
    let narrow = address::use_narrow();
    view! {
        <label class="flex h-10 w-fit cursor-pointer items-center gap-2 text-sm">
            <input
                type="checkbox"
                class="checkbox checkbox-sm"
                prop:checked=move || is_checked(query)
                on:change:target=move |event| {
                    let value = event.target().checked().then(|| YES.to_owned());
                    narrow(name, value, false);
                }
            />
            {label}
        </label>
    }
}

const YES: &str = "true";

/// Whether a part of the query says yes.
pub fn is_checked(query: Memo<Option<String>>) -> bool {
    query.read().as_deref() == Some(YES)
}

/// A day of the calendar.
#[component]
pub fn QueryDate(
    /// The part of the query: `since`.
    name: &'static str,
    #[prop(into)] label: String,
) -> impl IntoView {
    let query = address::use_query(name);
    let narrow = address::use_narrow();
    view! {
        <label class="input w-auto">
            <span class="text-sm text-muted">{label}</span>
            <input
                type="date"
                prop:value=move || query.get().unwrap_or_default()
                on:change:target=move |event| {
                    let value = event.target().value();
                    narrow(name, Some(value), false);
                }
            />
        </label>
    }
}
