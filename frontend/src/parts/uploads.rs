//! The drop zone and what is on its way.

use leptos::{html, prelude::*, task::spawn_local};
use wasm_bindgen::JsCast;

use crate::{
    components::{
        icon::{self, Icon},
        toast::use_toasts,
    },
    error::{ApiError, Code},
    format,
    picked::{self, Dropped, Picked},
    upload::{Progress, Queue, Upload},
};

/// Takes files and folders, by drop or by picker, and shows their progress.
#[component]
pub fn UploadPanel(queue: Queue) -> impl IntoView {
    view! {
        <div class="space-y-4">
            <DropZone queue/>
            <Show when=move || !queue.uploads.read().is_empty()>
                <Running queue/>
            </Show>
        </div>
    }
}

#[component]
fn DropZone(queue: Queue) -> impl IntoView {
    let toasts = use_toasts();
    let folder = RwSignal::new(String::new());
    let over = RwSignal::new(false);
    let add = Callback::new(move |picked: Vec<Picked>| queue.add(&folder.read_untracked(), picked));
    let on_drop = move |event: leptos::ev::DragEvent| {
        event.prevent_default();
        over.set(false);
        let Some(transfer) = event.data_transfer() else { return };
        let dropped = Dropped::new(&transfer);
        spawn_local(async move {
            match dropped.read().await {
                // The page may be gone by now, and its wish with it.
                Ok(picked) => drop(add.try_run(picked)),
                Err(_) => toasts.failure(&ApiError::new(
                    Code::Unexpected,
                    "The browser could not read what was dropped. Pick it with the buttons instead.",
                )),
            }
        });
    };
    view! {
        <div
            class="drop-target flex flex-col items-center gap-3 px-4 py-8 text-center"
            data-over=move || over.get().to_string()
            on:dragover=move |event| {
                event.prevent_default();
                over.set(true);
            }
            on:dragleave=move |_| over.set(false)
            on:drop=on_drop
        >
            <span class="text-primary"><Icon d=icon::UPLOAD class="size-7"/></span>
            <p class="text-sm">
                <span class="font-medium">"Drop files or folders here"</span>
                <span class="block text-muted">"Folders keep their structure."</span>
            </p>
            <Pickers add/>
            <label class="input input-sm w-full max-w-xs">
                <span class="label text-muted">"Into"</span>
                <input
                    type="text"
                    class="grow font-mono"
                    placeholder="the top folder"
                    spellcheck="false"
                    autocomplete="off"
                    prop:value=move || folder.get()
                    on:input:target=move |event| folder.set(event.target().value())
                />
            </label>
        </div>
    }
}

/// The browser's own pickers, behind buttons.
#[component]
fn Pickers(add: Callback<Vec<Picked>>) -> impl IntoView {
    let files = NodeRef::<html::Input>::new();
    let folders = NodeRef::<html::Input>::new();
    let on_pick = move |event: leptos::ev::Event| {
        let target = event.target();
        let Some(input) = target.and_then(|t| t.dyn_into::<web_sys::HtmlInputElement>().ok())
        else {
            return;
        };
        if let Some(list) = input.files() {
            add.run(picked::from_list(&list));
        }
        // The same choice again is a change again.
        input.set_value("");
    };
    Effect::new(move |_| {
        if let Some(input) = folders.get() {
            input.set_webkitdirectory(true);
        }
    });
    let open = |node: NodeRef<html::Input>| {
        move |_| {
            if let Some(input) = node.get_untracked() {
                input.click();
            }
        }
    };
    view! {
        <div class="flex flex-wrap justify-center gap-2">
            <button type="button" class="btn btn-sm" on:click=open(files)>
                <Icon d=icon::FILE/>
                "Choose files"
            </button>
            <button type="button" class="btn btn-sm" on:click=open(folders)>
                <Icon d=icon::FOLDER/>
                "Choose a folder"
            </button>
            <input
                node_ref=files type="file" multiple class="hidden" data-testid="pick-files"
                aria-label="Files to upload" on:change=on_pick
            />
            <input
                node_ref=folders type="file" multiple class="hidden" data-testid="pick-folder"
                aria-label="Folder to upload" on:change=on_pick
            />
        </div>
    }
}

