//! `/{project}/{model}/candidates/{number}`: one training run.

use leptos::{prelude::*, task::spawn_local};
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::person;
use crate::{
    address,
    components::{
        breadcrumbs::Breadcrumbs,
        chart::{Chart, Curve},
        confirm::Confirm,
        copy::CopyButton,
        facts::{Fact, Facts, SidePanel},
        icon::{self, Icon},
        loaded::{Load, Loaded},
        menu::Menu,
        person::Person,
        skeleton::SkeletonPage,
        time::{self, Time},
        title::PageTitle,
        toast::use_toasts,
    },
    error::ApiError,
    form::Submit,
    format,
    graphql::{
        candidate::{
            self, CandidateDetail, CandidatePageData, DeleteCandidateInput, RestoreCandidateInput,
        },
        scalar::Role,
        tag::{Metric, Target},
    },
    parts::{
        files::{Files, Source},
        measures::{MetricTable, ParamTable},
        promote::{PromoteDialog, Promotion},
        status::Status,
        tags::{Tags, report},
        usage::Usage,
    },
};

/// Curves that are drawn at once; more on demand.
const CURVES_SHOWN: usize = 6;

#[component]
pub fn CandidatePage() -> impl IntoView {
    let model = address::use_model_path();
    let number = address::use_number();
    let load = LocalResource::new(move || {
        let (model, number) = (model.get(), number.get());
        async move {
            match number {
                Some(number) => candidate::get(model, number).await,
                None => Err(ApiError::not_found("A candidate's address ends in its number.")),
            }
        }
    });
    let title = move || match number.get() {
        Some(number) => format!("Candidate {number} of {}", model.get()),
        None => "Not found".to_owned(),
    };
    view! {
        <PageTitle text=title/>
        <Loaded page=true from=load fallback=|| view! { <SkeletonPage/> } let:data>
            <Shown data load/>
        </Loaded>
    }
}

#[component]
fn Shown(data: Memo<CandidatePageData>, load: Load<CandidatePageData>) -> impl IntoView {
    let changed = Callback::new(move |()| load.refetch());
    let model = Memo::new(move |_| data.read().model.clone());
    let number = Memo::new(move |_| data.read().number);
    let source = Memo::new(move |_| Source::Candidate { model: model.get(), number: number.get() });
    let editable = Signal::derive(move || data.read().project.allows(Role::Developer));
    let open = Memo::new(move |_| data.read().candidate.version.is_none() && editable.get());
    let params = Memo::new(move |_| data.read().candidate.params.clone());
    let metrics = Memo::new(move |_| data.read().candidate.metrics.clone());
    view! {
        <Heading data editable/>
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
                    <Curves model number metrics/>
                </Show>
                <Show when=move || !params.read().is_empty()><ParamTable params/></Show>
                <Files source open folded=true on_change=changed/>
            </div>
            <div class="space-y-4">
                <About data/>
                <SidePanel title="Tags">
                    <Tags
                        target=Signal::derive(move || Target::candidate(model.get(), number.get()))
                        tags=Signal::derive(move || data.read().candidate.tags.clone())
                        editable
                        on_change=changed
                    />
                </SidePanel>
                <Usage
                    title="Use this candidate"
                    model
                    references=Signal::derive(move || vec![format!("candidate:{}", number.get())])
                />
            </div>
        </div>
    }
}

#[component]
fn Heading(data: Memo<CandidatePageData>, editable: Signal<bool>) -> impl IntoView {
    let promoting = RwSignal::new(false);
    let deleting = RwSignal::new(false);
    let crumbs = Signal::derive(move || {
        data.with(|data| {
            vec![
                ("Projects".to_owned(), "/".to_owned()),
                (data.project.path.clone(), address::project(&data.project.path)),
                (data.model_name.clone(), address::model(&data.model)),
                ("Candidates".to_owned(), address::model_page(&data.model, "candidates")),
            ]
        })
    });
    let promotion = Signal::derive(move || {
        data.with(|data| Promotion {
            model: data.model.clone(),
            number: data.number,
            name: data.candidate.name.clone(),
            files: format!(
                "{}, {}",
                format::plural(data.candidate.file_count.into(), "file", "files"),
                format::bytes(data.candidate.size),
            ),
            latest: data.latest.as_ref().map(|latest| latest.version.clone()),
        })
    });
    let promoted = move || {
        data.with(|data| {
            data.candidate.version.as_ref().map(|version| {
                let href = address::version(&data.model, &version.version);
                view! {
                    <span class="text-sm text-muted">
                        "became " <a class="link font-mono" href=href>{version.version.clone()}</a>
                    </span>
                }
            })
        })
    };
    view! {
        <Breadcrumbs items=crumbs/>
        <div class="mb-6 flex flex-wrap items-center justify-between gap-3">
            <div class="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1">
                <h1 class="break-words text-2xl font-semibold tracking-tight">
                    {move || data.read().candidate.name.clone()}
                    <span class="font-normal text-muted">" #" {move || data.read().number}</span>
                </h1>
                {move || view! { <Status status=data.read().candidate.status/> }}
                {promoted}
            </div>
            <Show when=move || editable.get()>
                <div class="flex gap-2">
                    <button type="button" class="btn btn-primary" on:click=move |_| promoting.set(true)>
                        <Icon d=icon::ROCKET/>
                        "Promote"
                    </button>
                    <Menu label="More about this candidate" button=|| view! { <Icon d=icon::MORE/> }>
                        <li>
                            <button type="button" on:click=move |_| deleting.set(true)>
                                <Icon d=icon::TRASH/>"Delete candidate"
                            </button>
                        </li>
                    </Menu>
                </div>
            </Show>
        </div>
        <PromoteDialog open=promoting promotion/>
        <Delete data open=deleting/>
    }
}

