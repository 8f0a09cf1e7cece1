//! `/{project}/{model}`: the heading and the tabs; what is below them is in the tabs' own files.

use leptos::prelude::*;
use leptos_router::components::Outlet;

use crate::{
    components::{
        breadcrumbs::Breadcrumbs,
        icon::{self, Icon},
        loaded::{Frame, Load},
        tabs::{Tab, Tabs},
        title::PageTitle,
    },
    graphql::{
        model::{self, ModelDetail},
        scalar::{Role, Visibility},
    },
    live::keep_following,
    logic::address,
    parts::{models::crumbs, project_switcher::remember},
};

/// The model of the tabs below, and how to load it again.
#[derive(Clone, Copy)]
pub struct CurrentModel {
    pub path: Memo<String>,
    pub load: Load<ModelDetail>,
    changes: RwSignal<u32>,
}

impl CurrentModel {
    pub fn reload(self) {
        self.load.refetch();
    }

    /// Tracks what somebody changes of the model, its versions or aliases.
    pub fn track_changes(self) {
        self.changes.track();
    }

    /// Reads what is known of it: nothing before the answer, for which its tabs do not wait.
    pub fn get<U>(self, read: impl FnOnce(&ModelDetail) -> U) -> Option<U> {
        self.load.with(|detail| detail?.ok().map(read))
    }

    pub fn name(self) -> String {
        self.get(|detail| detail.name.clone()).unwrap_or_default()
    }

    /// The path of its project.
    pub fn project(self) -> String {
        self.get(|detail| detail.project.path.clone()).unwrap_or_default()
    }

    /// Who can see its project: only members, as long as that is not known.
    pub fn visibility(self) -> Visibility {
        self.get(|detail| detail.project.visibility).unwrap_or(Visibility::Private)
    }

    /// Whether its versions have templates, and no files.
    pub fn is_prompt(self) -> bool {
        self.get(ModelDetail::is_prompt).unwrap_or_default()
    }

    /// Whether the viewer may do what takes this role.
    pub fn allows(self, role: Role) -> bool {
        self.get(|detail| detail.project.allows(role)).unwrap_or_default()
    }
}

pub fn use_model() -> CurrentModel {
    expect_context()
}

#[component]
pub fn ModelFrame() -> impl IntoView {
    let path = address::use_model_path();
    let load = Load::of_path(path, model::get, |model| model.path.clone());
    // Somebody else may move an alias meanwhile, or publish a version.
    let changes = RwSignal::new(0_u32);
    let changed = move || {
        load.refetch();
        changes.update(|changes| *changes += 1);
    };
    keep_following(move || model::follow(path.get(), changed));
    provide_context(CurrentModel { path, load, changes });
    view! {
        // For where there is no such model; the tabs have titles of their own.
        <PageTitle text=move || path.get()/>
        <Frame from=load heading=move |detail| view! { <Heading path detail/> }>
            <Outlet/>
        </Frame>
    }
}

#[component]
fn Heading(path: Memo<String>, detail: Memo<ModelDetail>) -> impl IntoView {
    remember(Signal::derive(move || detail.read().project.path.clone()));
    let edits = Memo::new(move |_| detail.read().project.allows(Role::Developer));
    let tabs = Memo::new(move |_| {
        let page = |page: &str| address::model_page(&path.read(), page);
        let detail = detail.read();
        let (d, first) =
            if detail.is_prompt() { (icon::MESSAGE, "Prompt") } else { (icon::FILE_TEXT, "Card") };
        let versions = Tab::new(page("versions"), icon::PACKAGE, "Versions");
        let runs = Tab::new(page("candidates"), icon::FLASK, "Runs");
        let shown = [
            (true, Tab::new(address::model(&path.read()), d, first)),
            (true, Tab { count: Some(detail.version_count), ..versions }),
            (!detail.is_prompt(), Tab { count: Some(detail.candidate_count), ..runs }),
            (true, Tab::new(page("-/audit"), icon::HISTORY, "Audit log")),
            (edits.get(), Tab::new(page("-/edit"), icon::PENCIL, "Edit")),
        ];
        shown.into_iter().filter_map(|(shown, tab)| shown.then_some(tab)).collect::<Vec<_>>()
    });
    view! {
        <Breadcrumbs items=Signal::derive(move || {
            detail.with(|model| crumbs::above(model.kind, &model.project.path))
        })/>
        <div class="flex flex-wrap items-center justify-between gap-3">
            <h1 class="min-w-0 break-words text-2xl font-semibold tracking-tight">
                {move || detail.read().name.clone()}
            </h1>
            <Show when=move || edits.get()>
                <a class="btn btn-primary" href=move || address::model_page(&path.read(), "versions/new")>
                    <Icon d=icon::PLUS/>
                    "New version"
                </a>
            </Show>
        </div>
        <Tabs label="Model" tabs/>
    }
}