/// The batch as a whole, and each of its files.
#[component]
fn Running(queue: Queue) -> impl IntoView {
    let total = Memo::new(move |_| queue.total());
    let percent = move || {
        total.with(|total| if total.bytes > 0.0 { total.sent / total.bytes * 100.0 } else { 100.0 })
    };
    let summary = move || {
        total.with(|total| {
            let done = format!(
                "{} of {} files · {} of {}",
                total.done,
                total.files,
                format::bytes(total.sent as i64),
                format::bytes(total.bytes as i64),
            );
            let elapsed = (js_sys::Date::now() - queue.started_at.get()) / 1000.0;
            if total.active > 0 && elapsed > 1.0 && total.sent > 0.0 {
                let speed = total.sent / elapsed;
                let left = format::seconds((total.bytes - total.sent) / speed);
                format!("{done} · {}/s · {left} left", format::bytes(speed as i64))
            } else {
                done
            }
        })
    };
    let heading = move || {
        total.with(|total| match (total.active, total.failed) {
            (0, 0) => "Uploaded".to_owned(),
            (0, failed) => format!("{} failed", format::plural(failed as i64, "file", "files")),
            _ => "Uploading".to_owned(),
        })
    };
    view! {
        <section class="panel" aria-label="Uploads">
            <div class="space-y-2 p-4">
                <div class="flex flex-wrap items-center justify-between gap-2">
                    <p class="text-sm font-medium" role="status">{heading}</p>
                    <div class="flex gap-2">
                        <Show when=move || total.read().active != 0>
                            <button type="button" class="btn btn-xs" on:click=move |_| queue.cancel_all()>
                                "Cancel all"
                            </button>
                        </Show>
                        <Show when=move || total.read().failed != 0>
                            <button type="button" class="btn btn-xs" on:click=move |_| queue.retry_failed()>
                                "Retry failed"
                            </button>
                        </Show>
                        <Show when=move || total.read().active == 0>
                            <button type="button" class="btn btn-xs" on:click=move |_| queue.clear()>
                                "Clear"
                            </button>
                        </Show>
                    </div>
                </div>
                <progress
                    class="progress progress-primary w-full"
                    max="100"
                    aria-label="All uploads"
                    prop:value=percent
                ></progress>
                <p class="text-sm tabular-nums text-muted">{summary}</p>
            </div>
            <ul class="max-h-80 divide-y divide-base-300 overflow-y-auto border-t border-base-300" tabindex="0" aria-label="Files">
                <For each=move || queue.uploads.get() key=|upload| upload.id let:upload>
                    <Line queue upload/>
                </For>
            </ul>
        </section>
    }
}

#[component]
fn Line(queue: Queue, upload: Upload) -> impl IntoView {
    let Upload { id, path, size, progress } = upload;
    let state = {
        let progress = progress.clone();
        move || {
            match progress.get() {
            Progress::Waiting => view! { <span class="text-muted">"Waiting"</span> }.into_any(),
            Progress::Sending(sent) if sent >= size => {
                view! { <span class="text-muted">"Storing"</span> }.into_any()
            }
            Progress::Sending(sent) => {
                let text = format!("{:.0} %", sent / size * 100.0);
                view! { <span class="tabular-nums">{text}</span> }.into_any()
            }
            Progress::Done => view! {
                <span class="inline-flex items-center gap-1 text-success"><Icon d=icon::CHECK/>"Done"</span>
            }
            .into_any(),
            Progress::Cancelled => view! { <span class="text-muted">"Cancelled"</span> }.into_any(),
            Progress::Failed(_) => view! {
                <span class="inline-flex items-center gap-1 text-error"><Icon d=icon::ALERT/>"Failed"</span>
            }
            .into_any(),
        }
        }
    };
    let reason = {
        let progress = progress.clone();
        move || match progress.get() {
            Progress::Failed(reason) => {
                Some(view! { <p class="break-words text-sm text-error">{reason}</p> })
            }
            _ => None,
        }
    };
    let cancel = format!("Cancel {path}");
    let retry = format!("Retry {path}");
    let button = move || match progress.get() {
        Progress::Waiting | Progress::Sending(_) => view! {
            <button
                type="button" class="btn btn-ghost btn-xs btn-square"
                aria-label=cancel.clone() title="Cancel" on:click=move |_| queue.cancel(id)
            >
                <Icon d=icon::CROSS/>
            </button>
        }
        .into_any(),
        Progress::Failed(_) | Progress::Cancelled => view! {
            <button
                type="button" class="btn btn-ghost btn-xs btn-square"
                aria-label=retry.clone() title="Retry" on:click=move |_| queue.retry(id)
            >
                <Icon d=icon::RESTORE/>
            </button>
        }
        .into_any(),
        Progress::Done => view! { <span class="size-6"></span> }.into_any(),
    };
    view! {
        <li class="flex items-center gap-3 px-4 py-2 text-sm">
            <div class="min-w-0 grow">
                <p class="truncate" title=path.clone()>{path.clone()}</p>
                {reason}
            </div>
            <span class="hidden whitespace-nowrap tabular-nums text-muted sm:inline">{format::bytes(size as i64)}</span>
            <span class="w-20 text-right">{state}</span>
            {button}
        </li>
    }
}
