//! `/{project}/-/experiments`: the experiments of a project that are not the default one of a model.

use leptos::prelude::*;

use super::{neighbours, project::use_project, use_place};
use crate::{
    components::{
        badge::TagChip,
        empty::Empty,
        icon,
        loaded::{Load, Loaded},
        pager::Pager,
        search::SearchBox,
        skeleton::SkeletonRows,
        time::Time,
        title::PageTitle,
    },
    graphql::{
        experiment::{self, ExperimentPage, ExperimentRow},
        scalar::Role,
    },
    logic::{address, format},
    parts::models::mlflow::{self, MlflowGuide},
};

#[component]
pub fn ExperimentsTab() -> impl IntoView {
    let path = use_project().path;
    let search = address::use_query("q");
    let place = use_place();
    let experiments = Load::new(move || experiment::list(path.get(), search.get(), place.get()));
    let searching = Signal::derive(move || search.read().is_some());
    view! {
        <PageTitle text=move || format!("Experiments of {}", path.get())/>
        <h2 class="sr-only">"Experiments"</h2>
        <div class="mb-4"><SearchBox name="q" label="Search experiments"/></div>
        <Loaded from=experiments fallback=|| view! { <SkeletonRows/> } let:page>
            <ExperimentTable page searching path/>
        </Loaded>
    }
}

#[component]
fn ExperimentTable(
    page: Memo<ExperimentPage>,
    searching: Signal<bool>,
    path: Memo<String>,
) -> impl IntoView {
    let project = use_project();
    // Every project has a default experiment; where that is all and nothing is in it, nothing is said yet.
    let used = Memo::new(move |_| {
        page.with(|page| {
            1 < page.total_count || page.nodes.iter().any(|row| row.candidate_count != 0)
        })
    });
    let nothing = move || {
        if searching.get() {
            return view! {
                <Empty d=icon::SEARCH title="No matching experiments">
                    <p>"Search looks at any part of the name."</p>
                </Empty>
            }
            .into_any();
        }
        view! {
            <Empty d=icon::FLASK title="No experiments yet">
                <p>
                    "An experiment holds runs that don't belong to a model yet. The runs of a model are on the model's page."
                </p>
                <Show when=move || project.allows(Role::Developer)>
                    <div class="w-full max-w-2xl">
                        <MlflowGuide
                            project=path
                            snippets=Signal::derive(|| mlflow::logging("my-experiment", "my-model"))
                            visibility=Signal::derive(move || project.visibility())
                            writes=true
                            id="first"
                        />
                    </div>
                </Show>
            </Empty>
        }
        .into_any()
    };
    view! {
        <Show when=move || searching.get() && !page.read().nodes.is_empty() || used.get() fallback=nothing>
            <div class="panel overflow-x-auto">
                <table class="table">
                    <thead>
                        <tr>
                            <th scope="col">"Name"</th>
                            <th scope="col" class="text-right">"Runs"</th>
                            <th scope="col" class="hidden sm:table-cell">"Updated"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {move || page.get().nodes.into_iter().map(|row| view! { <Row row/> }).collect_view()}
                    </tbody>
                </table>
            </div>
            <Pager
                neighbours=Signal::derive(move || {
                    page.with(|page| neighbours(&page.page_info, page.total_count, page.nodes.len()))
                })
                one="experiment"
                many="experiments"
            />
        </Show>
    }
}

#[component]
fn Row(row: ExperimentRow) -> impl IntoView {
    let ExperimentRow { number, name, project, model, updated_at, tags, candidate_count, .. } = row;
    // The runs of a model's own experiment are its candidates.
    let href = match &model {
        Some(model) => address::model_page(&model.path, "candidates"),
        None => address::experiment(&project.path, number),
    };
    let chips = tags
        .into_iter()
        .filter(|tag| !tag.is_system())
        .map(|tag| view! { <TagChip key=tag.key value=tag.value/> })
        .collect_view();
    view! {
        <tr>
            <td>
                <div class="flex flex-wrap items-center gap-x-2 gap-y-1">
                    <a class="link-hover link wrap-anywhere font-semibold" href=href>{name}</a>
                    <span class="text-xs text-muted" title="Experiment ID in MLflow">"#" {number}</span>
                    {chips}
                </div>
            </td>
            <td class="text-right tabular-nums">{format::count(candidate_count.into())}</td>
            <td class="hidden text-sm text-muted sm:table-cell"><Time at=updated_at.0/></td>
        </tr>
    }
}
