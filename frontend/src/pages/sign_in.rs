//! `/sign-in?next=…`: with a password, or with single sign-on, which comes back with `?error=` where it failed.

use leptos::prelude::*;
use leptos_router::NavigateOptions;

use crate::{
    components::{
        failed::FormError,
        field::{SubmitButton, TextField},
        form::Submit,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        skeleton::SkeletonRows,
        title::PageTitle,
    },
    graphql::viewer::{self, SignInInput, SignInMethods, SingleSignOn},
    logic::{
        address,
        error::{ApiError, Code},
    },
    session::use_session,
};

#[component]
pub fn SignInPage() -> impl IntoView {
    let session = use_session();
    let navigate = address::use_navigate();
    let asked = address::use_query("next");
    let next = Memo::new(move |_| asked.get().filter(|next| is_local(next)));
    let methods = Load::new(viewer::sign_in_methods);
    // Once there is a session, from here or another tab, this page has nothing to do.
    Effect::new(move |_| {
        if session.signed_in() {
            let target = next.get().unwrap_or_else(|| address::at("/"));
            navigate(&target, NavigateOptions { replace: true, ..Default::default() });
        }
    });
    view! {
        <PageTitle text="Sign in"/>
        // Whoever is signed in is led on, and sees nothing of it.
        <div class="mx-auto max-w-sm pt-[6vh]" class:invisible=move || !session.is_known()>
            <div class="mb-6 flex flex-col items-center gap-3 text-center">
                <span class="grid size-12 place-items-center rounded-xl bg-primary text-primary-content">
                    <Icon d=icon::LAYERS class="size-7"/>
                </span>
                <h1 class="text-2xl font-semibold tracking-tight">"Sign in"</h1>
            </div>
            <CameBack/>
            <Loaded from=methods fallback=|| view! { <SkeletonRows rows=2/> } let:methods>
                {move || {
                    let SignInMethods { password, awaits_admin, single_sign_on } = methods.get();
                    let both = password && single_sign_on.is_some();
                    view! {
                        {single_sign_on.map(|provider| view! { <SingleSignOnButton provider next/> })}
                        {both.then(|| view! { <div class="divider text-sm text-muted">"or"</div> })}
                        {password.then(|| view! { <PasswordForm/> })}
                        {(password && awaits_admin).then(|| view! { <FirstStart/> })}
                    }
                }}
            </Loaded>
        </div>
    }
}

/// Why single sign-on led back here.
#[component]
fn CameBack() -> impl IntoView {
    let code = address::use_query("error");
    let message = move |code: &str| match code {
        "denied" => {
            "The sign-in service refused this account. Choose another account, or ask your administrator."
        }
        "expired" => "The sign-in took too long or was already used. Try again.",
        "blocked" => "This account is blocked. Ask your administrator.",
        _ => "The answer from the sign-in service can't be trusted. Ask your administrator.",
    };
    let error =
        Signal::derive(move || code.get().map(|code| ApiError::new(Code::Invalid, message(&code))));
    view! {
        <div class="mb-4 empty:hidden"><FormError error/></div>
    }
}

#[component]
fn SingleSignOnButton(provider: SingleSignOn, next: Memo<Option<String>>) -> impl IntoView {
    let SingleSignOn { name, url } = provider;
    view! {
        <a
            class="btn btn-block"
            rel="external"
            href=move || address::single_sign_on(&url, next.read().as_deref())
        >
            <Icon d=icon::LOG_IN/>
            "Sign in with " {name}
        </a>
    }
}

#[component]
fn PasswordForm() -> impl IntoView {
    let session = use_session();
    let username = RwSignal::new(String::new());
    let password = RwSignal::new(String::new());
    let submit = Submit::new();
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
        submit.run(work, move |_| session.reload());
    };
    view! {
        <form class="panel space-y-4 p-6" on:submit=send>
            <TextField
                id="username" label="Username" value=username required=true autofocus=true
                autocomplete="username" refused=submit.field("username")
            />
            <TextField
                id="password" label="Password" value=password required=true kind="password"
                autocomplete="current-password" refused=submit.field("password")
            />
            <FormError error=submit.general(&["username", "password"])/>
            <div class="grid"><SubmitButton text="Sign in" pending=submit.pending/></div>
        </form>
    }
}

/// Where the first password is.
#[component]
fn FirstStart() -> impl IntoView {
    view! {
        <p class="mt-4 text-center text-sm text-muted">
            "The server printed the password of " <code>"admin"</code> " when it first started."
        </p>
    }
}

/// Whether `next` stays in the registry, as browsers read it.
fn is_local(next: &str) -> bool {
    is_below(address::base(), next)
}

/// Whether an address stays below the path `base`. `//example.com` and `/\example.com` do not, nor does `/base/../x`;
/// and browsers skip line breaks and tabs.
fn is_below(base: &str, next: &str) -> bool {
    let below = next.strip_prefix(base).and_then(|path| path.strip_prefix('/'));
    let Some(below) = below.filter(|path| !path.starts_with('/')) else { return false };
    let path = below.split(['?', '#']).next().unwrap_or_default();
    let stays = |part: &str| address::decoded(part).is_some_and(|part| part != "..");
    !below.contains(|c: char| c == '\\' || c.is_control()) && path.split('/').all(stays)
}

#[cfg(test)]
mod tests {
    use super::{is_below, is_local};

    #[test]
    fn signing_in_never_leads_elsewhere() {
        assert!(is_local("/"));
        assert!(is_local("/vision/my%20model..?q=../a%5Cb#.."));
        let elsewhere = [
            "",
            "https://example.com",
            "//example.com",
            "/\\example.com",
            "/\t/example.com",
            "/vision/a\\..\\b",
            "/vision?q=\\",
            "/..",
            "/vision/../ocr",
            "/vision/%2e%2E/ocr",
            "/vision/.%2e?q=1",
            "/vision/.\n./ocr",
            "/vision/%ff",
        ];
        for elsewhere in elsewhere {
            assert!(!is_local(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn signing_in_never_leads_out_of_the_path_of_the_registry() {
        assert!(is_below("/registry", "/registry/vision"));
        for elsewhere in
            ["/vision", "/registry", "/registryx/y", "/registry/%2E./x", "/registry//x"]
        {
            assert!(!is_below("/registry", elsewhere), "{elsewhere}");
        }
    }
}
