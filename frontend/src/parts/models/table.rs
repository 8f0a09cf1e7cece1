//! A table of models or prompts to sort, select, tag and delete.

use leptos::prelude::*;

use super::bulk::{Chosen, DeleteModels, TagModels};
use crate::{
    components::{
        badge::{AliasChip, DraftBadge, TagChip},
        icon::{self, Icon},
        menu::Menu,
        pager::Pager,
        person::Person,
        sort::{Sort, SortHeader},
        time::Time,
    },
    graphql::{
        alias::by_weight,
        kind::ModelKind,
        model::{BestMetric, ModelOrder, ModelOrderField, ModelPage, ModelRow},
        scalar::{OrderDirection, Role, VersionState},
        viewer::Author,
    },
    logic::{address, format},
    parts::page::neighbours,
};

/// Chips in a row; what is more is on the model's page.
const CHIPS_SHOWN: usize = 4;

/// Where there is no table: on a phone.
pub fn orders(kind: ModelKind) -> &'static [(&'static str, &'static str)] {
    match kind {
        ModelKind::Model => &[
            ("name", "Name"),
            ("-updated", "Last updated"),
            ("-created", "Newest"),
            ("-version", "Highest version"),
            ("-metric", "Best metric"),
            ("-candidates", "Most runs"),
            ("author", "Author"),
        ],
        ModelKind::Prompt => &[
            ("name", "Name"),
            ("-updated", "Last updated"),
            ("-created", "Newest"),
            ("-version", "Highest version"),
            ("author", "Author"),
        ],
    }
}

/// What the server sorts by.
pub fn order(sort: &Sort) -> ModelOrder {
    let field = match sort.key.as_str() {
        "created" => ModelOrderField::CreatedAt,
        "updated" => ModelOrderField::UpdatedAt,
        "version" => ModelOrderField::LatestVersion,
        "candidates" => ModelOrderField::CandidateCount,
        "author" => ModelOrderField::Author,
        "metric" => ModelOrderField::BestMetric,
        _ => ModelOrderField::Name,
    };
    ModelOrder { field, direction: OrderDirection::of(sort.descending) }
}

/// What was chosen, and which question about it is open.
#[derive(Clone, Copy)]
struct Bulk {
    selected: RwSignal<Vec<Chosen>>,
    /// What is asked about: the selected ones, or the one of a row.
    asked: RwSignal<Vec<Chosen>>,
    deleting: RwSignal<bool>,
    tagging: RwSignal<bool>,
}

impl Bulk {
    fn ask(self, about: Vec<Chosen>, question: RwSignal<bool>) {
        self.asked.set(about);
        question.set(true);
    }
}

#[component]
pub fn ModelTable(
    kind: ModelKind,
    page: Memo<ModelPage>,
    sort: Memo<Sort>,
    /// Whether they are of several projects, which then stand before their names.
    across: Memo<bool>,
    #[prop(into)] on_change: Callback<()>,
) -> impl IntoView {
    let bulk = Bulk {
        selected: RwSignal::new(Vec::new()),
        asked: RwSignal::new(Vec::new()),
        deleting: RwSignal::new(false),
        tagging: RwSignal::new(false),
    };
    // Whether there is anything here that the viewer may change.
    let edits = Memo::new(move |_| page.read().nodes.iter().any(may_change));
    let deleted = move |gone: Vec<String>| {
        bulk.selected.update(|selected| selected.retain(|chosen| !gone.contains(&chosen.path)));
        on_change.run(());
    };
    let updated = "hidden w-28 md:table-cell";
    let is_model = kind == ModelKind::Model;
    let (one, many) = kind.words();
    view! {
        <Show when=move || edits.get()><Toolbar many bulk/></Show>
        <div class="panel">
            // Fixed: long names and tags are broken or cut off, and the table is never wider than the page.
            <table class="table table-fixed max-md:table-sm">
                <thead>
                    <tr>
                        <Show when=move || edits.get()><th class="w-9 pr-0 md:w-11"><SelectAll kind page across bulk/></th></Show>
                        <SortHeader key="name" text="Name" sort/>
                        <SortHeader key="version" text="Version" sort descending_first=true class="w-28 md:w-40"/>
                        {is_model.then(|| view! {
                            <SortHeader key="metric" text="Best metric" sort descending_first=true class="hidden w-36 lg:table-cell"/>
                            <SortHeader
                                key="candidates" text="Runs" sort descending_first=true
                                class="hidden w-32 text-right md:table-cell"
                            />
                        })}
                        <SortHeader key="author" text="Author" sort class="hidden w-36 xl:table-cell"/>
                        <SortHeader key="updated" text="Updated" sort descending_first=true class=updated/>
                        <SortHeader key="created" text="Created" sort descending_first=true class="hidden w-28 xl:table-cell"/>
                        <Show when=move || edits.get()><th class="w-10 p-0 md:w-12"><span class="sr-only">"Actions"</span></th></Show>
                    </tr>
                </thead>
                <tbody>
                    <For each=move || page.get().nodes key=row_key let:row>
                        <Row kind row edits across=across.get_untracked() bulk/>
                    </For>
                </tbody>
            </table>
        </div>
        <Pager
            neighbours=Signal::derive(move || {
                page.with(|page| neighbours(&page.page_info, page.total_count, page.nodes.len()))
            })
            one
            many
        />
        <DeleteModels open=bulk.deleting models=bulk.asked on_change=deleted/>
        <TagModels open=bulk.tagging models=bulk.asked on_change/>
    }
}

