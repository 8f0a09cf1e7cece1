//! Grey shapes where something is about to be.

use leptos::prelude::*;

/// A list of rows.
#[component]
pub fn SkeletonRows(#[prop(default = 5)] rows: usize) -> impl IntoView {
    view! {
        <div class="panel divide-y divide-base-300" role="status">
            <span class="sr-only">"Loading"</span>
            {(0..rows)
                .map(|_| view! {
                    <div class="flex items-center gap-4 p-4">
                        <div class="skeleton size-9 shrink-0"></div>
                        <div class="grow space-y-2">
                            <div class="skeleton h-4 w-1/3"></div>
                            <div class="skeleton h-3 w-2/3"></div>
                        </div>
                    </div>
                })
                .collect_view()}
        </div>
    }
}

/// For what is below the heading of a page, in a tab: a page has one heading of the first level.
#[derive(Clone, Copy)]
pub struct BelowHeading;

/// A page with a title, a text and a column of facts.
#[component]
pub fn SkeletonPage() -> impl IntoView {
    let title = match use_context::<BelowHeading>() {
        None => view! { <h1 class="sr-only">"Loading"</h1> }.into_any(),
        Some(BelowHeading) => view! { <span class="sr-only">"Loading"</span> }.into_any(),
    };
    view! {
        <div role="status">
            {title}
            <div class="skeleton mb-3 h-4 w-40"></div>
            <div class="skeleton mb-8 h-9 w-72 max-w-full"></div>
            <div class="grid grid-cols-[minmax(0,1fr)] gap-6 lg:grid-cols-[minmax(0,1fr)_20rem]">
                <div class="panel space-y-3 p-6">
                    <div class="skeleton h-5 w-1/2"></div>
                    <div class="skeleton h-4 w-full"></div>
                    <div class="skeleton h-4 w-5/6"></div>
                    <div class="skeleton h-4 w-2/3"></div>
                </div>
                <div class="panel space-y-3 p-6">
                    <div class="skeleton h-4 w-full"></div>
                    <div class="skeleton h-4 w-3/4"></div>
                    <div class="skeleton h-4 w-5/6"></div>
                </div>
            </div>
        </div>
    }
}
