//! `/{project}/{model}/versions/compare?v=1.0.0&v=1.1.0`, `/{project}/{model}/candidates/compare?c=1&c=2` and
//! `/{project}/-/runs/compare?run=…&run=…`: versions or training runs side by side.

use std::collections::BTreeSet;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    api,
    components::{
        breadcrumbs::Breadcrumbs,
        empty::Empty,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        moved::use_renamed,
        parallel::{Axis, Drawing, Parallel},
        skeleton::SkeletonRows,
        title::PageTitle,
    },
    graphql::{
        candidate::{self, CandidateDetail, Run},
        scalar::Role,
    },
    live::keep_following,
    logic::{
        address,
        error::{ApiError, Code},
    },
    parts::{
        candidates::{
            curves::Curves,
            promote::{PromoteDialog, Promotion},
        },
        compare::{
            changes::{Text, text_changes},
            selection::MOST_COMPARED,
            side::{self, Side, Sort, Which},
            table::Comparison,
        },
        files::changes::FileChanges,
    },
};

/// What is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Versions,
    Candidates,
    Runs,
}

impl Kind {
    /// Its name in the query, what many are called, and the tab where they are listed.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Versions => ("v", "versions", "Versions"),
            Self::Candidates => ("c", "runs", "Runs"),
            Self::Runs => ("run", "runs", "Experiments"),
        }
    }

    fn which(self, project: &str, model: &str, name: &str) -> Option<Which> {
        let model = model.to_owned();
        Some(match self {
            Self::Versions => Which::Version { model, version: name.to_owned() },
            Self::Candidates => {
                Which::Run(candidate::Which::Number { model, number: name.parse().ok()? })
            }
            Self::Runs => {
                let run = Run { project: project.to_owned(), run_id: name.to_owned() };
                Which::Run(candidate::Which::Run(run))
            }
        })
    }

    fn address(self, project: &str, model: &str, names: &[String]) -> String {
        match self {
            Self::Versions => address::compare_versions(model, names),
            Self::Candidates => address::compare(model, names),
            Self::Runs => address::compare_runs(project, names),
        }
    }
}

#[component]
pub fn ComparePage(kind: Kind) -> impl IntoView {
    let (key, many, tab) = kind.words();
    let project = address::use_param("project");
    let name = address::use_param("model");
    let model = address::use_model_path();
    let query = use_query_map();
    let named = Memo::new(move |_| {
        let mut seen = BTreeSet::new();
        let named = query.with(|query| query.get_all(key)).unwrap_or_default();
        let once = named.into_iter().filter(|name| seen.insert(name.clone()));
        once.take(MOST_COMPARED).collect::<Vec<_>>()
    });
    let last = StoredValue::new(Vec::<(Which, Side)>::new());
    let missing = RwSignal::new(Vec::<String>::new());
    let renamed = use_renamed();
    let load = Load::new(move || {
        let which = |name: String| (kind.which(&project.read(), &model.read(), &name), name);
        let answer = load(named.get().into_iter().map(which).collect(), last, missing);
        let asked = if kind == Kind::Runs { project.get() } else { model.get() };
        let renamed = renamed.clone();
        async move {
            let sides = answer.await?;
            if let Some(now) = sides.first().and_then(|side| side.owner(kind == Kind::Runs)) {
                renamed(&asked, now);
            }
            Ok(sides)
        }
    });
    let all = Signal::derive(move || match kind {
        Kind::Runs => address::project_page(&project.read(), "experiments"),
        Kind::Versions => address::model_page(&model.read(), "versions"),
        Kind::Candidates => address::model_page(&model.read(), "candidates"),
    });
    let compare = Callback::new(move |names: Vec<String>| {
        kind.address(&project.read(), &model.read(), &names)
    });
    view! {
        <PageTitle text=move || {
            let of = if kind == Kind::Runs { project } else { model };
            format!("Compare {many} of {}", of.get())
        }/>
        <Breadcrumbs items=Signal::derive(move || {
            let project = project.get();
            let mut crumbs = vec![
                ("Projects".to_owned(), address::at("/")),
                (project.clone(), address::project(&project)),
            ];
            if kind != Kind::Runs {
                crumbs.push((name.get(), address::model(&model.read())));
            }
            crumbs.push((tab.to_owned(), all.get()));
            crumbs
        })/>
        <Loaded from=load fallback=move || view! { <h1 class="mb-5 text-2xl font-semibold tracking-tight">"Compare "{many}</h1><SkeletonRows/> } let:sides>
            <Compared kind sides load missing all compare/>
        </Loaded>
    }
}

