//! `/{project}/{model}`: the model card and the facts beside it.

use leptos::prelude::*;

use super::{model::use_model, person, prompt_card::PromptCard};
use crate::{
    components::{
        badge::DraftBadge,
        copy::CopyButton,
        empty::Empty,
        facts::{Fact, Facts, SidePanel},
        icon::{self, Icon},
        loaded::Loaded,
        person::Person,
        snippets::Snippet,
        time::Time,
        title::PageTitle,
    },
    graphql::{
        model::{self, LatestVersion, ModelDetail, UpdateModelInput},
        scalar::{Role, VersionState},
        tag::Target,
        version::FlavorsAndFiles,
    },
    logic::{address, contents::Contents, format, judge},
    parts::{
        description::Description,
        models::{
            aliases::Aliases,
            embed::EmbedPanel,
            judge::JudgePanel,
            mlflow::{self, MlflowPanel},
            usage::Usage,
        },
        tags::Tags,
    },
};

#[component]
pub fn ModelCardTab() -> impl IntoView {
    let model = use_model();
    view! {
        <PageTitle text=move || model.path.get()/>
        <Loaded from=model.load let:detail>
            {
                let is_prompt = Memo::new(move |_| detail.read().is_prompt());
                move || match is_prompt.get() {
                    true => view! { <PromptCard detail/> }.into_any(),
                    false => view! { <Card detail/> }.into_any(),
                }
            }
        </Loaded>
    }
}

#[component]
fn Card(detail: Memo<ModelDetail>) -> impl IntoView {
    let model = use_model();
    let changed = Callback::new(move |()| model.reload());
    let save = Callback::new(move |text: String| {
        let input = UpdateModelInput { model: model.path.get_untracked(), description: Some(text) };
        Box::pin(async move { model::update(input).await.map(drop) }) as _
    });
    let references = Signal::derive(move || {
        detail.with(|detail| {
            let aliases = detail.aliases.iter().map(|alias| format!("@{}", alias.name));
            std::iter::once("latest".to_owned()).chain(aliases).collect::<Vec<_>>()
        })
    });
    let project = Signal::derive(move || model.project());
    let editable = Signal::derive(move || model.allows(Role::Developer));
    let snippets =
        Signal::derive(move || detail.with(|detail| mlflow_snippets(detail, editable.get())));
    let visibility = Signal::derive(move || detail.read().project.visibility);
    let is_mlflow = Memo::new(move |_| detail.with(contents) == Contents::Mlflow);
    // Where there is nothing that a guest could do with it, there is none.
    let mlflow_panel = move || {
        view! {
            <Show when=move || !snippets.read().is_empty()>
                <MlflowPanel project snippets visibility writes=editable/>
            </Show>
        }
    };
    let latest = Memo::new(move |_| detail.read().latest_version.clone());
    view! {
        <div class="grid grid-cols-[minmax(0,1fr)] items-start gap-6 lg:grid-cols-[minmax(0,1fr)_22rem]">
            <div class="min-w-0 space-y-6">
                <Show when=move || latest.read().is_none()>
                    <NoVersion detail editable/>
                </Show>
                <Description
                    title="Model card"
                    object=Signal::derive(move || detail.read().draft_key())
                    files=Signal::derive(move || detail.with(ModelDetail::latest_files))
                    text=Signal::derive(move || detail.read().description.clone())
                    html=Signal::derive(move || detail.read().description_html.clone())
                    save
                    editable
                    on_saved=changed
                    empty="No model card yet. What is this model for? What was it trained on? How good is it? What should it not be used for?"
                />
            </div>
            <div class="space-y-4">
                {move || latest.get().map(|latest| view! { <Latest latest path=model.path/> })}
                // What was logged with MLflow is loaded with it.
                {move || is_mlflow.get().then(mlflow_panel)}
                <Show when=move || latest.read().is_some()>
                    <Usage
                        title="Use this model" model=model.path references visibility
                        contents=Signal::derive(move || detail.with(contents))
                    />
                </Show>
                {move || (!is_mlflow.get()).then(mlflow_panel)}
                <JudgePanel
                    model=model.path
                    judge=Signal::derive(move || detail.read().judge())
                    tag=Signal::derive(move || detail.read().tag(judge::TAG))
                    best=Signal::derive(move || detail.read().best_metric.clone())
                    editable
                    on_change=changed
                />
                <AliasesAndTags detail editable/>
                <Show when=move || latest.read().is_some()>
                    <EmbedPanel model=model.path visibility/>
                </Show>
                <About detail/>
            </div>
        </div>
    }
}

