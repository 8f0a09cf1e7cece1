//! `/`: all projects, or with `?trash=1` the deleted ones.

use leptos::prelude::*;

use super::{all_models::HomeTabs, leave_when_empty, neighbours, use_place};
use crate::{
    components::{
        empty::Empty,
        failed::SignInOffer,
        form::Submit,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        pager::Pager,
        search::SearchBox,
        skeleton::SkeletonRows,
        sort::{Sort, SortSelect, use_sort},
        time::Time,
        title::PageTitle,
        toast::use_toasts,
    },
    graphql::{
        project::{
            self, ProjectOrder, ProjectOrderField, ProjectPage, ProjectRow, RestoreProjectInput,
        },
        scalar::OrderDirection,
    },
    logic::{address, format},
    parts::{access::visibility::visibility_name, tags::report},
    session::use_session,
};

#[component]
pub fn ProjectsPage() -> impl IntoView {
    let search = address::use_query("q");
    let trash = address::use_query("trash");
    let trashed = Memo::new(move |_| trash.read().is_some());
    let sort = use_sort("name");
    let place = use_place();
    let projects = Load::new(move || {
        project::list(search.get(), order(&sort.read()), trashed.get(), place.get())
    });
    leave_when_empty(move || {
        projects.with(|page| page.and_then(Result::ok).is_some_and(|page| page.nodes.is_empty()))
    });
    let session = use_session();
    let searching = Signal::derive(move || search.read().is_some());
    let reload = Callback::new(move |()| projects.refetch());
    let heading = move || {
        if trashed.get() { "Deleted projects" } else { "Projects" }
    };
    view! {
        <PageTitle text=move || heading().to_owned()/>
        <div class="flex flex-wrap items-center justify-between gap-3">
            <h1 class="text-2xl font-semibold tracking-tight">{heading}</h1>
            <div class="flex gap-2">
                {move || match (trashed.get(), session.signed_in()) {
                    (true, _) => view! { <a class="btn" href=address::at("/")>"All projects"</a> }.into_any(),
                    (false, true) => view! {
                        <a class="btn btn-ghost" href=address::at("/?trash=1")><Icon d=icon::TRASH/>"Trash"</a>
                        <Show when=move || session.creates_projects()>
                            <a class="btn btn-primary" href=address::at("/new")><Icon d=icon::PLUS/>"New project"</a>
                        </Show>
                    }
                    .into_any(),
                    (false, false) => ().into_any(),
                }}
            </div>
        </div>
        <HomeTabs/>
        <div class="mb-4 flex flex-wrap gap-3">
            <SearchBox name="q" label="Search projects"/>
            <SortSelect
                sort
                options=&[("name", "Name"), ("-updated", "Last updated"), ("-created", "Newest")]
            />
        </div>
        <Loaded from=projects fallback=|| view! { <SkeletonRows/> } let:page>
            <ProjectList page searching trashed on_change=reload/>
        </Loaded>
    }
}

fn order(sort: &Sort) -> ProjectOrder {
    let field = match sort.key.as_str() {
        "created" => ProjectOrderField::CreatedAt,
        "updated" => ProjectOrderField::UpdatedAt,
        _ => ProjectOrderField::Name,
    };
    ProjectOrder { field, direction: OrderDirection::of(sort.descending) }
}

