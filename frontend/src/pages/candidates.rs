//! `/{project}/{model}/candidates`: a table of training runs to filter, sort, select and compare.

use std::collections::BTreeSet;

use leptos::prelude::*;

use super::{model::use_model, neighbours, use_place};
use crate::{
    address,
    components::{
        empty::Empty,
        icon::{self, Icon},
        loaded::Loaded,
        menu::Menu,
        pager::Pager,
        search::SearchBox,
        skeleton::SkeletonRows,
        snippets::{Snippet, Snippets},
        sort::{Sort, SortHeader, use_sort},
        time::Time,
        title::PageTitle,
    },
    error::{ApiError, Code},
    format,
    graphql::{
        candidate::{self, CandidateList, CandidateOrder, CandidateOrderField, CandidateRow},
        scalar::{OrderDirection, Role},
    },
    parts::status::Status,
};

/// The most that fit side by side.
pub const MOST_COMPARED: usize = 12;
/// Columns of each kind before somebody chooses.
const COLUMNS_SHOWN: usize = 4;

/// A column that only some models have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Column {
    Metric(String),
    Param(String),
}

impl Column {
    /// As in the address: `metric:accuracy`.
    fn key(&self) -> String {
        match self {
            Self::Metric(name) => format!("metric:{name}"),
            Self::Param(name) => format!("param:{name}"),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Metric(name) | Self::Param(name) => name,
        }
    }
}

fn order(sort: &Sort) -> CandidateOrder {
    let (field, key) = match sort.key.split_once(':') {
        Some(("metric", name)) => (CandidateOrderField::Metric, Some(name.to_owned())),
        Some(("param", name)) => (CandidateOrderField::Param, Some(name.to_owned())),
        _ => match sort.key.as_str() {
            "name" => (CandidateOrderField::Name, None),
            "status" => (CandidateOrderField::Status, None),
            "created" => (CandidateOrderField::CreatedAt, None),
            _ => (CandidateOrderField::Number, None),
        },
    };
    CandidateOrder { field, direction: OrderDirection::of(sort.descending), key }
}

#[component]
pub fn CandidatesTab() -> impl IntoView {
    let model = use_model();
    let filter = address::use_query("filter");
    let sort = use_sort("-number");
    let place = use_place();
    // A filter that is not understood leaves the table as it was and says why at the filter.
    let refused = RwSignal::new(None::<String>);
    let last = StoredValue::new(None::<CandidateList>);
    let candidates = LocalResource::new(move || {
        let order = order(&sort.read());
        let list = candidate::list(model.path.get(), filter.get(), order, place.get());
        async move {
            let list = list.await;
            let bad = |error: &ApiError| {
                error.code == Code::Invalid && error.field.as_deref() == Some("filter")
            };
            match list {
                Err(error) if bad(&error) => {
                    refused.set(Some(error.message.clone()));
                    last.get_value().ok_or(error)
                }
                list => {
                    refused.set(None);
                    last.set_value(list.as_ref().ok().cloned());
                    list
                }
            }
        }
    });
    let filtered = Signal::derive(move || filter.read().is_some());
    view! {
        <PageTitle text=move || format!("Candidates of {}", model.path.get())/>
        <h2 class="sr-only">"Candidates"</h2>
        <div class="mb-4 flex flex-wrap items-start gap-3">
            <SearchBox
                name="filter"
                label="metrics.accuracy > 0.9 and status = 'FINISHED'"
                d=icon::FILTER mono=true class="min-w-0 grow" error=refused
            />
            <FilterHelp/>
        </div>
        <Loaded from=candidates fallback=|| view! { <SkeletonRows/> } let:list>
            <CandidateTable list sort filtered/>
        </Loaded>
    }
}

