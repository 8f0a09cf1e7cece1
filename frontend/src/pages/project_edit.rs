//! `/{project}/-/edit`: name, description, visibility, protected aliases, path, delete.

use leptos::{prelude::*, task::spawn_local};
use leptos_router::NavigateOptions;

use super::{MAINTAINERS, project::use_project};
use crate::{
    components::{
        confirm::Confirm,
        failed::{Allowed, FormError},
        field::{CheckField, SubmitButton, TextField},
        form::Submit,
        icon::{self, Icon},
        loaded::Loaded,
        title::PageTitle,
        toast::use_toasts,
    },
    graphql::{
        kind::ModelKind,
        project::{
            self, DeleteProjectInput, ProjectDetail, RenameProjectInput, RestoreProjectInput,
            UpdateProjectInput,
        },
        protected_alias::Place,
        scalar::{Role, Visibility},
    },
    logic::{address, check},
    parts::{
        access::visibility::{VisibilityField, visibility_name, visibility_of},
        draft::Draft,
        markdown_field::MarkdownField,
        models::protected_aliases::ProtectedAliases,
        tags::report,
    },
    session::use_session,
};

/// Where clients are that name no project.
const DEFAULT: &str = "default";

#[component]
pub fn ProjectEditTab() -> impl IntoView {
    let project = use_project();
    view! {
        <PageTitle text=move || format!("Settings of {}", project.path.get())/>
        <Loaded from=project.load let:detail>
            <Forms detail/>
        </Loaded>
    }
}

#[component]
fn Forms(detail: Memo<ProjectDetail>) -> impl IntoView {
    // Another project has a form and a draft of its own.
    let id = Memo::new(move |_| detail.read().id.inner().to_owned());
    let project = use_project();
    let session = use_session();
    let owns = Memo::new(move |_| project.allows(Role::Owner));
    let moves = move || *project.path.read() != DEFAULT || session.is_admin();
    view! {
        <Allowed when=Signal::derive(move || project.allows(Role::Maintainer)) who=MAINTAINERS>
            <div class="max-w-3xl space-y-6">
                {move || {
                    let object = format!("project {}", id.read());
                    let draft = Draft::new(&object, detail.read_untracked().description.clone());
                    view! { <EditForm detail owns draft/> }
                }}
                <ProtectedAliases
                    place=Signal::derive(move || Place::Project(project.path.get()))
                    on_change=|()| {}
                />
                <Show when=move || owns.get()>
                    <Show when=moves fallback=OnlyAdministrators>
                        <RenameForm/>
                        <DeleteSection detail/>
                    </Show>
                </Show>
            </div>
        </Allowed>
    }
}

/// In place of what the server would refuse.
#[component]
fn OnlyAdministrators() -> impl IntoView {
    view! {
        <p class="panel p-6 text-sm text-muted">
            "Clients that don't specify a project use “default”. Only an administrator can change its path or delete it."
        </p>
    }
}

/// The description and the way of downloads; for owners also the name and who can see the project.
#[component]
fn EditForm(detail: Memo<ProjectDetail>, owns: Memo<bool>, draft: Draft) -> impl IntoView {
    let project = use_project();
    let toasts = use_toasts();
    let before = detail.get_untracked();
    let name = RwSignal::new(before.name);
    let visibility = RwSignal::new(visibility_name(before.visibility).to_owned());
    let is_redirected = before.redirects_downloads.is_some();
    let redirects = RwSignal::new(before.redirects_downloads.unwrap_or_default());
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let owns = owns.get_untracked();
        let description = draft.value.get_untracked();
        let input = UpdateProjectInput {
            project: project.path.get_untracked(),
            name: owns.then(|| name.get_untracked().trim().to_owned()),
            description: Some(description.clone()),
            visibility: owns.then(|| visibility_of(&visibility.get_untracked())),
            redirects_downloads: is_redirected.then(|| redirects.get_untracked()),
        };
        submit.run(project::update(input), move |_| {
            draft.is_saved(description);
            toasts.success("Project saved.");
            project.reload();
        });
    };
    let blocked = Signal::derive(move || check::description(&draft.value.read()).is_some());
    view! {
        <form class="panel space-y-5 p-6" on:submit=send>
            <h2 class="font-semibold">"About the project"</h2>
            <Show when=move || owns.get()>
                <TextField id="name" label="Name" value=name refused=submit.field("name")/>
                <VisibilityField
                    value=visibility
                    is_public=Signal::derive(move || detail.read().visibility == Visibility::Public)
                />
            </Show>
            <MarkdownField id="description" label="Description" draft refused=submit.field("description")/>
            {is_redirected.then(|| view! {
                <CheckField label="Clients download files from the object store itself, which they must reach" value=redirects/>
            })}
            <FormError error=submit.general(&["name", "description"])/>
            <SubmitButton text="Save" pending=submit.pending disabled=blocked/>
        </form>
    }
}