/// What can be done with what is selected.
#[component]
fn Toolbar(many: &'static str, bulk: Bulk) -> impl IntoView {
    let Bulk { selected, deleting, tagging, .. } = bulk;
    let hint = move || match selected.read().len() {
        0 => format!("Select {many} to tag or delete them."),
        n => format!("{n} selected."),
    };
    let button = "btn btn-sm";
    view! {
        <div class="mb-2 flex min-h-8 flex-wrap items-center justify-between gap-2 text-sm">
            <p class="text-muted" role="status">{hint}</p>
            <Show when=move || !selected.read().is_empty()>
                <div class="flex gap-2">
                    <button type="button" class="btn btn-sm btn-ghost" on:click=move |_| selected.set(Vec::new())>
                        "Clear"
                    </button>
                    <button type="button" class=button on:click=move |_| bulk.ask(selected.get_untracked(), tagging)>
                        <Icon d=icon::PLUS/>"Tag"
                    </button>
                    <button type="button" class=button on:click=move |_| bulk.ask(selected.get_untracked(), deleting)>
                        <Icon d=icon::TRASH/>"Delete"
                    </button>
                </div>
            </Show>
        </div>
    }
}

#[component]
fn SelectAll(
    kind: ModelKind,
    page: Memo<ModelPage>,
    across: Memo<bool>,
    bulk: Bulk,
) -> impl IntoView {
    let selected = bulk.selected;
    let count = Memo::new(move |_| {
        let (page, selected) = (page.read(), selected.read());
        page.nodes
            .iter()
            .filter(|row| selected.iter().any(|chosen| chosen.path == row.path))
            .count()
    });
    let all = move || count.get() == page.read().nodes.iter().filter(|row| may_change(row)).count();
    let toggle = move |_| {
        let whole = untrack(all);
        let page = page.read_untracked();
        selected.update(|selected| {
            selected.retain(|chosen| page.nodes.iter().all(|row| row.path != chosen.path));
            if !whole {
                let all = page.nodes.iter().filter(|row| may_change(row));
                selected.extend(all.map(|row| chosen(kind, row, across.get_untracked())));
            }
        });
    };
    view! {
        <input
            type="checkbox"
            class="checkbox checkbox-sm align-middle"
            aria-label=format!("Select all {} on this page", kind.words().1)
            prop:checked=all
            prop:indeterminate=move || count.get() != 0 && !all()
            on:change=toggle
        />
    }
}

fn may_change(row: &ModelRow) -> bool {
    row.project.allows(Role::Developer)
}

fn chosen(kind: ModelKind, row: &ModelRow, across: bool) -> Chosen {
    Chosen {
        kind,
        path: row.path.clone(),
        name: if across { row.path.clone() } else { row.name.clone() },
        versions: row.version_count,
        candidates: row.candidate_count,
    }
}

/// A row is drawn anew where any of this differs.
fn row_key(row: &ModelRow) -> (String, String, i32, i32, Option<String>, Option<u64>) {
    let latest = row.latest_version.as_ref().map(|latest| latest.version.clone());
    let metric = row.best_metric.as_ref().map(|best| best.value.0.to_bits());
    let ModelRow { path, updated_at, version_count, candidate_count, .. } = row;
    (path.clone(), updated_at.0.clone(), *version_count, *candidate_count, latest, metric)
}

#[component]
fn Row(
    kind: ModelKind,
    row: ModelRow,
    edits: Memo<bool>,
    across: bool,
    bulk: Bulk,
) -> impl IntoView {
    let chosen = StoredValue::new(chosen(kind, &row, across));
    let changes = may_change(&row);
    let selected = bulk.selected;
    let place = move |selected: &Vec<Chosen>| {
        selected.iter().position(|other| other.path == chosen.read_value().path)
    };
    let is_selected = move || selected.with(place).is_some();
    let toggle = move |_| {
        selected.update(|selected| match place(selected) {
            Some(place) => drop(selected.remove(place)),
            None => selected.push(chosen.get_value()),
        });
    };
    let select = format!("Select {}", chosen.read_value().name);
    let actions = format!("Actions for {}", chosen.read_value().name);
    let actions = StoredValue::new((actions, row.path.clone()));
    let page = move |page: &str| address::model_page(&actions.read_value().1, page);
    view! {
        <tr class:bg-base-200=is_selected>
            <Show when=move || edits.get()>
                <td class="pr-0">
                    {changes.then(|| view! {
                        <input
                            type="checkbox"
                            class="checkbox checkbox-sm align-middle"
                            aria-label=select.clone()
                            prop:checked=is_selected
                            on:change=toggle
                        />
                    })}
                </td>
            </Show>
            {cells(kind, row, across)}
            <Show when=move || edits.get()>
                <td class="p-0">
                    {changes.then(|| view! {
                        <Menu
                            label=actions.read_value().0.clone()
                            class="btn btn-ghost btn-sm btn-square"
                            button=|| view! { <Icon d=icon::MORE/> }
                        >
                            <li><a href=page("versions/new")><Icon d=icon::PLUS/>"New version"</a></li>
                            <li><a href=page("-/edit")><Icon d=icon::PENCIL/>"Edit"</a></li>
                            <li>
                                <button type="button" on:click=move |_| bulk.ask(vec![chosen.get_value()], bulk.deleting)>
                                    <Icon d=icon::TRASH/>"Delete"
                                </button>
                            </li>
                        </Menu>
                    })}
                </td>
            </Show>
        </tr>
    }
}

