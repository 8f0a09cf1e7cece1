//! `/admin/operations`: how the registry is run: storages, servers, uploads under way, what will be removed, what is
//! damaged.

use leptos::prelude::*;

use super::{
    operations_lists::{Damages, Uploads},
    operations_rules::Rules,
};
use crate::{
    components::{
        badge::{AlarmBadge, Badge},
        icon::{self, Icon},
        loaded::{Load, Loaded},
        skeleton::SkeletonRows,
        time::{Time, Until},
        title::PageTitle,
    },
    graphql::{
        operations::{self, Replica, Storage, StorageKind, SweepAmount, SweepPreview},
        placement,
    },
    logic::format,
};

#[component]
pub fn OperationsPage() -> impl IntoView {
    let refreshed = Trigger::new();
    let storages = Load::new(operations::storages);
    let replicas = Load::new(operations::replicas);
    let preview = Load::new(operations::sweep_preview);
    let placed_again = Trigger::new();
    let placed = Load::new(async || Ok((operations::storages().await?, placement::rules().await?)));
    placed.refetch_when(move || {
        refreshed.track();
        placed_again.track();
    });
    storages.refetch_when(move || refreshed.track());
    replicas.refetch_when(move || refreshed.track());
    preview.refetch_when(move || refreshed.track());
    view! {
        <PageTitle text="Operations"/>
        <div class="mb-1 flex flex-wrap items-center justify-between gap-3">
            <h1 class="text-2xl font-semibold tracking-tight">"Operations"</h1>
            <button type="button" class="btn btn-sm" on:click=move |_| refreshed.notify()>
                <Icon d=icon::REFRESH/>
                "Refresh"
            </button>
        </div>
        <p class="mb-6 max-w-prose text-sm text-muted">
            "How this registry is running. Totals are counted once a minute at most."
        </p>
        <div class="space-y-8">
            <Section id="storages" title="Storages" about="Where the bytes of files are.">
                <Loaded from=storages fallback=|| view! { <SkeletonRows rows=1/> } let:list>
                    <ul class="panel divide-y divide-base-300" aria-labelledby="storages">
                        {move || list.get().into_iter().map(|storage| view! { <StorageLine storage/> }).collect_view()}
                    </ul>
                </Loaded>
            </Section>
            <Section
                id="rules" title="Storage rules"
                about="Which files belong in which storage: that of the first rule that they match. Files are moved once a day."
            >
                <Loaded from=placed fallback=|| view! { <SkeletonRows rows=1/> } let:placed>
                    <Rules
                        storages=Memo::new(move |_| placed.read().0.clone())
                        rules=Memo::new(move |_| placed.read().1.clone())
                        on_change=move |()| placed_again.notify()
                    />
                </Loaded>
            </Section>
            <Section id="servers" title="Servers" about="The servers that are this registry together.">
                <Loaded from=replicas fallback=|| view! { <SkeletonRows rows=1/> } let:list>
                    <Servers list/>
                </Loaded>
            </Section>
            <Section
                id="uploads" title="Uploads in progress"
                about="Uploads that can be interrupted and go on. Files that come in a single request are not listed."
            >
                <Uploads refreshed/>
            </Section>
            <Section
                id="sweep" title="What will be removed"
                about="Nothing is removed at once: every hour, the registry removes what has been unused for long enough."
            >
                <Loaded from=preview fallback=|| view! { <SkeletonRows rows=1/> } let:preview>
                    {move || view! { <Sweep preview=preview.get()/> }}
                </Loaded>
            </Section>
            <Section
                id="damage" title="Damaged files"
                about="Files whose bytes are not what was uploaded, because a disk lost or changed them."
            >
                <Damages refreshed/>
            </Section>
        </div>
    }
}

/// A part of the page, with its heading.
#[component]
fn Section(
    id: &'static str,
    title: &'static str,
    about: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <section aria-labelledby=id>
            <h2 id=id class="text-lg font-semibold">{title}</h2>
            <p class="mb-3 max-w-3xl text-sm text-muted">{about}</p>
            {children()}
        </section>
    }
}

#[component]
fn StorageLine(storage: Storage) -> impl IntoView {
    let Storage { name, location, kind, is_reachable, has_room, .. } = storage;
    let kind = match kind {
        StorageKind::Folder => "Folder",
        StorageKind::ObjectStore => "Object store",
    };
    let held = match (storage.file_count, storage.byte_count) {
        (Some(files), Some(bytes)) => {
            format!("{}, {}", format::plural(files, "file", "files"), format::bytes(bytes))
        }
        _ => "Still counting files".to_owned(),
    };
    let counted = storage.counted_at.map(|at| view! { " · counted " <Time at=at.0/> });
    let damaged = storage.suspect_count + storage.lost_count;
    view! {
        <li class="space-y-2 p-4">
            <p class="flex flex-wrap items-center gap-2">
                <span class="break-words font-medium">{name}</span>
                <Badge text=kind/>
                {storage.takes_uploads.then(|| view! { <Badge text="New files go here"/> })}
                {if is_reachable {
                    view! { <Badge text="Reachable"/> }.into_any()
                } else {
                    view! { <AlarmBadge text="Not reachable"/> }.into_any()
                }}
                {(!has_room).then(|| view! { <AlarmBadge text="No room for more files"/> })}
                {(damaged > 0).then(|| view! {
                    <a class="link text-sm" href="#damage">{format::plural(damaged, "damaged file", "damaged files")}</a>
                })}
            </p>
            <p class="break-all font-mono text-xs text-muted">{location}</p>
            <p class="text-sm">{held} <span class="text-muted">{counted}</span></p>
            {storage.free_bytes.zip(storage.total_bytes).map(|(free, total)| view! { <Disk free total/> })}
        </li>
    }
}

