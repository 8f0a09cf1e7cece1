//! What is on its way: the batch as a whole, and each of its files.

use leptos::prelude::*;

use crate::{
    components::icon::{self, Icon},
    logic::format,
    upload::{Progress, Queue, Total, Upload},
};

#[component]
pub fn UploadList(queue: Queue) -> impl IntoView {
    let total = Memo::new(move |_| queue.total());
    let percent = move || total.with(percent);
    view! {
        <section class="panel" aria-label="Uploads">
            <div class="space-y-2 p-4">
                <div class="flex flex-wrap items-center justify-between gap-2">
                    <p class="text-sm font-medium" role="status">{move || total.with(heading)}</p>
                    <Buttons queue total/>
                </div>
                <progress
                    class="progress progress-primary w-full"
                    max="100"
                    aria-label="All uploads"
                    prop:value=percent
                ></progress>
                <p class="text-sm tabular-nums text-muted">{move || total.with(summary)}</p>
            </div>
            <ul class="max-h-80 divide-y divide-base-300 overflow-y-auto border-t border-base-300" tabindex="0" aria-label="Files">
                <For each=move || queue.uploads.get() key=|upload| upload.id let:upload>
                    <Line queue upload/>
                </For>
            </ul>
        </section>
    }
}

/// How far it is, in percent.
pub fn percent(total: &Total) -> f64 {
    if total.bytes > 0.0 { total.sent / total.bytes * 100.0 } else { 100.0 }
}

/// What is going on, in a word or two.
pub fn heading(total: &Total) -> String {
    match total {
        Total { sending: 0, lost: 1.., .. } => "Connection lost. Reconnecting…".to_owned(),
        Total { active: 1.., .. } => "Uploading".to_owned(),
        Total { paused: 1.., .. } => "Paused".to_owned(),
        Total { failed: failed @ 1.., .. } => {
            format!("{} failed", format::plural(*failed as i64, "file", "files"))
        }
        _ => "Uploaded".to_owned(),
    }
}

pub fn summary(total: &Total) -> String {
    let done = format!(
        "{} of {} files · {} of {}",
        total.done,
        total.files,
        format::bytes(total.sent as i64),
        format::bytes(total.bytes as i64),
    );
    if total.sending > 0 && total.rate > 0.0 {
        let left = time(total.bytes - total.sent, total.rate);
        format!("{done} · {}/s · {left} left", format::bytes(total.rate as i64))
    } else {
        done
    }
}

/// How long bytes take at so many a second.
fn time(bytes: f64, rate: f64) -> String {
    format::seconds((bytes / rate).max(1.0))
}

/// What can be done with all files at once.
#[component]
fn Buttons(queue: Queue, total: Memo<Total>) -> impl IntoView {
    let button = move |shown: fn(&Total) -> bool, text: &'static str, act: fn(Queue)| {
        view! {
            <Show when=move || total.with(shown)>
                <button type="button" class="btn btn-xs" on:click=move |_| act(queue)>{text}</button>
            </Show>
        }
    };
    // One button, so that it keeps the focus when what it does changes.
    let pauses = move || total.with(|total| total.active > total.lost);
    let change = move |_| {
        if untrack(pauses) { queue.pause_all() } else { queue.resume_all() }
    };
    view! {
        <div class="flex flex-wrap gap-2">
            <Show when=move || total.with(|total| total.active + total.paused > 0)>
                <button type="button" class="btn btn-xs" on:click=change>
                    {move || if pauses() { "Pause all" } else { "Resume all" }}
                </button>
            </Show>
            {button(|total| total.active + total.paused > 0, "Cancel all", Queue::cancel_all)}
            {button(|total| total.failed > 0, "Retry failed", Queue::retry_failed)}
            {button(|total| total.active + total.paused == 0, "Clear", Queue::clear)}
        </div>
    }
}

