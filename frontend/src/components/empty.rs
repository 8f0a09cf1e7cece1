//! What a list says when there is nothing in it: why, and how to begin.

use leptos::prelude::*;

use super::icon::Icon;

#[component]
pub fn Empty(
    d: &'static str,
    #[prop(into)] title: String,
    /// What to do next: a sentence, buttons, commands.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="panel flex flex-col items-center gap-3 px-6 py-14 text-center">
            <span class="rounded-full bg-base-200 p-3 text-muted"><Icon d class="size-7"/></span>
            <p class="text-lg font-semibold">{title}</p>
            <div class="flex w-full max-w-prose flex-col items-center gap-4 text-sm text-muted">
                {children()}
            </div>
        </div>
    }
}