/// Asks for all at once, and notes what is not there; not again for a run that has ended.
async fn load(
    asked: Vec<(Option<Which>, String)>,
    last: StoredValue<Vec<(Which, Side)>>,
    missing: RwSignal<Vec<String>>,
) -> Result<Vec<Side>, ApiError> {
    let known = last.try_get_value().unwrap_or_default();
    let get = |which: &Option<Which>| -> api::Asked<Option<Side>> {
        let over = |(known, side): &&(Which, Side)| {
            Some(known) == which.as_ref() && side.going_on().is_none()
        };
        let known = known.iter().find(over).map(|(_, side)| side.clone());
        let which = which.clone().filter(|_| known.is_none());
        Box::pin(async move {
            let Some(which) = which else { return Ok(known) };
            match which.get().await {
                Err(error) if error.code == Code::NotFound => Ok(None),
                side => side.map(Some),
            }
        })
    };
    let sides = api::all(asked.iter().map(|(which, _)| get(which)).collect()).await?;
    let (mut found, mut read, mut not_found) = (Vec::new(), Vec::new(), Vec::new());
    for ((which, name), side) in asked.into_iter().zip(sides) {
        match which.zip(side) {
            Some((which, side)) => {
                found.push(side.clone());
                read.push((which, side));
            }
            None => not_found.push(name),
        }
    }
    last.try_set_value(read);
    missing.try_set(not_found);
    Ok(found)
}

#[component]
fn Compared(
    kind: Kind,
    sides: Memo<Vec<Side>>,
    load: Load<Vec<Side>>,
    missing: RwSignal<Vec<String>>,
    all: Signal<String>,
    compare: Callback<Vec<String>, String>,
) -> impl IntoView {
    let (_, many, _) = kind.words();
    follow_while_they_run(sides, load);
    let only_differing = RwSignal::new(false);
    // By their addresses.
    let chosen = RwSignal::new(None::<String>);
    let promoted = RwSignal::new(None::<String>);
    let base = Signal::derive(move || {
        let chosen = chosen.read();
        let is_chosen = |side: &Side| Some(side.href()) == *chosen;
        sides.read().iter().position(is_chosen).unwrap_or_default()
    });
    let promoting = RwSignal::new(false);
    let promotion = Signal::derive(move || {
        let promoted = promoted.get().unwrap_or_default();
        find(&sides.read(), &promoted).and_then(run_of).map(Promotion::of).unwrap_or_default()
    });
    let actions = Callback::new(move |href: String| {
        let promote = Callback::new(move |href| {
            promoted.set(Some(href));
            promoting.set(true);
        });
        view! { <Actions kind href sides compare promote/> }.into_any()
    });
    let missing = move || {
        let missing = missing.read().join(", ");
        (!missing.is_empty()).then(|| format!("Not found, or you don't have access: {missing}"))
    };
    let has_files = Memo::new(move |_| sides.read().iter().any(|side| !side.is_prompt()));
    // A section for each text that differs.
    let texts = move |text: Text| {
        let differ = move || {
            sides.read().iter().map(|side| text.of(side)).collect::<BTreeSet<_>>().len() > 1
        };
        view! {
            <Show when=differ>
                <section class="panel overflow-hidden">
                    <h2 class="px-5 py-3 font-semibold">{text.title()}</h2>
                    <div inner_html=move || text_changes(&sides.read(), base.get(), &[text])></div>
                </section>
            </Show>
        }
    };
    view! {
        <div class="mb-5 flex flex-wrap items-center justify-between gap-3">
            <h1 class="text-2xl font-semibold tracking-tight">"Compare "{many}</h1>
            <Show when=move || sides.read().len().gt(&1)>
                <div class="flex flex-wrap items-center gap-x-5 gap-y-2 text-sm">
                    <BaseSelect sides base chosen/>
                    <label class="flex cursor-pointer items-center gap-2">
                        <input
                            type="checkbox"
                            class="checkbox checkbox-sm"
                            prop:checked=only_differing
                            on:change=move |_| only_differing.update(|only| *only = !*only)
                        />
                        "Only differences"
                    </label>
                </div>
            </Show>
        </div>
        <p class="panel mb-4 px-5 py-3 text-sm empty:hidden" role="status">{missing}</p>
        <Show
            when=move || sides.read().len().gt(&1)
            fallback=move || view! {
                <Empty d=icon::COMPARE title=format!("Select at least two {many}")>
                    <a class="btn" href=all>"Back to "{many}</a>
                </Empty>
            }
        >
            <div class="space-y-6">
                <section class="panel overflow-hidden"><Comparison sides base only_differing=only_differing.into() actions/></section>
                <ParallelPanel sides/>
                <CurvesPanel sides/>
                <Show when=move || has_files.get()>
                    <section class="panel">
                        <h2 class="border-b border-base-300 px-5 py-3 font-semibold">"Files"</h2>
                        <FileChanges sides base only_differing=only_differing.into()/>
                    </section>
                </Show>
                {Text::ALL.map(texts)}
            </div>
            <PromoteDialog open=promoting promotion/>
        </Show>
    }
}

fn find<'a>(sides: &'a [Side], href: &str) -> Option<&'a Side> {
    sides.iter().find(|side| side.href() == href)
}

fn run_of(side: &Side) -> Option<&CandidateDetail> {
    match side {
        Side::Run(run) => Some(run.as_ref()),
        Side::Version(_) => None,
    }
}

