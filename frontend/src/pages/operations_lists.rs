//! The long lists of `/admin/operations`: uploads in progress, and damaged files.

use leptos::prelude::*;

use super::{leave_when_empty_of, neighbours, person, use_place_of};
use crate::{
    components::{
        badge::{AlarmBadge, Badge},
        copy::CopyButton,
        empty::Empty,
        icon,
        loaded::{Load, Loaded},
        pager::{Keys, Pager},
        person::Person,
        skeleton::SkeletonRows,
        time::{Time, Until},
    },
    graphql::operations::{
        self, Damage, Damaged, DamagedFile, OpenUpload, Scrub, UploadKind, UploadPage,
    },
    logic::format,
};

const UPLOADS: Keys = Keys { after: "uploads-after", before: "uploads-before" };
const DAMAGES: Keys = Keys { after: "damaged-after", before: "damaged-before" };

#[component]
pub fn Uploads(refreshed: Trigger) -> impl IntoView {
    let place = use_place_of(UPLOADS);
    let uploads = Load::new(move || operations::open_uploads(place.get()));
    uploads.refetch_when(move || refreshed.track());
    leave_when_empty_of(UPLOADS, move || {
        uploads.with(|page| page.and_then(Result::ok).is_some_and(|page| page.nodes.is_empty()))
    });
    view! {
        <Loaded from=uploads fallback=|| view! { <SkeletonRows rows=1/> } let:page>
            <UploadTable page/>
        </Loaded>
    }
}

#[component]
fn UploadTable(page: Memo<UploadPage>) -> impl IntoView {
    view! {
        <Show
            when=move || !page.read().nodes.is_empty()
            fallback=|| view! { <p class="panel p-4 text-sm">"No uploads in progress."</p> }
        >
            <div class="panel overflow-x-auto" tabindex="0" role="region" aria-label="Table of uploads">
                <table class="table table-sm">
                    <thead>
                        <tr>
                            <th scope="col">"File"</th>
                            <th scope="col">"Received"</th>
                            <th scope="col" class="hidden md:table-cell">"By"</th>
                            <th scope="col" class="hidden md:table-cell">"Began"</th>
                            <th scope="col" class="hidden xl:table-cell">"Expires"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {move || page.get().nodes.into_iter().map(|upload| view! { <UploadRow upload/> }).collect_view()}
                    </tbody>
                </table>
            </div>
            <Pager
                keys=UPLOADS
                neighbours=Signal::derive(move || {
                    page.with(|page| neighbours(&page.page_info, page.total_count, page.nodes.len()))
                })
                one="upload"
                many="uploads"
            />
        </Show>
    }
}

#[component]
fn UploadRow(upload: OpenUpload) -> impl IntoView {
    let OpenUpload { kind, address, size, received, active, created_at, expires_at, user } = upload;
    let kind = match kind {
        UploadKind::Whole => None,
        UploadKind::Part => Some("One part of a file"),
        UploadKind::Joined => Some("Being put together from parts"),
        UploadKind::InParts => Some("Comes in parts"),
    };
    let of = match size {
        Some(size) => format!("of {}", format::bytes(size)),
        None => "of unknown size".to_owned(),
    };
    let user = person(user);
    let began = created_at.0.clone();
    view! {
        <tr>
            <td class="min-w-40 align-top">
                <span class="break-all font-mono text-xs">{address}</span>
                {kind.map(|kind| view! { <span class="block text-muted">{kind}</span> })}
                <span class="block text-muted md:hidden">
                    <Person person=user.clone()/> " · began " <Time at=began/>
                </span>
            </td>
            <td class="align-top">
                <span class="whitespace-nowrap">{format::bytes(received)}</span>
                <span class="block whitespace-nowrap text-muted">{of}</span>
                {(!active).then(|| view! { <Badge text="Idle"/> })}
            </td>
            <td class="hidden align-top md:table-cell"><Person person=user/></td>
            <td class="hidden align-top md:table-cell"><Time at=created_at.0/></td>
            <td class="hidden align-top xl:table-cell"><Until at=expires_at.0/></td>
        </tr>
    }
}

#[component]
pub fn Damages(refreshed: Trigger) -> impl IntoView {
    let place = use_place_of(DAMAGES);
    let damaged = Load::new(move || operations::damaged(place.get()));
    damaged.refetch_when(move || refreshed.track());
    leave_when_empty_of(DAMAGES, move || {
        damaged.with(|found| {
            found.and_then(Result::ok).is_some_and(|found| found.damaged_files.nodes.is_empty())
        })
    });
    view! {
        <Loaded from=damaged fallback=|| view! { <SkeletonRows rows=1/> } let:found>
            <DamageTable found/>
        </Loaded>
    }
}

