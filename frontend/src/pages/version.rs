//! `/{project}/{model}/versions/{version}`: one version; a reference such as `@champion` works too.

use leptos::{prelude::*, task::spawn_local};
use leptos_router::NavigateOptions;

use super::stage_name;
use crate::{
    components::{
        badge::{AliasChip, Badge, DraftBadge, LatestBadge},
        breadcrumbs::Breadcrumbs,
        confirm::Confirm,
        facts::SidePanel,
        form::Submit,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        menu::Menu,
        skeleton::SkeletonPage,
        snippets::Snippet,
        title::PageTitle,
        toast::use_toasts,
    },
    graphql::{
        alias::AliasDetail,
        model,
        scalar::{Role, VersionState},
        tag::Target,
        version::{
            self, DeleteModelVersionInput, PublishModelVersionInput, RestoreModelVersionInput,
            UpdateModelVersionInput, VersionPageData,
        },
    },
    live::keep_following,
    logic::{address, format},
    parts::{
        compare::{
            changes::Changes,
            measures::{MetricTable, ParamTable},
        },
        description::Description,
        files::{
            arriving::{Arriving, Go},
            browser::{Files, Source},
            portable::NameWarnings,
        },
        models::{
            about_version::AboutVersion,
            aliases::Aliases,
            crumbs,
            embed::EmbedPanel,
            mlflow::{self, MlflowPanel},
            mlmodel::{self, Mlmodel},
            support::{SupportActions, SupportBanner, SupportDialogs, SupportItems},
            usage::Usage,
        },
        prompts::{self, template::TemplatePanel},
        tags::{Tags, report},
    },
    upload::Uploads,
};

#[component]
pub fn VersionPage() -> impl IntoView {
    let model = address::use_model_path();
    let reference = address::use_param("version");
    // An alias may move while the page is open: what is shown, and perhaps being written about, stays.
    let resolved = StoredValue::new(None::<(String, String, String)>);
    let fetch = move |model: String| {
        let reference = reference.get();
        let known = resolved.with_value(|resolved| {
            let same = |(of, by, _): &&(String, String, String)| *of == model && *by == reference;
            resolved.as_ref().filter(same).map(|(.., version)| version.clone())
        });
        async move {
            let wanted = known.unwrap_or_else(|| reference.clone());
            let data = version::get(model.clone(), wanted).await?;
            resolved.try_set_value(Some((model, reference, data.version.version.clone())));
            Ok(data)
        }
    };
    let load = Load::of_path(model, fetch, |data| data.model.clone());
    // Somebody else may fill a draft, move an alias to it, or publish it.
    keep_following(move || model::follow(model.get(), move || load.refetch()));
    view! {
        <PageTitle text=move || format!("{} {}", model.get(), reference.get())/>
        <Loaded page=true from=load fallback=|| view! { <SkeletonPage/> } let:data>
            <Shown data load/>
        </Loaded>
    }
}

