//! What a page shows in place of what it could not load.

use leptos::prelude::*;

use super::icon::{self, Icon};
use crate::{
    logic::{
        address,
        error::{ApiError, Code},
    },
    reach,
};

/// Whether nobody is signed in: then what is not to be found or not allowed may be after signing in.
/// Provided once, by the app.
#[derive(Clone, Copy)]
pub struct Anonymous(pub Signal<bool>);

/// What to do where something that was on the page is refused: the session may have ended. Provided once, by the app.
#[derive(Clone, Copy)]
pub struct OnRefused(pub Callback<()>);

/// Leads to the sign-in and back, for people who are not signed in.
#[component]
pub fn SignInOffer() -> impl IntoView {
    let anonymous = expect_context::<Anonymous>().0;
    let here = address::use_here();
    view! {
        <Show when=move || anonymous.get()>
            <a class="btn btn-primary" href=move || address::sign_in(&here.read())>"Sign in"</a>
        </Show>
    }
}

/// Shows `children` where `when` is true, and otherwise who may come here.
#[component]
pub fn Allowed(
    #[prop(into)] when: Signal<bool>,
    /// Such as “the maintainers of this project”.
    who: &'static str,
    /// Whether this is all there is on the page.
    #[prop(optional)]
    page: bool,
    children: ChildrenFn,
) -> impl IntoView {
    let refused = move || {
        let error = ApiError::new(Code::Forbidden, format!("Only {who} can do this."));
        view! { <Failed error page on_retry=|()| {}/> }
    };
    view! { <Show when=move || when.get() fallback=refused>{children()}</Show> }
}

/// Says what went wrong and offers the next step.
#[component]
pub fn Failed(
    error: ApiError,
    /// Whether this is all there is on the page.
    #[prop(optional)]
    page: bool,
    #[prop(into)] on_retry: Callback<()>,
) -> impl IntoView {
    let here = address::use_here();
    if error.code == Code::Unreachable {
        Effect::new(move |was_away: Option<bool>| {
            let away = reach::is_away();
            if was_away == Some(true) && !away {
                on_retry.run(());
            }
            away
        });
    }
    let (outline, title) = match error.code {
        Code::NotFound => (icon::SEARCH, "Not found"),
        Code::Forbidden => (icon::LOCK, "Not allowed"),
        Code::Unauthenticated => (icon::LOCK, "Sign in to see this"),
        Code::Unreachable => (icon::WARNING, "No connection to the registry"),
        Code::RateLimited => (icon::WARNING, "Too many requests"),
        Code::Invalid if error.is_about_filter() => (icon::ALERT, "That filter isn't valid"),
        Code::Invalid => (icon::ALERT, "That request isn't valid"),
        _ => (icon::WARNING, "This couldn't be loaded"),
    };
    let next = match error.code {
        Code::Unauthenticated => view! {
            <a class="btn btn-primary" href=move || address::sign_in(&here.read())>"Sign in"</a>
        }
        .into_any(),
        Code::NotFound | Code::Forbidden => view! {
            <SignInOffer/>
            <a class="btn" href=address::at("/")>"All projects"</a>
        }
        .into_any(),
        _ => view! {
            <button type="button" class="btn" on:click=move |_| on_retry.run(())>
                <Icon d=icon::REFRESH/>
                "Try again"
            </button>
        }
        .into_any(),
    };
    view! {
        <div class="panel flex flex-col items-center gap-3 px-6 py-14 text-center" role="alert">
            <span class="text-muted"><Icon d=outline class="size-8"/></span>
            {if page {
                view! { <h1 class="text-lg font-semibold">{title}</h1> }.into_any()
            } else {
                view! { <p class="text-lg font-semibold">{title}</p> }.into_any()
            }}
            <p class="max-w-prose break-words text-sm text-muted">{error.message}</p>
            <div class="mt-2 flex flex-wrap justify-center gap-2">{next}</div>
        </div>
    }
}

/// One line inside a form: what the server refused that belongs to no field.
#[component]
pub fn FormError(#[prop(into)] error: Signal<Option<ApiError>>) -> impl IntoView {
    move || {
        error.get().map(|error| {
            let sign_in = (error.code == Code::Unauthenticated).then(|| {
                view! {
                    " "
                    <a class="link" target="_blank" href=address::at("/sign-in")>"Sign in in a new tab"</a>
                    ", then try again."
                }
            });
            view! {
                <div class="alert alert-error alert-soft text-base-content" role="alert">
                    <span class="text-error"><Icon d=icon::ALERT class="size-5 shrink-0"/></span>
                    <span class="min-w-0 break-words">{error.message} {sign_in}</span>
                </div>
            }
        })
    }
}
