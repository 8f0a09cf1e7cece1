//! What can be done with training runs that are selected in their table: one is promoted, all are deleted.

use std::sync::Arc;

use leptos::prelude::*;

use super::{
    owner::Owner,
    promote::{PromoteDialog, Promotion},
};
use crate::{
    components::{
        form::Submit,
        icon::{self, Icon},
    },
    graphql::candidate::{self, DeleteCandidateInput, RestoreCandidateInput, Run, Which},
    logic::error::ApiError,
    parts::{
        bulk::{Act, DeleteSelected, Step, Undo},
        tags::report,
    },
};

#[component]
pub fn CandidateActions(
    owner: Signal<Owner>,
    selected: RwSignal<Vec<String>>,
    /// What one is called, by its key.
    name: Callback<String, String>,
    on_change: Callback<()>,
) -> impl IntoView {
    let promoting = RwSignal::new(false);
    let deleting = RwSignal::new(false);
    let promotion = RwSignal::new(Promotion::default());
    let submit = Submit::new();
    report(submit);
    // What goes along is asked for when it is wanted.
    let promote = move |_| {
        let Some(which) =
            selected.read_untracked().first().and_then(|key| which(&owner.read_untracked(), key))
        else {
            return;
        };
        submit.run(candidate::get(which), move |run| {
            promotion.set(Promotion::of(&run));
            promoting.set(true);
        });
    };
    // Runs without a model have no number to be deleted by; MLflow's clients do it.
    let model = Memo::new(move |_| match owner.get() {
        Owner::Model(path) => Some(path),
        Owner::Experiment(..) => None,
    });
    let delete = move || {
        model.get().map(|model| {
            view! {
                <DeleteSelected
                    open=deleting
                    selected
                    words=("run", "runs")
                    name
                    meaning="Versions made from these runs are kept."
                    delete=deletion(model)
                    on_change
                />
            }
        })
    };
    view! {
        <Show when=move || selected.read().len() == 1>
            <button type="button" class="btn btn-sm" disabled=submit.pending on:click=promote>
                <Icon d=icon::ROCKET/>
                "Promote"
            </button>
        </Show>
        <Show when=move || !selected.read().is_empty() && model.read().is_some()>
            <button type="button" class="btn btn-sm" on:click=move |_| deleting.set(true)>
                <Icon d=icon::TRASH/>
                "Delete"
            </button>
        </Show>
        <PromoteDialog open=promoting promotion/>
        {delete}
    }
}

fn which(owner: &Owner, key: &str) -> Option<Which> {
    Some(match owner {
        Owner::Model(model) => Which::Number { model: model.clone(), number: key.parse().ok()? },
        Owner::Experiment(project, _) => {
            Which::Run(Run { project: project.clone(), run_id: key.to_owned() })
        }
    })
}

/// Deletes the candidate with this number, and gives the way back.
fn deletion(model: String) -> Act {
    Arc::new(move |key| {
        let model = model.clone();
        Box::pin(async move {
            let candidate = key
                .parse()
                .map_err(|_| ApiError::not_found("This run has no number in the model."))?;
            let input = DeleteCandidateInput { model: model.clone(), candidate };
            candidate::delete(input).await?;
            let way_back = move || -> Step {
                let input = RestoreCandidateInput { model: model.clone(), candidate };
                Box::pin(async move { candidate::restore(input).await.map(drop) })
            };
            Ok(Arc::new(way_back) as Undo)
        })
    })
}