#[component]
fn RenameForm() -> impl IntoView {
    let project = use_project();
    let toasts = use_toasts();
    let navigate = address::use_navigate();
    let path = RwSignal::new(project.path.get_untracked());
    let submit = Submit::naming("path");
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let input = RenameProjectInput {
            project: project.path.get_untracked(),
            path: path.get_untracked(),
        };
        let navigate = navigate.clone();
        submit.run(project::rename(input), move |project| {
            toasts.success(format!("Project path changed to “{}”.", project.path));
            let options = NavigateOptions { replace: true, ..Default::default() };
            navigate(&address::project_page(&project.path, "edit"), options);
        });
    };
    let blocked = Signal::derive(move || {
        path.read().is_empty()
            || check::project_path(&path.read()).is_some()
            || *path.read() == *project.path.read()
    });
    view! {
        <form class="panel space-y-4 p-6" on:submit=send>
            <h2 class="font-semibold">"Change the path"</h2>
            <TextField
                id="path" label="Path" value=path required=true mono=true
                check=check::project_path refused=submit.field("path")
                hint="The addresses of all models in this project change. Old addresses keep working until another project takes this path."
            />
            <FormError error=submit.general(&["path"])/>
            <SubmitButton text="Change path" pending=submit.pending disabled=blocked/>
        </form>
    }
}

#[component]
fn DeleteSection(detail: Memo<ProjectDetail>) -> impl IntoView {
    let current = use_project();
    let toasts = use_toasts();
    let navigate = address::use_navigate();
    let open = RwSignal::new(false);
    let submit = Submit::new();
    report(submit);
    let title = Signal::derive(move || format!("Delete “{}”?", current.path.read()));
    let models = move || {
        let detail = detail.read();
        let count = |kind: ModelKind, count: i32| kind.count(usize::try_from(count).unwrap_or(0));
        let models = count(ModelKind::Model, detail.models.total_count);
        match detail.prompts.total_count {
            0 => models,
            prompts => format!("{models} and {}", count(ModelKind::Prompt, prompts)),
        }
    };
    let delete = move |()| {
        let navigate = navigate.clone();
        let input = DeleteProjectInput { project: current.path.get_untracked() };
        submit.run(project::delete(input), move |project| {
            let back = navigate.clone();
            let text = format!("Project “{}” moved to the trash.", project.path);
            let undo = move || {
                let (project, back) = (project.clone(), back.clone());
                spawn_local(async move {
                    let input = RestoreProjectInput { project: project.path, id: Some(project.id) };
                    match project::restore(input).await {
                        Ok(project) => {
                            back(&address::project(&project.path), NavigateOptions::default())
                        }
                        Err(error) => toasts.failure(&error),
                    }
                });
            };
            toasts.undoable(text, undo);
            navigate(&address::at("/"), NavigateOptions::default());
        });
    };
    view! {
        <section class="panel flex flex-wrap items-center justify-between gap-4 p-6">
            <div>
                <h2 class="font-semibold">"Delete this project"</h2>
                <p class="text-sm text-muted">"The project moves to the trash and can be restored."</p>
            </div>
            <button type="button" class="btn btn-outline btn-error" on:click=move |_| open.set(true)>
                <Icon d=icon::TRASH/>
                "Delete project"
            </button>
        </section>
        <Confirm open title action="Delete project" danger=true pending=submit.pending on_confirm=delete>
            <p>
                "The project moves to the trash with everything in it: "
                {models}
                ". Scripts that use this project will fail until it is restored."
            </p>
        </Confirm>
    }
}
