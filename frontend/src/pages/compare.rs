//! `/{project}/{model}/candidates/compare?c=1&c=2` and `/{project}/-/runs/compare?run=…&run=…`:
//! training runs side by side.

use std::collections::BTreeSet;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::{
    address,
    components::{
        breadcrumbs::Breadcrumbs,
        empty::Empty,
        icon,
        loaded::{Load, Loaded},
        skeleton::SkeletonRows,
        time::{self, Time},
        title::PageTitle,
    },
    error::ApiError,
    format,
    graphql::candidate::{self, CandidateDetail, Run, Which},
    parts::{
        candidate_table::MOST_COMPARED,
        curves::{Curves, Measured},
        run_facts::RunUser,
        status::Status,
    },
};

#[component]
pub fn ComparePage() -> impl IntoView {
    let project = address::use_param("project");
    let name = address::use_param("model");
    let model = address::use_model_path();
    let query = use_query_map();
    let of_model = Memo::new(move |_| !name.read().is_empty());
    let named = Memo::new(move |_| {
        let mut seen = BTreeSet::new();
        let key = if of_model.get() { "c" } else { "run" };
        let named = query.with(|query| query.get_all(key)).unwrap_or_default();
        let once = named.into_iter().filter(|name| seen.insert(name.clone()));
        once.take(MOST_COMPARED).collect::<Vec<_>>()
    });
    let rows = Load::new(move || {
        let which = |name: String| {
            if !of_model.get() {
                return Some(Which::Run(Run { project: project.get(), run_id: name }));
            }
            Some(Which::Number { model: model.get(), number: name.parse().ok()? })
        };
        load(named.get().into_iter().filter_map(which).collect())
    });
    let only_differing = RwSignal::new(false);
    let many = move || if of_model.get() { "candidates" } else { "runs" };
    let all = move || {
        if of_model.get() {
            address::model_page(&model.read(), "candidates")
        } else {
            address::project_page(&project.read(), "experiments")
        }
    };
    view! {
        <PageTitle text=move || {
            let of = if of_model.get() { model } else { project };
            format!("Compare {} of {}", many(), of.get())
        }/>
        <Breadcrumbs items=Signal::derive(move || {
            let project = project.get();
            let mut crumbs = vec![
                ("Projects".to_owned(), "/".to_owned()),
                (project.clone(), address::project(&project)),
            ];
            if of_model.get() {
                crumbs.push((name.get(), address::model(&model.read())));
            }
            let last = if of_model.get() { "Candidates" } else { "Experiments" };
            crumbs.push((last.to_owned(), all()));
            crumbs
        })/>
        <div class="mb-5 flex flex-wrap items-center justify-between gap-3">
            <h1 class="text-2xl font-semibold tracking-tight">"Compare "{many}</h1>
            <label class="flex cursor-pointer items-center gap-2 text-sm">
                <input
                    type="checkbox"
                    class="checkbox checkbox-sm"
                    prop:checked=only_differing
                    on:change=move |_| only_differing.update(|only| *only = !*only)
                />
                "Only what differs"
            </label>
        </div>
        <Loaded from=rows fallback=|| view! { <SkeletonRows/> } let:rows>
            <Show
                when=move || rows.read().len().gt(&1)
                fallback=move || view! {
                    <Empty d=icon::COMPARE title=format!("Select at least two {}", many())>
                        <a class="btn" href=all>"Where they are"</a>
                    </Empty>
                }
            >
                <Comparison rows only_differing/>
                <div class="mt-6"><Curves runs=Signal::derive(move || rows.read().iter().map(measured).collect())/></div>
            </Show>
        </Loaded>
    }
}

async fn load(all: Vec<Which>) -> Result<Vec<CandidateDetail>, ApiError> {
    let mut rows = Vec::with_capacity(all.len());
    for which in all {
        rows.push(candidate::get(which).await?);
    }
    Ok(rows)
}

fn measured(row: &CandidateDetail) -> Measured {
    let number = row.number.map(|number| format!(" #{number}")).unwrap_or_default();
    let name = format!("{}{number}", row.name);
    Measured { run: row.run(), name, metrics: row.metrics.clone() }
}

/// One line: a name and a value for each candidate.
struct Line {
    name: String,
    values: Vec<Option<String>>,
    /// Which values are the highest, where they are numbers that differ.
    highest: Vec<bool>,
}

