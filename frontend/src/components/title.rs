//! The title of the browser's tab.

use leptos::{prelude::*, text_prop::TextProp};

/// `ocr · Model Registry`. Every page has one; that of a tab comes after that of its frame, and wins.
///
/// Not leptos_meta's: its effect outlives the page and then reads signals that are gone.
#[component]
pub fn PageTitle(#[prop(into)] text: TextProp) -> impl IntoView {
    Effect::new(move |_| document().set_title(&format!("{} · Model Registry", text.get())));
}
