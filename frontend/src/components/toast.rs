//! Short messages at the edge of the window: what just happened, and how to take it back.

use std::{sync::Arc, time::Duration};

use leptos::prelude::*;

use super::icon::{self, Icon};
use crate::logic::error::ApiError;

const SHOWN_MS: u64 = 8_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Success,
    Failure,
}

/// Outlives the page that offers it, so it is no `Callback`.
type Undo = Arc<dyn Fn() + Send + Sync>;

#[derive(Clone)]
struct Toast {
    id: u64,
    kind: Kind,
    text: String,
    undo: Option<Undo>,
}

/// The messages that are on screen.
#[derive(Clone, Copy)]
pub struct Toasts {
    shown: RwSignal<Vec<Toast>>,
    last_id: StoredValue<u64>,
}

impl Toasts {
    pub fn new() -> Self {
        Self { shown: RwSignal::new(Vec::new()), last_id: StoredValue::new(0) }
    }

    /// Something was done.
    pub fn success(self, text: impl Into<String>) {
        self.push(Kind::Success, text.into(), None);
    }

    /// Something was done that can be taken back.
    pub fn undoable(self, text: impl Into<String>, undo: impl Fn() + Send + Sync + 'static) {
        self.push(Kind::Success, text.into(), Some(Arc::new(undo)));
    }

    /// Something was not done, and why. Stays until it is dismissed.
    pub fn failure(self, error: &ApiError) {
        self.push(Kind::Failure, error.message.clone(), None);
    }

    fn push(self, kind: Kind, text: String, undo: Option<Undo>) {
        self.last_id.update_value(|id| *id += 1);
        let id = self.last_id.get_value();
        self.shown.update(|shown| shown.push(Toast { id, kind, text, undo }));
        if kind == Kind::Success {
            self.dismiss_later(id);
        }
    }

    /// Not while somebody points at a message or is in one: they may be about to undo.
    fn dismiss_later(self, id: u64) {
        let dismiss = move || {
            let held = document().query_selector(".toast:is(:hover, :focus-within)");
            if held.is_ok_and(|held| held.is_some()) {
                self.dismiss_later(id);
            } else {
                self.dismiss(id);
            }
        };
        set_timeout(dismiss, Duration::from_millis(SHOWN_MS));
    }

    /// Takes back what was done last, as long as that is offered; says whether it was.
    pub fn undo_last(self) -> bool {
        let last = self.shown.with_untracked(|shown| {
            shown.iter().rev().find_map(|toast| Some((toast.id, toast.undo.clone()?)))
        });
        let Some((id, undo)) = last else { return false };
        self.dismiss(id);
        undo();
        true
    }

    fn dismiss(self, id: u64) {
        self.shown.update(|shown| shown.retain(|toast| toast.id != id));
    }
}

/// The messages of this session; provided once, by the app.
pub fn use_toasts() -> Toasts {
    expect_context()
}

/// Where messages appear. Screen readers hear them without losing their place.
#[component]
pub fn ToastStack() -> impl IntoView {
    let toasts = use_toasts();
    view! {
        <div
            class="toast toast-end z-50 w-[calc(100%-2rem)] min-w-0 max-w-md items-stretch whitespace-normal"
            role="status"
            aria-live="polite"
        >
            <For each=move || toasts.shown.get() key=|toast| toast.id let:toast>
                <ToastCard toast/>
            </For>
        </div>
    }
}

#[component]
fn ToastCard(toast: Toast) -> impl IntoView {
    let toasts = use_toasts();
    let Toast { id, kind, text, undo } = toast;
    let (outline, tint) = match kind {
        Kind::Success => (icon::SUCCESS, "text-success"),
        Kind::Failure => (icon::ALERT, "text-error"),
    };
    view! {
        <div class="toast-card flex items-start gap-3 rounded-box border border-base-300 bg-base-100 p-3 shadow-lg">
            <span class=tint><Icon d=outline class="mt-0.5 size-5 shrink-0"/></span>
            <p class="min-w-0 grow break-words pt-0.5 text-sm">{text}</p>
            {undo.map(|undo| view! {
                <button
                    type="button"
                    class="btn btn-sm btn-outline"
                    on:click=move |_| {
                        toasts.dismiss(id);
                        undo();
                    }
                >
                    "Undo"
                </button>
            })}
            <button
                type="button"
                class="btn btn-ghost btn-sm btn-square"
                aria-label="Dismiss"
                on:click=move |_| toasts.dismiss(id)
            >
                <Icon d=icon::CROSS/>
            </button>
        </div>
    }
}
