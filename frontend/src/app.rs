//! The frame of every page: routes, header, footer, and who may come in.

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    components::{ParentRoute, Redirect, Route, Router, Routes},
    hooks::use_location,
    path,
};

use crate::{
    components::{
        confirm::Confirm,
        failed::{Anonymous, Failed, OnRefused},
        focus,
        form::Submit,
        icon::{self, Icon},
        loaded::Around,
        menu::Menu,
        outdated::{Outdated, OutdatedNotice},
        theme::{self, ThemeMenu},
        toast::{ToastStack, Toasts},
        unsaved::{Unsaved, UnsavedQuestion, use_unsaved},
    },
    graphql::{
        kind::ModelKind,
        viewer::{self, Viewer},
    },
    lazy::{LazyPage, Manage, NothingYet, Runs, Versions},
    logic::{address, error::ApiError, format},
    pages::{
        all_models::AllModelsPage, compare::Kind, mlflow_link::HomePage, model::ModelFrame,
        models::ModelsTab, not_found::NotFoundPage, project::ProjectFrame, prompts::PromptsTab,
        sign_in::SignInPage,
    },
    parts::{
        draft,
        files::upload_status::UploadStatus,
        models::environment::MadeTokens,
        palette::{Palette, PaletteOpen},
        project_switcher::{self, ProjectSwitcher},
        shortcuts::Shortcuts,
        tags::report,
    },
    session::{CurrentSession, Standing, use_session},
    upload::Uploads,
};

#[component]
pub fn App() -> impl IntoView {
    provide_context(Toasts::new());
    provide_context(Outdated::new());
    provide_context(Unsaved::new());
    draft::purge();
    let session = CurrentSession::new();
    provide_context(session);
    provide_context(Anonymous(Signal::derive(move || session.anonymous())));
    provide_context(Around(Signal::derive(move || session.is_known())));
    provide_context(OnRefused(Callback::new(move |()| session.reload())));
    let uploads = Uploads::new();
    provide_context(uploads.clone());
    abandon_uploads_of_others(session, uploads.clone());
    theme::provide();
    provide_context(PaletteOpen(RwSignal::new(false)));
    // Leaving the app would end what is still being uploaded: the browser asks first.
    let leaving = window_event_listener(leptos::ev::beforeunload, move |event| {
        if uploads.busy() {
            event.prevent_default();
        }
    });
    on_cleanup(move || leaving.remove());
    view! {
        <Router base=address::root()>
            <Shell/>
        </Router>
    }
}

/// What a person uploads must not go on in the name of another. A session that has only ended may be theirs again.
fn abandon_uploads_of_others(session: CurrentSession, uploads: Uploads) {
    Effect::new(move |before: Option<Option<String>>| {
        let before = before.flatten();
        let now = session.viewer().map(|viewer| viewer.username);
        if now.is_some() && before.is_some() && now != before {
            uploads.abandon();
        }
        now.or(before)
    });
}

#[component]
fn Shell() -> impl IntoView {
    let skip = move |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        focus::to_main();
    };
    keep_focus();
    notice_endings();
    view! {
        <a class="skip-link btn btn-primary" href="#main" on:click=skip>"Skip to content"</a>
        <Header/>
        <ReadOnly/>
        <main
            id=focus::MAIN
            tabindex="-1"
            class="mx-auto w-full max-w-7xl grow px-4 py-6 sm:px-6 lg:px-8"
        >
            <Admitted/>
        </main>
        <Footer/>
        <Palette/>
        <Shortcuts/>
        <UnsavedQuestion/>
        <OutdatedNotice/>
        <ToastStack/>
    }
}

/// Says that the server has no room for more files, as long as it is so.
#[component]
fn ReadOnly() -> impl IntoView {
    let read_only = use_session().read_only;
    view! {
        <div role="status">
            {move || read_only.get().then(|| view! {
                <p class="flex items-center gap-2 border-b border-warning bg-warning/10 px-4 py-2 text-sm sm:px-6 lg:px-8">
                    <span class="text-warning"><Icon d=icon::WARNING class="size-5 shrink-0"/></span>
                    "Read-only: the server has no space left for more files. Existing files can still be downloaded and deleted."
                </p>
            })}
        </div>
    }
}