#[component]
fn FilterHelp() -> impl IntoView {
    view! {
        <Menu
            label="How to filter"
            class="btn btn-square"
            button=|| view! { <Icon d=icon::INFO/> }
        >
            <li class="pointer-events-none max-w-xs">
                <div class="block space-y-2 whitespace-normal text-sm">
                    <p class="font-medium">"Filter expressions"</p>
                    <p><code>"metrics.accuracy > 0.9"</code></p>
                    <p><code>"params.lr = '0.01'"</code></p>
                    <p><code>"tags.team = 'vision'"</code></p>
                    <p><code>"status = 'FINISHED'"</code></p>
                    <p class="text-muted">"Join them with " <code>"and"</code> "."</p>
                </div>
            </li>
        </Menu>
    }
}

/// The columns in the address, or the first of each kind.
fn use_columns(list: Memo<CandidateList>) -> (Memo<Vec<Column>>, Memo<Vec<Column>>) {
    let chosen = address::use_query("columns");
    let all = Memo::new(move |_| {
        list.with(|list| {
            let metrics = list.candidate_columns.metrics.iter().cloned().map(Column::Metric);
            metrics
                .chain(list.candidate_columns.params.iter().cloned().map(Column::Param))
                .collect::<Vec<_>>()
        })
    });
    let shown = Memo::new(move |_| {
        let all = all.get();
        match chosen.get() {
            Some(chosen) => {
                let chosen: BTreeSet<&str> = chosen.split(',').collect();
                all.into_iter().filter(|column| chosen.contains(column.key().as_str())).collect()
            }
            None => {
                let kind = |metric: bool| {
                    all.iter()
                        .filter(move |column| matches!(column, Column::Metric(_)) == metric)
                        .take(COLUMNS_SHOWN)
                };
                kind(true).chain(kind(false)).cloned().collect::<Vec<_>>()
            }
        }
    });
    (all, shown)
}

#[component]
fn CandidateTable(
    list: Memo<CandidateList>,
    sort: Memo<Sort>,
    filtered: Signal<bool>,
) -> impl IntoView {
    let (all, shown) = use_columns(list);
    let selected = RwSignal::new(BTreeSet::<i32>::new());
    let rows = Memo::new(move |_| list.read().candidates.nodes.clone());
    let nothing = move || {
        if filtered.get() {
            view! {
                <Empty d=icon::FILTER title="No candidate matches">
                    <p>"Loosen the filter, or clear it to see all candidates."</p>
                </Empty>
            }
            .into_any()
        } else {
            view! { <FirstCandidate/> }.into_any()
        }
    };
    view! {
        <Show when=move || !rows.read().is_empty() fallback=nothing>
            <Toolbar selected all shown/>
            <div class="panel overflow-x-auto" tabindex="0" role="region" aria-label="Candidates">
                <table class="table table-sm">
                    <thead>
                        <Groups shown/>
                        <tr>
                            <th scope="col"><span class="sr-only">"Select"</span></th>
                            <SortHeader
                                key="number"
                                text="Candidate"
                                sort
                                descending_first=true
                                class="sticky left-0 z-10 bg-base-100"
                            />
                            <SortHeader key="status" text="Status" sort/>
                            <th scope="col">"Version"</th>
                            <SortHeader key="created" text="Created" sort descending_first=true/>
                            <For each=move || shown.get() key=Clone::clone let:column>
                                <SortHeader
                                    key=column.key()
                                    text=column.name().to_owned()
                                    sort
                                    descending_first=matches!(column, Column::Metric(_))
                                    class="normal-case"
                                />
                            </For>

                        </tr>
                    </thead>
                    <tbody>
                        {move || {
                            let columns = shown.get();
                            rows.get()
                                .into_iter()
                                .map(|row| view! { <Row row columns=columns.clone() selected/> })
                                .collect_view()
                        }}
                    </tbody>
                </table>
            </div>
            <Pager
                neighbours=Signal::derive(move || list.with(|list| {
                    let page = &list.candidates;
                    neighbours(&page.page_info, page.total_count, page.nodes.len())
                }))
                one="candidate"
                many="candidates"
            />
        </Show>
    }
}

