//! Portable names: which names of a version's files some systems cannot keep, said while they can still be changed.

use leptos::prelude::*;

use super::arriving::Names;
use crate::graphql::file::NameWarning;

#[component]
pub fn NameWarnings(#[prop(into)] warnings: Signal<Vec<NameWarning>>) -> impl IntoView {
    let names = Signal::derive(move || {
        let line = |warning: &NameWarning| format!("{}: {}", warning.path, warning.reason);
        warnings.read().iter().map(line).collect::<Vec<_>>()
    });
    view! {
        <Show when=move || !warnings.read().is_empty()>
            <div>
                <p class="text-base-content">"Some systems can't store these names:"</p>
                <Names names/>
            </div>
        </Show>
    }
}
