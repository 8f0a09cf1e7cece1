//! Pages that are somebody's: without a session they lead to the sign-in, and back.

use leptos::prelude::*;
use leptos_router::NavigateOptions;

use crate::{components::skeleton::SkeletonPage, logic::address, session::use_session};

#[component]
pub fn SignedIn(children: ChildrenFn) -> impl IntoView {
    let session = use_session();
    let navigate = address::use_navigate();
    let here = address::use_here();
    Effect::new(move |_| {
        if session.anonymous() {
            let target = address::sign_in(&here.read_untracked());
            navigate(&target, NavigateOptions { replace: true, ..Default::default() });
        }
    });
    let signed_in = Memo::new(move |_| session.signed_in());
    view! {
        <Show when=move || signed_in.get() fallback=|| view! { <SkeletonPage/> }>
            {children()}
        </Show>
    }
}
