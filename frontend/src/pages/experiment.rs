//! `/{project}/-/experiments/{number}`: the training runs of an experiment.

use leptos::prelude::*;

use crate::{
    components::{
        badge::{AlarmBadge, TagChip},
        breadcrumbs::Breadcrumbs,
        empty::Empty,
        icon,
        loaded::{Load, Loaded},
        moved::Moved,
        skeleton::SkeletonPage,
        title::PageTitle,
    },
    graphql::{
        experiment::{self, ExperimentRow},
        scalar::Role,
    },
    logic::{address, error::ApiError},
    parts::{
        candidates::{owner::Owner, table::CandidateTable},
        models::mlflow::{self, MlflowGuide},
    },
};

#[component]
pub fn ExperimentPage() -> impl IntoView {
    let project = address::use_param("project");
    let number = address::use_number();
    let fetch = move |project| {
        let number = number.get();
        async move {
            match number {
                Some(number) => experiment::get(project, number).await,
                None => Err(ApiError::not_found(
                    "The address of an experiment must end with its number.",
                )),
            }
        }
    };
    let load = Load::of_path(project, fetch, |experiment| experiment.project.path.clone());
    view! {
        // For where there is no such experiment.
        <PageTitle text=move || format!("Experiments of {}", project.get())/>
        <Loaded page=true from=load fallback=|| view! { <SkeletonPage/> } let:data>
            <Experiment data/>
        </Loaded>
    }
}

/// The page; the runs of a model's own experiment are its candidates.
#[component]
fn Experiment(data: Memo<ExperimentRow>) -> impl IntoView {
    let to = Signal::derive(move || {
        data.with(|data| Some(address::model_page(&data.model.as_ref()?.path, "candidates")))
    });
    view! { <Moved to><Shown data/></Moved> }
}

#[component]
fn Shown(data: Memo<ExperimentRow>) -> impl IntoView {
    let project = Memo::new(move |_| data.read().project.path.clone());
    let owner = Memo::new(move |_| Owner::Experiment(project.get(), data.read().number));
    let chips = move || {
        let own = data.get().tags.into_iter().filter(|tag| !tag.is_system());
        own.map(|tag| view! { <TagChip key=tag.key value=tag.value/> }).collect_view()
    };
    view! {
        <PageTitle text=move || format!("{} · {}", data.read().name, project.read())/>
        <Breadcrumbs items=Signal::derive(move || vec![
            ("Projects".to_owned(), address::at("/")),
            (project.get(), address::project(&project.read())),
            ("Experiments".to_owned(), address::project_page(&project.read(), "experiments")),
        ])/>
        <div class="mb-6 flex flex-wrap items-center gap-x-3 gap-y-1">
            <h1 class="wrap-anywhere text-2xl font-semibold tracking-tight">{move || data.read().name.clone()}</h1>
            <span class="text-sm text-muted" title="Experiment ID in MLflow">"#" {move || data.read().number}</span>
            <Show when=move || data.read().deleted_at.is_some()><AlarmBadge text="Deleted"/></Show>
            {chips}
        </div>
        <CandidateTable
            owner
            editable=Signal::derive(move || data.read().project.allows(Role::Developer))
            nothing=move || view! { <FirstRun data project/> }
        />
    }
}

#[component]
fn FirstRun(data: Memo<ExperimentRow>, project: Memo<String>) -> impl IntoView {
    let snippets = Signal::derive(move || mlflow::logging(&data.read().name, "my-model"));
    let visibility = Signal::derive(move || data.read().project.visibility);
    view! {
        <Empty d=icon::FLASK title="No runs yet">
            <p>"A run is one training, with its params, metrics and files."</p>
            <Show when=move || data.read().project.allows(Role::Developer)>
                <div class="w-full max-w-2xl"><MlflowGuide project snippets visibility writes=true id="first"/></div>
            </Show>
        </Empty>
    }
}
