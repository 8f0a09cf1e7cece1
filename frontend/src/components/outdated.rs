//! Says that something on the page could not be brought up to date, while what was there before stays.

use leptos::prelude::*;

use super::icon::{self, Icon};
use crate::{logic::error::ApiError, reach};

#[derive(Clone)]
struct Entry {
    id: u64,
    error: ApiError,
    retry: Callback<()>,
}

/// What is out of date. Provided once, by the app.
#[derive(Clone, Copy)]
pub struct Outdated {
    entries: RwSignal<Vec<Entry>>,
    last_id: StoredValue<u64>,
}

impl Outdated {
    pub fn new() -> Self {
        Self { entries: RwSignal::new(Vec::new()), last_id: StoredValue::new(0) }
    }

    /// Says why as long as `error` says so and its owner is on the page.
    pub fn follow(self, error: Signal<Option<ApiError>>, retry: Callback<()>) {
        self.last_id.update_value(|id| *id += 1);
        let (id, entries) = (self.last_id.get_value(), self.entries);
        let remove = move || {
            if entries.with_untracked(|entries| entries.iter().any(|entry| entry.id == id)) {
                entries.update(|entries| entries.retain(|entry| entry.id != id));
            }
        };
        Effect::new(move |_| {
            remove();
            if let Some(error) = error.get() {
                entries.update(|entries| entries.push(Entry { id, error, retry }));
            }
        });
        on_cleanup(remove);
    }
}

pub fn use_outdated() -> Outdated {
    expect_context()
}

/// One notice, however much is out of date.
#[component]
pub fn OutdatedNotice() -> impl IntoView {
    let entries = use_outdated().entries;
    let message = Memo::new(move |_| {
        let told = entries.with(|entries| entries.first().map(|entry| entry.error.message.clone()));
        let away = || "There is no connection to the registry. Reconnecting…".to_owned();
        told.or_else(|| reach::is_away().then(away))
    });
    let can_retry = Memo::new(move |_| !entries.read().is_empty());
    // Until the next answers, or their lack.
    let trying = RwSignal::new(false);
    Effect::new(move |_| {
        entries.track();
        trying.set(false);
    });
    let retry = move || {
        for entry in entries.get_untracked() {
            entry.retry.try_run(());
        }
    };
    // Once it is back, nobody needs to ask.
    Effect::new(move |was_away: Option<bool>| {
        let away = reach::is_away();
        if was_away == Some(true) && !away {
            retry();
        }
        away
    });
    let on_retry = move |_| {
        trying.set(true);
        retry();
    };
    view! {
        <div class="fixed bottom-4 left-4 z-40 max-w-[calc(100vw-2rem)] sm:max-w-md" role="status">
            {move || message.get().map(|message| view! {
                <div class="alert border-warning bg-base-100 text-sm shadow-lg">
                    <span class="text-warning"><Icon d=icon::WARNING class="size-5 shrink-0"/></span>
                    <span class="min-w-0 break-words">"This page may be out of date. " {message}</span>
                    <Show when=move || can_retry.get()>
                        <button type="button" class="btn btn-sm" on:click=on_retry>
                            <Icon d=icon::REFRESH/>
                            {move || if trying.get() { "Trying…" } else { "Try again" }}
                        </button>
                    </Show>
                </div>
            })}
        </div>
    }
}
