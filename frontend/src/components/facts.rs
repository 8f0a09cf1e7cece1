//! Facts beside a page: a term and what holds for it.

use leptos::prelude::*;

/// A titled box in the side column.
#[component]
pub fn SidePanel(#[prop(into)] title: String, children: Children) -> impl IntoView {
    view! {
        <section class="panel p-4">
            <h2 class="mb-3 text-sm font-semibold">{title}</h2>
            {children()}
        </section>
    }
}

/// Holds [`Fact`]s.
#[component]
pub fn Facts(children: Children) -> impl IntoView {
    view! { <dl class="space-y-2.5 text-sm">{children()}</dl> }
}

#[component]
pub fn Fact(#[prop(into)] term: String, children: Children) -> impl IntoView {
    view! {
        <div class="flex items-baseline justify-between gap-4">
            <dt class="shrink-0 text-muted">{term}</dt>
            <dd class="min-w-0 break-words text-right">{children()}</dd>
        </div>
    }
}
