//! `/{project}`: its models.

use leptos::prelude::*;

use super::{project::use_project, use_place};
use crate::{
    address,
    components::{
        copy::CopyButton,
        empty::Empty,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        markdown::Markdown,
        query_field::QueryChoice,
        search::SearchBox,
        skeleton::SkeletonRows,
        snippets::Snippet,
        sort::{Sort, SortSelect, use_sort},
        title::PageTitle,
    },
    graphql::{
        model::{self, FacetValue, Facets, ModelPage, Wanted},
        scalar::Role,
    },
    parts::{
        mlflow::{self, MlflowGuide},
        model_table::{ModelTable, ORDERS, order},
    },
};

#[component]
pub fn ModelsTab() -> impl IntoView {
    let project = use_project();
    let path = project.path;
    let detail = project.detail;
    let wanted = use_wanted();
    let sort = use_sort("name");
    let place = use_place();
    let models =
        Load::new(move || model::list(path.get(), wanted.get(), order(&sort.read()), place.get()));
    let facets = Load::new(move || model::facets(path.get(), wanted.get()));
    let changed = Callback::new(move |()| {
        models.refetch();
        facets.refetch();
        // The number of models stands on the tab.
        project.reload();
    });
    view! {
        <PageTitle text=move || path.get()/>
        <h2 class="sr-only">"Models"</h2>
        <Show when=move || !detail.read().description.trim().is_empty()>
            <div class="mb-5 max-h-60 max-w-3xl overflow-y-auto text-sm" tabindex="0" role="region" aria-label="Description">
                <Markdown html=Signal::derive(move || detail.read().description_html.clone())/>
            </div>
        </Show>
        <div class="mb-3 flex flex-wrap items-center gap-3">
            <SearchBox name="q" label="Search models"/>
            <SortSelect sort class="select w-auto md:hidden" options=ORDERS/>
            // Where there is no model, what is shown in its place begins with this.
            <Show when=move || detail.read().model_count != 0><Connect path/></Show>
        </div>
        <Show when=move || detail.read().model_count != 0 || wanted.read().narrows()>
            <FacetBar facets wanted/>
        </Show>
        <Loaded from=models fallback=|| view! { <SkeletonRows/> } let:page>
            <Models page sort wanted path on_change=changed/>
        </Loaded>
    }
}

/// What the address narrows the list down to.
fn use_wanted() -> Memo<Wanted> {
    let [search, tag, framework, license, author] =
        ["q", "tag", "framework", "license", "author"].map(address::use_query);
    Memo::new(move |_| Wanted {
        search: search.get(),
        tag: tag.get(),
        framework: framework.get(),
        license: license.get(),
        author: author.get(),
    })
}

/// What the models have, to choose from.
#[component]
fn FacetBar(facets: Load<Facets>, wanted: Memo<Wanted>) -> impl IntoView {
    let set_query = address::use_set_query();
    let failed = move || {
        facets.with(|facets| facets.and_then(Result::err).map(|error| error.message.clone()))
    };
    let choice = move |name: &'static str, any: &'static str, of: fn(&Facets) -> &[FacetValue]| {
        let options = Signal::derive(move || {
            let value = |value: &FacetValue| {
                let key = value.key.as_ref().map_or(String::new(), |key| format!("{key}: "));
                Some((value.wanted()?, format!("{key}{} ({})", value.value, value.count)))
            };
            let mut options = vec![(String::new(), any.to_owned())];
            facets.with(|facets| {
                if let Some(Ok(facets)) = facets {
                    options.extend(of(facets).iter().filter_map(value));
                }
            });
            options
        });
        let class = "select select-sm w-full sm:w-auto sm:max-w-44";
        view! { <QueryChoice name label=any.to_owned() options class/> }
    };
    let clear = move |_| {
        let none = ["q", "tag", "framework", "license", "author", "after", "before"];
        set_query(&none.map(|name| (name, None)), false);
    };
    view! {
        <div class="mb-3 grid grid-cols-2 items-center gap-2 sm:flex sm:flex-wrap" role="group" aria-label="Filters">
            {choice("framework", "Any framework", |facets| &facets.frameworks)}
            {choice("tag", "Any tag", |facets| &facets.tags)}
            {choice("license", "Any licence", |facets| &facets.licenses)}
            {choice("author", "Any author", |facets| &facets.authors)}
            <Show when=move || wanted.read().narrows()>
                <button type="button" class="btn btn-ghost btn-sm justify-self-start" on:click=clear.clone()>
                    <Icon d=icon::CROSS/>"Clear filters"
                </button>
            </Show>
            {move || failed().map(|message| view! {
                <p class="text-sm text-error" role="alert">"There are no filters to choose from: " {message}</p>
            })}
        </div>
    }
}