impl Line {
    fn differs(&self) -> bool {
        self.values.windows(2).any(|pair| pair[0] != pair[1])
    }
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    names.cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

fn metric_lines(rows: &[CandidateDetail]) -> Vec<Line> {
    let line = |name: String| {
        let value =
            |row: &CandidateDetail| row.metrics.iter().find(|m| m.name == name).map(|m| m.value.0);
        let values: Vec<Option<f64>> = rows.iter().map(value).collect();
        let top = values
            .iter()
            .flatten()
            .copied()
            .filter(|v| !v.is_nan())
            .fold(f64::NEG_INFINITY, f64::max);
        let differ = values.windows(2).any(|pair| pair[0] != pair[1]);
        let highest = values.iter().map(|value| differ && *value == Some(top)).collect();
        let values = values.into_iter().map(|value| value.map(format::metric)).collect();
        Line { name, values, highest }
    };
    names(rows.iter().flat_map(|row| &row.metrics).map(|m| &m.name)).into_iter().map(line).collect()
}

fn text_lines(
    rows: &[CandidateDetail],
    texts: impl Fn(&CandidateDetail) -> Vec<(&String, &String)>,
) -> Vec<Line> {
    let line = |name: String| {
        let value = |row: &CandidateDetail| {
            texts(row).into_iter().find(|(key, _)| **key == name).map(|(_, value)| value.clone())
        };
        let values: Vec<_> = rows.iter().map(value).collect();
        let highest = vec![false; values.len()];
        Line { name, values, highest }
    };
    let all = rows.iter().flat_map(|row| texts(row).into_iter().map(|(key, _)| key));
    names(all).into_iter().map(line).collect()
}

#[component]
fn Comparison(rows: Memo<Vec<CandidateDetail>>, only_differing: RwSignal<bool>) -> impl IntoView {
    let body = move || {
        let rows = rows.read();
        let width = rows.len() + 1;
        let sections = [
            ("Metrics", metric_lines(&rows)),
            (
                "Params",
                text_lines(&rows, |row| row.params.iter().map(|p| (&p.name, &p.value)).collect()),
            ),
            (
                "Tags",
                text_lines(&rows, |row| {
                    let own = row.tags.iter().filter(|tag| !tag.is_system());
                    own.map(|tag| (&tag.key, &tag.value)).collect()
                }),
            ),
        ];
        let only = only_differing.get();
        sections
            .into_iter()
            .map(|(title, mut lines)| {
                lines.retain(|line| !only || line.differs());
                (!lines.is_empty()).then(|| view! {
                    <tbody>
                        <tr>
                            <th scope="rowgroup" colspan=width class="bg-base-200 text-left font-semibold text-base-content">
                                {title}
                            </th>
                        </tr>
                        {lines.into_iter().map(line_view).collect_view()}
                    </tbody>
                })
            })
            .collect_view()
    };
    view! {
        <div class="panel overflow-x-auto" tabindex="0" role="region" aria-label="Comparison">
            <table class="table table-sm">
                <thead>
                    <tr>
                        <td></td>
                        {move || rows.get().into_iter().map(|row| view! { <Heading row/> }).collect_view()}
                    </tr>
                </thead>
                {body}
            </table>
        </div>
        <p class="mt-3 flex flex-wrap gap-x-5 gap-y-1 text-sm text-muted">
            <span class="inline-flex items-center gap-2">
                <span class="inline-block size-3 rounded-sm bg-warning/30" aria-hidden="true"></span>
                "differs"
            </span>
            <span>"▲ highest value of a metric"</span>
        </p>
    }
}

fn line_view(line: Line) -> impl IntoView {
    let differs = line.differs();
    let cells = line
        .values
        .into_iter()
        .zip(line.highest)
        .map(|(value, highest)| view! {
            <td class="min-w-32 max-w-72 break-all font-mono text-sm" class=("bg-warning/15", differs)>
                {value.unwrap_or_else(|| "–".to_owned())}
                {highest.then(|| view! { <span class="ml-1 text-success" title="Highest">"▲"</span> })}
            </td>
        })
        .collect_view();
    view! {
        <tr>
            <th scope="row" class="sticky left-0 z-10 min-w-28 max-w-56 break-words bg-base-100 font-normal">{line.name}</th>
            {cells}
        </tr>
    }
}

#[component]
fn Heading(row: CandidateDetail) -> impl IntoView {
    let place = row.place();
    let place = place.as_ref().map(|(model, number)| (model.as_str(), *number));
    let href = address::run(&row.experiment.project.path, &row.run_id, place);
    let number = row.number.map(|number| format!(" #{number}"));
    let took = row.started_at.as_ref().zip(row.ended_at.as_ref()).map(|(start, end)| {
        format!(" · {}", format::seconds(time::between_ms(&start.0, &end.0) / 1000.0))
    });
    view! {
        <th scope="col" class="min-w-40 align-top">
            <a class="link-hover link wrap-anywhere text-base-content" href=href>
                {row.name} {number}
            </a>
            <div class="mt-1 font-normal"><Status status=row.status/></div>
            <div class="mt-1 text-xs font-normal">
                <Time at=row.created_at.0/> {took} " · " <RunUser tags=row.tags author=row.author/>
            </div>
        </th>
    }
}
