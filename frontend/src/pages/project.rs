//! `/{project}`: the heading and the tabs; what is below them is in the tabs' own files.

use leptos::prelude::*;
use leptos_router::{components::Outlet, hooks::use_location};

use crate::{
    components::{
        breadcrumbs::Breadcrumbs,
        icon::{self, Icon},
        loaded::{Frame, Load},
        tabs::{Tab, Tabs},
        title::PageTitle,
    },
    graphql::{
        project::{self, ProjectDetail},
        scalar::{Role, Visibility},
        webhook::{self, WebhookHealth},
    },
    logic::address,
    parts::{access::visibility::visibility_name, project_switcher::remember},
    session::use_session,
};

/// The project of the tabs below, and how to load it again.
#[derive(Clone, Copy)]
pub struct CurrentProject {
    pub path: Memo<String>,
    pub load: Load<ProjectDetail>,
}

impl CurrentProject {
    pub fn reload(self) {
        self.load.refetch();
    }

    /// Reads what is known of it: nothing before the answer, for which its tabs do not wait.
    pub fn get<U>(self, read: impl FnOnce(&ProjectDetail) -> U) -> Option<U> {
        self.load.with(|detail| detail?.ok().map(read))
    }

    /// Who can see it: only members, as long as that is not known.
    pub fn visibility(self) -> Visibility {
        self.get(|detail| detail.visibility).unwrap_or(Visibility::Private)
    }

    /// Whether the viewer may do what takes this role.
    pub fn allows(self, role: Role) -> bool {
        self.get(|detail| detail.allows(role)).unwrap_or_default()
    }
}

pub fn use_project() -> CurrentProject {
    expect_context()
}

#[component]
pub fn ProjectFrame() -> impl IntoView {
    let path = address::use_param("project");
    let load = Load::of_path(path, project::get, |project| project.path.clone());
    provide_context(CurrentProject { path, load });
    view! {
        // For where there is no such project; the tabs have titles of their own.
        <PageTitle text=move || path.get()/>
        <Frame from=load heading=move |detail| view! { <Heading path detail/> }>
            <Outlet/>
        </Frame>
    }
}

#[component]
fn Heading(path: Memo<String>, detail: Memo<ProjectDetail>) -> impl IntoView {
    let loaded = Memo::new(move |_| detail.read().path.clone());
    remember(loaded.into());
    let session = use_session();
    let name = move || {
        detail.with(|project| {
            if project.name.is_empty() { project.path.clone() } else { project.name.clone() }
        })
    };
    let location = use_location();
    // Creates what the open list shows.
    let new = move || {
        let lists_prompts =
            *location.pathname.read() == address::project_page(&path.read(), "prompts");
        if lists_prompts { ("prompts/new", "New prompt") } else { ("new", "New model") }
    };
    let edits = Memo::new(move |_| detail.read().allows(Role::Developer));
    let tabs = Memo::new(move |_| {
        let maintains = detail.read().allows(Role::Maintainer);
        let page = |page: &str| address::project_page(&path.read(), page);
        let models = Tab::new(address::project(&path.read()), icon::BOX, "Models");
        let prompts = Tab::new(page("prompts"), icon::MESSAGE, "Prompts");
        let (model_count, prompt_count) =
            detail.with(|detail| (detail.models.total_count, detail.prompts.total_count));
        let shown = [
            (true, Tab { count: Some(model_count), ..models }),
            (prompt_count > 0 || edits.get(), Tab { count: Some(prompt_count), ..prompts }),
            (true, Tab::new(page("experiments"), icon::FLASK, "Experiments")),
            (session.signed_in(), Tab::new(page("members"), icon::USERS, "Members")),
            (maintains, Tab::new(page("tokens"), icon::KEY, "Access tokens")),
            (maintains, Tab::new(page("webhooks"), icon::SEND, "Webhooks")),
            (true, Tab::new(page("audit"), icon::HISTORY, "Audit log")),
            (edits.get(), Tab::new(page("trash"), icon::TRASH, "Trash")),
            (maintains, Tab::new(page("edit"), icon::SLIDERS, "Settings")),
        ];
        shown.into_iter().filter_map(|(shown, tab)| shown.then_some(tab)).collect::<Vec<_>>()
    });
    view! {
        <Breadcrumbs items=vec![("Projects".to_owned(), address::at("/"))]/>
        <div class="flex flex-wrap items-center justify-between gap-3">
            <div class="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1">
                <h1 class="break-words text-2xl font-semibold tracking-tight">{name}</h1>
                <span class="font-mono text-sm text-muted">{path}</span>
                <span class="badge badge-sm border-base-300 bg-base-100">
                    {move || visibility_name(detail.read().visibility)}
                </span>
            </div>
            <Show when=move || edits.get()>
                <a class="btn btn-primary" href=move || address::project_page(&path.read(), new().0)>
                    <Icon d=icon::PLUS/>{move || new().1}
                </a>
            </Show>
        </div>
        <Show when=move || detail.read().allows(Role::Maintainer)>
            <FailingWebhooks path/>
        </Show>
        <Tabs label="Project" tabs/>
    }
}

/// Says which webhooks nothing is sent to, to those who can mend it. Where they are shown it has been said.
#[component]
fn FailingWebhooks(path: Memo<String>) -> impl IntoView {
    let pathname = use_location().pathname;
    let page = move || address::project_page(&path.read(), "webhooks");
    let is_elsewhere = Memo::new(move |_| *pathname.read() != page());
    // Asked again when one comes from there.
    let failing = Load::new(move || {
        is_elsewhere.track();
        webhook::failing(path.get())
    });
    let names = move || {
        failing.with(|hooks| {
            let names = |hook: &WebhookHealth| format!("“{}”", hook.name);
            hooks
                .and_then(Result::ok)
                .map(|hooks| hooks.iter().map(names).collect::<Vec<_>>().join(", "))
        })
    };
    view! {
        <div role="status">
            {move || names().filter(|names| !names.is_empty() && is_elsewhere.get()).map(|names| view! {
                <p class="mt-3 flex items-center gap-2 rounded-field border border-warning bg-warning/10 px-3 py-2 text-sm">
                    <span class="text-warning"><Icon d=icon::WARNING class="size-5 shrink-0"/></span>
                    <span>
                        {format!("Webhooks that fail: {names}. ")}
                        <a class="link" href=page()>"See why"</a>
                    </span>
                </p>
            })}
        </div>
    }
}
