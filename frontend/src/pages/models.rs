//! `/{project}`: its models.

use leptos::prelude::*;

use super::{neighbours, person, project::use_project, use_place};
use crate::{
    address,
    components::{
        badge::{AliasChip, DraftBadge, TagChip},
        copy::CopyButton,
        empty::Empty,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        markdown::Markdown,
        pager::Pager,
        person::Person,
        search::SearchBox,
        skeleton::SkeletonRows,
        snippets::Snippet,
        sort::{Sort, SortHeader, SortSelect, use_sort},
        time::Time,
        title::PageTitle,
    },
    format,
    graphql::{
        model::{self, ModelOrder, ModelOrderField, ModelPage, ModelRow},
        scalar::{OrderDirection, Role, VersionState},
    },
    parts::mlflow::{self, MlflowGuide},
};

/// Tags in a row; more than these are on the model's page.
const TAGS_SHOWN: usize = 3;

#[component]
pub fn ModelsTab() -> impl IntoView {
    let project = use_project();
    let path = project.path;
    let detail = project.detail;
    let search = address::use_query("q");
    let sort = use_sort("name");
    let place = use_place();
    let models =
        Load::new(move || model::list(path.get(), search.get(), order(&sort.read()), place.get()));
    let searching = Signal::derive(move || search.read().is_some());
    view! {
        <PageTitle text=move || path.get()/>
        <h2 class="sr-only">"Models"</h2>
        <Show when=move || !detail.read().description.trim().is_empty()>
            <div class="mb-5 max-h-60 max-w-3xl overflow-y-auto text-sm" tabindex="0" role="region" aria-label="Description">
                <Markdown html=Signal::derive(move || detail.read().description_html.clone())/>
            </div>
        </Show>
        <div class="mb-4 flex flex-wrap items-center gap-3">
            <SearchBox name="q" label="Search models"/>
            <SortSelect
                sort
                class="select w-auto md:hidden"
                options=&[("name", "Name"), ("-updated", "Last updated"), ("-created", "Newest")]
            />
            // Where there is no model, what is shown in its place begins with this.
            <Show when=move || detail.read().model_count != 0><Connect path/></Show>
        </div>
        <Loaded from=models fallback=|| view! { <SkeletonRows/> } let:page>
            <ModelTable page sort searching path/>
        </Loaded>
    }
}

fn order(sort: &Sort) -> ModelOrder {
    let field = match sort.key.as_str() {
        "created" => ModelOrderField::CreatedAt,
        "updated" => ModelOrderField::UpdatedAt,
        _ => ModelOrderField::Name,
    };
    ModelOrder { field, direction: OrderDirection::of(sort.descending) }
}

#[component]
fn ModelTable(
    page: Memo<ModelPage>,
    sort: Memo<Sort>,
    searching: Signal<bool>,
    path: Memo<String>,
) -> impl IntoView {
    let project = use_project();
    let nothing = move || match (searching.get(), project.allows(Role::Developer)) {
        (true, _) => view! {
            <Empty d=icon::SEARCH title="No model matches">
                <p>"Try fewer or other letters; any part of the name is found."</p>
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
    };
    view! {
        <Show when=move || !page.read().nodes.is_empty() fallback=nothing>
            <div class="panel overflow-x-auto">
                <table class="table">
                    <thead>
                        <tr>
                            <SortHeader key="name" text="Name" sort/>
                            <th scope="col">"Latest version"</th>
                            <th scope="col" class="hidden lg:table-cell">"Aliases"</th>
                            <th scope="col" class="hidden text-right md:table-cell">"Candidates"</th>
                            <th scope="col" class="hidden lg:table-cell">"Author"</th>
                            <SortHeader key="updated" text="Updated" sort descending_first=true class="hidden md:table-cell"/>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || page.get().nodes key=row_key let:row>
                            <Row row/>
                        </For>
                    </tbody>
                </table>
            </div>
            <Pager
                neighbours=Signal::derive(move || {
                    page.with(|page| neighbours(&page.page_info, page.total_count, page.nodes.len()))
                })
                one="model"
                many="models"
            />
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

/// A row is drawn anew where any of this differs.
fn row_key(row: &ModelRow) -> (String, String, i32, i32, Option<String>) {
    let latest = row.latest_version.as_ref().map(|latest| latest.version.clone());
    (row.path.clone(), row.updated_at.0.clone(), row.version_count, row.candidate_count, latest)
}

#[component]
fn Row(row: ModelRow) -> impl IntoView {
    let ModelRow {
        path,
        name,
        author,
        updated_at,
        latest_version,
        version_count,
        candidate_count,
        aliases,
        tags,
    } = row;
    let versions = address::model_page(&path, "versions");
    let latest = match latest_version {
        Some(latest) => {
            let draft = latest.state == VersionState::Draft;
            view! {
                <a class="link-hover link inline-block py-1 font-mono text-sm" href=address::version(&path, &latest.version)>
                    {latest.version.clone()}
                </a>
                {draft.then(|| view! { " " <DraftBadge/> })}
                <a class="link-hover link block py-1 text-xs text-muted" href=versions>
                    {format::plural(version_count.into(), "version", "versions")}
                </a>
            }
            .into_any()
        }
        None => view! { <span class="text-sm text-muted">"none yet"</span> }.into_any(),
    };
    let mut tags = tags;
    tags.retain(|tag| !tag.is_system());
    let more = tags.len().saturating_sub(TAGS_SHOWN);
    let chips = aliases
        .into_iter()
        .map(|alias| {
            let version = alias.version.version;
            view! { <AliasChip name=alias.name href=address::version(&path, &version) version=version/> }
        })
        .collect_view();
    view! {
        <tr>
            <td class="min-w-44 max-w-md">
                <a class="link-hover link break-words font-semibold" href=address::model(&path)>{name}</a>
                {(!tags.is_empty()).then(|| view! {
                    <div class="mt-1 flex flex-wrap gap-1">
                        {tags
                            .into_iter()
                            .take(TAGS_SHOWN)
                            .map(|tag| view! { <TagChip key=tag.key value=tag.value/> })
                            .collect_view()}
                        {(more > 0).then(|| view! { <span class="text-xs text-muted">"+" {more}</span> })}
                    </div>
                })}
            </td>
            <td class="whitespace-nowrap">{latest}</td>
            <td class="hidden lg:table-cell"><div class="flex max-w-56 flex-wrap gap-1">{chips}</div></td>
            <td class="hidden text-right tabular-nums md:table-cell">
                {if candidate_count == 0 {
                    view! { <span class="text-muted">"0"</span> }.into_any()
                } else {
                    view! {
                        <a class="link-hover link" href=address::model_page(&path, "candidates")>
                            {format::count(candidate_count.into())}
                        </a>
                    }
                    .into_any()
                }}
            </td>
            <td class="hidden lg:table-cell"><Person person=person(author)/></td>
            <td class="hidden text-sm text-muted md:table-cell"><Time at=updated_at.0/></td>
        </tr>
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