/// On a new page, what had focus may be gone.
fn keep_focus() {
    let location = use_location();
    Effect::new(move |before: Option<String>| {
        let now = location.pathname.get();
        if before.is_some_and(|before| before != now) {
            focus::keep();
        }
        now
    });
}

/// A session may end elsewhere: signed out, revoked, blocked. Every new page asks whether it has.
fn notice_endings() {
    let session = use_session();
    let location = use_location();
    Effect::new(move |before: Option<String>| {
        let now = location.pathname.get();
        if before.is_some_and(|before| before != now) {
            session.reload();
        }
        now
    });
}

/// What stands on the page as far as it depends on who is there.
#[derive(Clone, PartialEq)]
enum Shown {
    Failed(ApiError),
    /// For the person who is number so-and-so in this tab of the browser.
    Pages(usize),
}

/// Pages that ask the server while it is asked who is there. For another person all are made anew: they may see other things.
#[component]
fn Admitted() -> impl IntoView {
    let session = use_session();
    // Who was there, one after the other.
    let people = StoredValue::new(Vec::new());
    let shown = Memo::new(move |_| match session.standing.get() {
        Standing::Unknown => Shown::Pages(0),
        Standing::Failed(error) => Shown::Failed(error),
        Standing::Known(viewer) => {
            let username = viewer.map(|viewer| viewer.username);
            people.update_value(|people| {
                if people.last() != Some(&username) {
                    people.push(username);
                }
            });
            Shown::Pages(people.with_value(Vec::len) - 1)
        }
    });
    move || match shown.get() {
        Shown::Failed(error) => {
            view! { <Failed error page=true on_retry=move |()| session.reload()/> }.into_any()
        }
        Shown::Pages(_) => view! { <Pages/> }.into_any(),
    }
}

/// All routes. What stands above wins, so `-` and fixed words come before names.
#[component]
fn Pages() -> impl IntoView {
    NothingYet::provide();
    MadeTokens::provide();
    view! {
        <Routes fallback=|| view! { <NotFoundPage/> }>
            <Route path=path!("/") view=HomePage/>
            <Route path=path!("/mlflow/:project") view=LazyPage::Manage(Manage::MlflowLink)/>
            <Route path=path!("/sign-in") view=SignInPage/>
            <Route path=path!("/invitation") view=LazyPage::Manage(Manage::Invitation)/>
            <Route path=path!("/-/models") view=|| view! { <AllModelsPage kind=ModelKind::Model/> }/>
            <Route path=path!("/-/prompts") view=|| view! { <AllModelsPage kind=ModelKind::Prompt/> }/>
            <Route path=path!("/new") view=LazyPage::Manage(Manage::ProjectNew)/>
            <ParentRoute path=path!("/settings") view=LazyPage::Manage(Manage::Settings)>
                <Route path=path!("") view=|| view! { <Instead path="/settings/account"/> }/>
                <Route path=path!("account") view=LazyPage::Manage(Manage::Account)/>
                <Route path=path!("sessions") view=LazyPage::Manage(Manage::Sessions)/>
                <Route path=path!("tokens") view=LazyPage::Manage(Manage::Tokens)/>
            </ParentRoute>
            <ParentRoute path=path!("/admin") view=LazyPage::Manage(Manage::Admin)>
                <Route path=path!("") view=|| view! { <Instead path="/admin/users"/> }/>
                <Route path=path!("users") view=LazyPage::Manage(Manage::Users)/>
                <Route path=path!("audit") view=LazyPage::Manage(Manage::AdminAudit)/>
                <Route path=path!("webhooks") view=LazyPage::Manage(Manage::AdminWebhooks)/>
                <Route path=path!("operations") view=LazyPage::Manage(Manage::Operations)/>
            </ParentRoute>
            <Route path=path!("/-/p/*rest") view=ElsewherePage/>
            <Route path=path!("/:project/-/new") view=LazyPage::Manage(Manage::ModelNew)/>
            <Route path=path!("/:project/-/prompts/new") view=LazyPage::Manage(Manage::PromptNew)/>
            <Route path=path!("/:project/-/experiments/:number") view=LazyPage::Runs(Runs::Experiment)/>
            <Route path=path!("/:project/-/runs/compare") view=LazyPage::Compare(Kind::Runs)/>
            <Route path=path!("/:project/-/runs/:run") view=LazyPage::Runs(Runs::Candidate)/>
            <ParentRoute path=path!("/:project") view=ProjectFrame>
                <Route path=path!("") view=ModelsTab/>
                <Route path=path!("-/prompts") view=PromptsTab/>
                <Route path=path!("-/experiments") view=LazyPage::Runs(Runs::Experiments)/>
                <Route path=path!("-/members") view=LazyPage::Manage(Manage::Members)/>
                <Route path=path!("-/tokens") view=LazyPage::Manage(Manage::ProjectTokens)/>
                <Route path=path!("-/webhooks") view=LazyPage::Manage(Manage::ProjectWebhooks)/>
                <Route path=path!("-/audit") view=LazyPage::Manage(Manage::ProjectAudit)/>
                <Route path=path!("-/trash") view=LazyPage::Manage(Manage::Trash)/>
                <Route path=path!("-/edit") view=LazyPage::Manage(Manage::ProjectEdit)/>
            </ParentRoute>
            <Route path=path!("/:project/:model/versions/new") view=LazyPage::Versions(Versions::New)/>
            <Route path=path!("/:project/:model/versions/compare") view=LazyPage::Compare(Kind::Versions)/>
            <Route path=path!("/:project/:model/versions/:version") view=LazyPage::Versions(Versions::One)/>
            <Route path=path!("/:project/:model/candidates/compare") view=LazyPage::Compare(Kind::Candidates)/>
            <Route path=path!("/:project/:model/candidates/:number") view=LazyPage::Runs(Runs::Candidate)/>
            <ParentRoute path=path!("/:project/:model") view=ModelFrame>
                <Route path=path!("") view=LazyPage::Card/>
                <Route path=path!("versions") view=LazyPage::Versions(Versions::All)/>
                <Route path=path!("candidates") view=LazyPage::Runs(Runs::Candidates)/>
                <Route path=path!("-/audit") view=LazyPage::Manage(Manage::ModelAudit)/>
                <Route path=path!("-/edit") view=LazyPage::Manage(Manage::ModelEdit)/>
            </ParentRoute>
        </Routes>
    }
}