#[component]
fn Line(queue: Queue, upload: Upload) -> impl IntoView {
    let path = upload.path.clone();
    let details = {
        let upload = upload.clone();
        move || match upload.progress.get() {
            Progress::Failed(reason) => {
                view! { <p class="break-words text-error">{reason}</p> }.into_any()
            }
            _ => view! { <p class="tabular-nums text-muted">{amount(&upload)}</p> }.into_any(),
        }
    };
    view! {
        <li class="flex items-center gap-3 px-4 py-2 text-sm">
            <div class="min-w-0 grow">
                <p class="truncate" title=path.clone()>{path.clone()}</p>
                {details}
            </div>
            <span class="shrink-0 text-right tabular-nums">{state(upload.clone())}</span>
            <LineButtons queue upload/>
        </li>
    }
}

/// How much of a file is there, and how long the rest takes.
fn amount(upload: &Upload) -> String {
    let (sent, size) = (upload.sent.get(), format::bytes(upload.size as i64));
    let progress = upload.progress.read();
    if matches!(*progress, Progress::Done | Progress::Cancelled) || sent == 0.0 {
        return size;
    }
    let amount = format!("{} of {size}", format::bytes(sent as i64));
    let rate = upload.meter.read().rate();
    if *progress == Progress::Sending && rate > 0.0 && sent < upload.size {
        format!("{amount} · {} left", time(upload.size - sent, rate))
    } else {
        amount
    }
}

fn state(upload: Upload) -> impl IntoView {
    let Upload { progress, sent, size, .. } = upload;
    let muted = |text: &'static str| view! { <span class="text-muted">{text}</span> }.into_any();
    move || {
        match progress.get() {
        Progress::Waiting => muted("Waiting"),
        Progress::Sending if sent.get() >= size => muted("Storing"),
        Progress::Sending => format!("{:.0} %", sent.get() / size * 100.0).into_any(),
        Progress::Lost => muted("Reconnecting"),
        Progress::Paused => muted("Paused"),
        Progress::Cancelled => muted("Cancelled"),
        Progress::Done => view! {
            <span class="inline-flex items-center gap-1 text-success"><Icon d=icon::CHECK/>"Done"</span>
        }
        .into_any(),
        Progress::Failed(_) => view! {
            <span class="inline-flex items-center gap-1 text-error"><Icon d=icon::ALERT/>"Failed"</span>
        }
        .into_any(),
    }
    }
}

/// What can be done with one file.
#[component]
fn LineButtons(queue: Queue, upload: Upload) -> impl IntoView {
    let Upload { id, path, progress, .. } = upload;
    // One button, so that it keeps the focus when what it does changes.
    let change = {
        let progress = progress.clone();
        Signal::derive(move || match progress.get() {
            Progress::Waiting | Progress::Sending => Some(("Pause", icon::PAUSE)),
            Progress::Lost | Progress::Paused => Some(("Resume", icon::PLAY)),
            Progress::Failed(_) | Progress::Cancelled => Some(("Retry", icon::RESTORE)),
            Progress::Done => None,
        })
    };
    let act = move |_| match change.get_untracked() {
        Some(("Pause", _)) => queue.pause(id),
        Some(_) => queue.resume(id),
        None => {}
    };
    let under_way = Signal::derive(move || {
        matches!(
            progress.get(),
            Progress::Waiting | Progress::Sending | Progress::Lost | Progress::Paused
        )
    });
    let verb = move || change.get().map_or("", |(verb, _)| verb);
    let label = {
        let path = path.clone();
        move || format!("{} {path}", verb())
    };
    view! {
        <div class="flex shrink-0 gap-1">
            <button
                type="button" class="btn btn-ghost btn-xs btn-square"
                class:invisible=move || change.get().is_none()
                aria-label=label title=verb on:click=act
            >
                {move || change.get().map(|(_, d)| view! { <Icon d/> })}
            </button>
            <button
                type="button" class="btn btn-ghost btn-xs btn-square"
                class:invisible=move || !under_way.get()
                aria-label=format!("Cancel {path}") title="Cancel" on:click=move |_| queue.cancel(id)
            >
                <Icon d=icon::CROSS/>
            </button>
        </div>
    }
}
