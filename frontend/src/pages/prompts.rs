//! `/{project}/-/prompts`: its prompts.

use leptos::prelude::*;

use super::project::use_project;
use crate::{
    components::{
        empty::Empty,
        icon::{self, Icon},
        title::PageTitle,
    },
    graphql::{kind::ModelKind, scalar::Role},
    logic::address,
    parts::{
        models::{list::ModelList, mlflow::MlflowGuide},
        prompts::mlflow,
    },
};

#[component]
pub fn PromptsTab() -> impl IntoView {
    let project = use_project();
    let path = project.path;
    let any = Signal::derive(move || project.get(|detail| detail.prompts.total_count) != Some(0));
    let nothing = move || {
        if project.allows(Role::Developer) {
            view! { <FirstPrompt/> }.into_any()
        } else {
            view! {
                <Empty d=icon::MESSAGE title="No prompts yet">
                    <p>"Nobody has registered a prompt in this project yet."</p>
                </Empty>
            }
            .into_any()
        }
    };
    view! {
        <PageTitle text=move || format!("Prompts of {}", path.get())/>
        <h2 class="sr-only">"Prompts"</h2>
        <ModelList
            kind=ModelKind::Prompt
            project=Signal::derive(move || Some(path.get()))
            any
            nothing
            on_change=move |()| project.reload()
        />
    }
}

/// How a project's prompts begin: in the browser, or with MLflow.
#[component]
fn FirstPrompt() -> impl IntoView {
    let project = use_project();
    let visibility = Signal::derive(move || project.visibility());
    let snippets = Signal::stored(vec![mlflow::register("my-prompt")]);
    view! {
        <Empty d=icon::MESSAGE title="Register the first prompt">
            <p>"A prompt has a name, and versions of a template for a language model."</p>
            <a class="btn btn-primary" href=move || address::project_page(&project.path.read(), "prompts/new")>
                <Icon d=icon::PLUS/>"New prompt"
            </a>
            <p>"Or register it with MLflow:"</p>
            <div class="w-full max-w-2xl">
                <MlflowGuide project=project.path snippets visibility writes=true id="first"/>
            </div>
        </Empty>
    }
}
