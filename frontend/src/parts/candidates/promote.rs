//! A candidate becomes a version: of which model, which one, and what goes along.

use leptos::prelude::*;
use leptos_router::NavigateOptions;

use crate::{
    components::{
        dialog::Dialog,
        failed::FormError,
        field::SubmitButton,
        form::{Submit, filled},
        loaded::Load,
        toast::use_toasts,
    },
    graphql::{
        candidate::{self, CandidateDetail, PromoteCandidateInput},
        file::UnfinishedUpload,
        model::{self, ModelOrder, ModelOrderField, Wanted},
        page::Place,
        scalar::OrderDirection,
    },
    logic::{address, check, format},
    parts::{
        draft::Draft,
        files::arriving::{Arriving, Go},
        markdown_field::MarkdownField,
        models::version_field::VersionField,
        suggest_field::{SuggestField, Suggestions},
    },
};

/// What is promoted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Promotion {
    pub project: String,
    /// The name of its model; none where one is to be chosen.
    pub model: Option<String>,
    pub run_id: String,
    pub name: String,
    /// What goes along, in words: “3 files, 12 MB”.
    pub files: String,
    /// What does not, unless it arrives before.
    pub unfinished: Vec<UnfinishedUpload>,
}

impl Promotion {
    pub fn of(run: &CandidateDetail) -> Self {
        Self {
            project: run.experiment.project.path.clone(),
            model: run.model.as_ref().map(|model| model.name.clone()),
            run_id: run.run_id.clone(),
            name: run.name.clone(),
            files: format!(
                "{}, {}",
                format::plural(run.file_count.into(), "file", "files"),
                format::bytes(run.size),
            ),
            unfinished: run.unfinished_uploads.clone(),
        }
    }
}

#[component]
pub fn PromoteDialog(
    open: RwSignal<bool>,
    #[prop(into)] promotion: Signal<Promotion>,
) -> impl IntoView {
    view! {
        <Dialog open wide=true title=Signal::derive(move || format!("Promote “{}”", promotion.read().name))>
            <PromoteForm open promotion=promotion.get_untracked()/>
        </Dialog>
    }
}

#[component]
fn PromoteForm(open: RwSignal<bool>, promotion: Promotion) -> impl IntoView {
    let navigate = address::use_navigate();
    let toasts = use_toasts();
    let Promotion { project, model, run_id, files, unfinished, .. } = promotion;
    let of_no_model = model.is_none();
    let name = RwSignal::new(model.clone().unwrap_or_default());
    // Names of models, each with its highest version.
    let found = RwSignal::new(model.map(|name| vec![(name, String::new())]));
    let chosen = Memo::new({
        let project = project.clone();
        move |_| {
            let (found, name) = (found.read(), name.read());
            let known = found.as_ref()?.iter().any(|(found, _)| found == name.trim());
            known.then(|| format!("{project}/{}", name.trim()))
        }
    });
    let value = RwSignal::new(String::new());
    let (latest, next) = use_numbering(chosen, value);
    let draft = Draft::new(&format!("promotion of {run_id}"), String::new());
    let submit = Submit::naming("version");
    let choice = {
        let project = project.clone();
        move || {
            of_no_model.then(|| {
                view! { <ModelField project=project.clone() value=name found refused=submit.field("model")/> }
            })
        }
    };
    let promote = Callback::new(move |go: Go| {
        let Go { without_uploads, required_files } = go;
        let Some(model) = chosen.get_untracked() else { return };
        let description = draft.value.get_untracked();
        let input = PromoteCandidateInput {
            model: model.clone(),
            run_id: Some(run_id.clone()),
            without_uploads,
            required_files,
            version: Some(value.get_untracked()),
            description: filled(&description),
        };
        let navigate = navigate.clone();
        submit.run(candidate::promote(input), move |made| {
            draft.is_saved(description);
            open.set(false);
            toasts.success(format!("Version {} has been published.", made.version));
            navigate(&address::version(&model, &made.version), NavigateOptions::default());
        });
    });
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        promote.run(Go::default());
    };
    let blocked = Signal::derive(move || {
        chosen.read().is_none()
            || value.read().is_empty()
            || check::version(&value.read()).is_some()
            || check::description(&draft.value.read()).is_some()
    });
    view! {
        <form class="space-y-5" on:submit=send>
            <p class="text-sm text-muted">
                "Creates a version with this run's files (" {files} "), params and metrics, linked to this run, "
                "and publishes it immediately. No extra storage is used."
            </p>
            {choice}
            <VersionField value latest next refused=submit.field("version")/>
            <MarkdownField
                id="promote-description" label="Release notes" draft rows=5 refused=submit.field("description")
            />
            <Arriving submit unfinished=Signal::stored(unfinished) go=promote/>
            <FormError error=submit.general(&["model", "version", "description"])/>
            <div class="modal-action">
                <button type="button" class="btn" on:click=move |_| open.set(false)>"Cancel"</button>
                <SubmitButton text="Promote and publish" pending=submit.pending disabled=blocked/>
            </div>
        </form>
    }
}

/// The highest version of the chosen model, and the one after it, which is proposed where nobody has typed another.
fn use_numbering(
    chosen: Memo<Option<String>>,
    value: RwSignal<String>,
) -> (Signal<Option<String>>, Signal<String>) {
    let load = Load::new(move || {
        let chosen = chosen.get();
        async move {
            match chosen {
                Some(path) => model::numbering(path).await.map(Some),
                None => Ok(None),
            }
        }
    });
    let numbering = Memo::new(move |_| load.with(|answer| answer?.ok()?.clone()));
    let latest = move || Some(numbering.get()?.latest_version?.version);
    let next =
        Signal::derive(move || numbering.get().map(|found| found.next_version).unwrap_or_default());
    Effect::new(move |proposed: Option<String>| {
        let typed = value.get_untracked();
        let next = next.get();
        if typed.is_empty() || proposed.is_some_and(|proposed| proposed == typed) {
            value.set(next.clone());
        }
        next
    });
    (Signal::derive(latest), next)
}

/// One of the models of a project, for a run that belongs to none yet.
#[component]
fn ModelField(
    project: String,
    value: RwSignal<String>,
    found: RwSignal<Option<Vec<(String, String)>>>,
    refused: Signal<Option<String>>,
) -> impl IntoView {
    let make = address::project_page(&project, "new");
    let none = move || {
        let found = found.read();
        found.as_ref().is_some_and(Vec::is_empty).then(|| value.read().trim().is_empty())
    };
    let advice = move || {
        none().map(|untyped| {
            let what = if untyped {
                "This project has no models yet. "
            } else {
                "No model has this name. "
            };
            view! { {what} <a class="link" href=make.clone()>"Create a model"</a> }
        })
    };
    view! {
        <div>
            <SuggestField
                id="model" label="Model" value ask=models about=project found refused
                hint="Start typing a name. The run will belong to this model."
            />
            <p class="text-sm" role="status">{advice}</p>
        </div>
    }
}

fn models(project: String, typed: String) -> Suggestions {
    Box::pin(async move {
        let order_by = ModelOrder { field: ModelOrderField::Name, direction: OrderDirection::Asc };
        let wanted = Wanted { search: filled(&typed), ..Wanted::default() };
        let page = model::list(Some(project), wanted, order_by, Place::default()).await?;
        let suggestion = |row: model::ModelRow| {
            let latest = row.latest_version.map(|latest| latest.version);
            (row.name, latest.unwrap_or_default())
        };
        Ok(page.nodes.into_iter().map(suggestion).collect())
    })
}
