//! `/{project}/{model}/candidates/{number}` and `/{project}/-/runs/{run}`: one training run, of a model
//! or of none.

use leptos::{prelude::*, task::spawn_local};
use leptos_router::NavigateOptions;

use super::person;
use crate::{
    components::{
        breadcrumbs::Breadcrumbs,
        confirm::Confirm,
        copy::CopyButton,
        facts::{Fact, Facts, SidePanel},
        form::Submit,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        menu::Menu,
        moved::Moved,
        person::Person,
        skeleton::SkeletonPage,
        time::{self, Time},
        title::PageTitle,
        toast::use_toasts,
    },
    graphql::{
        candidate::{
            self, CandidateDetail, DeleteCandidateInput, RestoreCandidateInput, Run, Which,
        },
        scalar::Role,
        tag::Target,
    },
    live::keep_following,
    logic::{address, error::ApiError, format},
    parts::{
        candidates::{
            curves::{Curves, Measured},
            promote::{PromoteDialog, Promotion},
            provenance,
            run_facts::RunFacts,
            status::Status,
        },
        compare::measures::{MetricTable, ParamTable},
        files::browser::{Files, Source},
        models::usage::Usage,
        tags::{Tags, report},
    },
};

#[component]
pub fn CandidatePage() -> impl IntoView {
    let model = address::use_model_path();
    let number = address::use_number();
    let project = address::use_param("project");
    let run = address::use_param("run");
    let path = Memo::new(move |_| if run.read().is_empty() { model.get() } else { project.get() });
    let which = Memo::new(move |_| {
        if !run.read().is_empty() {
            return Some(Which::Run(Run { project: project.get(), run_id: run.get() }));
        }
        number.get().map(|number| Which::Number { model: model.get(), number })
    });
    let fetch = move |_| {
        let which = which.get();
        async move {
            match which {
                Some(which) => candidate::get(which).await,
                None => Err(ApiError::not_found("The address of a run must end with its number.")),
            }
        }
    };
    let load = Load::of_path(path, fetch, |data: &CandidateDetail| match &data.model {
        Some(model) => model.path.clone(),
        None => data.experiment.project.path.clone(),
    });
    let title = move || match which.get() {
        Some(Which::Number { model, number }) => format!("Run {number} of {model}"),
        Some(Which::Run(Run { project, run_id })) => format!("Run {run_id} in {project}"),
        None => "Not found".to_owned(),
    };
    view! {
        <PageTitle text=title/>
        <Loaded page=true from=load fallback=|| view! { <SkeletonPage/> } let:data>
            <Candidate data load by_run=Signal::derive(move || !run.read().is_empty())/>
        </Loaded>
    }
}

/// The page; a run of a model goes to its own address instead.
#[component]
fn Candidate(
    data: Memo<CandidateDetail>,
    load: Load<CandidateDetail>,
    by_run: Signal<bool>,
) -> impl IntoView {
    let to = Signal::derive(move || {
        let place = data.read().place().filter(|_| by_run.get());
        place.map(|(model, number)| address::candidate(&model, number))
    });
    view! { <Moved to><Shown data load/></Moved> }
}

