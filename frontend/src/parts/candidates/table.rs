//! A table of training runs to filter, sort, select and compare: those of a model or of an experiment.

use leptos::prelude::*;

use super::{
    actions::CandidateActions,
    columns::{Column, ColumnPicker, order, use_columns},
    filter::CandidateFilter,
    owner::Owner,
    run_facts::RunUser,
    status::Status,
};
use crate::{
    components::{
        empty::Empty,
        icon,
        loaded::{Load, Loaded},
        pager::Pager,
        skeleton::SkeletonRows,
        sort::{Sort, SortHeader, use_sort},
        time::Time,
    },
    graphql::{
        candidate::{self, CandidateList, CandidateRow, Columns},
        experiment,
        scalar::CandidateStatus,
        tag::Metric,
    },
    live::keep_following,
    logic::{
        address, diff,
        error::{ApiError, Code},
        filter::Names,
        format,
        judge::{self, Judge},
    },
    parts::{
        bulk::forget_with,
        compare::selection::{SelectBox, SelectionBar},
        page::{leave_when_empty, neighbours, use_place},
    },
};

#[component]
pub fn CandidateTable(
    #[prop(into)] owner: Signal<Owner>,
    /// Whether the viewer may promote and delete.
    #[prop(into)]
    editable: Signal<bool>,
    /// What their model is judged by.
    #[prop(optional, into)]
    judge: MaybeProp<Judge>,
    /// Says that it is judged by another metric, or the other way.
    #[prop(optional)]
    on_judge: Option<Callback<Judge>>,
    /// What there is to say where nothing was logged yet.
    #[prop(into)]
    nothing: ViewFn,
) -> impl IntoView {
    let filter = address::use_query("filter");
    // Runs of an experiment have no numbers, but for those that have a model.
    let numbered = matches!(*owner.read_untracked(), Owner::Model(_));
    let sort = use_sort(if numbered { "-number" } else { "-created" });
    let place = use_place();
    // A filter that is not understood leaves the table as it was and says why at the filter.
    let refused = RwSignal::new(None::<String>);
    let last = StoredValue::new(None::<CandidateList>);
    let candidates = Load::new(move || {
        let order = order(&sort.read());
        let list = owner.get().list(filter.get(), order, place.get());
        async move {
            let list = list.await;
            let bad = |error: &ApiError| {
                error.code == Code::Invalid && error.field.as_deref() == Some("filter")
            };
            match list {
                Err(error) if bad(&error) => {
                    refused.set(Some(error.beside_field()));
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
    let names = Signal::derive(move || {
        candidates.with(|list| {
            let columns = list.and_then(Result::ok).map(|list| list.candidate_columns.clone());
            let Columns { metrics, params, tags } = columns.unwrap_or_default();
            Names { metrics, params, tags }
        })
    });
    let changed = Callback::new(move |()| candidates.refetch());
    keep_following(move || match owner.get() {
        Owner::Model(path) => candidate::follow_all(path, move || candidates.refetch()),
        Owner::Experiment(project, number) => {
            experiment::follow(project, number, move || candidates.refetch())
        }
    });
    view! {
        <CandidateFilter names refused/>
        <Loaded from=candidates fallback=|| view! { <SkeletonRows/> } let:list>
            <Table list sort filtered owner editable judge on_judge on_change=changed nothing=nothing.clone()/>
        </Loaded>
    }
}

#[component]
fn Table(
    list: Memo<CandidateList>,
    sort: Memo<Sort>,
    filtered: Signal<bool>,
    owner: Signal<Owner>,
    editable: Signal<bool>,
    judge: MaybeProp<Judge>,
    on_judge: Option<Callback<Judge>>,
    on_change: Callback<()>,
    nothing: ViewFn,
) -> impl IntoView {
    let (all, shown) = use_columns(list);
    let selected = RwSignal::new(Vec::<String>::new());
    let key = if matches!(*owner.read_untracked(), Owner::Model(_)) { "number" } else { "name" };
    let rows = Memo::new(move |_| list.read().candidates.nodes.clone());
    let keys = move || {
        let (rows, owner) = (rows.read(), owner.read());
        rows.iter().map(|row| owner.key(row)).collect::<Vec<_>>()
    };
    let compare = Callback::new(move |keys: Vec<String>| owner.read().compare(&keys));
    forget_with(selected, move || owner.get());
    let name = Callback::new(move |key: String| {
        let (rows, owner) = (rows.read(), owner.read());
        match rows.iter().find(|row| owner.key(row) == key) {
            Some(row) => format!("{} #{key}", row.name),
            None => format!("#{key}"),
        }
    });
    leave_when_empty(move || rows.read().is_empty());
    let best = Memo::new(move |_| best(&rows.read(), &shown.read(), judge.get().as_ref()));
    let on_judge = Signal::derive(move || on_judge.filter(|_| editable.get()));
    let nothing = move || {
        if filtered.get() {
            view! {
                <Empty d=icon::FILTER title="No matching runs">
                    <p>"Try a broader filter."</p>
                </Empty>
            }
            .into_any()
        } else {
            nothing.run()
        }
    };
    view! {
        // What was asked stays when others delete all that the table had.
        <Show when=move || !rows.read().is_empty() || !selected.read().is_empty()>
            <SelectionBar
                selected many="runs" compare
                actions=move || view! {
                    <Show when=move || editable.get()>
                        <CandidateActions owner selected name on_change/>
                    </Show>
                }
            >
                <Show when=move || !all.read().is_empty()>
                    <ColumnPicker all shown/>
                </Show>
            </SelectionBar>
        </Show>
        <Show when=move || !rows.read().is_empty() fallback=nothing>
            <div class="panel overflow-x-auto" tabindex="0" role="region" aria-label="Runs">
                <table class="table table-sm">
                    <thead>
                        <Groups shown/>
                        <tr>
                            <th scope="col"><span class="sr-only">"Select"</span></th>
                            <SortHeader
                                key=key
                                text="Run"
                                sort
                                descending_first=key == "number"
                                class="sticky left-0 z-10 bg-base-100"
                            />
                            <SortHeader key="status" text="Status" sort/>
                            <th scope="col">"Version"</th>
                            <th scope="col" class="hidden lg:table-cell">"User"</th>
                            <SortHeader key="created" text="Created" sort descending_first=true/>
                            <For each=move || shown.get() key=Clone::clone let:column>
                                <SortHeader
                                    key=column.key()
                                    text=column.name().to_owned()
                                    sort
                                    descending_first=matches!(column, Column::Metric(_))
                                    class="normal-case align-top"
                                >
                                    <Direction column rows judge on_judge/>
                                </SortHeader>
                            </For>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=keys key=Clone::clone let:key>
                            <Row key rows shown best selected owner/>
                        </For>
                    </tbody>
                </table>
            </div>
            <Pager
                neighbours=Signal::derive(move || list.with(|list| {
                    let page = &list.candidates;
                    neighbours(&page.page_info, page.total_count, page.nodes.len())
                }))
                one="run"
                many="runs"
            />
        </Show>
    }
}

/// Says above the columns which are metrics, params and tags: names may be the same.
#[component]
fn Groups(shown: Memo<Vec<Column>>) -> impl IntoView {
    let group = move |kind: &'static str| {
        move || {
            let columns = shown.read().iter().filter(|column| column.kind() == kind).count();
            (columns > 0).then(|| {
                view! {
                    <th scope="colgroup" colspan=columns class="pb-0 text-xs">
                        {kind}
                    </th>
                }
            })
        }
    };
    view! {
        <Show when=move || !shown.read().is_empty()>
            <tr class="border-none">
                <td colspan="5"></td>
                <td class="hidden lg:table-cell"></td>
                {["Metrics", "Params", "Tags"].map(group)}
            </tr>
        </Show>
    }
}

/// Which way a metric is better, as far as that is known; for who may say so, a click says it for the model.
#[component]
fn Direction(
    column: Column,
    rows: Memo<Vec<CandidateRow>>,
    judge: MaybeProp<Judge>,
    on_judge: Signal<Option<Callback<Judge>>>,
) -> impl IntoView {
    let Column::Metric(name) = column else { return ().into_any() };
    let name = StoredValue::new(name);
    let less = Memo::new(move |_| less(&rows.read(), &name.read_value(), judge.get().as_ref()));
    let judges = move || judge.get().is_some_and(|judge| judge.name == *name.read_value());
    let text = move || less.get().map_or("set direction", judge::words);
    let title = move || {
        let name = name.read_value();
        let now = if judges() { format!("The model is judged by {name}. ") } else { String::new() };
        format!("{now}Judge it by {name}: {}", judge::words(next(less.get(), judges())))
    };
    let on_click = move |_| {
        if let Some(on_judge) = on_judge.get_untracked() {
            let less = untrack(|| next(less.get(), judges()));
            on_judge.run(Judge { name: name.get_value(), less: Some(less) });
        }
    };
    let known = move || less.get().map(judge::words);
    view! {
        <Show
            when=move || on_judge.read().is_some()
            fallback=move || view! { <span class="mt-1 block text-xs font-normal">{known}</span> }
        >
            <button
                type="button"
                class="link-hover link mt-1 block min-h-6 whitespace-nowrap text-xs font-normal"
                class=("text-primary", judges)
                title=title
                aria-pressed=move || judges().to_string()
                on:click=on_click
            >
                {text}
            </button>
        </Show>
    }
    .into_any()
}

/// What a click says: first that the model is judged by the metric, then the other way.
fn next(less: Option<bool>, judges: bool) -> bool {
    match less {
        Some(less) => less != judges,
        None => true,
    }
}

/// One run. It stays where it is when something of it changes, and with it where somebody is in the table.
#[component]
fn Row(
    key: String,
    rows: Memo<Vec<CandidateRow>>,
    shown: Memo<Vec<Column>>,
    best: Memo<Vec<Option<f64>>>,
    selected: RwSignal<Vec<String>>,
    owner: Signal<Owner>,
) -> impl IntoView {
    let key = StoredValue::new(key);
    let row = Memo::new(move |last: Option<&Option<CandidateRow>>| {
        let (rows, owner) = (rows.read(), owner.read());
        let found = rows.iter().find(|row| owner.key(row) == *key.read_value()).cloned();
        // One that is gone is about to go from here, too.
        found.or_else(|| last.cloned().flatten())
    });
    let of = move |read: fn(&CandidateRow, &Owner) -> String| {
        move || row.with(|row| row.as_ref().map(|row| read(row, &owner.read())))
    };
    let name = of(|row, _| row.name.clone());
    let number = of(|row, owner| match (owner, &row.model, row.number) {
        (Owner::Model(_), _, Some(number)) => format!(" #{number}"),
        (_, Some(model), Some(number)) => format!(" {} #{number}", model.name),
        _ => String::new(),
    });
    let href = of(|row, owner| {
        let place = row.model.as_ref().map(|model| model.path.as_str()).zip(row.number);
        address::run(owner.project(), &row.run_id, place)
    });
    let title = of(|row, _| format!("Run {}", row.run_id));
    let label =
        move || format!("Select {}{}", name().unwrap_or_default(), number().unwrap_or_default());
    let chosen = move || selected.read().contains(&*key.read_value());
    view! {
        <tr class:bg-base-200=chosen>
            <td class="w-0">
                <SelectBox selected key label=Signal::derive(label)/>
            </td>
            <td
                class="sticky left-0 z-10 min-w-36"
                class=("bg-base-100", move || !chosen())
                class=("bg-base-200", chosen)
            >
                <a class="link-hover link wrap-anywhere font-semibold" href=href title=title>{name}</a>
                <span class="text-xs text-muted">{number}</span>
            </td>
            {move || row.get().map(|row| cells(row, &shown.read(), &best.read()))}
        </tr>
    }
}

/// The best value of each column among the runs here that ended well; none where it is no metric, all have the same,
/// or nobody knows which way is better.
fn best(rows: &[CandidateRow], columns: &[Column], judge: Option<&Judge>) -> Vec<Option<f64>> {
    let best = |column: &Column| {
        let Column::Metric(name) = column else { return None };
        let value = |row: &CandidateRow| metric(row, name).map(|metric| metric.value.0);
        let values = rows.iter().map(|row| value(row).filter(|_| is_finished(row))).collect();
        let values = diff::Numbers(values);
        let best = values.best(less(rows, name, judge));
        best.iter().position(|best| *best).and_then(|place| values.0[place])
    };
    columns.iter().map(best).collect()
}

/// Whether less of a metric is better: as the model says that is judged by it, or else as its name tells.
fn less(rows: &[CandidateRow], name: &str, judge: Option<&Judge>) -> Option<bool> {
    let told = || rows.iter().find_map(|row| metric(row, name)?.lower_is_better);
    judge.filter(|judge| judge.name == name).and_then(|judge| judge.less).or_else(told)
}

fn is_finished(row: &CandidateRow) -> bool {
    row.status == CandidateStatus::Finished
}

fn metric<'a>(row: &'a CandidateRow, name: &str) -> Option<&'a Metric> {
    row.metrics.iter().find(|metric| metric.name == name)
}

/// What of a run changes as it goes on.
fn cells(row: CandidateRow, columns: &[Column], best: &[Option<f64>]) -> impl IntoView + use<> {
    let user = view! { <RunUser tags=row.tags.clone() author=row.author.clone()/> };
    let text = |value: Option<String>| {
        let shown = value.clone().unwrap_or_else(|| "–".to_owned());
        view! { <td class="max-w-48 truncate font-mono text-xs" title=value>{shown}</td> }
            .into_any()
    };
    let cells = columns
        .iter()
        .enumerate()
        .map(|(place, column)| match column {
            Column::Metric(name) => {
                let value = metric(&row, name).map(|metric| metric.value.0);
                let best = best.get(place).copied().flatten();
                let is_best = value.is_some() && best == value && is_finished(&row);
                view! {
                    <td
                        class="whitespace-nowrap tabular-nums"
                        class=("font-semibold", is_best)
                        title=value.map(|value| value.to_string())
                    >
                        {value.map_or_else(|| "–".to_owned(), format::metric)}
                        {is_best.then(|| view! {
                            <span class="text-success" title="Best on this page">
                                " " <span aria-hidden="true">"★"</span><span class="sr-only">"best"</span>
                            </span>
                        })}
                    </td>
                }
                .into_any()
            }
            Column::Param(name) => {
                text(row.params.iter().find(|param| param.name == *name).map(|p| p.value.clone()))
            }
            Column::Tag(key) => {
                text(row.tags.iter().find(|tag| tag.key == *key).map(|tag| tag.value.clone()))
            }
        })
        .collect_view();
    let version = row.version.map(|version| {
        view! {
            <a class="link-hover link font-mono text-sm" href=address::version(&version.model.path, &version.version)>
                {version.version.clone()}
            </a>
        }
    });
    view! {
        <td><Status status=row.status/></td>
        <td>{version}</td>
        <td class="hidden max-w-40 truncate lg:table-cell">{user}</td>
        <td class="text-muted"><Time at=row.created_at.0/></td>
        {cells}
    }
}
