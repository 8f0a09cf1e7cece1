//! `/{project}/{model}/versions`: search, range, tag, order; many compared or deleted at once.

use std::sync::Arc;

use leptos::prelude::*;

use super::{leave_when_empty, model::use_model, neighbours, person, stage_name, use_place};
use crate::{
    components::{
        badge::{AlarmBadge, AliasChip, Badge, DraftBadge, LatestBadge, TagChip},
        empty::Empty,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        pager::Pager,
        person::Person,
        query_field::{QueryCheck, is_checked},
        search::SearchBox,
        skeleton::SkeletonRows,
        sort::{Sort, SortHeader, SortSelect, use_sort},
        time::Time,
        title::PageTitle,
    },
    graphql::{
        alias::by_weight,
        scalar::{OrderDirection, Role, VersionState, VersionSupport},
        tag::Tag,
        version::{
            self, DeleteModelVersionInput, ModelVersionOrder, ModelVersionOrderField,
            RestoreModelVersionInput, VersionList, VersionRow, Wanted,
        },
    },
    logic::{address, check, format},
    parts::{
        bulk::{Act, DeleteSelected, Step, Undo, forget_with},
        compare::selection::{SelectBox, SelectionBar},
        models::{
            aliases::{AliasDialog, Asked},
            mlflow::{self, MlflowGuide},
        },
        prompts,
    },
};

#[component]
pub fn VersionsTab() -> impl IntoView {
    let model = use_model();
    let search = address::use_query("q");
    let range = address::use_query("range");
    let tag = address::use_query("tag");
    let yanked = address::use_query("yanked");
    let sort = use_sort("-version");
    let place = use_place();
    let versions = Load::new(move || {
        let wanted = Wanted {
            search: search.get(),
            range: range.get(),
            tag: tag.get(),
            yanked: is_checked(yanked),
            order_by: order(&sort.read()),
            place: place.get(),
        };
        version::list(model.path.get(), wanted)
    });
    versions.refetch_when(move || model.track_changes());
    let yanked_count = Memo::new(move |_| {
        versions.with(|list| list?.ok().map(|list| list.yanked.total_count)).unwrap_or_default()
    });
    let has_yanked = move || yanked_count.get() > 0 || is_checked(yanked);
    let filtered =
        Signal::derive(move || [search, range, tag].iter().any(|part| part.read().is_some()));
    let changed = Callback::new(move |()| {
        versions.refetch();
        model.reload();
    });
    view! {
        <PageTitle text=move || format!("Versions of {}", model.path.get())/>
        <h2 class="sr-only">"Versions"</h2>
        <div class="mb-4 flex flex-wrap gap-3">
            <SearchBox name="q" label="Search versions"/>
            <SearchBox
                name="range" label="Range: ^1.2" d=icon::FILTER check=check::range mono=true
                class="min-w-0 grow basis-40 sm:w-56 sm:grow-0 sm:basis-auto"
            />
            <SearchBox
                name="tag" label="Tag: stage=prod" d=icon::TAG check=check::tag_filter mono=true
                class="min-w-0 grow basis-40 sm:w-56 sm:grow-0 sm:basis-auto"
            />
            <SortSelect
                sort
                class="select w-auto md:hidden"
                options=&[("-version", "Highest first"), ("version", "Lowest first"), ("-created", "Newest first")]
            />
            <Show when=has_yanked><QueryCheck name="yanked" label="Show yanked"/></Show>
        </div>
        <Loaded from=versions fallback=|| view! { <SkeletonRows/> } let:list>
            <VersionTable list sort filtered on_change=changed/>
        </Loaded>
    }
}

fn order(sort: &Sort) -> ModelVersionOrder {
    let field = match sort.key.as_str() {
        "created" => ModelVersionOrderField::CreatedAt,
        "updated" => ModelVersionOrderField::UpdatedAt,
        _ => ModelVersionOrderField::Version,
    };
    ModelVersionOrder { field, direction: OrderDirection::of(sort.descending) }
}

