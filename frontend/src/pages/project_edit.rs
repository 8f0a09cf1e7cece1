//! `/{project}/-/edit`: name, description, visibility, delete.

use leptos::{prelude::*, task::spawn_local};
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{VISIBILITIES, visibility_name, visibility_of};
use crate::{
    address, check,
    components::{
        breadcrumbs::Breadcrumbs,
        confirm::Confirm,
        failed::FormError,
        field::{SelectField, SubmitButton, TextField},
        icon::{self, Icon},
        loaded::Loaded,
        skeleton::SkeletonRows,
        title::PageTitle,
        toast::use_toasts,
    },
    form::Submit,
    format,
    graphql::project::{
        self, DeleteProjectInput, ProjectDetail, RestoreProjectInput, UpdateProjectInput,
    },
    parts::{markdown_field::MarkdownField, tags::report},
};

#[component]
pub fn ProjectEditPage() -> impl IntoView {
    let path = address::use_param("project");
    let project = LocalResource::new(move || project::get(path.get()));
    view! {
        <PageTitle text=move || format!("Edit {}", path.get())/>
        <div class="mx-auto max-w-2xl space-y-6">
            <div>
                <Breadcrumbs items=Signal::derive(move || vec![
                    ("Projects".to_owned(), "/".to_owned()),
                    (path.get(), address::project(&path.read())),
                ])/>
                <h1 class="text-2xl font-semibold tracking-tight">"Edit project"</h1>
            </div>
            <Loaded from=project fallback=|| view! { <SkeletonRows/> } let:project>
                {move || {
                    let project = project.get();
                    let (path, models) = (project.path.clone(), project.model_count);
                    view! {
                        <EditForm project/>
                        <DeleteSection path models/>
                    }
                }}
            </Loaded>
        </div>
    }
}

#[component]
fn EditForm(project: ProjectDetail) -> impl IntoView {
    let navigate = use_navigate();
    let toasts = use_toasts();
    let path = project.path;
    let href = address::project(&path);
    let back = href.clone();
    let name = RwSignal::new(project.name);
    let description = RwSignal::new(project.description);
    let visibility = RwSignal::new(visibility_name(project.visibility).to_owned());
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let input = UpdateProjectInput {
            project: path.clone(),
            name: Some(name.get_untracked().trim().to_owned()),
            description: Some(description.get_untracked()),
            visibility: Some(visibility_of(&visibility.get_untracked())),
        };
        let (navigate, href) = (navigate.clone(), href.clone());
        submit.run(project::update(input), move |_| {
            toasts.success("Project saved.");
            navigate(&href, NavigateOptions::default());
        });
    };
    let blocked = Signal::derive(move || check::description(&description.read()).is_some());
    view! {
        <form class="panel space-y-5 p-6" on:submit=send>
            <TextField id="name" label="Name" value=name refused=submit.field("name")/>
            <SelectField id="visibility" label="Who can see it" value=visibility options=VISIBILITIES/>
            <MarkdownField id="description" label="Description" value=description refused=submit.field("description")/>
            <FormError error=submit.general(&["name", "description", "visibility"])/>
            <div class="flex justify-end gap-2">
                <a class="btn" href=back>"Cancel"</a>
                <SubmitButton text="Save" pending=submit.pending disabled=blocked/>
            </div>
        </form>
    }
}

#[component]
fn DeleteSection(path: String, models: i32) -> impl IntoView {
    let toasts = use_toasts();
    let navigate = use_navigate();
    let open = RwSignal::new(false);
    let submit = Submit::new();
    report(submit);
    let title = format!("Delete “{path}”?");
    let delete = move |()| {
        let navigate = navigate.clone();
        submit.run(project::delete(DeleteProjectInput { project: path.clone() }), move |project| {
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
            navigate("/", NavigateOptions::default());
        });
    };
    view! {
        <section class="panel flex flex-wrap items-center justify-between gap-4 p-6">
            <div>
                <h2 class="font-semibold">"Delete this project"</h2>
                <p class="text-sm text-muted">"It goes to the trash and can be restored."</p>
            </div>
            <button type="button" class="btn btn-outline btn-error" on:click=move |_| open.set(true)>
                <Icon d=icon::TRASH/>
                "Delete project"
            </button>
        </section>
        <Confirm open title action="Delete project" danger=true pending=submit.pending on_confirm=delete>
            <p>
                "It goes to the trash with everything in it: "
                {format::plural(models.into(), "model", "models")}
                ". Scripts that use it stop working until it is restored."
            </p>
        </Confirm>
    }
}
