//! `/{project}/-/trash`: what was deleted and can come back, or go for good.

use leptos::prelude::*;

use super::{DEVELOPERS, leave_when_empty, neighbours, person, project::use_project, use_place};
use crate::{
    components::{
        confirm::Confirm,
        empty::Empty,
        failed::Allowed,
        form::Submit,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        pager::Pager,
        person::Person,
        skeleton::SkeletonRows,
        time::Time,
        title::PageTitle,
        toast::use_toasts,
    },
    graphql::{
        candidate::{self, RestoreCandidateInput},
        kind::ModelKind,
        model::{self, RestoreModelInput},
        scalar::Role,
        trash::{self, TrashEntry, TrashItem, TrashPage},
        version::{self, RestoreModelVersionInput},
    },
    logic::{error::ApiError, format},
    parts::tags::report,
};

/// What is asked about before it is gone for good: one thing and what it is called, or everything.
type Doomed = Option<(cynic::Id, String)>;

#[component]
pub fn TrashTab() -> impl IntoView {
    let project = use_project();
    view! {
        <PageTitle text=move || format!("Trash of {}", project.path.get())/>
        <h2 class="sr-only">"Trash"</h2>
        <Allowed when=Signal::derive(move || project.allows(Role::Developer)) who=DEVELOPERS>
            <Trash/>
        </Allowed>
    }
}

#[component]
fn Trash() -> impl IntoView {
    let path = use_project().path;
    let place = use_place();
    let entries = Load::new(move || trash::list(path.get(), place.get()));
    let changed = Callback::new(move |()| entries.refetch());
    view! {
        <Loaded from=entries fallback=|| view! { <SkeletonRows/> } let:page>
            <Entries page on_change=changed/>
        </Loaded>
    }
}

#[component]
fn Entries(page: Memo<TrashPage>, on_change: Callback<()>) -> impl IntoView {
    let project = use_project();
    let asked = RwSignal::new(None::<Doomed>);
    let maintains = Memo::new(move |_| project.allows(Role::Maintainer));
    leave_when_empty(move || page.read().nodes.is_empty());
    view! {
        <Show
            when=move || !page.read().nodes.is_empty()
            fallback=|| view! {
                <Empty d=icon::TRASH title="The trash is empty">
                    <p>"Deleted models, versions and runs appear here and can be restored."</p>
                </Empty>
            }
        >
            <div class="mb-4 flex flex-wrap items-center justify-between gap-3">
                <p class="text-sm text-muted">"Items deleted from this project, most recent first."</p>
                <Show when=move || maintains.get()>
                    <button type="button" class="btn btn-sm btn-outline btn-error" on:click=move |_| asked.set(Some(None))>
                        <Icon d=icon::TRASH/>
                        "Empty trash"
                    </button>
                </Show>
            </div>
            <ul class="panel divide-y divide-base-300" aria-label="Deleted">
                {move || page
                    .get()
                    .nodes
                    .into_iter()
                    .map(|entry| view! { <Entry entry asked maintains on_change/> })
                    .collect_view()}
            </ul>
            <Pager
                neighbours=Signal::derive(move || {
                    page.with(|page| neighbours(&page.page_info, page.total_count, page.nodes.len()))
                })
                one="item"
                many="items"
            />
        </Show>
        {move || asked.get().map(|doomed| view! {
            <Doom doomed total=page.read_untracked().total_count on_change/>
        })}
    }
}

#[component]
fn Entry(
    entry: TrashEntry,
    asked: RwSignal<Option<Doomed>>,
    maintains: Memo<bool>,
    on_change: Callback<()>,
) -> impl IntoView {
    let toasts = use_toasts();
    let submit = Submit::new();
    report(submit);
    let TrashEntry { deleted_at, deleted_by, item } = entry;
    let (outline, name, kind) = describe(&item);
    let text = format!("{name} restored.");
    let label = format!("Restore {name}");
    let doom_label = format!("Permanently delete {name}");
    let doomed = item.id().map(|id| (id, name.clone()));
    let restore = move |_| {
        let text = text.clone();
        submit.run(restored(item.clone()), move |()| {
            toasts.success(text);
            on_change.run(());
        });
    };
    view! {
        <li class="flex flex-wrap items-center gap-x-4 gap-y-2 p-4">
            <span class="grid size-10 shrink-0 place-items-center rounded-lg bg-base-200 text-muted">
                <Icon d=outline class="size-5"/>
            </span>
            <div class="min-w-40 flex-1">
                <p class="break-words font-medium">{name}</p>
                <p class="text-sm text-muted">
                    {kind} " · deleted " <Time at=deleted_at.0/> " by " <Person person=person(deleted_by)/>
                </p>
            </div>
            <div class="flex gap-2">
                <button type="button" class="btn btn-sm" aria-label=label disabled=submit.pending on:click=restore>
                    <Icon d=icon::RESTORE/>
                    "Restore"
                </button>
                <Show when={
                    let known = doomed.is_some();
                    move || known && maintains.get()
                }>
                    <button
                        type="button"
                        class="btn btn-sm btn-outline btn-error"
                        aria-label=doom_label.clone()
                        on:click={
                            let doomed = doomed.clone();
                            move |_| asked.set(doomed.clone().map(Some))
                        }
                    >
                        "Permanently delete"
                    </button>
                </Show>
            </div>
        </li>
    }
}

