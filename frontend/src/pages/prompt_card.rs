//! `/{project}/{model}` of a prompt: the latest template, what it is for, and the facts beside it.

use leptos::prelude::*;

use super::model::use_model;
use super::model_card::{About, AliasesAndTags};
use crate::{
    components::{
        empty::Empty,
        facts::SidePanel,
        icon::{self, Icon},
        snippets::Snippet,
        time::Time,
    },
    graphql::{
        model::{self, LatestVersion, ModelDetail, UpdateModelInput},
        scalar::Role,
    },
    logic::address,
    parts::{
        description::Description,
        models::mlflow::MlflowPanel,
        prompts::{mlflow, template::TemplatePanel},
    },
};

#[component]
pub fn PromptCard(detail: Memo<ModelDetail>) -> impl IntoView {
    let model = use_model();
    let changed = Callback::new(move |()| model.reload());
    let editable = Signal::derive(move || model.allows(Role::Developer));
    let template = Memo::new(move |_| detail.read().latest_template().cloned());
    let save = Callback::new(move |text: String| {
        let input = UpdateModelInput { model: model.path.get_untracked(), description: Some(text) };
        Box::pin(async move { model::update(input).await.map(drop) }) as _
    });
    let latest = Memo::new(move |_| detail.read().latest_version.clone());
    view! {
        <div class="grid grid-cols-[minmax(0,1fr)] items-start gap-6 lg:grid-cols-[minmax(0,1fr)_22rem]">
            <div class="min-w-0 space-y-6">
                <Show when=move || latest.read().is_none()><NoVersion editable/></Show>
                <TemplatePanel template/>
                <Description
                    title="Description"
                    object=Signal::derive(move || detail.read().draft_key())
                    files=Signal::stored(None::<String>)
                    text=Signal::derive(move || detail.read().description.clone())
                    html=Signal::derive(move || detail.read().description_html.clone())
                    save
                    editable
                    on_saved=changed
                    empty="No description yet. What is this prompt for? Which language models was it tried with?"
                />
            </div>
            <div class="space-y-4">
                {move || latest.get().map(|latest| view! { <Latest latest path=model.path/> })}
                <MlflowPanel
                    project=Signal::derive(move || model.project())
                    snippets=Signal::derive(move || detail.with(|detail| snippets(detail, editable.get())))
                    visibility=Signal::derive(move || detail.read().project.visibility)
                    writes=editable
                />
                <AliasesAndTags detail editable/>
                <About detail/>
            </div>
        </div>
    }
}

#[component]
fn NoVersion(editable: Signal<bool>) -> impl IntoView {
    let path = use_model().path;
    view! {
        <Empty d=icon::MESSAGE title="No versions yet">
            <p>"A version holds one template."</p>
            <Show when=move || editable.get()>
                <a class="btn btn-primary" href=move || address::model_page(&path.read(), "versions/new")>
                    <Icon d=icon::PLUS/>
                    "New version"
                </a>
            </Show>
        </Empty>
    }
}

#[component]
fn Latest(latest: LatestVersion, path: Memo<String>) -> impl IntoView {
    let LatestVersion { version, created_at, published_at, .. } = latest;
    let href = address::version(&path.read_untracked(), &version);
    view! {
        <SidePanel title="Latest version">
            <a class="link-hover link font-mono text-xl font-semibold" href=href>{version}</a>
            <p class="mt-1 text-sm text-muted"><Time at=published_at.unwrap_or(created_at).0/></p>
        </SidePanel>
    }
}

/// How MLflow's client loads the prompt, and adds to it, for who may.
fn snippets(detail: &ModelDetail, writes: bool) -> Vec<Snippet> {
    let template = detail.latest_template();
    let latest = detail.latest_version.as_ref();
    let latest = latest.map(|_| ("Load", mlflow::by_alias(&detail.name, "latest")));
    let alias = detail.aliases.first();
    let alias = alias.map(|alias| ("By alias", mlflow::by_alias(&detail.name, &alias.name)));
    let loading = latest.into_iter().chain(alias);
    let loading = loading.map(|(name, uri)| mlflow::load(name, &uri, template));
    loading.chain(writes.then(|| mlflow::register(&detail.name))).collect()
}
