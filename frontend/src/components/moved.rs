//! Addresses that lead to another one.

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::skeleton::SkeletonPage;

/// Shows `children`, or goes where they are instead; the back button passes over this address.
#[component]
pub fn Moved(
    /// Nothing where this is the right address.
    #[prop(into)]
    to: Signal<Option<String>>,
    children: ChildrenFn,
) -> impl IntoView {
    let navigate = use_navigate();
    Effect::new(move |_| {
        if let Some(to) = to.get() {
            navigate(&to, NavigateOptions { replace: true, ..Default::default() });
        }
    });
    view! {
        <Show when=move || to.read().is_none() fallback=|| view! { <SkeletonPage/> }>{children()}</Show>
    }
}
