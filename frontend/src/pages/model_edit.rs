//! `/{project}/{model}/-/edit`: description, name, tags, delete.

use leptos::{prelude::*, task::spawn_local};
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{DEVELOPERS, model::use_model};
use crate::{
    address, check,
    components::{
        confirm::Confirm,
        failed::{Allowed, FormError},
        field::{SubmitButton, TextField},
        icon::{self, Icon},
        title::PageTitle,
        toast::use_toasts,
    },
    form::Submit,
    format,
    graphql::{
        model::{self, DeleteModelInput, RenameModelInput, RestoreModelInput, UpdateModelInput},
        protected_alias::Place,
        scalar::Role,
        tag::Target,
    },
    parts::{
        markdown_field::MarkdownField,
        protected_aliases::ProtectedAliases,
        tags::{Tags, report},
    },
};

#[component]
pub fn ModelEditTab() -> impl IntoView {
    let model = use_model();
    let changed = Callback::new(move |()| model.reload());
    view! {
        <PageTitle text=move || format!("Edit {}", model.path.get())/>
        <Allowed when=Signal::derive(move || model.allows(Role::Developer)) who=DEVELOPERS>
            <div class="max-w-3xl space-y-6">
                <CardForm/>
                <section class="panel space-y-4 p-6">
                    <h2 class="font-semibold">"Tags"</h2>
                    <Tags
                        target=Signal::derive(move || Target::model(model.path.get()))
                        tags=Signal::derive(move || model.detail.read().tags.clone())
                        editable=true
                        on_change=changed
                    />
                </section>
                <Show when=move || model.allows(Role::Maintainer)>
                    <ProtectedAliases
                        place=Signal::derive(move || Place::Model(model.path.get()))
                        on_change=changed
                    />
                </Show>
                <RenameForm/>
                <DeleteSection/>
            </div>
        </Allowed>
    }
}

#[component]
fn CardForm() -> impl IntoView {
    let model = use_model();
    let toasts = use_toasts();
    let description = RwSignal::new(model.detail.read_untracked().description.clone());
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let input = UpdateModelInput {
            model: model.path.get_untracked(),
            description: Some(description.get_untracked()),
        };
        submit.run(model::update(input), move |_| {
            toasts.success("Model card saved.");
            model.reload();
        });
    };
    let blocked = Signal::derive(move || {
        check::description(&description.read()).is_some()
            || *description.read() == model.detail.read().description
    });
    view! {
        <form class="panel space-y-4 p-6" on:submit=send>
            <h2 class="font-semibold">"Model card"</h2>
            <MarkdownField id="description" label="Description" value=description rows=14 refused=submit.field("description")/>
            <FormError error=submit.general(&["description"])/>
            <SubmitButton text="Save" pending=submit.pending disabled=blocked/>
        </form>
    }
}

#[component]
fn RenameForm() -> impl IntoView {
    let model = use_model();
    let toasts = use_toasts();
    let navigate = use_navigate();
    let name = RwSignal::new(model.detail.read_untracked().name.clone());
    let submit = Submit::naming("name");
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let input =
            RenameModelInput { model: model.path.get_untracked(), name: name.get_untracked() };
        let navigate = navigate.clone();
        submit.run(model::rename(input), move |model| {
            toasts.success(format!("The model is called “{}” now.", model.name));
            let options = NavigateOptions { replace: true, ..Default::default() };
            navigate(&address::model_page(&model.path, "-/edit"), options);
        });
    };
    let blocked = Signal::derive(move || {
        name.read().is_empty()
            || check::model_name(&name.read()).is_some()
            || *name.read() == model.detail.read().name
    });
    view! {
        <form class="panel space-y-4 p-6" on:submit=send>
            <h2 class="font-semibold">"Rename"</h2>
            <TextField
                id="name" label="Name" value=name required=true check=check::model_name refused=submit.field("name")
                hint="Links and scripts that use the old name stop working."
            />
            <FormError error=submit.general(&["name"])/>
            <SubmitButton text="Rename" pending=submit.pending disabled=blocked/>
        </form>
    }
}

#[component]
fn DeleteSection() -> impl IntoView {
    let model = use_model();
    let toasts = use_toasts();
    let navigate = use_navigate();
    let open = RwSignal::new(false);
    let submit = Submit::new();
    report(submit);
    let delete = move |()| {
        let project = model.detail.read_untracked().project.path.clone();
        let navigate = navigate.clone();
        let input = DeleteModelInput { model: model.path.get_untracked() };
        submit.run(model::delete(input), move |deleted| {
            let back = navigate.clone();
            let text = format!("Model “{}” moved to the trash.", deleted.name);
            let undo = move || {
                let (deleted, back) = (deleted.clone(), back.clone());
                spawn_local(async move {
                    let input = RestoreModelInput { model: deleted.path, id: Some(deleted.id) };
                    match model::restore(input).await {
                        Ok(model) => back(&address::model(&model.path), NavigateOptions::default()),
                        Err(error) => toasts.failure(&error),
                    }
                });
            };
            toasts.undoable(text, undo);
            navigate(&address::project(&project), NavigateOptions::default());
        });
    };
    let what = move || {
        model.detail.with(|detail| {
            let versions = format::plural(detail.version_count.into(), "version", "versions");
            let candidates =
                format::plural(detail.candidate_count.into(), "candidate", "candidates");
            format!("{versions} and {candidates}")
        })
    };
    view! {
        <section class="panel flex flex-wrap items-center justify-between gap-4 p-6">
            <div>
                <h2 class="font-semibold">"Delete this model"</h2>
                <p class="text-sm text-muted">"It goes to the trash and can be restored."</p>
            </div>
            <button type="button" class="btn btn-outline btn-error" on:click=move |_| open.set(true)>
                <Icon d=icon::TRASH/>
                "Delete model"
            </button>
        </section>
        <Confirm
            open
            title=Signal::derive(move || format!("Delete “{}”?", model.detail.read().name))
            action="Delete model"
            danger=true
            pending=submit.pending
            on_confirm=delete
        >
            <p>
                "It goes to the trash of the project with its " {what}
                ". Scripts that fetch it stop working until it is restored."
            </p>
        </Confirm>
    }
}
