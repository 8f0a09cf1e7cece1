//! Addresses that lead to another one.

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_location};

use super::skeleton::SkeletonPage;
use crate::logic::{address, renamed};

/// To be told, of an answer, the path that was asked for and the path that what came has. Where it was renamed, the address
/// gets the new path and keeps the rest; the back button passes over the old one.
pub fn use_renamed() -> impl Fn(&str, &str) + Clone + 'static {
    let navigate = address::use_navigate();
    let location = use_location();
    move |asked, now| {
        let mut here = location.pathname.get_untracked();
        let (search, hash) = (location.search.get_untracked(), location.hash.get_untracked());
        if !search.is_empty() {
            here = format!("{here}?{search}");
        }
        if let Some(to) = renamed::follow(&(here + &hash), asked, now) {
            let options = NavigateOptions { replace: true, scroll: false, ..Default::default() };
            navigate(&to, options);
        }
    }
}

/// Shows `children`, or goes where they are instead; the back button passes over this address.
#[component]
pub fn Moved(
    /// Nothing where this is the right address.
    #[prop(into)]
    to: Signal<Option<String>>,
    children: ChildrenFn,
) -> impl IntoView {
    let navigate = address::use_navigate();
    Effect::new(move |_| {
        if let Some(to) = to.get() {
            navigate(&to, NavigateOptions { replace: true, ..Default::default() });
        }
    });
    view! {
        <Show when=move || to.read().is_none() fallback=|| view! { <SkeletonPage/> }>{children()}</Show>
    }
}
