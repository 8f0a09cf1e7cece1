//! `/{project}/{model}`: the heading and the tabs; what is below them is in the tabs' own files.

use leptos::prelude::*;
use leptos_router::{components::Outlet, hooks::use_location};

use crate::{
    address,
    components::{
        breadcrumbs::Breadcrumbs,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        skeleton::SkeletonPage,
    },
    format,
    graphql::model::{self, ModelDetail},
};

/// The model of the tabs below, and how to load it again.
#[derive(Clone, Copy)]
pub struct CurrentModel {
    pub path: Memo<String>,
    pub detail: Memo<ModelDetail>,
    load: Load<ModelDetail>,
}

impl CurrentModel {
    pub fn reload(self) {
        self.load.refetch();
    }
}

pub fn use_model() -> CurrentModel {
    expect_context()
}

#[component]
pub fn ModelFrame() -> impl IntoView {
    let path = address::use_model_path();
    let load = LocalResource::new(move || model::get(path.get()));
    view! {
        <Loaded page=true from=load fallback=|| view! { <SkeletonPage/> } children=move |detail| {
            provide_context(CurrentModel { path, detail, load });
            view! {
                <Heading path detail/>
                <Outlet/>
            }
        }/>
    }
}

#[component]
fn Heading(path: Memo<String>, detail: Memo<ModelDetail>) -> impl IntoView {
    let location = use_location();
    let tab = move |page: &'static str,
                    d: &'static str,
                    text: &'static str,
                    count: Option<Signal<i32>>| {
        let href = Memo::new(move |_| match page {
            "" => address::model(&path.read()),
            page => address::model_page(&path.read(), page),
        });
        // Addresses are compared decoded: browsers differ in which characters they encode.
        let active = Memo::new(move |_| {
            let decoded =
                |path: &str| leptos_router::location::Url::unescape(path.trim_end_matches('/'));
            decoded(&location.pathname.read()) == decoded(&href.read())
        });
        view! {
            <li>
                <a
                    href=href
                    class="flex items-center gap-2 whitespace-nowrap border-b-2 px-1 pb-2.5 pt-1 text-sm font-medium"
                    class=("border-primary", active)
                    class=("border-transparent", move || !active.get())
                    class=("text-muted", move || !active.get())
                    aria-current=move || active.get().then_some("page")
                    data-noscroll
                >
                    <Icon d/>
                    {text}
                    {count.map(|count| view! {
                        <span class="badge badge-sm border-base-300 bg-base-200 tabular-nums">
                            {move || format::count(count.get().into())}
                        </span>
                    })}
                </a>
            </li>
        }
    };
    let versions = Signal::derive(move || detail.read().version_count);
    let candidates = Signal::derive(move || detail.read().candidate_count);
    view! {
        <Breadcrumbs items=Signal::derive(move || detail.with(|model| vec![
            ("Projects".to_owned(), "/".to_owned()),
            (model.project.path.clone(), address::project(&model.project.path)),
        ]))/>
        <div class="flex flex-wrap items-center justify-between gap-3">
            <h1 class="min-w-0 break-words text-2xl font-semibold tracking-tight">
                {move || detail.read().name.clone()}
            </h1>
            <a class="btn btn-primary" href=move || address::model_page(&path.read(), "versions/new")>
                <Icon d=icon::PLUS/>
                "New version"
            </a>
        </div>
        <nav aria-label="Model" class="mb-6 mt-4 overflow-x-auto border-b border-base-300">
            <ul class="-mb-px flex gap-5">
                {tab("", icon::FILE_TEXT, "Card", None)}
                {tab("versions", icon::PACKAGE, "Versions", Some(versions))}
                {tab("candidates", icon::FLASK, "Candidates", Some(candidates))}
                {tab("-/edit", icon::PENCIL, "Edit", None)}
            </ul>
        </nav>
    }
}