#[component]
fn VersionTable(
    list: Memo<VersionList>,
    sort: Memo<Sort>,
    filtered: Signal<bool>,
    on_change: Callback<()>,
) -> impl IntoView {
    let model = use_model();
    let page = Memo::new(move |_| list.read().versions.clone());
    let nothing = move || {
        if filtered.get() {
            view! {
                <Empty d=icon::SEARCH title="No matching versions">
                    <p>"Ranges work as in Cargo and npm: ^1.2, ~1.2.3, >=1, <3. For a tag, enter key=value or only the key."</p>
                </Empty>
            }
            .into_any()
        } else if list.read().yanked.total_count > 0 {
            view! {
                <Empty d=icon::PACKAGE title="All versions are yanked">
                    <p>"Yanked versions should not be used. Select “Show yanked” to see them."</p>
                </Empty>
            }
            .into_any()
        } else {
            view! {
                <Empty d=icon::PACKAGE title="No versions yet">
                    <p>
                        {if model.is_prompt() {
                            "Write a template, or register one with MLflow."
                        } else {
                            "Create a version and add files, promote a run, or register a model version with MLflow."
                        }}
                    </p>
                    <Show when=move || model.allows(Role::Developer)>
                        <a class="btn btn-primary" href=move || address::model_page(&model.path.read(), "versions/new")>
                            <Icon d=icon::PLUS/>
                            "New version"
                        </a>
                        <div class="w-full max-w-2xl"><FirstSteps/></div>
                    </Show>
                </Empty>
            }
            .into_any()
        }
    };
    leave_when_empty(move || page.read().nodes.is_empty());
    let selected = RwSignal::new(Vec::<String>::new());
    forget_with(selected, move || model.path.get());
    let compare = Callback::new(move |versions: Vec<String>| {
        address::compare_versions(&model.path.read(), &versions)
    });
    let asked = RwSignal::new(None::<Asked>);
    let is_prompt = Memo::new(move |_| model.is_prompt());
    let latest = Memo::new(move |_| {
        model.get(|detail| Some(detail.latest_version.as_ref()?.version.clone())).flatten()
    });
    view! {
        // What was asked stays when others delete all that the table had.
        <Show when=move || !page.read().nodes.is_empty() || !selected.read().is_empty()>
            <SelectionBar
                selected many="versions" compare
                actions=move || view! {
                    <Show when=move || model.allows(Role::Developer)>
                        <DeleteVersions selected on_change/>
                    </Show>
                }
            />
        </Show>
        <Show when=move || !page.read().nodes.is_empty() fallback=nothing>
            <div class="panel overflow-x-auto">
                <table class="table">
                    <thead>
                        <tr>
                            <th scope="col" class="w-0 pr-0"><span class="sr-only">"Select"</span></th>
                            <SortHeader key="version" text="Version" sort descending_first=true/>
                            <th scope="col" class="hidden sm:table-cell">"Tags"</th>
                            {move || if is_prompt.get() {
                                view! { <th scope="col">"Template"</th> }.into_any()
                            } else {
                                view! {
                                    <th scope="col" class="hidden text-right md:table-cell">"Files"</th>
                                    <th scope="col" class="text-right">"Size"</th>
                                }
                                .into_any()
                            }}
                            <th scope="col" class="hidden lg:table-cell">"Author"</th>
                            <SortHeader key="created" text="Created" sort descending_first=true class="hidden md:table-cell"/>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || page.get().nodes key=move |row| row_key(&model.path.read_untracked(), row) let:row>
                            <Row row latest selected asked/>
                        </For>
                    </tbody>
                </table>
            </div>
            <Pager
                neighbours=Signal::derive(move || {
                    page.with(|page| neighbours(&page.page_info, page.total_count, page.nodes.len()))
                })
                one="version"
                many="versions"
            />
        </Show>
        <AliasDialog
            asked
            model=model.path
            aliases=Signal::derive(move || model.get(|detail| detail.aliases.clone()).unwrap_or_default())
            movable=Callback::new(move |protected| {
                model.allows(if protected { Role::Maintainer } else { Role::Developer })
            })
            on_change
        />
    }
}

#[component]
fn DeleteVersions(selected: RwSignal<Vec<String>>, on_change: Callback<()>) -> impl IntoView {
    let path = use_model().path;
    let open = RwSignal::new(false);
    // Of the model that is shown now: deleting may go on when another one is.
    let dialog = move || {
        view! {
            <DeleteSelected
                open
                selected
                words=("version", "versions")
                name=Callback::new(|version| version)
                meaning="Scripts that use these versions will fail, and aliases pointing to them will break."
                delete=deletion(path.get())
                on_change
            />
        }
    };
    view! {
        <Show when=move || !selected.read().is_empty()>
            <button type="button" class="btn btn-sm" on:click=move |_| open.set(true)>
                <Icon d=icon::TRASH/>
                "Delete"
            </button>
        </Show>
        {dialog}
    }
}

/// Deletes this version of the model, and gives the way back.
fn deletion(model: String) -> Act {
    Arc::new(move |version| {
        let model = model.clone();
        Box::pin(async move {
            let input = DeleteModelVersionInput { model: model.clone(), version };
            let deleted = version::delete(input).await?;
            let way_back = move || -> Step {
                let (model, version, id) =
                    (model.clone(), deleted.version.clone(), Some(deleted.id.clone()));
                let input = RestoreModelVersionInput { model, version, id };
                Box::pin(async move { version::restore(input).await.map(drop) })
            };
            Ok(Arc::new(way_back) as Undo)
        })
    })
}