/// Says above the columns which are metrics and which params: names may be the same.
#[component]
fn Groups(shown: Memo<Vec<Column>>) -> impl IntoView {
    let count = move |metrics: bool| {
        shown.read().iter().filter(|c| matches!(c, Column::Metric(_)) == metrics).count()
    };
    let group = move |metrics: bool, title: &'static str| {
        move || {
            let columns = count(metrics);
            (columns > 0).then(|| {
                view! {
                    <th scope="colgroup" colspan=columns class="pb-0 text-xs">
                        {title}
                    </th>
                }
            })
        }
    };
    view! {
        <Show when=move || !shown.read().is_empty()>
            <tr class="border-none">
                <td colspan="5"></td>
                {group(true, "Metrics")}
                {group(false, "Params")}
            </tr>
        </Show>
    }
}

/// What is selected, and which columns are shown.
#[component]
fn Toolbar(
    selected: RwSignal<BTreeSet<i32>>,
    all: Memo<Vec<Column>>,
    shown: Memo<Vec<Column>>,
) -> impl IntoView {
    let model = use_model();
    let count = move || selected.read().len();
    let compare = move || {
        let numbers: Vec<i32> = selected.read().iter().copied().take(MOST_COMPARED).collect();
        address::compare(&model.path.read(), &numbers)
    };
    let hint = move || match count() {
        0 => "Select candidates to compare them.".to_owned(),
        1 => "1 selected. Select another to compare.".to_owned(),
        n if n > MOST_COMPARED => format!("{n} selected; the first {MOST_COMPARED} are compared."),
        n => format!("{n} selected."),
    };
    view! {
        <div class="mb-2 flex min-h-9 flex-wrap items-center justify-between gap-2 text-sm">
            <p class="text-muted" role="status">{hint}</p>
            <div class="flex gap-2">
                <Show when=move || count() != 0>
                    <button type="button" class="btn btn-sm btn-ghost" on:click=move |_| selected.update(BTreeSet::clear)>
                        "Clear"
                    </button>
                </Show>
                <Show when=move || 2 <= count()>
                    <a class="btn btn-sm btn-primary" href=compare>
                        <Icon d=icon::COMPARE/>
                        "Compare"
                    </a>
                </Show>
                <Show when=move || !all.read().is_empty()>
                    <ColumnPicker all shown/>
                </Show>
            </div>
        </div>
    }
}

#[component]
fn ColumnPicker(all: Memo<Vec<Column>>, shown: Memo<Vec<Column>>) -> impl IntoView {
    let set_query = address::use_set_query();
    let toggle = move |column: &Column| {
        let mut keys: Vec<String> = shown.read_untracked().iter().map(Column::key).collect();
        let key = column.key();
        if keys.contains(&key) {
            keys.retain(|kept| *kept != key);
        } else {
            keys.push(key);
        }
        // “none” names no column, so that an empty choice is not the same as no choice.
        let value = if keys.is_empty() { "none".to_owned() } else { keys.join(",") };
        set_query(&[("columns", Some(value))], true);
    };
    view! {
        <details class="dropdown dropdown-end">
            <summary class="btn btn-sm"><Icon d=icon::COLUMNS/>"Columns"</summary>
            <fieldset class="dropdown-content z-30 mt-1 max-h-80 w-64 space-y-1 overflow-y-auto rounded-box border border-base-300 bg-base-100 p-3 shadow-lg">
                <legend class="sr-only">"Columns"</legend>
                {move || all
                    .get()
                    .into_iter()
                    .map(|column| {
                        let toggle = toggle.clone();
                        let kind = if matches!(column, Column::Metric(_)) { "metric" } else { "param" };
                        let name = column.name().to_owned();
                        let checked = {
                            let column = column.clone();
                            move || shown.read().contains(&column)
                        };
                        view! {
                            <label class="flex cursor-pointer items-center gap-2 rounded-field px-1 py-1 text-sm hover:bg-base-200">
                                <input
                                    type="checkbox"
                                    class="checkbox checkbox-sm"
                                    prop:checked=checked
                                    on:change=move |_| toggle(&column)
                                />
                                <span class="min-w-0 grow truncate">{name}</span>
                                <span class="text-xs text-muted">{kind}</span>
                            </label>
                        }
                    })
                    .collect_view()}
            </fieldset>
        </details>
    }
}

