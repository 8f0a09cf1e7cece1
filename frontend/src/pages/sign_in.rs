//! `/sign-in?next=…`

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use crate::{
    address,
    components::{
        failed::FormError,
        field::{SubmitButton, TextField},
        icon::{self, Icon},
        title::PageTitle,
    },
    error::{ApiError, Code},
    form::Submit,
    graphql::viewer::{self, SignInInput},
    session::use_session,
};

#[component]
pub fn SignInPage() -> impl IntoView {
    let session = use_session();
    let navigate = use_navigate();
    let next = address::use_query("next");
    let username = RwSignal::new(String::new());
    let password = RwSignal::new(String::new());
    let submit = Submit::new();
    // Once there is a session, from here or another tab, this page has nothing to do.
    Effect::new(move |_| {
        if session.viewer().is_some() {
            let target = next.get().filter(|next| is_local(next)).unwrap_or_else(|| "/".to_owned());
            navigate(&target, NavigateOptions { replace: true, ..Default::default() });
        }
    });
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let input = SignInInput {
            username: username.get_untracked().trim().to_owned(),
            password: password.get_untracked(),
        };
        // “Not signed in” is no news here, and no reason to offer to sign in.
        let work = async move {
            let signed_in = viewer::sign_in(input).await;
            signed_in.map_err(|error| ApiError { code: Code::Invalid, ..error })
        };
        submit.run(work, move |_| session.0.refetch());
    };
    view! {
        <PageTitle text="Sign in"/>
        <div class="mx-auto max-w-sm pt-[6vh]">
            <div class="mb-6 flex flex-col items-center gap-3 text-center">
                <span class="grid size-12 place-items-center rounded-xl bg-primary text-primary-content">
                    <Icon d=icon::LAYERS class="size-7"/>
                </span>
                <h1 class="text-2xl font-semibold tracking-tight">"Sign in"</h1>
            </div>
            <form class="panel space-y-4 p-6" on:submit=send>
                <TextField
                    id="username" label="User name" value=username required=true autofocus=true
                    autocomplete="username" refused=submit.field("username")
                />
                <TextField
                    id="password" label="Password" value=password required=true kind="password"
                    autocomplete="current-password" refused=submit.field("password")
                />
                <FormError error=submit.general(&["username", "password"])/>
                <div class="grid"><SubmitButton text="Sign in" pending=submit.pending/></div>
            </form>
            <p class="mt-4 text-center text-sm text-muted">
                "The first start prints the password of " <code>"admin"</code> "."
            </p>
        </div>
    }
}

/// Whether `next` stays on this server: `//example.com` and `/\example.com` would not.
fn is_local(next: &str) -> bool {
    next.starts_with('/') && !next[1..].starts_with(['/', '\\'])
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn signing_in_never_leads_elsewhere() {
        assert!(is_local("/vision/ocr?q=1"));
        for elsewhere in ["//example.com", "/\\example.com", "https://example.com", ""] {
            assert!(!is_local(elsewhere), "{elsewhere}");
        }
    }
}
