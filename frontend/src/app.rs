//! The frame of every page: routes, header, footer, and who may come in.

use std::time::Duration;

use leptos::{html, prelude::*};
use leptos_router::{
    NavigateOptions,
    components::{ParentRoute, Route, Router, Routes},
    hooks::{use_location, use_navigate},
    path,
};

use crate::{
    address,
    components::{
        failed::Failed,
        icon::{self, Icon},
        menu::Menu,
        skeleton::SkeletonPage,
        theme::{self, ThemeMenu},
        toast::{ToastStack, Toasts, use_toasts},
    },
    form::Submit,
    graphql::viewer::{self, Viewer},
    pages::{
        candidate::CandidatePage, candidates::CandidatesTab, compare::ComparePage,
        model::ModelFrame, model_card::ModelCardTab, model_edit::ModelEditTab,
        model_new::ModelNewPage, not_found::NotFoundPage, project::ProjectPage,
        project_edit::ProjectEditPage, project_new::ProjectNewPage, projects::ProjectsPage,
        sign_in::SignInPage, tokens::TokensPage, trash::TrashPage, version::VersionPage,
        version_new::VersionNewPage, versions::VersionsTab,
    },
    session::{CurrentSession, use_session},
    upload::Uploads,
};

#[component]
pub fn App() -> impl IntoView {
    provide_context(Toasts::new());
    provide_context(CurrentSession::new());
    let uploads = Uploads::new();
    provide_context(uploads.clone());
    theme::provide();
    // Leaving the app would end what is still being uploaded: the browser asks first.
    let leaving = window_event_listener(leptos::ev::beforeunload, move |event| {
        if uploads.busy() {
            event.prevent_default();
        }
    });
    on_cleanup(move || leaving.remove());
    view! {
        <Router>
            <Frame/>
        </Router>
    }
}

#[component]
fn Frame() -> impl IntoView {
    let main = NodeRef::<html::Main>::new();
    let skip = move |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        if let Some(main) = main.get_untracked() {
            // `main` has a tabindex, so it takes focus.
            let _ = main.focus();
        }
    };
    keep_focus(main);
    view! {
        <a class="skip-link btn btn-primary" href="#main" on:click=skip>"Skip to content"</a>
        <Header/>
        <main
            id="main"
            node_ref=main
            tabindex="-1"
            class="mx-auto w-full max-w-7xl grow px-4 py-6 sm:px-6 lg:px-8"
        >
            <Admitted/>
        </main>
        <Footer/>
        <ToastStack/>
    }
}

/// On a new page, what had focus may be gone: then focus goes to the start of the content, so that
/// the next key press and screen readers go on from there.
fn keep_focus(main: NodeRef<html::Main>) {
    let location = use_location();
    Effect::new(move |before: Option<String>| {
        let now = location.pathname.get();
        if before.is_some_and(|before| before != now) {
            let refocus = move || {
                let lost =
                    document().active_element().is_none_or(|active| active.tag_name() == "BODY");
                if let Some(main) = main.get_untracked().filter(|_| lost) {
                    // `main` has a tabindex, so it takes focus.
                    let _ = main.focus();
                }
            };
            set_timeout(refocus, Duration::from_millis(80));
        }
        now
    });
}

/// Waits for the session; sends people without one to sign in, and back afterwards.
#[component]
fn Admitted() -> impl IntoView {
    let session = use_session();
    let location = use_location();
    let navigate = use_navigate();
    let anonymous = Memo::new(move |_| {
        session.0.with(|session| matches!(session, Some(Ok(session)) if session.viewer.is_none()))
    });
    let signing_in = Memo::new(move |_| *location.pathname.read() == "/sign-in");
    Effect::new(move |_| {
        if anonymous.get() && !signing_in.get() {
            let target = address::sign_in(&address::current());
            navigate(&target, NavigateOptions { replace: true, ..Default::default() });
        }
    });
    let failure = Memo::new(move |_| {
        session
            .0
            .with(|session| session.as_ref().and_then(|session| session.as_ref().err().cloned()))
    });
    let ready = Memo::new(move |_| {
        session.0.with(Option::is_some) && (!anonymous.get() || signing_in.get())
    });
    move || match (failure.get(), ready.get()) {
        (Some(error), _) => {
            view! { <Failed error page=true on_retry=move |()| session.0.refetch()/> }.into_any()
        }
        (None, false) => view! { <SkeletonPage/> }.into_any(),
        (None, true) => view! { <Pages/> }.into_any(),
    }
}

