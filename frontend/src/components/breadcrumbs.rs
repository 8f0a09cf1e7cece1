//! Where this page is.

use leptos::prelude::*;

/// Links to what is above this page; the page itself is the heading below.
#[component]
pub fn Breadcrumbs(
    /// Text and address.
    #[prop(into)]
    items: Signal<Vec<(String, String)>>,
) -> impl IntoView {
    view! {
        <nav aria-label="Breadcrumb" class="breadcrumbs -mt-2 mb-1 py-1 text-sm text-muted">
            <ul>
                {move || items
                    .get()
                    .into_iter()
                    .map(|(text, href)| view! {
                        <li><a class="link-hover link break-all" href=href>{text}</a></li>
                    })
                    .collect_view()}
            </ul>
        </nav>
    }
}