#[component]
fn Shown(data: Memo<VersionPageData>, load: Load<VersionPageData>) -> impl IntoView {
    let changed = Callback::new(move |()| load.refetch());
    let model = Memo::new(move |_| data.read().model.clone());
    let version = Memo::new(move |_| data.read().version.version.clone());
    let draft = Memo::new(move |_| data.read().version.state == VersionState::Draft);
    let source = Memo::new(move |_| Source::Version { model: model.get(), version: version.get() });
    let save = Callback::new(move |text: String| {
        let input = UpdateModelVersionInput {
            model: model.get_untracked(),
            version: version.get_untracked(),
            description: Some(text),
        };
        Box::pin(async move { version::update(input).await.map(drop) }) as _
    });
    let editable = Signal::derive(move || data.read().project.allows(Role::Developer));
    let params = Memo::new(move |_| data.read().version.params.clone());
    let metrics = Memo::new(move |_| data.read().version.metrics.clone());
    let is_known = Memo::new(move |_| mlmodel::is_known(&data.read().version));
    // It is in the files: nothing else draws it anew, which would fold what somebody unfolded.
    let file_count = Memo::new(move |_| data.read().version.file_count);
    let files = Memo::new(move |_| (version.get(), file_count.get()));
    let mlmodel = move || {
        files.track();
        is_known.get().then(|| view! { <Mlmodel version=data.read_untracked().version.clone()/> })
    };
    let template = Memo::new(move |_| data.read().version.prompt.clone());
    let is_prompt = Memo::new(move |_| data.read().version.is_prompt());
    let visibility = Signal::derive(move || data.read().project.visibility);
    let mlflow_panel = move || {
        view! {
            <MlflowPanel
                project=Signal::derive(move || data.read().project.path.clone())
                snippets=Signal::derive(move || data.with(|data| mlflow_snippets(data, editable.get())))
                visibility
                writes=editable
            />
        }
    };
    // Of what MLflow registered somewhere else, only where it is is known.
    let elsewhere = move || {
        let version = &data.read().version;
        let is_elsewhere = version.file_count == 0 && version.prompt.is_none();
        version.source.clone().filter(|_| is_elsewhere).map(|source| {
            view! {
                <p class="panel px-5 py-3 text-sm">
                    "The files of this version are stored outside the registry: " <code class="break-all text-xs">{source}</code>
                </p>
            }
        })
    };
    view! {
        <Heading data draft editable on_change=changed/>
        <SupportBanner data/>
        <div class="grid grid-cols-[minmax(0,1fr)] items-start gap-6 lg:grid-cols-[minmax(0,1fr)_22rem]">
            <div class="flex min-w-0 flex-col gap-6">
                <TemplatePanel template/>
                <Description
                    title="Release notes"
                    object=Signal::derive(move || format!("version {}", data.read().version.id.inner()))
                    files=Signal::derive(move || Some(source.read().base()))
                    text=Signal::derive(move || data.read().version.description.clone())
                    html=Signal::derive(move || data.read().version.description_html.clone())
                    save
                    editable
                    on_saved=changed
                    empty="No release notes yet. What changed, and who is affected?"
                />
                {mlmodel}
                {elsewhere}
                // A draft is about its files; of a published version one first reads the notes.
                <Show when=move || !is_prompt.get()>
                    <div class:order-first=draft><Files source file_count open=Signal::derive(move || draft.get() && editable.get()) on_change=changed/></div>
                </Show>
                <Changes data/>
                <Show when=move || !metrics.read().is_empty()><MetricTable metrics/></Show>
                <Show when=move || !params.read().is_empty()><ParamTable params/></Show>
            </div>
            <div class="space-y-4">
                // What was logged with MLflow is loaded with it.
                {move || (is_known.get() || is_prompt.get()).then(mlflow_panel)}
                <Show when=move || !is_prompt.get()>
                    <Usage
                        title="Use this version" model references=references(data) visibility
                        contents=Signal::derive(move || data.read().version.contents())
                    />
                </Show>
                {move || (!is_known.get() && !is_prompt.get()).then(mlflow_panel)}
                <SidePanel title="Aliases">
                    <Aliases
                        model
                        aliases=Signal::derive(move || data.read().aliases.clone())
                        version=version
                        project=Signal::derive(move || data.read().project.clone())
                        // Remembered: what is typed stays where something else of the version changes.
                        closed=Memo::new(move |_| data.read().version.is_yanked())
                        on_change=changed
                    />
                </SidePanel>
                <AboutVersion data/>
                <Show when=move || !draft.get()><EmbedPanel model version visibility/></Show>
                <SidePanel title="Tags">
                    <Tags
                        target=Signal::derive(move || Target::version(model.get(), version.get()))
                        tags=Signal::derive(move || data.read().version.tags.clone())
                        editable
                        on_change=changed
                    />
                </SidePanel>
            </div>
        </div>
    }
}

