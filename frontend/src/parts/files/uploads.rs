//! Where files come in: dropped, picked or pasted; and what is on its way.

use leptos::{html, prelude::*, task::spawn_local};
use wasm_bindgen::JsCast;

use super::upload_list::UploadList;
use crate::{
    components::{
        icon::{self, Icon},
        toast::use_toasts,
    },
    logic::error::{ApiError, Code},
    picked::{self, Dropped, Picked},
    upload::Queue,
};

/// Takes files and folders, dropped, picked or pasted, and shows their progress.
#[component]
pub fn UploadPanel(queue: Queue) -> impl IntoView {
    view! {
        <div class="space-y-4">
            <DropZone queue/>
            <Show when=move || !queue.uploads.read().is_empty()>
                <UploadList queue/>
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
    let take = move |dropped: Dropped| {
        spawn_local(async move {
            match dropped.read().await {
                // The page may be gone by now, and its wish with it.
                Ok(picked) => drop(add.try_run(picked)),
                Err(_) => toasts.failure(&ApiError::new(
                    Code::Unexpected,
                    "The browser couldn't read the dropped files. Use the buttons to choose files instead.",
                )),
            }
        });
    };
    let on_drop = move |event: leptos::ev::DragEvent| {
        event.prevent_default();
        over.set(false);
        if let Some(transfer) = event.data_transfer() {
            take(Dropped::new(&transfer));
        }
    };
    // Wherever on the page: nobody knows what has the focus. Text goes where it is pasted.
    let pasted = window_event_listener(leptos::ev::paste, move |event| {
        let dropped = event.clipboard_data().map(|transfer| Dropped::new(&transfer));
        if let Some(dropped) = dropped.filter(|dropped| !dropped.is_empty()) {
            event.prevent_default();
            take(dropped);
        }
    });
    on_cleanup(move || pasted.remove());
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
                <span class="font-medium">"Drop or paste files and folders here"</span>
                <span class="block text-muted">
                    "Folder structure is kept. To resume an interrupted upload, drop the same files again."
                </span>
            </p>
            <Pickers add/>
            <label class="input input-sm w-full max-w-xs">
                <span class="label text-muted">"Upload to"</span>
                <input
                    type="text"
                    class="grow font-mono"
                    placeholder="/ (root)"
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