#[component]
fn ProjectList(
    page: Memo<ProjectPage>,
    searching: Signal<bool>,
    trashed: Memo<bool>,
    on_change: Callback<()>,
) -> impl IntoView {
    let session = use_session();
    let nothing = move || {
        match (trashed.get(), searching.get()) {
        (_, true) => view! {
            <Empty d=icon::SEARCH title="No matching projects">
                <p>"Search looks at names and paths."</p>
            </Empty>
        }
        .into_any(),
        (true, false) => view! {
            <Empty d=icon::TRASH title="The trash is empty">
                <p>"Deleted projects appear here and can be restored."</p>
            </Empty>
        }
        .into_any(),
        (false, false) if !session.signed_in() => view! {
            <Empty d=icon::LAYERS title="No public projects">
                <p>"Sign in to see your own projects and those of your teams."</p>
                <SignInOffer/>
            </Empty>
        }
        .into_any(),
        (false, false) if !session.creates_projects() => view! {
            <Empty d=icon::LAYERS title="No projects yet">
                <p>"Only administrators can create projects here. You will see a project once you are a member of it, or once it is made visible to everyone."</p>
            </Empty>
        }
        .into_any(),
        (false, false) => view! {
            <Empty d=icon::LAYERS title="Start with a project">
                <p>"A project groups models that belong together, for example those of one team or product."</p>
                <a class="btn btn-primary" href=address::at("/new")><Icon d=icon::PLUS/>"New project"</a>
            </Empty>
        }
        .into_any(),
    }
    };
    view! {
        <Show when=move || !page.read().nodes.is_empty() fallback=nothing>
            <ul class="panel divide-y divide-base-300" aria-label="Projects">
                <For
                    each=move || page.get().nodes
                    key=|row| (row.id.inner().to_owned(), row.updated_at.0.clone(), row.models.total_count)
                    let:row
                >
                    <ProjectLine row on_change/>
                </For>
            </ul>
            <Pager
                neighbours=Signal::derive(move || {
                    page.with(|page| neighbours(&page.page_info, page.total_count, page.nodes.len()))
                })
                one="project"
                many="projects"
            />
        </Show>
    }
}

#[component]
fn ProjectLine(row: ProjectRow, on_change: Callback<()>) -> impl IntoView {
    let ProjectRow { id, path, name, description, visibility, models, updated_at, deleted_at } =
        row;
    let href = address::project(&path);
    let title = if name.is_empty() { path.clone() } else { name };
    let summary = first_line(&description);
    let deleted = deleted_at.is_some();
    let heading = if deleted {
        view! { <span class="font-medium">{title}</span> }.into_any()
    } else {
        view! { <a class="link-hover link font-semibold after:absolute after:inset-0" href=href>{title}</a> }
            .into_any()
    };
    view! {
        <li class="relative flex items-center gap-4 p-4 hover:bg-base-200/60">
            <span class="grid size-10 shrink-0 place-items-center rounded-lg bg-base-200 text-primary">
                <Icon d=icon::BOX class="size-5"/>
            </span>
            <div class="min-w-0 grow">
                <p class="flex flex-wrap items-center gap-x-2 gap-y-1">
                    {heading}
                    <span class="font-mono text-xs text-muted">{path.clone()}</span>
                    <span class="badge badge-sm border-base-300 bg-base-200">{visibility_name(visibility)}</span>
                </p>
                <p class="truncate text-sm text-muted">{summary}</p>
                <p class="text-sm text-muted sm:hidden">{format::plural(models.total_count.into(), "model", "models")}</p>
            </div>
            {match deleted_at {
                Some(at) => view! {
                    <div class="flex items-center gap-3 text-sm text-muted">
                        <span class="hidden sm:inline">"deleted " <Time at=at.0/></span>
                        <Restore id path on_change/>
                    </div>
                }
                .into_any(),
                None => view! {
                    <div class="hidden shrink-0 text-right text-sm sm:block">
                        <p>{format::plural(models.total_count.into(), "model", "models")}</p>
                        <p class="text-muted">"updated " <Time at=updated_at.0/></p>
                    </div>
                }
                .into_any(),
            }}
        </li>
    }
}

#[component]
fn Restore(id: cynic::Id, path: String, on_change: Callback<()>) -> impl IntoView {
    let toasts = use_toasts();
    let submit = Submit::new();
    report(submit);
    let restore = move |_| {
        let input = RestoreProjectInput { project: path.clone(), id: Some(id.clone()) };
        submit.run(project::restore(input), move |project| {
            toasts.success(format!("Project “{}” restored.", project.path));
            on_change.run(());
        });
    };
    view! {
        <button type="button" class="btn btn-sm" disabled=submit.pending on:click=restore>
            <Icon d=icon::RESTORE/>
            "Restore"
        </button>
    }
}

/// The first line of a markdown text that says something, without its markup.
pub fn first_line(markdown: &str) -> String {
    markdown
        .lines()
        .map(|line| line.trim_start_matches(['#', '>', '-', '*', ' ']).trim())
        .find(|line| !line.is_empty())
        .unwrap_or_default()
        .replace("**", "")
        .replace("__", "")
        .replace('`', "")
        .chars()
        .take(200)
        .collect()
}