/// From training to loading by alias.
#[component]
fn FirstSteps() -> impl IntoView {
    let model = use_model();
    let project = Signal::derive(move || model.project());
    let visibility = Signal::derive(move || model.visibility());
    let snippets = Signal::derive(move || {
        let name = model.name();
        match model.is_prompt() {
            true => vec![prompts::mlflow::register(&name)],
            false => mlflow::first_version(&mlflow::experiment_of(&name), &name),
        }
    });
    view! { <MlflowGuide project snippets visibility writes=true id="first"/> }
}

/// A row is drawn anew where any of this differs.
fn row_key(model: &str, row: &VersionRow) -> String {
    format!("{model} {row:?}")
}

fn support_badge(support: VersionSupport) -> AnyView {
    match support {
        VersionSupport::Active => ().into_any(),
        VersionSupport::Deprecated => view! { <Badge text="Deprecated"/> }.into_any(),
        VersionSupport::Yanked => view! { <AlarmBadge text="Yanked"/> }.into_any(),
    }
}

#[component]
fn Row(
    row: VersionRow,
    latest: Memo<Option<String>>,
    selected: RwSignal<Vec<String>>,
    asked: RwSignal<Option<Asked>>,
) -> impl IntoView {
    let model = use_model();
    let VersionRow {
        version,
        number,
        state,
        support,
        author,
        created_at,
        published_at,
        aliases,
        tags,
        file_count,
        size,
        stage,
        prompt,
    } = row;
    let href = address::version(&model.path.read_untracked(), &version);
    let is_latest = {
        let version = version.clone();
        move || state == VersionState::Published && latest.read().as_ref() == Some(&version)
    };
    let aliases = by_weight(aliases).into_iter().map(|alias| {
        let name = alias.name.clone();
        let on_click = Callback::new(move |()| asked.set(Some(Asked::History(name.clone()))));
        let title = format!("History of {}", alias.name);
        view! { <AliasChip name=alias.name protected=alias.protected on_click title/> }
    });
    let aliases = aliases.collect_view();
    let moving = version.clone();
    let can_move = move || support != VersionSupport::Yanked && model.allows(Role::Developer);
    let add_label = format!("Add or move alias to {version}");
    let tags: Vec<_> = tags.into_iter().filter(|tag| !tag.is_system()).collect();
    let chips = |tags: Vec<Tag>| {
        tags.into_iter().map(|tag| view! { <TagChip key=tag.key value=tag.value/> }).collect_view()
    };
    let published = published_at.map(|at| format!("Published {}", at.0));
    let key = StoredValue::new(version.clone());
    let chosen = move || selected.read().contains(&*key.read_value());
    view! {
        <tr class:bg-base-200=chosen class:text-muted=support != VersionSupport::Active>
            <td class="pr-0"><SelectBox selected key label=format!("Select {version}")/></td>
            <td>
                <div class="flex flex-wrap items-center gap-2">
                    <a class="link-hover link font-mono font-semibold" href=href title=published>{version}</a>
                    {(state == VersionState::Draft).then(|| view! { <DraftBadge/> })}
                    <Show when=is_latest><LatestBadge/></Show>
                    {support_badge(support)}
                    {stage_name(stage).map(|text| view! { <Badge text/> })}
                </div>
                <div class="mt-1 flex max-w-96 flex-wrap items-center gap-1">
                    <span class="mr-1 text-xs text-muted" title="Version number in MLflow">"#" {number}</span>
                    {aliases}
                    <Show when=can_move>
                        <button
                            type="button" class="btn btn-ghost btn-xs btn-square"
                            aria-label=add_label.clone() title=add_label.clone()
                            on:click={
                                let moving = moving.clone();
                                move |_| asked.set(Some(Asked::Move(moving.clone())))
                            }
                        >
                            <Icon d=icon::BOOKMARK class="size-3.5"/>
                        </button>
                    </Show>
                </div>
                <div class="mt-1 flex flex-wrap gap-1 empty:hidden sm:hidden">{chips(tags.clone())}</div>
            </td>
            <td class="hidden sm:table-cell"><div class="flex max-w-72 flex-wrap gap-1">{chips(tags)}</div></td>
            {if model.is_prompt() {
                let beginning = prompt.map(|prompt| prompt.beginning);
                view! { <td class="max-w-0 min-w-40 truncate text-sm text-muted">{beginning}</td> }.into_any()
            } else {
                view! {
                    <td class="hidden text-right tabular-nums md:table-cell">{format::count(file_count.into())}</td>
                    <td class="whitespace-nowrap text-right tabular-nums">{format::bytes(size)}</td>
                }
                .into_any()
            }}
            <td class="hidden lg:table-cell"><Person person=person(author)/></td>
            <td class="hidden text-sm text-muted md:table-cell"><Time at=created_at.0/></td>
        </tr>
    }
}