#[component]
fn Row(
    row: CandidateRow,
    columns: Vec<Column>,
    selected: RwSignal<BTreeSet<i32>>,
) -> impl IntoView {
    let model = use_model();
    let path = model.path.get_untracked();
    let number = row.number.unwrap_or_default();
    let cells = columns
        .iter()
        .map(|column| match column {
            Column::Metric(name) => {
                let value = row.metrics.iter().find(|metric| metric.name == *name).map(|m| m.value.0);
                view! {
                    <td class="whitespace-nowrap tabular-nums" title=value.map(|value| value.to_string())>
                        {value.map_or_else(|| "–".to_owned(), format::metric)}
                    </td>
                }
                .into_any()
            }
            Column::Param(name) => {
                let value = row.params.iter().find(|param| param.name == *name).map(|p| p.value.clone());
                let shown = value.clone().unwrap_or_else(|| "–".to_owned());
                view! {
                    <td class="max-w-48 truncate font-mono text-xs" title=value.clone()>
                        {shown}
                    </td>
                }
                .into_any()
            }
        })
        .collect_view();
    let version = row.version.map(|version| {
        view! {
            <a class="link-hover link font-mono text-sm" href=address::version(&path, &version.version)>
                {version.version.clone()}
            </a>
        }
    });
    let label = format!("Select {} #{number}", row.name);
    view! {
        <tr class:bg-base-200=move || selected.read().contains(&number)>
            <td class="w-0">
                <input
                    type="checkbox"
                    class="checkbox checkbox-sm align-middle"
                    aria-label=label
                    prop:checked=move || selected.read().contains(&number)
                    on:change=move |_| selected.update(|selected| {
                        if !selected.remove(&number) {
                            selected.insert(number);
                        }
                    })
                />
            </td>
            <td class="sticky left-0 z-10 min-w-36 bg-base-100">
                <a class="link-hover link break-words font-semibold" href=address::candidate(&path, number)>{row.name}</a>
                <span class="text-xs text-muted">" #" {number}</span>
            </td>
            <td><Status status=row.status/></td>
            <td>{version}</td>
            <td class="text-muted"><Time at=row.created_at.0/></td>
            {cells}
        </tr>
    }
}

/// How candidates come to be: scripts log them.
#[component]
fn FirstCandidate() -> impl IntoView {
    let model = use_model();
    let snippets = Signal::derive(move || {
        let input = serde_json::json!({ "input": {
            "model": model.path.get(),
            "name": "first-run",
            "params": [{ "name": "lr", "value": "0.01" }],
            "metrics": [{ "name": "accuracy", "value": 0.91, "step": 1 }, { "name": "accuracy", "value": 0.94, "step": 2 }],
        } });
        let query = "mutation($input: CreateCandidateInput!) { createCandidate(input: $input) { candidate { number } } }";
        let body = serde_json::json!({ "query": query, "variables": input })
            .to_string()
            .replace('\'', "\\u0027");
        let code = format!(
            "curl -fsS '{}/graphql' \\\n  -H \"Authorization: Bearer $TOKEN\" \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'\n",
            address::origin(),
        );
        vec![Snippet { name: "curl", code }]
    });
    view! {
        <Empty d=icon::FLASK title="No candidates yet">
            <p>"A candidate is one training run with its params, metrics and files."</p>
            <Show when=move || model.allows(Role::Developer)>
                <p>"Scripts log them:"</p>
                <div class="w-full max-w-2xl"><Snippets snippets id="first"/></div>
                <p>"Needs a " <a class="link" href="/settings/tokens">"token"</a> " in " <code>"$TOKEN"</code> "."</p>
            </Show>
        </Empty>
    }
}
