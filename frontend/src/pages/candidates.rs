//! `/{project}/{model}/candidates`: the training runs of a model.

use leptos::prelude::*;

use super::model::use_model;
use crate::{
    components::{empty::Empty, icon, snippets::Snippet, title::PageTitle},
    graphql::{model::ModelDetail, scalar::Role},
    logic::{self, address},
    parts::{
        candidates::{owner::Owner, table::CandidateTable},
        models::{
            judge,
            mlflow::{self, MlflowGuide},
        },
    },
    session::use_session,
};

#[component]
pub fn CandidatesTab() -> impl IntoView {
    let model = use_model();
    let judge_tag = move || model.get(|detail| detail.tag(logic::judge::TAG)).flatten();
    let changed = Callback::new(move |()| model.reload());
    view! {
        <PageTitle text=move || format!("Runs of {}", model.path.get())/>
        <h2 class="sr-only">"Runs"</h2>
        <CandidateTable
            owner=Signal::derive(move || Owner::Model(model.path.get()))
            judge=Signal::derive(move || model.get(ModelDetail::judge).flatten())
            on_judge=judge::use_setter(model.path, Signal::derive(judge_tag), changed)
            editable=Signal::derive(move || model.allows(Role::Developer))
            nothing=|| view! { <FirstCandidate/> }
        />
    }
}

/// How candidates come to be: scripts log them.
#[component]
fn FirstCandidate() -> impl IntoView {
    let model = use_model();
    let needs_tokens = use_session().needs_tokens;
    let snippets = Signal::derive(move || {
        let name = model.name();
        let mut snippets = mlflow::logging(&mlflow::experiment_of(&name), &name);
        snippets.push(curl(&model.path.read(), needs_tokens.get()));
        snippets
    });
    view! {
        <Empty d=icon::FLASK title="No runs yet">
            <p>"A run is one training of this model, with its params, metrics and files."</p>
            <Show when=move || model.allows(Role::Developer)>
                <p>"Log runs from your script with MLflow:"</p>
                <div class="w-full max-w-2xl">
                    <MlflowGuide
                        project=Signal::derive(move || model.project())
                        snippets
                        visibility=Signal::derive(move || model.visibility())
                        writes=true
                        id="first"
                    />
                </div>
            </Show>
        </Empty>
    }
}

/// The same without MLflow.
fn curl(model: &str, needs_token: bool) -> Snippet {
    let input = serde_json::json!({ "input": {
        "model": model,
        "name": "first-run",
        "params": [{ "name": "lr", "value": "0.01" }],
        "metrics": [{ "name": "accuracy", "value": 0.91, "step": 1 }, { "name": "accuracy", "value": 0.94, "step": 2 }],
    } });
    let query = "mutation($input: CreateCandidateInput!) { createCandidate(input: $input) { candidate { number } } }";
    let body = serde_json::json!({ "query": query, "variables": input })
        .to_string()
        .replace('\'', "\\u0027");
    let header = "-H \"Authorization: Bearer $MLFLOW_TRACKING_TOKEN\" \\\n  ";
    let header = if needs_token { header } else { "" };
    let code = format!(
        "curl -fsS '{}/graphql' \\\n  {header}\
         -H 'Content-Type: application/json' \\\n  -d '{body}'\n",
        address::registry(),
    );
    Snippet { name: "curl", code }
}
