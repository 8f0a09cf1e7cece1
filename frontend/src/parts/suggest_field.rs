//! A field for a name that suggests names while it is typed.

use std::{future::Future, pin::Pin, time::Duration};

use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*, task::spawn_local};

use crate::{components::field::TextField, logic::error::ApiError};

/// Quiet time after the last key before the server is asked.
const PAUSE_MS: u64 = 180;

/// Names, each with a longer one.
pub type Suggestions = Pin<Box<dyn Future<Output = Result<Vec<(String, String)>, ApiError>>>>;

#[component]
pub fn SuggestField(
    id: &'static str,
    label: &'static str,
    value: RwSignal<String>,
    /// Asks the server what could be meant by what was typed so far.
    ask: fn(String, String) -> Suggestions,
    /// What `ask` is told besides.
    #[prop(optional, into)]
    about: String,
    #[prop(default = "Start typing a name.")] hint: &'static str,
    /// What was suggested last.
    #[prop(optional)]
    found: RwSignal<Option<Vec<(String, String)>>>,
    #[prop(into)] refused: Signal<Option<String>>,
) -> impl IntoView {
    let waiting = StoredValue::new(None::<TimeoutHandle>);
    let about = StoredValue::new(about);
    let look = move || {
        waiting.try_set_value(None);
        let Some(typed) = value.try_get_untracked() else { return };
        let typed = typed.trim().to_owned();
        let known = |found: &Vec<(String, String)>| found.iter().any(|(name, _)| *name == typed);
        if found.read_untracked().as_ref().is_some_and(known) {
            return;
        }
        let suggestions = ask(about.get_value(), typed);
        spawn_local(async move {
            // Without suggestions the field works as well: what is wrong is said when it is sent.
            if let Ok(suggestions) = suggestions.await {
                found.try_set(Some(suggestions));
            }
        });
    };
    Effect::new(move |_| {
        value.track();
        if let Some(Some(earlier)) = waiting.try_get_value() {
            earlier.clear();
        }
        waiting.set_value(set_timeout_with_handle(look, Duration::from_millis(PAUSE_MS)).ok());
    });
    on_cleanup(move || {
        if let Some(Some(timer)) = waiting.try_get_value() {
            timer.clear();
        }
    });
    view! {
        <TextField
            id label value required=true refused
            suggestions=Signal::derive(move || found.get().unwrap_or_default())
            hint
        />
    }
}