/// How full a disk is.
#[component]
fn Disk(free: i64, total: i64) -> impl IntoView {
    let text = format!("{} of {} free", format::bytes(free), format::bytes(total));
    view! {
        <p class="text-sm">{text}</p>
        <progress
            class="progress block w-full max-w-md" aria-label="Disk space in use"
            value=total.saturating_sub(free).to_string() max=total.max(1).to_string()
        ></progress>
    }
}

#[component]
fn Servers(list: Memo<Vec<Replica>>) -> impl IntoView {
    view! {
        <Show
            when=move || !list.read().is_empty()
            fallback=|| view! {
                <p class="panel p-4 text-sm">
                    "One server with a folder. "
                    <span class="text-muted">
                        "Several servers can be one registry if they share PostgreSQL and an object store; then each is listed here."
                    </span>
                </p>
            }
        >
            <ul class="panel divide-y divide-base-300" aria-labelledby="servers">
                {move || list.get().into_iter().map(|server| view! { <ServerLine server/> }).collect_view()}
            </ul>
        </Show>
    }
}

#[component]
fn ServerLine(server: Replica) -> impl IntoView {
    let Replica { name, version, schema, started_at, last_seen_at, .. } = server;
    view! {
        <li class="p-4">
            <p class="flex flex-wrap items-center gap-2">
                <span class="break-all font-medium">{name}</span>
                {if server.is_alive {
                    view! { <Badge text="Running"/> }.into_any()
                } else {
                    view! { <AlarmBadge text="Not responding"/> }.into_any()
                }}
                {server.has_background_jobs.then(|| view! { <Badge text="Does the background jobs"/> })}
            </p>
            <p class="text-sm text-muted">
                {format!("Version {version}, schema {schema}")} " · started " <Time at=started_at.0/> " · last seen "
                <Time at=last_seen_at.0/>
            </p>
        </li>
    }
}

#[component]
fn Sweep(preview: SweepPreview) -> impl IntoView {
    let SweepPreview { unused, unknown, first_removal_at, paused_until, keep_days } = preview;
    let kept = format::plural(keep_days.into(), "day", "days");
    view! {
        {paused_until.map(|until| view! {
            <p class="alert alert-warning alert-soft mb-3 text-base-content" role="status">
                <Icon d=icon::PAUSE class="size-5 shrink-0"/>
                <span>
                    "Removal is paused: nothing is removed before " <Until at=until.0/>
                    ". The registry pauses after a restore, and when the database is older than the files."
                </span>
            </p>
        })}
        <dl class="panel grid grid-cols-2 gap-4 p-4 text-sm xl:grid-cols-4">
            <Entry term="Deleted files"><Amount amount=unused/></Entry>
            <Entry term="Leftovers"><Amount amount=unknown/></Entry>
            <Entry term="First removal">
                {match first_removal_at {
                    Some(at) => view! { <Until at=at.0/> }.into_any(),
                    None => view! { <span class="text-muted">"Nothing to remove"</span> }.into_any(),
                }}
            </Entry>
            <Entry term="Kept for">{kept}</Entry>
        </dl>
        <p class="mt-3 max-w-3xl text-sm text-muted">
            "Deleted files are gone from the trash, and nothing else uses their bytes. Leftovers are what interrupted uploads left, copies of files that were moved to another storage, and damaged copies that were replaced."
        </p>
    }
}

#[component]
fn Entry(term: &'static str, children: Children) -> impl IntoView {
    view! {
        <div>
            <dt class="text-muted">{term}</dt>
            <dd class="font-medium">{children()}</dd>
        </div>
    }
}

#[component]
fn Amount(amount: Option<SweepAmount>) -> impl IntoView {
    match amount {
        None => view! { <span class="text-muted">"Still counting"</span> }.into_any(),
        Some(SweepAmount { count: 0, .. }) => {
            view! { <span class="text-muted">"None"</span> }.into_any()
        }
        Some(SweepAmount { count, byte_count, since }) => view! {
            {format!("{}, {}", format::plural(count, "file", "files"), format::bytes(byte_count))}
            {since.map(|since| view! {
                <span class="block font-normal text-muted">"since " <Time at=since.0/></span>
            })}
        }
        .into_any(),
    }
}
