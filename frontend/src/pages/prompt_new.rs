//! `/{project}/-/prompts/new`: a new prompt with its first template; and `…/versions/new` of one: its next template.

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
        toast::use_toasts,
    },
    graphql::{
        kind::ModelKind,
        model::ModelDetail,
        project,
        prompt::{self, Made, NewTemplate},
        scalar::Role,
    },
    logic::{address, check, template::pretty},
    parts::{
        draft::Draft,
        markdown_field::MarkdownField,
        models::{crumbs, version_field::VersionField},
        prompts::form::{TemplateFields, Writing},
    },
};

#[component]
pub fn PromptNewPage() -> impl IntoView {
    let path = address::use_param("project");
    let load = Load::of_path(path, project::get, |project| project.path.clone());
    view! {
        <PageTitle text="New prompt"/>
        <div class="mx-auto max-w-3xl">
            <Loaded page=true from=load fallback=|| view! { <SkeletonPage/> } let:project>
                <Breadcrumbs items=Signal::derive(move || crumbs::above(ModelKind::Prompt, &path.read()))/>
                <h1 class="mb-5 text-2xl font-semibold tracking-tight">"New prompt"</h1>
                <Allowed when=Signal::derive(move || project.read().allows(Role::Developer)) who=DEVELOPERS>
                    <NewPrompt project=path/>
                </Allowed>
            </Loaded>
        </div>
    }
}

#[component]
fn NewPrompt(project: Memo<String>) -> impl IntoView {
    let (navigate, toasts) = (address::use_navigate(), use_toasts());
    let name = RwSignal::new(String::new());
    let object = format!("new prompt in {}", project.read_untracked());
    let writing = Writing::new(&object, String::new(), false);
    let submit = Submit::naming("name");
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let text = writing.draft.value.get_untracked();
        let is_chat = untrack(|| writing.is_chat());
        let first = NewTemplate { text: text.clone(), is_chat, before: None, message: None };
        let made = prompt::create(project.get_untracked(), name.get_untracked(), first);
        let navigate = navigate.clone();
        submit.run(made, move |Made { made, failed }| {
            match failed {
                None => writing.draft.is_saved(text),
                Some(error) => toasts.failure(&error),
            }
            navigate(&address::model(&made.path), NavigateOptions::default());
        });
    };
    let blocked = Signal::derive(move || {
        name.read().is_empty() || check::prompt_name(&name.read()).is_some() || !writing.is_ready()
    });
    view! {
        <form class="panel space-y-5 p-6" on:submit=send>
            <TextField
                id="name" label="Name" value=name required=true autofocus=true placeholder="summary"
                hint="The name used in scripts and MLflow." check=check::prompt_name refused=submit.field("name")
            />
            <TemplateFields writing/>
            <FormError error=submit.general(&["name"])/>
            <div class="flex justify-end gap-2">
                <a class="btn" href=move || address::project_page(&project.read(), "prompts")>"Cancel"</a>
                <SubmitButton text="Create prompt" pending=submit.pending disabled=blocked/>
            </div>
        </form>
    }
}

/// The next version of a prompt, which begins as the latest one is.
#[component]
pub fn NewTemplateForm(model: ModelDetail) -> impl IntoView {
    let (navigate, toasts) = (address::use_navigate(), use_toasts());
    let path = model.path.clone();
    let back = address::model_page(&path, "versions");
    let next = model.next_version.clone();
    let value = RwSignal::new(next.clone());
    let latest = model.latest_version.as_ref().map(|latest| latest.version.clone());
    let before = StoredValue::new(model.latest_template().cloned());
    let (text, is_chat) = before.with_value(|before| {
        let text = before.as_ref().map_or(String::new(), |before| before.text.clone());
        match before.as_ref().is_some_and(|before| before.messages.is_some()) {
            true => (pretty(&text), true),
            false => (text, false),
        }
    });
    let writing = Writing::new(&format!("template of {}", model.id.inner()), text, is_chat);
    let message = Draft::new(&format!("new version of {}", model.id.inner()), String::new());
    let submit = Submit::naming("version");
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (text, notes) = (writing.draft.value.get_untracked(), message.value.get_untracked());
        let new = NewTemplate {
            text: text.clone(),
            is_chat: untrack(|| writing.is_chat()),
            before: before.get_value(),
            message: filled(&notes),
        };
        let (navigate, path) = (navigate.clone(), path.clone());
        let made = prompt::add(path.clone(), Some(value.get_untracked()), new);
        submit.run(made, move |Made { made, failed }| {
            writing.draft.is_saved(text);
            message.is_saved(notes);
            if let Some(error) = failed {
                toasts.failure(&error);
            }
            navigate(&address::version(&path, &made.version), NavigateOptions::default());
        });
    };
    let blocked = Signal::derive(move || {
        value.read().is_empty()
            || check::version(&value.read()).is_some()
            || check::description(&message.value.read()).is_some()
            || message.found.read().is_some()
            || !writing.is_ready()
    });
    view! {
        <form class="panel space-y-5 p-6" on:submit=send>
            <VersionField value latest=Signal::stored(latest) next=Signal::stored(next) refused=submit.field("version")/>
            <TemplateFields writing/>
            <MarkdownField
                id="description" label="What changed" draft=message rows=4 refused=submit.field("description")
            />
            <FormError error=submit.general(&["version", "description"])/>
            <div class="flex flex-wrap items-center justify-between gap-3">
                <p class="text-sm text-muted">"The template of a version can't be changed afterwards."</p>
                <div class="flex gap-2">
                    <a class="btn" href=back>"Cancel"</a>
                    <SubmitButton text="Publish version" pending=submit.pending disabled=blocked/>
                </div>
            </div>
        </form>
    }
}