/// What only the browser can open, because this page's router does not know it.
#[component]
fn ElsewherePage() -> impl IntoView {
    let here = address::use_here().get_untracked();
    match address::is_elsewhere(&here) {
        true => {
            address::load(&here, true);
            // Where the browser asked first, and was told to stay.
            let text = format!("Open {here}");
            view! { <p><a class="link" rel="external" href=here>{text}</a></p> }.into_any()
        }
        false => view! { <NotFoundPage/> }.into_any(),
    }
}

/// Another page instead of this one, which the back button passes over.
#[component]
fn Instead(path: &'static str) -> impl IntoView {
    view! { <Redirect path options=NavigateOptions { replace: true, ..Default::default() }/> }
}

#[component]
fn Header() -> impl IntoView {
    let session = use_session();
    view! {
        <header class="border-b border-base-300 bg-base-100">
            <div class="mx-auto flex h-14 max-w-7xl items-center justify-between gap-4 px-4 sm:px-6 lg:px-8">
                <div class="flex min-w-0 items-center gap-1 sm:gap-3">
                    <a href=address::at("/") class="flex shrink-0 items-center gap-2.5 font-semibold tracking-tight">
                        <span class="grid size-8 place-items-center rounded-lg bg-primary text-primary-content">
                            <Icon d=icon::LAYERS class="size-5"/>
                        </span>
                        <span class="max-sm:sr-only">"Model Registry"</span>
                    </a>
                    {move || match session.standing.get() {
                        Standing::Known(viewer) => Some(view! { <ProjectSwitcher viewer/> }),
                        Standing::Unknown | Standing::Failed(_) => None,
                    }}
                </div>
                <div class="flex shrink-0 items-center gap-1">
                    <UploadStatus/>
                    <FindButton/>
                    <ThemeMenu/>
                    {move || match session.standing.get() {
                        Standing::Known(Some(viewer)) => Some(view! { <UserMenu viewer/> }.into_any()),
                        Standing::Known(None) => Some(view! { <SignInLink/> }.into_any()),
                        Standing::Unknown | Standing::Failed(_) => None,
                    }}
                </div>
            </div>
        </header>
    }
}