/// Asks again when something is logged to one that goes on.
fn follow_while_they_run(sides: Memo<Vec<Side>>, load: Load<Vec<Side>>) {
    let runs = |sides: &[Side]| sides.iter().filter_map(Side::going_on).collect::<Vec<_>>();
    let ids = Memo::new(move |_| {
        runs(&sides.read()).into_iter().map(|run| run.run_id).collect::<Vec<_>>()
    });
    keep_following(move || {
        ids.track();
        candidate::follow(runs(&sides.read_untracked()), move || load.refetch())
    });
}

/// Which one the others are held against.
#[component]
fn BaseSelect(
    sides: Memo<Vec<Side>>,
    base: Signal<usize>,
    chosen: RwSignal<Option<String>>,
) -> impl IntoView {
    // The options stay while values change.
    let keys = Memo::new(move |_| sides.read().iter().map(Side::href).collect::<Vec<_>>());
    let options = move || {
        keys.track();
        let (sides, base) = (sides.read_untracked(), base.get());
        let option = |(index, side): (usize, &Side)| {
            view! { <option value=side.href() selected=index == base>{side.name()}</option> }
        };
        sides.iter().enumerate().map(option).collect_view()
    };
    view! {
        <label class="flex items-center gap-2">
            "Base"
            <select
                class="select select-sm w-auto max-w-48"
                on:change:target=move |event| chosen.set(Some(event.target().value()))
            >
                {options}
            </select>
        </label>
    }
}

/// What can be done with one of them.
#[component]
fn Actions(
    kind: Kind,
    href: String,
    sides: Memo<Vec<Side>>,
    compare: Callback<Vec<String>, String>,
    promote: Callback<String>,
) -> impl IntoView {
    let key = StoredValue::new(href);
    let name = Memo::new(move |_| {
        find(&sides.read(), &key.read_value()).map(Side::name).unwrap_or_default()
    });
    let promotable = move || {
        let sides = sides.read();
        let run = find(&sides, &key.read_value()).and_then(run_of);
        run.is_some_and(|run| run.experiment.project.allows(Role::Developer))
    };
    // The address and the name of the version.
    let became = Memo::new(move |_| {
        let sides = sides.read();
        let version = find(&sides, &key.read_value()).and_then(run_of)?.version.as_ref()?;
        Some((address::version(&version.model.path, &version.version), version.version.clone()))
    });
    let became = move || {
        became.get().map(|(href, version)| {
            view! { <span class="text-xs text-muted">"Published as " <a class="link font-mono" href=href>{version}</a></span> }
        })
    };
    let without = Memo::new(move |_| {
        let sides = sides.read();
        let others = sides.iter().filter(|side| side.href() != *key.read_value());
        let others: Vec<_> = others.map(|side| side.key(kind == Kind::Runs)).collect();
        (others.len() > 1).then(|| compare.run(others))
    });
    let leave_out = move || {
        without.get().map(|href| {
            view! {
                <a
                    class="btn btn-ghost btn-xs btn-square" href=href data-noscroll
                    aria-label=format!("Remove {} from comparison", name.get()) title="Remove from comparison"
                >
                    <Icon d=icon::CROSS class="size-3.5"/>
                </a>
            }
        })
    };
    view! {
        <div class="mt-1 flex flex-wrap items-center gap-1 font-normal">
            <Show when=promotable>
                <button
                    type="button" class="btn btn-xs" aria-label=move || format!("Promote {}", name.get())
                    on:click=move |_| promote.run(key.get_value())
                >
                    <Icon d=icon::ROCKET class="size-3.5"/>
                    "Promote"
                </button>
            </Show>
            {leave_out}
            {became}
        </div>
    }
}

/// The params and metrics that differ, as axes.
fn drawing(sides: &[Side]) -> Drawing {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let params = side::names(sides, Sort::Params, true).into_iter().map(|name| {
        let values = side::texts(sides, Sort::Params, &name).0.into_iter().map(text).collect();
        Axis { name, values }
    });
    let number = |number: Option<f64>| Some(number?.to_string());
    let metrics = side::names(sides, Sort::Metrics, true).into_iter().map(|name| {
        let values = side::numbers(sides, &name).0.into_iter().map(number).collect();
        Axis { name, values }
    });
    Drawing::new(sides.iter().map(Side::name).collect(), params.chain(metrics).collect())
}

#[component]
fn ParallelPanel(sides: Memo<Vec<Side>>) -> impl IntoView {
    let drawing = Memo::new(move |_| drawing(&sides.read()));
    view! {
        <Show when=move || drawing.read().is_worth_it()>
            <section class="panel">
                <h2 class="border-b border-base-300 px-5 py-3 font-semibold">"Different params and metrics"</h2>
                <div class="p-5"><Parallel drawing/></div>
            </section>
        </Show>
    }
}

#[component]
fn CurvesPanel(sides: Memo<Vec<Side>>) -> impl IntoView {
    let measured = Signal::derive(move || {
        let sides = sides.read();
        let measured = sides.iter().enumerate().filter_map(|(color, side)| side.measured(color));
        measured.collect::<Vec<_>>()
    });
    view! {
        <Show when=move || measured.read().iter().any(|run| !run.metrics.is_empty())>
            <Curves runs=measured/>
        </Show>
    }
}