/// Asks before something is gone for good.
#[component]
fn Doom(doomed: Doomed, total: i32, on_change: Callback<()>) -> impl IntoView {
    let path = use_project().path;
    let toasts = use_toasts();
    let open = RwSignal::new(true);
    let submit = Submit::new();
    report(submit);
    let (title, text) = match &doomed {
        Some((_, name)) => (format!("Permanently delete “{name}”?"), format!("“{name}”")),
        None => (
            format!("Empty the trash of “{}”?", path.get_untracked()),
            format::plural(total.into(), "item", "items"),
        ),
    };
    let item = doomed.as_ref().map(|(id, _)| id.clone());
    let size = Load::new(move || trash::size(path.get(), item.clone()));
    // Words that take the place of others, so that nothing moves when the answer comes.
    let comes_back = move || {
        size.with(|size| match size {
            None => "Counting how much space this frees…".to_owned(),
            Some(Ok(0)) => {
                "Frees no space: there are no files, or they are also used elsewhere.".to_owned()
            }
            Some(Ok(size)) => format!("Frees up to {}.", format::bytes(*size)),
            Some(Err(error)) => {
                format!("Could not tell how much space this frees: {}", error.message)
            }
        })
    };
    let delete = move |()| {
        let item = doomed.as_ref().map(|(id, _)| id.clone());
        submit.run(trash::empty_all(path.get_untracked(), item), move |removed| {
            open.set(false);
            let items = format::plural(removed.into(), "item", "items");
            toasts.success(format!("{items} permanently deleted."));
            on_change.run(());
        });
    };
    view! {
        <Confirm open title action="Permanently delete" danger=true pending=submit.pending on_confirm=delete>
            <p>
                "Permanently delete " {text.clone()} " and any files nothing else uses? "
                <strong class="text-base-content">"This can't be undone."</strong>
            </p>
            <p aria-live="polite">{comes_back}</p>
        </Confirm>
    }
}

/// An icon, what it was called, and what it is.
fn describe(item: &TrashItem) -> (&'static str, String, String) {
    match item {
        TrashItem::Model(model) => {
            let versions = format::plural(model.version_count.into(), "version", "versions");
            let d = match model.kind {
                ModelKind::Model => icon::BOX,
                ModelKind::Prompt => icon::MESSAGE,
            };
            (d, model.name.clone(), format!("{} with {versions}", model.kind.title()))
        }
        TrashItem::ModelVersion(version) => (
            icon::PACKAGE,
            format!("{} {}", version.model.name, version.version),
            "Version".to_owned(),
        ),
        TrashItem::Candidate(candidate) => {
            let number = candidate.number.map(|number| format!(" #{number}")).unwrap_or_default();
            let model = candidate.run_of.as_ref().map(|model| format!(" of {}", model.name));
            (
                icon::FLASK,
                format!("{}{number}", candidate.name),
                format!("Run{}", model.unwrap_or_default()),
            )
        }
        TrashItem::Other => (icon::FILE, "Other item".to_owned(), String::new()),
    }
}

async fn restored(item: TrashItem) -> Result<(), ApiError> {
    match item {
        TrashItem::Model(item) => {
            model::restore(RestoreModelInput { model: item.path, id: Some(item.id) })
                .await
                .map(drop)
        }
        TrashItem::ModelVersion(item) => {
            let input = RestoreModelVersionInput {
                model: item.model.path,
                version: item.version,
                id: Some(item.id),
            };
            version::restore(input).await.map(drop)
        }
        TrashItem::Candidate(item) => match (item.run_of, item.number) {
            (Some(model), Some(number)) => {
                let input = RestoreCandidateInput { model: model.path, candidate: number };
                candidate::restore(input).await.map(drop)
            }
            _ => Err(ApiError::not_found(
                "This run doesn't belong to a model. Restore it with MLflow.",
            )),
        },
        TrashItem::Other => {
            Err(ApiError::not_found("This page can't restore this item. Use the API."))
        }
    }
}
