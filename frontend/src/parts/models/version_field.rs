//! A field for a SemVer version, with the next ones to choose from.

use leptos::prelude::*;

use crate::{components::field::TextField, logic::check};

#[component]
pub fn VersionField(
    value: RwSignal<String>,
    /// The highest version so far.
    #[prop(into)]
    latest: Signal<Option<String>>,
    /// The one that the server would choose; empty until it has said so.
    #[prop(into)]
    next: Signal<String>,
    #[prop(into)] refused: Signal<Option<String>>,
) -> impl IntoView {
    let hint = move || match latest.get() {
        Some(latest) => format!("The latest version is {latest}."),
        None if next.read().is_empty() => String::new(),
        None => "No versions yet.".to_owned(),
    };
    let names = ["Patch", "Minor", "Major"];
    view! {
        <div class="space-y-1.5">
            <TextField
                id="version" label="Version" value=value required=true mono=true autofocus=true
                check=check::version refused=refused placeholder="1.2.0"
            />
            <div class="flex flex-wrap items-center gap-2 text-sm text-muted">
                <span>{hint}</span>
                {move || (!next.read().is_empty())
                    .then(|| check::next_versions(latest.read().as_deref(), &next.read()))
                    .into_iter()
                    .flatten()
                    .zip(names)
                    .map(|(version, name)| {
                        let chosen = version.clone();
                        let pressed = version.clone();
                        view! {
                            <button
                                type="button"
                                class="btn btn-xs"
                                aria-pressed=move || (value.read() == pressed).to_string()
                                on:click=move |_| value.set(chosen.clone())
                            >
                                {name} " " <span class="font-mono">{version}</span>
                            </button>
                        }
                    })
                    .collect_view()}
            </div>
        </div>
    }
}