#[component]
fn DamageTable(found: Memo<Damaged>) -> impl IntoView {
    let searched = move || view! { <Searched scrub=found.get().scrub/> };
    view! {
        <Show
            when=move || !found.read().damaged_files.nodes.is_empty()
            fallback=move || view! { <Empty d=icon::SUCCESS title="No damage found"><p>{searched}</p></Empty> }
        >
            <p class="mb-3 max-w-3xl text-sm">
                "To repair a file, upload the same file again to the same path, or run "
                <code class="whitespace-nowrap font-mono text-xs">"model-registry verify --repair"</code>
                " with a backup. Until then, downloads of lost files are refused."
            </p>
            <div class="panel overflow-x-auto" tabindex="0" role="region" aria-label="Table of damaged files">
                <table class="table table-sm">
                    <thead>
                        <tr>
                            <th scope="col">"Files"</th>
                            <th scope="col">"State"</th>
                            <th scope="col" class="hidden text-right md:table-cell">"Size"</th>
                            <th scope="col" class="hidden md:table-cell">"Storage"</th>
                            <th scope="col" class="hidden md:table-cell">"Found"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {move || {
                            let files = found.get().damaged_files.nodes.into_iter();
                            files.map(|file| view! { <DamageRow file/> }).collect_view()
                        }}
                    </tbody>
                </table>
            </div>
            <Pager
                keys=DAMAGES
                neighbours=Signal::derive(move || {
                    found.with(|found| {
                        let page = &found.damaged_files;
                        neighbours(&page.page_info, page.total_count, page.nodes.len())
                    })
                })
                one="damaged file"
                many="damaged files"
            />
            <p class="mt-3 text-sm text-muted">{searched}</p>
        </Show>
    }
}

#[component]
fn DamageRow(file: DamagedFile) -> impl IntoView {
    let DamagedFile { sha256, size, storage, state, since, files } = file;
    let state = match state {
        Damage::Suspect => view! { <Badge text="Suspect"/> }.into_any(),
        Damage::Lost => view! { <AlarmBadge text="Lost"/> }.into_any(),
    };
    let used = if files.is_empty() {
        view! { <span class="text-muted">"No file needs these bytes any more"</span> }.into_any()
    } else {
        let files = files.into_iter();
        files
            .map(|file| view! { <span class="block break-all font-mono text-xs">{file}</span> })
            .collect_view()
            .into_any()
    };
    let (short, found) = (sha256.chars().take(12).collect::<String>(), since.0.clone());
    view! {
        <tr>
            <td class="min-w-40 align-top">
                {used}
                <span class="flex items-center gap-1 text-muted">
                    "SHA-256 " <span class="font-mono text-xs">{short} "…"</span>
                    <CopyButton text=sha256 label="Copy the SHA-256"/>
                </span>
                <span class="block text-muted md:hidden">
                    {format!("{} in {storage}", format::bytes(size))} " · found " <Time at=found/>
                </span>
            </td>
            <td class="align-top">{state}</td>
            <td class="hidden whitespace-nowrap text-right align-top md:table-cell">{format::bytes(size)}</td>
            <td class="hidden break-all align-top md:table-cell">{storage.clone()}</td>
            <td class="hidden align-top md:table-cell"><Time at=since.0/></td>
        </tr>
    }
}

/// How far the search for damage is.
#[component]
fn Searched(scrub: Scrub) -> impl IntoView {
    let Scrub { rate, unchecked_count, oldest_check_at, last_check_at } = scrub;
    let how = if rate == 0 {
        "The regular check is off (--scrub-rate 0): damage is found only when somebody downloads a file. ".to_owned()
    } else {
        format!("The server reads all files again and again, at {rate} MiB per second at most. ")
    };
    let some = last_check_at.is_some();
    let unread = unchecked_count.filter(|count| some && *count > 0).map(|count| {
        format!(" {} not been checked yet.", format::plural(count, "file has", "files have"))
    });
    view! {
        {how}
        {match last_check_at {
            Some(at) => view! { "Last check " <Time at=at.0/> "." }.into_any(),
            None => view! { "No file has been checked yet." }.into_any(),
        }}
        {oldest_check_at.map(|at| view! { " The oldest check was " <Time at=at.0/> "." })}
        {unread}
    }
}