#[component]
fn Delete(data: Memo<CandidatePageData>, open: RwSignal<bool>) -> impl IntoView {
    let toasts = use_toasts();
    let navigate = use_navigate();
    let submit = Submit::new();
    report(submit);
    let delete = move |()| {
        let (model, number) = data.with_untracked(|data| (data.model.clone(), data.number));
        let navigate = navigate.clone();
        let input = DeleteCandidateInput { model: model.clone(), candidate: number };
        submit.run(candidate::delete(input), move |deleted| {
            let (back, home) = (navigate.clone(), address::model_page(&model, "candidates"));
            let text = format!("Candidate “{}” moved to the trash.", deleted.name);
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
            title=Signal::derive(move || format!("Delete “{}”?", data.read().candidate.name))
            action="Delete candidate"
            danger=true
            pending=submit.pending
            on_confirm=delete
        >
            <p>"It goes to the trash of the project and can be restored. A version made from it stays."</p>
        </Confirm>
    }
}

/// One chart for each metric.
#[component]
fn Curves(model: Memo<String>, number: Memo<i32>, metrics: Memo<Vec<Metric>>) -> impl IntoView {
    let all = RwSignal::new(false);
    let names = Memo::new(move |_| {
        metrics.read().iter().map(|metric| metric.name.clone()).collect::<Vec<_>>()
    });
    let shown = move || {
        let mut names = names.get();
        if !all.get() {
            names.truncate(CURVES_SHOWN);
        }
        names
    };
    view! {
        <section class="panel">
            <h2 class="border-b border-base-300 px-5 py-3 font-semibold">"Curves"</h2>
            <div class="grid gap-x-6 gap-y-5 p-5 md:grid-cols-2">
                <For each=shown key=Clone::clone let:name>
                    <MetricCurve model number name/>
                </For>
            </div>
            <Show when=move || !all.get() && names.read().len().gt(&CURVES_SHOWN)>
                <div class="px-5 pb-5">
                    <button type="button" class="btn btn-sm" on:click=move |_| all.set(true)>
                        {move || format!("Show all {}", names.read().len())}
                    </button>
                </div>
            </Show>
        </section>
    }
}

#[component]
fn MetricCurve(model: Memo<String>, number: Memo<i32>, name: String) -> impl IntoView {
    let history = {
        let name = name.clone();
        LocalResource::new(move || candidate::history(model.get(), number.get(), name.clone()))
    };
    let title = StoredValue::new(name);
    view! {
        <div class="min-w-0">
            <h3 class="mb-1 break-all text-sm font-medium">{title.get_value()}</h3>
            <Loaded from=history fallback=|| view! { <div class="skeleton h-56"></div> } children=move |history| {
                let curve = Signal::derive(move || history.with(|(points, _)| Curve {
                    steps: points.iter().map(|point| point.step as f64).collect(),
                    values: points.iter().map(|point| point.value.0).collect(),
                }));
                let left_out = move || history.with(|(points, total)| {
                    let shown = i32::try_from(points.len()).unwrap_or(i32::MAX);
                    (*total > shown).then(|| format!("The first {shown} of {total} points."))
                });
                view! {
                    <Show
                        when=move || history.with(|(points, _)| points.len() > 1)
                        fallback=|| view! { <p class="py-3 text-sm text-muted">"One point; there is no curve."</p> }
                    >
                        <Chart name=title.get_value() curve/>
                    </Show>
                    <p class="text-xs text-muted">{left_out}</p>
                }
            }/>
        </div>
    }
}

/// How long a run took, where it has ended.
fn duration(candidate: &CandidateDetail) -> Option<String> {
    let (start, end) = (candidate.started_at.as_ref()?, candidate.ended_at.as_ref()?);
    Some(format::seconds(time::between_ms(&start.0, &end.0) / 1000.0))
}

#[component]
fn About(data: Memo<CandidatePageData>) -> impl IntoView {
    view! {
        <SidePanel title="About">
            {move || {
                let candidate = data.get().candidate;
                let took = duration(&candidate);
                view! {
                    <Facts>
                        <Fact term="Created">
                            <Time at=candidate.created_at.0/> " by " <Person person=person(candidate.author)/>
                        </Fact>
                        {candidate.started_at.map(|at| view! { <Fact term="Started"><Time at=at.0/></Fact> })}
                        {candidate.ended_at.map(|at| view! { <Fact term="Ended"><Time at=at.0/></Fact> })}
                        {took.map(|took| view! { <Fact term="Took">{took}</Fact> })}
                        <Fact term="Files">
                            {format::count(candidate.file_count.into())} ", " {format::bytes(candidate.size)}
                        </Fact>
                        <Fact term="Experiment"><code class="break-all text-xs">{candidate.experiment.name}</code></Fact>
                        <Fact term="MLflow run">
                            <span class="inline-flex items-center gap-1">
                                <code class="text-xs" title=candidate.run_id.clone()>
                                    {candidate.run_id.get(..12).unwrap_or(&candidate.run_id).to_owned()} "…"
                                </code>
                                <CopyButton text=Signal::stored(candidate.run_id) label="Copy the run id"/>
                            </span>
                        </Fact>
                    </Facts>
                }
            }}
        </SidePanel>
    }
}