/// Opens the palette, and says which keys do.
#[component]
fn FindButton() -> impl IntoView {
    let PaletteOpen(open) = expect_context();
    view! {
        <button
            type="button"
            class="btn btn-ghost gap-2 font-normal text-muted sm:border-base-300"
            aria-keyshortcuts="Control+K"
            on:click=move |_| open.set(true)
        >
            <Icon d=icon::SEARCH/>
            <span class="max-sm:sr-only">"Find"</span>
            <kbd class="kbd kbd-sm hidden sm:inline-flex" aria-hidden="true">"Ctrl K"</kbd>
        </button>
    }
}

/// Leads to the sign-in and back; not where people are signing in already.
#[component]
fn SignInLink() -> impl IntoView {
    let location = use_location();
    let here = address::use_here();
    let elsewhere =
        move || !["/sign-in", "/invitation"].map(address::at).contains(&*location.pathname.read());
    view! {
        <Show when=elsewhere>
            <a class="btn btn-primary btn-sm" href=move || address::sign_in(&here.read())>
                <Icon d=icon::LOG_IN/>
                "Sign in"
            </a>
        </Show>
    }
}

#[component]
fn UserMenu(viewer: Viewer) -> impl IntoView {
    let submit = Submit::new();
    report(submit);
    let unsaved = use_unsaved();
    let asking = RwSignal::new(false);
    let drafts = RwSignal::new(0);
    let person = StoredValue::new(viewer.username.clone());
    let uploads = StoredValue::new(expect_context::<Uploads>());
    let uploading = RwSignal::new(false);
    let sign_out = move || {
        submit.run(viewer::sign_out(), move |_| {
            project_switcher::forget();
            draft::forget_all_of(&person.read_value());
            unsaved.give_up();
            uploads.read_value().abandon();
            // The browser loads anew, so that nothing of what this person saw stays in memory.
            let _ = window().location().set_href(&address::at("/sign-in"));
        });
    };
    let on_sign_out = move |_| {
        drafts.set(draft::count_of(&person.read_value()));
        uploading.set(uploads.read_value().busy());
        if drafts.get_untracked() > 0 || uploading.get_untracked() {
            asking.set(true);
        } else {
            sign_out();
        }
    };
    let Viewer { username, name, is_admin, .. } = viewer;
    let is_admin = is_admin == Some(true);
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
            <li><a href=address::at("/settings/account")><Icon d=icon::USER/>"Settings"</a></li>
            <li><a href=address::at("/settings/tokens")><Icon d=icon::KEY/>"Access tokens"</a></li>
            {is_admin.then(|| view! {
                <li><a href=address::at("/admin/users")><Icon d=icon::SHIELD/>"Administration"</a></li>
            })}
            <li>
                <a href=address::at("/graphql") rel="external"><Icon d=icon::TERMINAL/>"GraphQL explorer"</a>
            </li>
            <li>
                <button type="button" on:click=on_sign_out>
                    <Icon d=icon::LOG_OUT/>"Sign out"
                </button>
            </li>
        </Menu>
        <SignOutQuestion
            open=asking drafts uploading pending=submit.pending on_confirm=move |()| sign_out()
        />
    }
}

/// Says what is lost with the session.
#[component]
fn SignOutQuestion(
    open: RwSignal<bool>,
    /// How many texts are not saved.
    drafts: RwSignal<usize>,
    uploading: RwSignal<bool>,
    #[prop(into)] pending: Signal<bool>,
    #[prop(into)] on_confirm: Callback<()>,
) -> impl IntoView {
    view! {
        <Confirm open title="Sign out?" action="Sign out" danger=true pending on_confirm>
            <Show when=move || { drafts.get() > 0 }>
                <p>
                    "This browser keeps "
                    {move || format::plural(drafts.get() as i64, "text", "texts")}
                    " that you have not saved. Signing out discards them."
                </p>
            </Show>
            <Show when=move || uploading.get()>
                <p>"Some uploads are not finished. Signing out cancels them."</p>
            </Show>
        </Confirm>
    }
}

#[component]
fn Footer() -> impl IntoView {
    view! {
        <footer class="border-t border-base-300">
            <div class="mx-auto flex max-w-7xl flex-wrap items-center justify-between gap-x-6 gap-y-2 px-4 py-4 text-sm text-muted sm:px-6 lg:px-8">
                <span>"Model Registry"</span>
                <a class="link-hover link" href=address::at("/graphql") rel="external">"GraphQL explorer"</a>
            </div>
        </footer>
    }
}
