//! `/{project}/{model}/-/edit`: description, name, tags, delete.

use leptos::prelude::*;
use leptos_router::NavigateOptions;

use super::{DEVELOPERS, model::use_model};
use crate::{
    components::{
        failed::{Allowed, FormError},
        field::{SubmitButton, TextField},
        form::Submit,
        icon::{self, Icon},
        loaded::Loaded,
        markdown::RelativeTo,
        title::PageTitle,
        toast::use_toasts,
    },
    graphql::{
        kind::ModelKind,
        model::{self, ModelDetail, RenameModelInput, UpdateModelInput},
        protected_alias::Place,
        scalar::Role,
        tag::Target,
    },
    logic::{address, check},
    parts::{
        draft::Draft,
        markdown_field::MarkdownField,
        models::{
            bulk::{Chosen, DeleteModels},
            protected_aliases::ProtectedAliases,
        },
        tags::Tags,
    },
};

#[component]
pub fn ModelEditTab() -> impl IntoView {
    let model = use_model();
    view! {
        <PageTitle text=move || format!("Edit {}", model.path.get())/>
        <Loaded from=model.load let:detail>
            <Forms detail/>
        </Loaded>
    }
}

#[component]
fn Forms(detail: Memo<ModelDetail>) -> impl IntoView {
    let model = use_model();
    let changed = Callback::new(move |()| model.reload());
    // Of another model there is another draft.
    let object = Memo::new(move |_| detail.read().draft_key());
    let card = move || {
        let draft = Draft::new(&object.read(), detail.read_untracked().description.clone());
        view! { <CardForm draft/> }
    };
    view! {
        <Allowed when=Signal::derive(move || model.allows(Role::Developer)) who=DEVELOPERS>
            <div class="max-w-3xl space-y-6">
                {card}
                <section class="panel space-y-4 p-6">
                    <h2 class="font-semibold">"Tags"</h2>
                    <Tags
                        target=Signal::derive(move || Target::model(model.path.get()))
                        tags=Signal::derive(move || detail.read().tags.clone())
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
                <RenameForm detail/>
                <DeleteSection detail/>
            </div>
        </Allowed>
    }
}

#[component]
fn CardForm(draft: Draft) -> impl IntoView {
    let model = use_model();
    provide_context(RelativeTo(Signal::derive(move || {
        model.get(ModelDetail::latest_files).flatten()
    })));
    let toasts = use_toasts();
    let submit = Submit::new();
    let title = move || {
        if model.is_prompt() { "Description" } else { "Model card" }
    };
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let description = draft.value.get_untracked();
        let input = UpdateModelInput {
            model: model.path.get_untracked(),
            description: Some(description.clone()),
        };
        submit.run(model::update(input), move |_| {
            draft.is_saved(description);
            toasts.success(format!("{} saved.", title()));
            model.reload();
        });
    };
    let blocked = Signal::derive(move || {
        check::description(&draft.value.read()).is_some() || !draft.is_changed()
    });
    view! {
        <form class="panel space-y-4 p-6" on:submit=send>
            <h2 class="font-semibold">{title}</h2>
            <MarkdownField id="description" label="Description" draft rows=14 refused=submit.field("description")/>
            <FormError error=submit.general(&["description"])/>
            <SubmitButton text="Save" pending=submit.pending disabled=blocked/>
        </form>
    }
}

#[component]
fn RenameForm(detail: Memo<ModelDetail>) -> impl IntoView {
    let model = use_model();
    let toasts = use_toasts();
    let navigate = address::use_navigate();
    let name = RwSignal::new(detail.read_untracked().name.clone());
    let submit = Submit::naming("name");
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let input =
            RenameModelInput { model: model.path.get_untracked(), name: name.get_untracked() };
        let (navigate, title) = (navigate.clone(), detail.read_untracked().kind.title());
        submit.run(model::rename(input), move |model| {
            toasts.success(format!("{title} renamed to “{}”.", model.name));
            let options = NavigateOptions { replace: true, ..Default::default() };
            navigate(&address::model_page(&model.path, "-/edit"), options);
        });
    };
    let blocked = Signal::derive(move || {
        name.read().is_empty()
            || check::model_name(&name.read()).is_some()
            || *name.read() == detail.read().name
    });
    view! {
        <form class="panel space-y-4 p-6" on:submit=send>
            <h2 class="font-semibold">"Rename"</h2>
            <TextField
                id="name" label="Name" value=name required=true check=check::model_name refused=submit.field("name")
                hint="Links and scripts that use the old name keep working until that name is given again."
            />
            <FormError error=submit.general(&["name"])/>
            <SubmitButton text="Rename" pending=submit.pending disabled=blocked/>
        </form>
    }
}

#[component]
fn DeleteSection(detail: Memo<ModelDetail>) -> impl IntoView {
    let model = use_model();
    let navigate = address::use_navigate();
    let open = RwSignal::new(false);
    let models = RwSignal::new(Vec::new());
    let ask = move |_| {
        let path = model.path.get_untracked();
        let chosen = detail.with_untracked(|detail| Chosen {
            kind: detail.kind,
            path,
            name: detail.name.clone(),
            versions: detail.version_count,
            candidates: detail.candidate_count,
        });
        models.set(vec![chosen]);
        open.set(true);
    };
    let leave = move |_: Vec<String>| {
        let list = detail.with_untracked(|detail| match detail.kind {
            ModelKind::Model => address::project(&detail.project.path),
            ModelKind::Prompt => address::project_page(&detail.project.path, "prompts"),
        });
        navigate(&list, NavigateOptions::default());
    };
    let (word, _) = detail.read_untracked().kind.words();
    view! {
        <section class="panel flex flex-wrap items-center justify-between gap-4 p-6">
            <div>
                <h2 class="font-semibold">"Delete this "{word}</h2>
                <p class="text-sm text-muted">"The "{word}" moves to the trash and can be restored."</p>
            </div>
            <button type="button" class="btn btn-outline btn-error" on:click=ask>
                <Icon d=icon::TRASH/>
                "Delete "{word}
            </button>
        </section>
        <DeleteModels open models on_change=leave/>
    }
}
