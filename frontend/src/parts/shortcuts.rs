//! Keys that work on every page, and the sheet that lists them.
//!
//! The page is there before the program is: what is pressed meanwhile is kept by `early.js`, and done then.

use leptos::{ev, prelude::*};
use wasm_bindgen::{JsCast, JsValue};

use super::palette::PaletteOpen;
use crate::components::{dialog::Dialog, toast::use_toasts};

/// Each key and what it does.
const KEYS: [(&[&str], &str); 6] = [
    (&["Ctrl", "K"], "Find anything: a model, ocr@1.2, ocr#7, a project, a page"),
    (&["/"], "Search this page"),
    (&["Ctrl", "Z"], "Undo the last delete or move"),
    (&["?"], "Show keyboard shortcuts"),
    (&["Tab"], "Go to the next link, button or field"),
    (&["Esc"], "Close the open dialog or menu"),
];

/// Whether what is typed goes into a field.
fn is_typing(event: &ev::KeyboardEvent) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    target.is_some_and(|element| {
        element.closest("input, textarea, select, [contenteditable]").ok().flatten().is_some()
    })
}

/// Puts the cursor into the search field of the page, if it has one.
fn focus_search() -> bool {
    let field = document().query_selector("main input[type=search]").ok().flatten();
    let field = field.and_then(|field| field.dyn_into::<web_sys::HtmlElement>().ok());
    field.is_some_and(|field| field.focus().is_ok())
}

/// The keys that were pressed before the program started. From now on it hears them itself.
fn early_keys() -> Vec<ev::KeyboardEvent> {
    let take = js_sys::Reflect::get(&window(), &"takeEarlyKeys".into());
    let take = take.ok().and_then(|take| take.dyn_into::<js_sys::Function>().ok());
    let keys = take.and_then(|take| take.call0(&JsValue::NULL).ok());
    let keys = keys.map(|keys| js_sys::Array::from(&keys)).unwrap_or_default();
    keys.iter().filter_map(|key| key.dyn_into().ok()).collect()
}

/// Listens for the keys, and shows the sheet.
#[component]
pub fn Shortcuts() -> impl IntoView {
    let PaletteOpen(palette) = expect_context();
    let toasts = use_toasts();
    let sheet = RwSignal::new(false);
    let press = move |event: ev::KeyboardEvent| {
        let with_control = event.ctrl_key() || event.meta_key();
        if with_control && !event.shift_key() && event.key().eq_ignore_ascii_case("k") {
            palette.update(|open| *open = !*open);
        } else if with_control && !event.shift_key() && event.key().eq_ignore_ascii_case("z") {
            // In a field the browser takes back what was typed.
            if is_typing(&event) || !toasts.undo_last() {
                return;
            }
        } else if with_control || event.alt_key() || is_typing(&event) || palette.get_untracked() {
            return;
        } else if event.key() == "?" {
            sheet.set(true);
        } else if event.key() != "/" || sheet.get_untracked() {
            return;
        } else if !focus_search() {
            palette.set(true);
        }
        event.prevent_default();
    };
    let keys = window_event_listener(ev::keydown, press);
    on_cleanup(move || keys.remove());
    for event in early_keys() {
        press(event);
    }
    view! {
        <Dialog open=sheet title="Keyboard">
            <dl class="grid grid-cols-[auto_1fr] items-center gap-x-6 gap-y-3 text-sm">
                {KEYS
                    .map(|(keys, what)| {
                        let keys = keys.iter().map(|key| view! { <kbd class="kbd kbd-sm">{*key}</kbd> });
                        view! {
                            <dt class="flex gap-1">{keys.collect_view()}</dt>
                            <dd>{what}</dd>
                        }
                    })
                    .collect_view()}
            </dl>
        </Dialog>
    }
}