/// In place of the latest version: there is none yet, or none that should be used.
#[component]
fn NoVersion(detail: Memo<ModelDetail>, editable: Signal<bool>) -> impl IntoView {
    let path = use_model().path;
    let yanked = Memo::new(move |_| detail.read().yanked.total_count > 0);
    let shown = move || format!("{}?yanked=true", address::model_page(&path.read(), "versions"));
    move || {
        let (title, text) = if yanked.get() {
            ("All versions are yanked", "Yanked versions should not be used.")
        } else {
            let text = "A version holds the files of one release. Create a version, add files, then publish it.";
            ("No versions yet", text)
        };
        view! {
            <Empty d=icon::PACKAGE title>
                <p>{text}</p>
                <Show when=move || yanked.get()>
                    <a class="btn" href=shown>"Show yanked"</a>
                </Show>
                <Show when=move || editable.get()>
                    <a class="btn btn-primary" href=move || address::model_page(&path.read(), "versions/new")>
                        <Icon d=icon::PLUS/>
                        "New version"
                    </a>
                </Show>
            </Empty>
        }
    }
}

/// What the files of the latest version are.
fn contents(model: &ModelDetail) -> Contents {
    model.latest_contents.as_ref().map_or(Contents::Files, FlavorsAndFiles::contents)
}

/// How MLflow's client loads the model, if there is something to load, and adds to it, for who may.
fn mlflow_snippets(model: &ModelDetail, writes: bool) -> Vec<Snippet> {
    let flavors = model.latest_contents.as_ref().map_or(&[][..], |latest| &latest.flavors);
    let load = |(name, uri): (&'static str, String)| mlflow::load(name, &uri, flavors);
    let latest = model.latest_version.as_ref();
    let latest = latest.map(|_| ("Load", format!("models:/{}/latest", model.name)));
    let alias = model.aliases.first();
    let alias = alias.map(|alias| ("By alias", mlflow::by_alias(&model.name, &alias.name)));
    let loading = latest.into_iter().chain(alias).map(load);
    let adding = mlflow::logging(&mlflow::experiment_of(&model.name), &model.name);
    loading.chain(adding.into_iter().filter(|_| writes)).collect()
}

#[component]
fn Latest(latest: LatestVersion, path: Memo<String>) -> impl IntoView {
    let LatestVersion { version, state, created_at, published_at, file_count, size } = latest;
    let at = published_at.map_or_else(|| ("created ", created_at.0), |at| ("published ", at.0));
    let files = format::plural(file_count.into(), "file", "files");
    view! {
        <section class="panel p-4">
            <h2 class="mb-2 text-sm font-semibold">"Latest version"</h2>
            <p class="flex items-center gap-2">
                <a class="link-hover link font-mono text-xl font-semibold" href=address::version(&path.read_untracked(), &version)>
                    {version.clone()}
                </a>
                {(state == VersionState::Draft).then(|| view! { <DraftBadge/> })}
            </p>
            <p class="mt-1 text-sm text-muted">
                {at.0} <Time at=at.1/> " · " {files} ", " {format::bytes(size)}
            </p>
        </section>
    }
}

#[component]
pub fn AliasesAndTags(detail: Memo<ModelDetail>, editable: Signal<bool>) -> impl IntoView {
    let model = use_model();
    let on_change = Callback::new(move |()| model.reload());
    view! {
        <SidePanel title="Aliases">
            <Aliases
                model=model.path
                aliases=Signal::derive(move || detail.read().aliases.clone())
                project=Signal::derive(move || detail.read().project.clone())
                on_change
            />
        </SidePanel>
        <SidePanel title="Tags">
            <Tags
                target=Signal::derive(move || Target::model(model.path.get()))
                tags=Signal::derive(move || detail.read().tags.clone())
                editable
                on_change
            />
        </SidePanel>
    }
}

#[component]
pub fn About(detail: Memo<ModelDetail>) -> impl IntoView {
    view! {
        <SidePanel title="About">
            {move || {
                let detail = detail.get();
                let has_runs = !detail.is_prompt();
                view! {
                    <Facts>
                        <Fact term="Path">
                            <span class="inline-flex items-center gap-1">
                                <code class="break-all text-xs">{detail.path.clone()}</code>
                                <CopyButton text=Signal::stored(detail.path) label="Copy the path"/>
                            </span>
                        </Fact>
                        <Fact term="Created">
                            <Time at=detail.created_at.0/> " by " <Person person=person(detail.author)/>
                        </Fact>
                        <Fact term="Updated"><Time at=detail.updated_at.0/></Fact>
                        <Fact term="Versions">{format::count(detail.version_count.into())}</Fact>
                        {has_runs.then(|| view! {
                            <Fact term="Runs">{format::count(detail.candidate_count.into())}</Fact>
                            <Fact term="Experiment">
                                <code class="break-all text-xs">{mlflow::experiment_of(&detail.name)}</code>
                            </Fact>
                        })}
                    </Facts>
                }
            }}
        </SidePanel>
    }
}