/// What a row says, without what can be done with it.
fn cells(kind: ModelKind, row: ModelRow, across: bool) -> impl IntoView {
    let ModelRow {
        path, name, author, created_at, updated_at, candidate_count, best_metric, ..
    } = &row;
    let candidates = if *candidate_count == 0 {
        view! { <span class="text-muted">"0"</span> }.into_any()
    } else {
        let (href, count) =
            (address::model_page(path, "candidates"), format::count((*candidate_count).into()));
        view! { <a class="link-hover link" href=href>{count}</a> }.into_any()
    };
    let excerpt = row.latest_excerpt.as_ref().and_then(|latest| latest.prompt.as_ref());
    let excerpt = excerpt.map(|excerpt| excerpt.beginning.clone());
    let person = author.clone().map(Author::names);
    let project = across.then(|| {
        view! { <span class="font-normal text-muted">{row.project.path.clone()} "/"</span> }
    });
    view! {
        <td>
            <a class="link-hover link wrap-anywhere font-semibold" href=address::model(path)>
                {project}{name.clone()}
            </a>
            {excerpt.map(|text| view! { <p class="truncate text-sm text-muted">{text}</p> })}
            {chips(&row)}
        </td>
        <td>{latest(&row)}</td>
        {(kind == ModelKind::Model).then(|| view! {
            <td class="hidden lg:table-cell">{best_metric.clone().map(|best| metric(path, best))}</td>
            <td class="hidden text-right tabular-nums md:table-cell">{candidates}</td>
        })}
        <td class="hidden truncate xl:table-cell"><Person person/></td>
        <td class="hidden text-sm text-muted md:table-cell"><Time at=updated_at.0.clone()/></td>
        <td class="hidden text-sm text-muted xl:table-cell"><Time at=created_at.0.clone()/></td>
    }
}

/// Its aliases, and then as many of its tags as there is room for.
fn chips(row: &ModelRow) -> impl IntoView + use<> {
    let aliases = by_weight(row.aliases.clone()).into_iter().map(|alias| {
        let (version, protected) = (alias.version.version, alias.protected);
        let href = address::version(&row.path, &version);
        view! { <AliasChip name=alias.name href version protected/> }.into_any()
    });
    // What the registry's own tags mean is shown by itself.
    let tags = row.tags.iter().filter(|tag| !tag.is_system() && !tag.key.starts_with("registry."));
    let tags =
        tags.map(|tag| view! { <TagChip key=tag.key.clone() value=tag.value.clone()/> }.into_any());
    let mut chips: Vec<_> = aliases.chain(tags).collect();
    let more = chips.len().saturating_sub(CHIPS_SHOWN);
    chips.truncate(CHIPS_SHOWN);
    (!chips.is_empty()).then(|| {
        view! {
            <div class="mt-1 flex flex-wrap gap-1">
                {chips}
                {(more > 0).then(|| view! { <span class="text-xs text-muted">"+" {more}</span> })}
            </div>
        }
    })
}

fn latest(row: &ModelRow) -> AnyView {
    let Some(latest) = &row.latest_version else {
        return view! { <span class="text-sm text-muted">"none"</span> }.into_any();
    };
    let draft = latest.state == VersionState::Draft;
    let href = address::version(&row.path, &latest.version);
    view! {
        <a class="link-hover link inline-block py-1 font-mono text-sm wrap-anywhere" href=href>
            {latest.version.clone()}
        </a>
        {draft.then(|| view! { " " <DraftBadge/> })}
        <a class="link-hover link block py-1 text-xs text-muted" href=address::model_page(&row.path, "versions")>
            {format::plural(row.version_count.into(), "version", "versions")}
        </a>
    }
    .into_any()
}

fn metric(model: &str, best: BestMetric) -> AnyView {
    let value = best.value.0;
    let shown = format::metric(value);
    let shown = match best.candidate.number {
        Some(number) => {
            let title = format!("{value}, of {} #{number}", best.candidate.name);
            let href = address::candidate(model, number);
            view! { <a class="link-hover link tabular-nums" href=href title=title>{shown}</a> }
                .into_any()
        }
        None => shown.into_any(),
    };
    view! { {shown} <span class="block truncate text-xs text-muted">{best.name}</span> }.into_any()
}
