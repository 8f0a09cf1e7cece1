//! What is not here yet of a version that is about to be published: which files, and whether to wait for them.

use std::{collections::BTreeSet, time::Duration};

use leptos::{leptos_dom::helpers::IntervalHandle, prelude::*};

use crate::{components::form::Submit, graphql::file::UnfinishedUpload, logic::format};

/// How often it is tried again while somebody waits.
const AGAIN: Duration = Duration::from_secs(2);

/// How to publish.
#[derive(Clone, Debug, Default)]
pub struct Go {
    /// Without what is still arriving.
    pub without_uploads: bool,
    /// Only if these files are there.
    pub required_files: Vec<String>,
}

/// Stands in the dialog that publishes by `submit`. The server refuses while files arrive: then they are named, and
/// `go` is run again until all that were ever named are here, or once without them.
#[component]
pub fn Arriving(
    submit: Submit,
    /// Begun and not over when the page was loaded.
    #[prop(into)]
    unfinished: Signal<Vec<UnfinishedUpload>>,
    #[prop(into)] go: Callback<Go>,
) -> impl IntoView {
    let missing = RwSignal::new(Vec::<String>::new());
    let named = StoredValue::new(BTreeSet::new());
    let waiting = RwSignal::new(false);
    Effect::new(move |_| match submit.error.get() {
        // Another refusal, which the dialog or a message shows.
        Some(error) if error.uploads.is_empty() => waiting.set(false),
        Some(error) => {
            named.update_value(|named| named.extend(error.uploads.iter().cloned()));
            missing.set(error.uploads);
        }
        // It is being tried, or was not yet.
        None => {}
    });
    let timer = StoredValue::new(None::<IntervalHandle>);
    let stop = move || {
        if let Some(Some(timer)) = timer.try_update_value(Option::take) {
            timer.clear();
        }
    };
    Effect::new(move |_| {
        stop();
        if waiting.get() {
            let required = move || named.get_value().into_iter().collect();
            let again = move || go.run(Go { without_uploads: false, required_files: required() });
            timer.set_value(set_interval_with_handle(again, AGAIN).ok());
        }
    });
    on_cleanup(stop);
    let begun = move || {
        let unfinished = unfinished.read();
        let line = |upload: &UnfinishedUpload| format!("{} ({})", upload.path, progress(upload));
        unfinished.iter().map(line).collect::<Vec<_>>()
    };
    view! {
        <Show when=move || missing.read().is_empty() && !unfinished.read().is_empty()>
            <div>
                <p class="text-base-content">"Unfinished uploads:"</p>
                <Names names=Signal::derive(begun)/>
            </div>
        </Show>
        <Show when=move || !missing.read().is_empty()>
            <div class="alert alert-warning alert-soft block text-base-content" role="status">
                <p class="font-medium">"These files are still uploading:"</p>
                <Names names=missing/>
                <Show
                    when=move || waiting.get()
                    fallback=move || view! {
                        <div class="mt-3 flex flex-wrap gap-2">
                            <button type="button" class="btn btn-sm" on:click=move |_| waiting.set(true)>
                                "Wait for these files"
                            </button>
                            <button type="button" class="btn btn-sm btn-ghost" on:click=move |_| go.run(Go { without_uploads: true, ..Go::default() })>
                                "Publish without these files"
                            </button>
                        </div>
                    }
                >
                    <p class="mt-3 flex items-center gap-2">
                        <span class="loading loading-spinner loading-sm" aria-hidden="true"></span>
                        "Waiting. The version will be published when these files are complete."
                        <button type="button" class="btn btn-sm btn-ghost" on:click=move |_| waiting.set(false)>
                            "Stop waiting"
                        </button>
                    </p>
                </Show>
            </div>
        </Show>
    }
}

#[component]
pub fn Names(#[prop(into)] names: Signal<Vec<String>>) -> impl IntoView {
    view! {
        <ul class="mt-1 max-h-40 list-inside list-disc overflow-y-auto break-all">
            <For each=move || names.get() key=Clone::clone let:name><li>{name}</li></For>
        </ul>
    }
}

/// Such as “12 of 40 MB, arriving”.
fn progress(upload: &UnfinishedUpload) -> String {
    let state = if upload.active { "uploading" } else { "interrupted: this file will be missing" };
    match (upload.received.map(format::bytes), upload.size.map(format::bytes)) {
        (Some(received), Some(size)) => format!("{received} of {size}, {state}"),
        (Some(received), None) => format!("{received} so far, {state}"),
        _ => state.to_owned(),
    }
}
