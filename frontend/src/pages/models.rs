//! `/{project}`: its models.

use leptos::prelude::*;

use super::project::use_project;
use crate::{
    components::{
        copy::CopyButton,
        empty::Empty,
        icon::{self, Icon},
        markdown::Markdown,
        snippets::Snippet,
        title::PageTitle,
    },
    graphql::{kind::ModelKind, scalar::Role},
    logic::address,
    parts::models::{
        list::ModelList,
        mlflow::{self, MlflowGuide},
    },
    session::use_session,
};

#[component]
pub fn ModelsTab() -> impl IntoView {
    let project = use_project();
    let path = project.path;
    let any = Signal::derive(move || project.get(|detail| detail.models.total_count) != Some(0));
    let description = Memo::new(move |_| {
        let html = project.get(|detail| detail.description_html.clone());
        html.filter(|html| !html.trim().is_empty())
    });
    let nothing = move || {
        if project.allows(Role::Developer) {
            view! { <FirstModel path/> }.into_any()
        } else {
            view! {
                <Empty d=icon::BOX title="No models yet">
                    <p>"Nothing has been published in this project yet."</p>
                </Empty>
            }
            .into_any()
        }
    };
    // The number of models stands on the tab.
    let changed = move |()| project.reload();
    view! {
        <PageTitle text=move || path.get()/>
        <h2 class="sr-only">"Models"</h2>
        {move || description.get().map(|html| view! {
            <div class="mb-5 max-h-60 max-w-3xl overflow-y-auto text-sm" tabindex="0" role="region" aria-label="Description">
                <Markdown html=Signal::stored(html)/>
            </div>
        })}
        <ModelList kind=ModelKind::Model project=Signal::derive(move || Some(path.get())) any nothing on_change=changed>
            // Where there is no model, what is shown in its place begins with this.
            <Show when=move || any.get()><Connect path/></Show>
        </ModelList>
    }
}

/// Where MLflow's client finds this project, and on demand how it is used.
#[component]
fn Connect(path: Memo<String>) -> impl IntoView {
    let open = RwSignal::new(false);
    let uri = Signal::derive(move || address::tracking_uri(&path.read()));
    let project = use_project();
    let visibility = Signal::derive(move || project.visibility());
    let writes = Signal::derive(move || project.allows(Role::Developer));
    let snippets = Signal::derive(move || {
        let steps = mlflow::first_version("my-experiment", "my-model");
        // Who may only read loads, which is the last one.
        let skipped = if writes.get() { 0 } else { steps.len() - 1 };
        steps.into_iter().skip(skipped).collect::<Vec<_>>()
    });
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
                <MlflowGuide project=path snippets visibility writes id="connect"/>
            </section>
        </Show>
    }
}

/// How a project begins: in the browser, with MLflow, or from a shell.
#[component]
fn FirstModel(path: Memo<String>) -> impl IntoView {
    let project = use_project();
    let visibility = Signal::derive(move || project.visibility());
    let needs_tokens = use_session().needs_tokens;
    let snippets = Signal::derive(move || {
        let registry = address::registry();
        let path = path.get();
        let header = "-H \"Authorization: Bearer $MLFLOW_TRACKING_TOKEN\" ";
        let header = if needs_tokens.get() { header } else { "" };
        let curl = format!(
            "api() {{ curl -fsS {registry}/graphql {header}\\\n  \
             -H 'Content-Type: application/json' -d \"$1\"; }}\n\
             api '{{\"query\":\"mutation {{ createModel(input: {{project: \\\"{path}\\\", name: \\\"my-model\\\"}}) {{ model {{ path }} }} }}\"}}'\n\
             api '{{\"query\":\"mutation {{ createModelVersion(input: {{model: \\\"{path}/my-model\\\", version: \\\"1.0.0\\\"}}) {{ modelVersion {{ version }} }} }}\"}}'\n\
             curl -fT model.onnx {header}{registry}/files/{path}/my-model/1.0.0/model.onnx\n\
             api '{{\"query\":\"mutation {{ publishModelVersion(input: {{model: \\\"{path}/my-model\\\", version: \\\"1.0.0\\\"}}) {{ modelVersion {{ digest }} }} }}\"}}'\n"
        );
        let mut steps = mlflow::demo("my-experiment", "my-model");
        steps.push(Snippet { name: "curl", code: curl });
        steps
    });
    view! {
        <Empty d=icon::BOX title="Publish the first model">
            <p>"A model has a name, a model card that describes it, and versions that hold its files."</p>
            <a class="btn btn-primary" href=move || address::project_page(&path.read(), "new")>
                <Icon d=icon::PLUS/>"New model"
            </a>
            <p>"Or publish from your training script with MLflow:"</p>
            <div class="w-full max-w-2xl"><MlflowGuide project=path snippets visibility writes=true id="first"/></div>
        </Empty>
    }
}
