//! `/{project}/{model}/versions/new`: a new version; its files come next, and of a prompt its template is here.

use leptos::prelude::*;
use leptos_router::NavigateOptions;

use super::{DEVELOPERS, prompt_new::NewTemplateForm};
use crate::{
    components::{
        breadcrumbs::Breadcrumbs,
        failed::{Allowed, FormError},
        field::SubmitButton,
        form::{Submit, filled},
        loaded::{Load, Loaded},
        skeleton::SkeletonPage,
        title::PageTitle,
    },
    graphql::{
        model::{self, ModelDetail},
        scalar::Role,
        version::{self, CreateModelVersionInput},
    },
    logic::{address, check},
    parts::{
        draft::Draft,
        markdown_field::MarkdownField,
        models::{crumbs, version_field::VersionField},
    },
};

#[component]
pub fn VersionNewPage() -> impl IntoView {
    let path = address::use_model_path();
    let load = Load::of_path(path, model::get, |model| model.path.clone());
    view! {
        <PageTitle text=move || format!("New version of {}", path.get())/>
        <div class="mx-auto max-w-3xl">
            <Loaded page=true from=load fallback=|| view! { <SkeletonPage/> } let:model>
                <Breadcrumbs items=Signal::derive(move || model.with(|model| {
                    crumbs::to_versions(model.kind, &model.project.path, &model.path, &model.name)
                }))/>
                <h1 class="mb-5 text-2xl font-semibold tracking-tight">"New version"</h1>
                <Allowed
                    when=Signal::derive(move || model.read().project.allows(Role::Developer))
                    who=DEVELOPERS
                >
                    {move || match model.get_untracked() {
                        model if model.is_prompt() => view! { <NewTemplateForm model/> }.into_any(),
                        model => view! { <NewVersion model/> }.into_any(),
                    }}
                </Allowed>
            </Loaded>
        </div>
    }
}

#[component]
fn NewVersion(model: ModelDetail) -> impl IntoView {
    let navigate = address::use_navigate();
    let path = model.path.clone();
    let back = address::model_page(&path, "versions");
    let next = model.next_version;
    let value = RwSignal::new(next.clone());
    let draft = Draft::new(&format!("new version of {}", model.id.inner()), String::new());
    let latest = model.latest_version.map(|latest| latest.version);
    let submit = Submit::naming("version");
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let description = draft.value.get_untracked();
        let input = CreateModelVersionInput {
            model: path.clone(),
            version: Some(value.get_untracked()),
            description: filled(&description),
            tags: None,
        };
        let (navigate, path) = (navigate.clone(), path.clone());
        submit.run(version::create(input), move |made| {
            draft.is_saved(description);
            navigate(&address::version(&path, &made.version), NavigateOptions::default());
        });
    };
    let blocked = Signal::derive(move || {
        value.read().is_empty()
            || check::version(&value.read()).is_some()
            || check::description(&draft.value.read()).is_some()
    });
    view! {
        <form class="panel space-y-5 p-6" on:submit=send>
            <VersionField value latest=Signal::stored(latest) next=Signal::stored(next) refused=submit.field("version")/>
            <MarkdownField
                id="description" label="Release notes" draft refused=submit.field("description")
            />
            <FormError error=submit.general(&["version", "description"])/>
            <div class="flex flex-wrap items-center justify-between gap-3">
                <p class="text-sm text-muted">"The version starts as a draft. Next, you add files."</p>
                <div class="flex gap-2">
                    <a class="btn" href=back>"Cancel"</a>
                    <SubmitButton text="Create version" pending=submit.pending disabled=blocked/>
                </div>
            </div>
        </form>
    }
}