/// How MLflow's client loads this version and, for who may, moves an alias to it and makes the next one.
fn mlflow_snippets(data: &VersionPageData, writes: bool) -> Vec<Snippet> {
    let VersionPageData { model_name, version, .. } = data;
    let named = named(data).next();
    if let Some(template) = &version.prompt {
        return prompts::mlflow::of_version(model_name, version.number, named, template, writes);
    }
    let load = |name, uri: String| mlflow::load(name, &uri, &version.flavors);
    let mut snippets = vec![load("Load", mlflow::by_number(model_name, version.number))];
    if let Some(alias) = named {
        snippets.push(load("By alias", mlflow::by_alias(model_name, alias)));
    }
    if !writes {
        return snippets;
    }
    snippets.push(mlflow::promote(model_name, named.unwrap_or("champion"), version.number));
    // There is no room for more, and this one also logs.
    snippets.extend(mlflow::logging(&mlflow::experiment_of(model_name), model_name).pop());
    snippets
}

/// The aliases of this version.
fn named(data: &VersionPageData) -> impl Iterator<Item = &str> {
    let here = |alias: &&AliasDetail| alias.version.version == data.version.version;
    data.aliases.iter().filter(here).map(|alias| alias.name.as_str())
}

/// The ways to refer to this version: itself, its aliases, and `latest` where it is.
fn references(data: Memo<VersionPageData>) -> Signal<Vec<String>> {
    Signal::derive(move || {
        data.with(|data| {
            let version = &data.version.version;
            let mut references = vec![version.clone()];
            references.extend(named(data).map(|alias| format!("@{alias}")));
            if data.latest.as_ref().is_some_and(|latest| latest.version == *version) {
                references.push("latest".to_owned());
            }
            references
        })
    })
}

#[component]
fn Heading(
    data: Memo<VersionPageData>,
    draft: Memo<bool>,
    editable: Signal<bool>,
    on_change: Callback<()>,
) -> impl IntoView {
    let deleting = RwSignal::new(false);
    let support = SupportActions::new(data, on_change);
    let crumbs = Signal::derive(move || {
        data.with(|data| {
            crumbs::to_versions(
                data.version.kind(),
                &data.project.path,
                &data.model,
                &data.model_name,
            )
        })
    });
    let latest = Memo::new(move |_| {
        data.with(|data| {
            data.latest.as_ref().is_some_and(|latest| latest.version == data.version.version)
        })
    });
    let aliases = move || {
        data.with(|data| {
            data.aliases
                .iter()
                .filter(|alias| alias.version.version == data.version.version)
                .map(|alias| view! { <AliasChip name=alias.name.clone() protected=alias.protected/> })
                .collect_view()
        })
    };
    view! {
        <Breadcrumbs items=crumbs/>
        <div class="mb-6 flex flex-wrap items-center justify-between gap-3">
            <div class="flex min-w-0 flex-wrap items-center gap-2">
                <h1 class="break-all font-mono text-2xl font-semibold tracking-tight">
                    {move || data.read().version.version.clone()}
                </h1>
                <Show when=move || draft.get()><DraftBadge/></Show>
                <Show when=move || latest.get() && !draft.get()><LatestBadge/></Show>
                {move || stage_name(data.read().version.stage).map(|text| view! { <Badge text/> })}
                {aliases}
            </div>
            <Show when=move || editable.get()>
                <div class="flex gap-2">
                    <Show when=move || draft.get()><Publish data on_change/></Show>
                    <Menu label="More actions for this version" button=|| view! { <Icon d=icon::MORE/> }>
                        <SupportItems actions=support/>
                        <li>
                            <button type="button" on:click=move |_| deleting.set(true)>
                                <Icon d=icon::TRASH/>"Delete version"
                            </button>
                        </li>
                    </Menu>
                </div>
            </Show>
        </div>
        <SupportDialogs actions=support/>
        <Delete data open=deleting/>
    }
}