#[component]
fn Shown(data: Memo<CandidateDetail>, load: Load<CandidateDetail>) -> impl IntoView {
    let changed = Callback::new(move |()| load.refetch());
    let run = Memo::new(move |_| data.read().run());
    let place = Memo::new(move |_| data.read().place());
    let source = Memo::new(move |_| Source::Candidate { run: run.get(), place: place.get() });
    let developer = Memo::new(move |_| data.read().experiment.project.allows(Role::Developer));
    // Who wants to change a run that has no model has MLflow for it.
    let editable = Signal::derive(move || developer.get() && place.read().is_some());
    let open = Memo::new(move |_| data.read().version.is_none() && editable.get());
    let params = Memo::new(move |_| data.read().params.clone());
    let metrics = Memo::new(move |_| data.read().metrics.clone());
    let measured = Signal::derive(move || {
        let (data, run) = (data.read(), run.get());
        let (name, metrics, curves) =
            (data.name.clone(), data.metrics.clone(), data.curves.clone());
        vec![Measured { run, name, metrics, curves, color: 0 }]
    });
    follow_while_it_runs(data, run, load);
    let target = move || match place.get() {
        Some((model, number)) => Target::candidate(model, number),
        None => Target::model(String::new()),
    };
    // As `/files` has them: `vision/ocr` and `candidate:7`, or `vision/-` and `run:…`.
    let model = move || match place.get() {
        Some((model, _)) => model,
        None => format!("{}/-", run.read().project),
    };
    let reference = move || match place.get() {
        Some((_, number)) => vec![format!("candidate:{number}")],
        None => vec![format!("run:{}", run.read().run_id)],
    };
    view! {
        <Heading data developer/>
        <div class="grid grid-cols-[minmax(0,1fr)] items-start gap-6 lg:grid-cols-[minmax(0,1fr)_22rem]">
            <div class="min-w-0 space-y-6">
                <Show
                    when=move || !metrics.read().is_empty()
                    fallback=|| view! {
                        <section class="panel p-5">
                            <h2 class="mb-2 font-semibold">"Metrics"</h2>
                            <p class="text-sm text-muted">"No metrics were logged."</p>
                        </section>
                    }
                >
                    <MetricTable metrics/>
                    <Curves runs=measured/>
                </Show>
                <Show when=move || !params.read().is_empty()><ParamTable params/></Show>
                <Files
                    source
                    file_count=Signal::derive(move || data.read().file_count)
                    open
                    folded=true
                    on_change=changed
                />
            </div>
            <div class="space-y-4">
                <About data/>
                <SidePanel title="Tags">
                    <Tags
                        target=Signal::derive(target)
                        tags=Signal::derive(move || data.read().tags.clone())
                        editable
                        on_change=changed
                    />
                </SidePanel>
                <Usage
                    title="Use this run"
                    model=Signal::derive(model)
                    references=Signal::derive(reference)
                    visibility=Signal::derive(move || data.read().experiment.project.visibility)
                    run_id=Signal::derive(move || run.read().run_id.clone())
                />
            </div>
        </div>
    }
}

/// Asks again when something is logged to a run that goes on.
fn follow_while_it_runs(data: Memo<CandidateDetail>, run: Memo<Run>, load: Load<CandidateDetail>) {
    let goes_on = Memo::new(move |_| data.read().status.goes_on());
    keep_following(move || {
        let runs = if goes_on.get() { vec![run.get()] } else { Vec::new() };
        candidate::follow(runs, move || load.refetch())
    });
}

#[component]
fn Heading(data: Memo<CandidateDetail>, developer: Memo<bool>) -> impl IntoView {
    let promoting = RwSignal::new(false);
    let deleting = RwSignal::new(false);
    let crumbs = Signal::derive(move || data.with(crumbs));
    let promotion = Signal::derive(move || data.with(Promotion::of));
    let number = move || data.read().number.map(|number| format!(" #{number}"));
    let promoted = move || {
        data.with(|data| {
            data.version.as_ref().map(|version| {
                let href = address::version(&version.model.path, &version.version);
                view! {
                    <span class="text-sm text-muted">
                        "Published as " <a class="link font-mono" href=href>{version.version.clone()}</a>
                    </span>
                }
            })
        })
    };
    view! {
        <Breadcrumbs items=crumbs/>
        <div class="mb-6 flex flex-wrap items-center justify-between gap-3">
            <div class="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1">
                <h1 class="wrap-anywhere text-2xl font-semibold tracking-tight">
                    {move || data.read().name.clone()}
                    <span class="font-normal text-muted">{number}</span>
                </h1>
                {move || view! { <Status status=data.read().status/> }}
                {promoted}
            </div>
            <Show when=move || developer.get()>
                <div class="flex gap-2">
                    <button type="button" class="btn btn-primary" on:click=move |_| promoting.set(true)>
                        <Icon d=icon::ROCKET/>
                        "Promote"
                    </button>
                    <Show when=move || data.read().place().is_some()>
                        <Menu label="More actions for this run" button=|| view! { <Icon d=icon::MORE/> }>
                            <li>
                                <button type="button" on:click=move |_| deleting.set(true)>
                                    <Icon d=icon::TRASH/>"Delete run"
                                </button>
                            </li>
                        </Menu>
                    </Show>
                </div>
            </Show>
        </div>
        <PromoteDialog open=promoting promotion/>
        <Delete data open=deleting/>
    }
}

