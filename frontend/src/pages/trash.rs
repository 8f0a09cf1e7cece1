//! `/{project}/-/trash`: what was deleted and can come back.

use leptos::prelude::*;

use super::{neighbours, person, use_place};
use crate::{
    address,
    components::{
        breadcrumbs::Breadcrumbs,
        empty::Empty,
        icon::{self, Icon},
        loaded::Loaded,
        pager::Pager,
        person::Person,
        skeleton::SkeletonRows,
        time::Time,
        title::PageTitle,
        toast::use_toasts,
    },
    error::ApiError,
    form::Submit,
    format,
    graphql::{
        candidate::{self, RestoreCandidateInput},
        model::{self, RestoreModelInput},
        trash::{self, TrashEntry, TrashItem, TrashPage as Page},
        version::{self, RestoreModelVersionInput},
    },
    parts::tags::report,
};

#[component]
pub fn TrashPage() -> impl IntoView {
    let project = address::use_param("project");
    let place = use_place();
    let entries = LocalResource::new(move || trash::list(project.get(), place.get()));
    let changed = Callback::new(move |()| entries.refetch());
    view! {
        <PageTitle text=move || format!("Trash of {}", project.get())/>
        <Breadcrumbs items=Signal::derive(move || vec![
            ("Projects".to_owned(), "/".to_owned()),
            (project.get(), address::project(&project.read())),
        ])/>
        <h1 class="text-2xl font-semibold tracking-tight">"Trash"</h1>
        <p class="mb-5 mt-1 text-sm text-muted">"What was deleted from this project, last deleted first."</p>
        <Loaded from=entries fallback=|| view! { <SkeletonRows/> } let:page>
            <Entries page on_change=changed/>
        </Loaded>
    }
}

#[component]
fn Entries(page: Memo<Page>, on_change: Callback<()>) -> impl IntoView {
    view! {
        <Show
            when=move || !page.read().nodes.is_empty()
            fallback=|| view! {
                <Empty d=icon::TRASH title="The trash is empty">
                    <p>"Deleted models, versions and candidates wait here to be restored."</p>
                </Empty>
            }
        >
            <ul class="panel divide-y divide-base-300" aria-label="Deleted">
                {move || page
                    .get()
                    .nodes
                    .into_iter()
                    .map(|entry| view! { <Entry entry on_change/> })
                    .collect_view()}
            </ul>
            <Pager
                neighbours=Signal::derive(move || {
                    page.with(|page| neighbours(&page.page_info, page.total_count, page.nodes.len()))
                })
                one="thing"
                many="things"
            />
        </Show>
    }
}

#[component]
fn Entry(entry: TrashEntry, on_change: Callback<()>) -> impl IntoView {
    let toasts = use_toasts();
    let submit = Submit::new();
    report(submit);
    let TrashEntry { deleted_at, deleted_by, item } = entry;
    let (outline, name, kind) = describe(&item);
    let text = format!("{name} restored.");
    let restore = move |_| {
        let text = text.clone();
        submit.run(restored(item.clone()), move |()| {
            toasts.success(text);
            on_change.run(());
        });
    };
    let label = format!("Restore {name}");
    view! {
        <li class="flex items-center gap-4 p-4">
            <span class="grid size-10 shrink-0 place-items-center rounded-lg bg-base-200 text-muted">
                <Icon d=outline class="size-5"/>
            </span>
            <div class="min-w-0 grow">
                <p class="break-words font-medium">{name}</p>
                <p class="text-sm text-muted">
                    {kind} " · deleted " <Time at=deleted_at.0/> " by " <Person person=person(deleted_by)/>
                </p>
            </div>
            <button type="button" class="btn btn-sm" aria-label=label disabled=submit.pending on:click=restore>
                <Icon d=icon::RESTORE/>
                "Restore"
            </button>
        </li>
    }
}

/// An icon, what it was called, and what it is.
fn describe(item: &TrashItem) -> (&'static str, String, String) {
    match item {
        TrashItem::Model(model) => {
            let versions = format::plural(model.version_count.into(), "version", "versions");
            (icon::BOX, model.name.clone(), format!("Model with {versions}"))
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
                format!("Candidate{}", model.unwrap_or_default()),
            )
        }
        TrashItem::Other => (icon::FILE, "Something else".to_owned(), String::new()),
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
                "This candidate belongs to no model; restore it with MLflow.",
            )),
        },
        TrashItem::Other => {
            Err(ApiError::not_found("This page does not know how to restore this."))
        }
    }
}