#[component]
fn Publish(data: Memo<VersionPageData>, on_change: Callback<()>) -> impl IntoView {
    let toasts = use_toasts();
    let open = RwSignal::new(false);
    let submit = Submit::new();
    report(submit);
    let uploads = expect_context::<Uploads>();
    let publish = Callback::new(move |go: Go| {
        let Go { without_uploads, mut required_files } = go;
        let source = data.with_untracked(|data| Source::Version {
            model: data.model.clone(),
            version: data.version.version.clone(),
        });
        // What waits its turn in this browser is on its way, too.
        required_files.extend(uploads.queue(source.place()).unfinished());
        let input = data.with_untracked(|data| PublishModelVersionInput {
            model: data.model.clone(),
            version: data.version.version.clone(),
            without_uploads,
            required_files,
        });
        submit.run(version::publish(input), move |published| {
            open.set(false);
            toasts.success(format!("{} has been published.", published.version));
            on_change.run(());
        });
    });
    let meaning = move || {
        data.with(|data| {
            let size = format::bytes(data.version.size);
            match data.version.file_count {
                0 if data.version.is_prompt() => {
                    "Publishing locks the template. It can't be changed afterwards.".to_owned()
                }
                0 => "This version has no files yet. Publishing locks it: no files can be added afterwards.".to_owned(),
                1 => format!("Publishing locks this file ({size}). It can't be changed afterwards."),
                n => format!(
                    "Publishing locks these {} files ({size}). They can't be changed afterwards.",
                    format::count(n.into()),
                ),
            }
        })
    };
    let unfinished = Signal::derive(move || data.read().version.unfinished_uploads.clone());
    view! {
        <button type="button" class="btn btn-primary" on:click=move |_| open.set(true)>
            <Icon d=icon::ROCKET/>
            "Publish"
        </button>
        <Confirm
            open
            title=Signal::derive(move || format!("Publish {}?", data.read().version.version))
            action="Publish version"
            pending=submit.pending
            on_confirm=move |()| publish.run(Go::default())
        >
            <p>{meaning}</p>
            <NameWarnings warnings=Signal::derive(move || data.read().version.name_warnings.clone())/>
            <Arriving submit unfinished go=publish/>
        </Confirm>
    }
}

#[component]
fn Delete(data: Memo<VersionPageData>, open: RwSignal<bool>) -> impl IntoView {
    let toasts = use_toasts();
    let navigate = address::use_navigate();
    let submit = Submit::new();
    report(submit);
    let delete = move |()| {
        let (model, version) =
            data.with_untracked(|data| (data.model.clone(), data.version.version.clone()));
        let navigate = navigate.clone();
        let input = DeleteModelVersionInput { model: model.clone(), version };
        submit.run(version::delete(input), move |deleted| {
            let (back, home) = (navigate.clone(), address::model_page(&model, "versions"));
            let text = format!("Version {} moved to the trash.", deleted.version);
            let undo = move || {
                let (deleted, back, model) = (deleted.clone(), back.clone(), model.clone());
                spawn_local(async move {
                    let input = RestoreModelVersionInput {
                        model: model.clone(),
                        version: deleted.version,
                        id: Some(deleted.id),
                    };
                    match version::restore(input).await {
                        Ok(restored) => {
                            back(
                                &address::version(&model, &restored.version),
                                NavigateOptions::default(),
                            );
                        }
                        Err(error) => toasts.failure(&error),
                    }
                });
            };
            toasts.undoable(text, undo);
            navigate(&home, NavigateOptions::default());
        });
    };
    let aliases = move || {
        data.with(|data| {
            let named = named(data).map(|alias| format!("@{alias}")).collect::<Vec<_>>();
            (!named.is_empty())
                .then(|| format!("{} will point to nothing until you move it. ", named.join(", ")))
        })
    };
    view! {
        <Confirm
            open
            title=Signal::derive(move || format!("Delete {}?", data.read().version.version))
            action="Delete version"
            danger=true
            pending=submit.pending
            on_confirm=delete
        >
            <p>
                {aliases}
                "The version moves to the project's trash and can be restored."
            </p>
        </Confirm>
    }
}