#[component]
fn Models(
    page: Memo<ModelPage>,
    sort: Memo<Sort>,
    wanted: Memo<Wanted>,
    path: Memo<String>,
    on_change: Callback<()>,
) -> impl IntoView {
    let project = use_project();
    let edits = Memo::new(move |_| project.allows(Role::Developer));
    let nothing = move || {
        match (wanted.read().narrows(), edits.get()) {
        (true, _) => view! {
            <Empty d=icon::SEARCH title="No model matches">
                <p>"Try fewer or other letters, or clear the filters; any part of the name is found."</p>
            </Empty>
        }
        .into_any(),
        (false, true) => view! { <FirstModel path/> }.into_any(),
        (false, false) => view! {
            <Empty d=icon::BOX title="No models yet">
                <p>"Nothing was published in this project so far."</p>
            </Empty>
        }
        .into_any(),
    }
    };
    view! {
        <Show when=move || !page.read().nodes.is_empty() fallback=nothing>
            <ModelTable page sort edits on_change/>
        </Show>
    }
}

/// Where MLflow's client finds this project, and on demand how it is used.
#[component]
fn Connect(path: Memo<String>) -> impl IntoView {
    let open = RwSignal::new(false);
    let uri = Signal::derive(move || address::tracking_uri(&path.read()));
    let snippets = Signal::derive(|| mlflow::first_steps("my-experiment", "my-model"));
    view! {
        <div class="flex min-w-0 items-center gap-1 md:ml-auto">
            <code class="min-w-0 break-words text-xs text-muted">"MLFLOW_TRACKING_URI="<wbr/>{uri}</code>
            <CopyButton text=uri label="Copy the tracking URI"/>
            <button
                type="button"
                class="btn btn-sm ml-2"
                aria-expanded=move || open.get().to_string()
                on:click=move |_| open.update(|open| *open = !*open)
            >
                <Icon d=icon::TERMINAL/>
                "Use with MLflow"
            </button>
        </div>
        <Show when=move || open.get()>
            <section class="panel w-full p-4" aria-label="Use with MLflow">
                <MlflowGuide project=path snippets id="connect"/>
            </section>
        </Show>
    }
}

/// How a project begins: in the browser, with MLflow, or from a shell.
#[component]
fn FirstModel(path: Memo<String>) -> impl IntoView {
    let snippets = Signal::derive(move || {
        let origin = address::origin();
        let path = path.get();
        let curl = format!(
            "api() {{ curl -fsS {origin}/graphql -H \"Authorization: Bearer $MLFLOW_TRACKING_TOKEN\" \\\n  \
             -H 'Content-Type: application/json' -d \"$1\"; }}\n\
             api '{{\"query\":\"mutation {{ createModel(input: {{project: \\\"{path}\\\", name: \\\"my-model\\\"}}) {{ model {{ path }} }} }}\"}}'\n\
             api '{{\"query\":\"mutation {{ createModelVersion(input: {{model: \\\"{path}/my-model\\\", version: \\\"1.0.0\\\"}}) {{ modelVersion {{ version }} }} }}\"}}'\n\
             curl -fT model.onnx -H \"Authorization: Bearer $MLFLOW_TRACKING_TOKEN\" {origin}/files/{path}/my-model/1.0.0/model.onnx\n\
             api '{{\"query\":\"mutation {{ publishModelVersion(input: {{model: \\\"{path}/my-model\\\", version: \\\"1.0.0\\\"}}) {{ modelVersion {{ digest }} }} }}\"}}'\n"
        );
        let mut steps = mlflow::first_steps("my-experiment", "my-model");
        steps.push(Snippet { name: "curl", code: curl });
        steps
    });
    view! {
        <Empty d=icon::BOX title="Publish the first model">
            <p>"A model has a name, a card that says what it is, and versions with its files."</p>
            <a class="btn btn-primary" href=move || address::project_page(&path.read(), "new")>
                <Icon d=icon::PLUS/>"New model"
            </a>
            <p>"Or let your training script do it, with MLflow as it is:"</p>
            <div class="w-full max-w-2xl"><MlflowGuide project=path snippets id="first"/></div>
        </Empty>
    }
}
