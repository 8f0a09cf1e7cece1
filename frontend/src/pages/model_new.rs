//! `/{project}/-/new`: a new model.

use leptos::prelude::*;
use leptos_router::NavigateOptions;

use super::DEVELOPERS;
use crate::{
    components::{
        breadcrumbs::Breadcrumbs,
        failed::{Allowed, FormError},
        field::{SubmitButton, TextField},
        form::{Submit, filled},
        loaded::{Load, Loaded},
        skeleton::SkeletonPage,
        title::PageTitle,
    },
    graphql::{
        model::{self, CreateModelInput},
        project,
        scalar::Role,
    },
    logic::{address, check},
    parts::{draft::Draft, markdown_field::MarkdownField},
};

#[component]
pub fn ModelNewPage() -> impl IntoView {
    let path = address::use_param("project");
    let load = Load::of_path(path, project::get, |project| project.path.clone());
    view! {
        <PageTitle text="New model"/>
        <div class="mx-auto max-w-3xl">
            <Loaded page=true from=load fallback=|| view! { <SkeletonPage/> } let:project>
                <Breadcrumbs items=Signal::derive(move || vec![
                    ("Projects".to_owned(), address::at("/")),
                    (path.get(), address::project(&path.read())),
                ])/>
                <h1 class="mb-5 text-2xl font-semibold tracking-tight">"New model"</h1>
                <Allowed when=Signal::derive(move || project.read().allows(Role::Developer)) who=DEVELOPERS>
                    <NewModel project=path/>
                </Allowed>
            </Loaded>
        </div>
    }
}

#[component]
fn NewModel(project: Memo<String>) -> impl IntoView {
    let navigate = address::use_navigate();
    let name = RwSignal::new(String::new());
    let draft = Draft::new(&format!("new model in {}", project.read_untracked()), String::new());
    let submit = Submit::naming("name");
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let description = draft.value.get_untracked();
        let input = CreateModelInput {
            project: project.get_untracked(),
            name: name.get_untracked(),
            description: filled(&description),
            tags: None,
        };
        let navigate = navigate.clone();
        submit.run(model::create(input), move |model| {
            draft.is_saved(description);
            navigate(&address::model(&model.path), NavigateOptions::default());
        });
    };
    let blocked = Signal::derive(move || {
        name.read().is_empty()
            || check::model_name(&name.read()).is_some()
            || check::description(&draft.value.read()).is_some()
    });
    view! {
        <form class="panel space-y-5 p-6" on:submit=send>
            <TextField
                id="name" label="Name" value=name required=true autofocus=true placeholder="ocr"
                hint="The name used in scripts and MLflow." check=check::model_name refused=submit.field("name")
            />
            <MarkdownField
                id="description" label="Model card" draft rows=14 refused=submit.field("description")
            />
            <FormError error=submit.general(&["name", "description"])/>
            <div class="flex justify-end gap-2">
                <a class="btn" href=move || address::project(&project.read())>"Cancel"</a>
                <SubmitButton text="Create model" pending=submit.pending disabled=blocked/>
            </div>
        </form>
    }
}