/// All routes. What stands above wins, so `-` and fixed words come before names.
#[component]
fn Pages() -> impl IntoView {
    view! {
        <Routes fallback=|| view! { <NotFoundPage/> }>
            <Route path=path!("/") view=ProjectsPage/>
            <Route path=path!("/sign-in") view=SignInPage/>
            <Route path=path!("/settings/tokens") view=TokensPage/>
            <Route path=path!("/new") view=ProjectNewPage/>
            <Route path=path!("/:project") view=ProjectPage/>
            <Route path=path!("/:project/-/new") view=ModelNewPage/>
            <Route path=path!("/:project/-/edit") view=ProjectEditPage/>
            <Route path=path!("/:project/-/trash") view=TrashPage/>
            <Route path=path!("/:project/:model/versions/new") view=VersionNewPage/>
            <Route path=path!("/:project/:model/versions/:version") view=VersionPage/>
            <Route path=path!("/:project/:model/candidates/compare") view=ComparePage/>
            <Route path=path!("/:project/:model/candidates/:number") view=CandidatePage/>
            <ParentRoute path=path!("/:project/:model") view=ModelFrame>
                <Route path=path!("") view=ModelCardTab/>
                <Route path=path!("versions") view=VersionsTab/>
                <Route path=path!("candidates") view=CandidatesTab/>
                <Route path=path!("-/edit") view=ModelEditTab/>
            </ParentRoute>
        </Routes>
    }
}

#[component]
fn Header() -> impl IntoView {
    let session = use_session();
    view! {
        <header class="border-b border-base-300 bg-base-100">
            <div class="mx-auto flex h-14 max-w-7xl items-center justify-between gap-4 px-4 sm:px-6 lg:px-8">
                <a href="/" class="flex items-center gap-2.5 font-semibold tracking-tight">
                    <span class="grid size-8 place-items-center rounded-lg bg-primary text-primary-content">
                        <Icon d=icon::LAYERS class="size-5"/>
                    </span>
                    "Model Registry"
                </a>
                <div class="flex items-center gap-1">
                    <ThemeMenu/>
                    {move || session.viewer().map(|viewer| view! { <UserMenu viewer/> })}
                </div>
            </div>
        </header>
    }
}

#[component]
fn UserMenu(viewer: Viewer) -> impl IntoView {
    let session = use_session();
    let toasts = use_toasts();
    let navigate = use_navigate();
    let submit = Submit::new();
    Effect::new(move |_| {
        if let Some(error) = submit.error.get() {
            toasts.failure(&error);
        }
    });
    let sign_out = move |_| {
        let navigate = navigate.clone();
        submit.run(viewer::sign_out(), move |_| {
            navigate("/sign-in", NavigateOptions::default());
            session.0.refetch();
        });
    };
    let Viewer { username, name, is_admin } = viewer;
    let shown = if name.is_empty() { username.clone() } else { name };
    let initial = shown.chars().next().map(|first| first.to_uppercase().to_string());
    let about =
        if is_admin { format!("@{username} · administrator") } else { format!("@{username}") };
    let account = StoredValue::new((shown, about));
    view! {
        <Menu
            label="Account"
            class="btn btn-ghost btn-circle"
            button=move || view! {
                <span class="grid size-8 place-items-center rounded-full bg-neutral text-sm font-semibold text-neutral-content">
                    {initial.clone()}
                </span>
            }
        >
            <li class="border-b border-base-300 pb-1.5 mb-1.5">
                <div class="pointer-events-none flex flex-col items-start gap-0">
                    <span class="font-medium">{account.read_value().0.clone()}</span>
                    <span class="text-xs text-muted">{account.read_value().1.clone()}</span>
                </div>
            </li>
            <li><a href="/settings/tokens"><Icon d=icon::KEY/>"Access tokens"</a></li>
            <li>
                <a href="/graphql" rel="external"><Icon d=icon::TERMINAL/>"GraphQL explorer"</a>
            </li>
            <li>
                <button type="button" on:click=sign_out.clone()>
                    <Icon d=icon::LOG_OUT/>"Sign out"
                </button>
            </li>
        </Menu>
    }
}

#[component]
fn Footer() -> impl IntoView {
    view! {
        <footer class="border-t border-base-300">
            <div class="mx-auto flex max-w-7xl flex-wrap items-center justify-between gap-x-6 gap-y-2 px-4 py-4 text-sm text-muted sm:px-6 lg:px-8">
                <span>"Model Registry"</span>
                <a class="link-hover link" href="/graphql" rel="external">"GraphQL explorer"</a>
            </div>
        </footer>
    }
}
