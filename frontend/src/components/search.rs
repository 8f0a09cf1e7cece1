//! Search as you type; what is typed stands in the address.

use std::time::Duration;

use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*};

use super::icon::{self, Icon};
use crate::logic::address;

/// Quiet time after the last key before the list follows.
const PAUSE_MS: u64 = 180;

/// Writes into one part of the query and returns to the first page.
#[component]
pub fn SearchBox(
    /// The part of the query: `q`.
    name: &'static str,
    #[prop(into)] label: String,
    /// Says what is wrong with the text; such a text does not go into the address.
    #[prop(optional)]
    check: Option<fn(&str) -> Option<String>>,
    /// What the server said about the text in the address.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
    #[prop(default = icon::SEARCH)] d: &'static str,
    #[prop(default = "min-w-0 grow basis-40 sm:w-72 sm:grow-0 sm:basis-auto")] class: &'static str,
    #[prop(optional)] mono: bool,
    /// How what was typed so far could go on, as whole texts.
    #[prop(optional)]
    complete: Option<Callback<String, Vec<String>>>,
) -> impl IntoView {
    let query = address::use_query(name);
    let narrow = address::use_narrow();
    let typed = RwSignal::new(query.get_untracked().unwrap_or_default());
    let waiting = StoredValue::new(None::<TimeoutHandle>);
    // The back button changes the address from outside.
    Effect::new(move |_| {
        let now = query.get().unwrap_or_default();
        if now != typed.get_untracked().trim() && waiting.get_value().is_none() {
            typed.set(now);
        }
    });
    let commit = move || {
        waiting.try_set_value(None);
        let text = typed.get_untracked().trim().to_owned();
        if check.is_none_or(|check| check(&text).is_none()) {
            narrow(name, Some(text), true);
        }
    };
    let on_input = move |text: String| {
        typed.set(text);
        if let Some(Some(earlier)) = waiting.try_get_value() {
            earlier.clear();
        }
        let timer = set_timeout_with_handle(commit.clone(), Duration::from_millis(PAUSE_MS));
        waiting.set_value(timer.ok());
    };
    on_cleanup(move || {
        if let Some(Some(timer)) = waiting.try_get_value() {
            timer.clear();
        }
    });
    let problem = Memo::new(move |_| {
        check.and_then(|check| check(typed.read().trim())).or_else(|| error.get())
    });
    let input = if mono { "grow font-mono text-sm" } else { "grow" };
    let problem_id = format!("{name}-problem");
    let list = complete.map(|_| format!("{name}-ways"));
    let ways = list.clone().zip(complete).map(|(list, complete)| {
        let option = |way| view! { <option value=way></option> };
        view! {
            <datalist id=list>
                {move || complete.run(typed.get()).into_iter().map(option).collect_view()}
            </datalist>
        }
    });
    view! {
        <div class=class>
            <label
                class="input w-full"
                class:input-error=move || problem.read().is_some()
            >
                <span class="text-muted"><Icon d/></span>
                <input
                    type="search"
                    class=input
                    placeholder=label.clone()
                    aria-label=label
                    aria-invalid=move || problem.read().is_some().then_some("true")
                    aria-describedby=problem_id.clone()
                    autocomplete="off"
                    spellcheck="false"
                    list=list
                    prop:value=move || typed.get()
                    on:input:target=move |event| on_input(event.target().value())
                />
                {ways}
            </label>
            <p id=problem_id class="text-sm text-error" role="status">{move || problem.get()}</p>
        </div>
    }
}