/// What is above a candidate: its model, or the experiment of a run without one.
fn crumbs(data: &CandidateDetail) -> Vec<(String, String)> {
    let project = &data.experiment.project.path;
    let mut crumbs = vec![
        ("Projects".to_owned(), address::at("/")),
        (project.clone(), address::project(project)),
    ];
    crumbs.extend(match &data.model {
        Some(model) => [
            (model.name.clone(), address::model(&model.path)),
            ("Runs".to_owned(), address::model_page(&model.path, "candidates")),
        ],
        None => [
            ("Experiments".to_owned(), address::project_page(project, "experiments")),
            (data.experiment.name.clone(), address::experiment(project, data.experiment.number)),
        ],
    });
    crumbs
}

#[component]
fn Delete(data: Memo<CandidateDetail>, open: RwSignal<bool>) -> impl IntoView {
    let toasts = use_toasts();
    let navigate = address::use_navigate();
    let submit = Submit::new();
    report(submit);
    let delete = move |()| {
        let Some((model, number)) = data.read_untracked().place() else { return };
        let navigate = navigate.clone();
        let input = DeleteCandidateInput { model: model.clone(), candidate: number };
        submit.run(candidate::delete(input), move |deleted| {
            let (back, home) = (navigate.clone(), address::model_page(&model, "candidates"));
            let text = format!("Run “{}” moved to the trash.", deleted.name);
            let undo = move || {
                let (back, model) = (back.clone(), model.clone());
                spawn_local(async move {
                    let input = RestoreCandidateInput { model: model.clone(), candidate: number };
                    match candidate::restore(input).await {
                        Ok(_) => {
                            back(&address::candidate(&model, number), NavigateOptions::default())
                        }
                        Err(error) => toasts.failure(&error),
                    }
                });
            };
            toasts.undoable(text, undo);
            navigate(&home, NavigateOptions::default());
        });
    };
    view! {
        <Confirm
            open
            title=Signal::derive(move || format!("Delete “{}”?", data.read().name))
            action="Delete run"
            danger=true
            pending=submit.pending
            on_confirm=delete
        >
            <p>"The run moves to the project's trash and can be restored. Versions made from this run are kept."</p>
        </Confirm>
    }
}

/// How long a run took, where it has ended.
fn duration(candidate: &CandidateDetail) -> Option<String> {
    let (start, end) = (candidate.started_at.as_ref()?, candidate.ended_at.as_ref()?);
    Some(format::seconds(time::between_ms(&start.0, &end.0) / 1000.0))
}

#[component]
fn About(data: Memo<CandidateDetail>) -> impl IntoView {
    view! {
        <SidePanel title="About">
            {move || {
                let candidate = data.get();
                let took = duration(&candidate);
                let experiment = candidate.experiment;
                let project = experiment.project.path;
                let parent = provenance::parent(&candidate.tags).map(|parent| {
                    let href = address::run(&project, parent, None);
                    let id = parent.get(..12).unwrap_or(parent).to_owned();
                    view! { <Fact term="Parent run"><a class="link font-mono text-xs" href=href>{id} "…"</a></Fact> }
                });
                let series = match experiment.model {
                    Some(_) => view! { <code class="break-all text-xs">{experiment.name}</code> }.into_any(),
                    None => {
                        let href = address::experiment(&project, experiment.number);
                        view! { <a class="link wrap-anywhere" href=href>{experiment.name}</a> }.into_any()
                    }
                };
                view! {
                    <Facts>
                        <Fact term="Created">
                            <Time at=candidate.created_at.0/> " by " <Person person=person(candidate.author)/>
                        </Fact>
                        {candidate.started_at.map(|at| view! { <Fact term="Started"><Time at=at.0/></Fact> })}
                        {candidate.ended_at.map(|at| view! { <Fact term="Ended"><Time at=at.0/></Fact> })}
                        {took.map(|took| view! { <Fact term="Duration">{took}</Fact> })}
                        <Fact term="Files">
                            {format::count(candidate.file_count.into())} ", " {format::bytes(candidate.size)}
                        </Fact>
                        <Fact term="Experiment">{series}</Fact>
                        {parent}
                        <RunFacts tags=candidate.tags/>
                        <Fact term="MLflow run">
                            <span class="inline-flex items-center gap-1">
                                <code class="text-xs" title=candidate.run_id.clone()>
                                    {candidate.run_id.get(..12).unwrap_or(&candidate.run_id).to_owned()} "…"
                                </code>
                                <CopyButton text=Signal::stored(candidate.run_id) label="Copy the run ID"/>
                            </span>
                        </Fact>
                    </Facts>
                }
            }}
        </SidePanel>
    }
}
