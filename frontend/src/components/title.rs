//! The title of the browser's tab.

use leptos::{prelude::*, text_prop::TextProp};

use super::loaded::Around;

/// `ocr · Model Registry`. Every page has one; that of a tab comes when the tab is shown, and wins over that of its frame.
///
/// Not leptos_meta's: its effect outlives the page and then reads signals that are gone.
#[component]
pub fn PageTitle(#[prop(into)] text: TextProp) -> impl IntoView {
    let Around(around) = expect_context();
    Effect::new(move |_| {
        if around.get() {
            document().set_title(&format!("{} · Model Registry", text.get()));
        }
    });
}
