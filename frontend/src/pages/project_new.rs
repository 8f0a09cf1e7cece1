//! `/new`: a new project.

use leptos::prelude::*;
use leptos_router::NavigateOptions;

use crate::{
    components::{
        breadcrumbs::Breadcrumbs,
        failed::{Failed, FormError},
        field::{SubmitButton, TextField},
        form::{Submit, filled},
        title::PageTitle,
    },
    graphql::project::{self, CreateProjectInput},
    logic::{
        address, check,
        error::{ApiError, Code},
    },
    parts::{
        access::{
            signed_in::SignedIn,
            visibility::{VisibilityField, visibility_of},
        },
        draft::Draft,
        markdown_field::MarkdownField,
    },
    session::use_session,
};

const FIELDS: &[&str] = &["path", "name", "description", "visibility"];

#[component]
pub fn ProjectNewPage() -> impl IntoView {
    let session = use_session();
    let creates = Memo::new(move |_| session.creates_projects());
    view! {
        <PageTitle text="New project"/>
        <SignedIn>
            <div class="mx-auto max-w-2xl">
                <Breadcrumbs items=vec![("Projects".to_owned(), address::at("/"))]/>
                <h1 class="mb-5 text-2xl font-semibold tracking-tight">"New project"</h1>
                <Show when=move || creates.get() fallback=OnlyAdministrators><NewProject/></Show>
            </div>
        </SignedIn>
    }
}

/// In place of what the server would refuse.
#[component]
fn OnlyAdministrators() -> impl IntoView {
    let error = ApiError::new(Code::Forbidden, "Only administrators can create projects here.");
    view! { <Failed error on_retry=|()| {}/> }
}

#[component]
fn NewProject() -> impl IntoView {
    let navigate = address::use_navigate();
    let name = RwSignal::new(String::new());
    let path = RwSignal::new(String::new());
    let draft = Draft::new("new project", String::new());
    let visibility = RwSignal::new("private".to_owned());
    let submit = Submit::naming("path");
    // The path follows the name until somebody writes one.
    Effect::new(move |before: Option<String>| {
        let suggested: String = check::slug(&name.read()).chars().take(63).collect();
        if path.read_untracked().is_empty() || before.is_some_and(|b| b == *path.read_untracked()) {
            path.set(suggested.clone());
        }
        suggested
    });
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let description = draft.value.get_untracked();
        let input = CreateProjectInput {
            path: path.get_untracked(),
            name: filled(&name.get_untracked()),
            description: filled(&description),
            visibility: Some(visibility_of(&visibility.get_untracked())),
        };
        let navigate = navigate.clone();
        submit.run(project::create(input), move |project| {
            draft.is_saved(description);
            navigate(&address::project(&project.path), NavigateOptions::default());
        });
    };
    let blocked = Signal::derive(move || {
        path.read().is_empty()
            || check::project_path(&path.read()).is_some()
            || check::description(&draft.value.read()).is_some()
    });
    view! {
        <form class="panel space-y-5 p-6" on:submit=send>
            <TextField id="name" label="Name" value=name autofocus=true placeholder="Vision" refused=submit.field("name")/>
            <TextField
                id="path" label="Path" value=path required=true mono=true placeholder="vision"
                hint="The project's address in links and scripts."
                check=check::project_path refused=submit.field("path")
            />
            <VisibilityField value=visibility/>
            <MarkdownField id="description" label="Description" draft rows=6 refused=submit.field("description")/>
            <FormError error=submit.general(FIELDS)/>
            <div class="flex justify-end gap-2">
                <a class="btn" href=address::at("/")>"Cancel"</a>
                <SubmitButton text="Create project" pending=submit.pending disabled=blocked/>
            </div>
        </form>
    }
}
