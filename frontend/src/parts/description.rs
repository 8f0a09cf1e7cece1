//! A markdown card that is edited in place.

use std::{future::Future, pin::Pin};

use leptos::prelude::*;

use super::markdown_field::MarkdownField;
use crate::{
    components::{
        failed::FormError,
        field::SubmitButton,
        form::Submit,
        icon::{self, Icon},
        markdown::Markdown,
    },
    logic::{check, error::ApiError},
};

/// Saves a new text.
pub type Save = Callback<String, Pin<Box<dyn Future<Output = Result<(), ApiError>>>>>;

#[component]
pub fn Description(
    /// Of the section: “Model card”.
    #[prop(into)]
    title: String,
    #[prop(into)] text: Signal<String>,
    #[prop(into)] html: Signal<String>,
    save: Save,
    /// Whether the viewer may change it.
    #[prop(into)]
    editable: Signal<bool>,
    #[prop(into)] on_saved: Callback<()>,
    /// What to say to who may change it where there is no text yet.
    empty: &'static str,
) -> impl IntoView {
    let editing = RwSignal::new(false);
    let draft = RwSignal::new(String::new());
    let submit = Submit::new();
    let edit = move |_| {
        draft.set(text.get_untracked());
        submit.error.set(None);
        editing.set(true);
    };
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        submit.run(save.run(draft.get_untracked()), move |()| {
            editing.set(false);
            on_saved.run(());
        });
    };
    view! {
        <section class="panel">
            <header class="flex items-center justify-between gap-3 border-b border-base-300 px-5 py-3">
                <h2 class="font-semibold">{title}</h2>
                <Show when=move || editable.get() && !editing.get()>
                    <button type="button" class="btn btn-sm btn-ghost" on:click=edit>
                        <Icon d=icon::PENCIL/>
                        "Edit"
                    </button>
                </Show>
            </header>
            <div class="p-5">
                {move || if editing.get() {
                    view! {
                        <form class="space-y-4" on:submit=send>
                            <MarkdownField
                                id="description"
                                label="Description"
                                value=draft
                                refused=submit.field("description")
                                rows=16
                            />
                            <FormError error=submit.general(&["description"])/>
                            <div class="flex justify-end gap-2">
                                <button type="button" class="btn" on:click=move |_| editing.set(false)>
                                    "Cancel"
                                </button>
                                <SubmitButton
                                    text="Save"
                                    pending=submit.pending
                                    disabled=Signal::derive(move || check::description(&draft.read()).is_some())
                                />
                            </div>
                        </form>
                    }
                    .into_any()
                } else if text.read().trim().is_empty() {
                    view! { <p class="text-sm text-muted">{move || if editable.get() { empty } else { "Nothing here yet." }}</p> }.into_any()
                } else {
                    view! { <Markdown html/> }.into_any()
                }}
            </div>
        </section>
    }
}
