//! `/{project}/{model}/candidates/compare?c=1&c=2`: training runs side by side.

use std::collections::BTreeSet;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{candidates::MOST_COMPARED, person};
use crate::{
    address,
    components::{
        breadcrumbs::Breadcrumbs,
        empty::Empty,
        icon,
        loaded::Loaded,
        person::Person,
        skeleton::SkeletonRows,
        time::{self, Time},
        title::PageTitle,
    },
    error::ApiError,
    format,
    graphql::candidate::{self, CandidateRow},
    parts::status::Status,
};

#[component]
pub fn ComparePage() -> impl IntoView {
    let model = address::use_model_path();
    let query = use_query_map();
    let numbers = Memo::new(move |_| {
        let mut seen = BTreeSet::new();
        let named = query.with(|query| query.get_all("c")).unwrap_or_default();
        let numbers = named.iter().filter_map(|number| number.parse::<i32>().ok());
        numbers.filter(|number| seen.insert(*number)).take(MOST_COMPARED).collect::<Vec<_>>()
    });
    let rows = LocalResource::new(move || load(model.get(), numbers.get()));
    let only_differing = RwSignal::new(false);
    view! {
        <PageTitle text=move || format!("Compare candidates of {}", model.get())/>
        <Breadcrumbs items=Signal::derive(move || {
            let path = model.get();
            let (project, name) = path.split_once('/').unwrap_or((&path, ""));
            vec![
                ("Projects".to_owned(), "/".to_owned()),
                (project.to_owned(), address::project(project)),
                (name.to_owned(), address::model(&path)),
                ("Candidates".to_owned(), address::model_page(&path, "candidates")),
            ]
        })/>
        <div class="mb-5 flex flex-wrap items-center justify-between gap-3">
            <h1 class="text-2xl font-semibold tracking-tight">"Compare candidates"</h1>
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
                    <Empty d=icon::COMPARE title="Select at least two candidates">
                        <a class="btn" href=move || address::model_page(&model.read(), "candidates")>"All candidates"</a>
                    </Empty>
                }
            >
                <Comparison rows model only_differing/>
            </Show>
        </Loaded>
    }
}

async fn load(model: String, numbers: Vec<i32>) -> Result<Vec<CandidateRow>, ApiError> {
    let mut rows = Vec::with_capacity(numbers.len());
    for number in numbers {
        rows.push(candidate::row(model.clone(), number).await?);
    }
    Ok(rows)
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

fn metric_lines(rows: &[CandidateRow]) -> Vec<Line> {
    let line = |name: String| {
        let value =
            |row: &CandidateRow| row.metrics.iter().find(|m| m.name == name).map(|m| m.value.0);
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
    rows: &[CandidateRow],
    texts: impl Fn(&CandidateRow) -> Vec<(&String, &String)>,
) -> Vec<Line> {
    let line = |name: String| {
        let value = |row: &CandidateRow| {
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
fn Comparison(
    rows: Memo<Vec<CandidateRow>>,
    model: Memo<String>,
    only_differing: RwSignal<bool>,
) -> impl IntoView {
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
                text_lines(&rows, |row| row.tags.iter().map(|t| (&t.key, &t.value)).collect()),
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
                        {move || rows.get().into_iter().map(|row| view! { <Heading row model/> }).collect_view()}
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
fn Heading(row: CandidateRow, model: Memo<String>) -> impl IntoView {
    let number = row.number.unwrap_or_default();
    let took = row.started_at.as_ref().zip(row.ended_at.as_ref()).map(|(start, end)| {
        format!(" · {}", format::seconds(time::between_ms(&start.0, &end.0) / 1000.0))
    });
    view! {
        <th scope="col" class="min-w-40 align-top">
            <a class="link-hover link break-words text-base-content" href=address::candidate(&model.read_untracked(), number)>
                {row.name} " #" {number}
            </a>
            <div class="mt-1 font-normal"><Status status=row.status/></div>
            <div class="mt-1 text-xs font-normal">
                <Time at=row.created_at.0/> {took} " · " <Person person=person(row.author)/>
            </div>
        </th>
    }
}
