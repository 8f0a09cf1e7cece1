//! A field for a user name that suggests people while it is typed.

use std::time::Duration;

use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*, task::spawn_local};

use crate::{components::field::TextField, graphql::user};

/// Quiet time after the last key before the server is asked.
const PAUSE_MS: u64 = 180;

#[component]
pub fn UserField(
    id: &'static str,
    value: RwSignal<String>,
    #[prop(into)] refused: Signal<Option<String>>,
) -> impl IntoView {
    let found = RwSignal::new(Vec::<(String, String)>::new());
    let waiting = StoredValue::new(None::<TimeoutHandle>);
    let ask = move || {
        waiting.try_set_value(None);
        let Some(typed) = value.try_get_untracked() else { return };
        let typed = typed.trim().to_owned();
        if typed.is_empty() || found.read_untracked().iter().any(|(name, _)| *name == typed) {
            return;
        }
        spawn_local(async move {
            // Without suggestions the field works as well: what is wrong is said when it is sent.
            if let Ok(people) = user::suggest(typed).await {
                let people = people.into_iter().map(|person| (person.username, person.name));
                found.try_set(people.collect());
            }
        });
    };
    Effect::new(move |_| {
        value.track();
        if let Some(Some(earlier)) = waiting.try_get_value() {
            earlier.clear();
        }
        waiting.set_value(set_timeout_with_handle(ask, Duration::from_millis(PAUSE_MS)).ok());
    });
    on_cleanup(move || {
        if let Some(Some(timer)) = waiting.try_get_value() {
            timer.clear();
        }
    });
    view! {
        <TextField
            id label="User name" value required=true refused suggestions=found.into()
            hint="Type a part of the name."
        />
    }
}
