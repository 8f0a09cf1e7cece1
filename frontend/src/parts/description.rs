//! A markdown card that is edited in place.

use std::{future::Future, pin::Pin};

use leptos::prelude::*;

use super::{
    draft::{Draft, DraftOffer},
    markdown_field::MarkdownField,
};
use crate::{
    components::{
        failed::FormError,
        field::SubmitButton,
        form::Submit,
        icon::{self, Icon},
        markdown::{Markdown, RelativeTo},
        toast::use_toasts,
    },
    logic::{check, error::ApiError},
};

/// Saves a new text.
pub type Save = Callback<String, Pin<Box<dyn Future<Output = Result<(), ApiError>>>>>;

#[component]
pub fn Description(
    /// Of the section: “Model card”.
    title: &'static str,
    /// What is described, as drafts are kept for it: `model` and its id.
    #[prop(into)]
    object: Signal<String>,
    #[prop(into)] text: Signal<String>,
    #[prop(into)] html: Signal<String>,
    save: Save,
    /// Whether the viewer may change it.
    #[prop(into)]
    editable: Signal<bool>,
    #[prop(into)] on_saved: Callback<()>,
    /// What to say to who may change it where there is no text yet.
    empty: &'static str,
    /// The address of the files that it belongs to, for pictures and links in it.
    #[prop(into)]
    files: Signal<Option<String>>,
) -> impl IntoView {
    provide_context(RelativeTo(files));
    // Of another object there is another draft.
    let object = Memo::new(move |_| object.get());
    move || {
        let draft = Draft::new(&object.read(), text.get_untracked());
        view! { <Section title draft text html save editable on_saved empty/> }
    }
}

#[component]
fn Section(
    title: &'static str,
    draft: Draft,
    text: Signal<String>,
    html: Signal<String>,
    save: Save,
    editable: Signal<bool>,
    on_saved: Callback<()>,
    empty: &'static str,
) -> impl IntoView {
    let toasts = use_toasts();
    let editing = RwSignal::new(false);
    let submit = Submit::new();
    let edit = move |_| {
        draft.begin(text.get_untracked());
        submit.error.set(None);
        editing.set(true);
    };
    let cancel = move |_| {
        editing.set(false);
        if let Some(bring_back) = draft.discard() {
            toasts.undoable("Changes discarded.", bring_back);
        }
    };
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let sent = draft.value.get_untracked();
        submit.run(save.run(sent.clone()), move |()| {
            editing.set(false);
            draft.is_saved(sent);
            on_saved.run(());
        });
    };
    let offered = move || editable.get() && !editing.get() && draft.found.read().is_some();
    view! {
        <section class="panel">
            <header class="flex items-center justify-between gap-3 border-b border-base-300 px-5 py-3">
                <h2 class="font-semibold">{title}</h2>
                <Show when=move || editable.get() && !editing.get() && !offered()>
                    <button type="button" class="btn btn-sm btn-ghost" on:click=edit>
                        <Icon d=icon::PENCIL/>
                        "Edit"
                    </button>
                </Show>
            </header>
            <div class="space-y-4 p-5">
                <Show when=offered>
                    <DraftOffer draft on_continue=Callback::new(move |()| editing.set(true))/>
                </Show>
                {move || if editing.get() {
                    view! {
                        <form class="space-y-4" on:submit=send>
                            <MarkdownField
                                id="description"
                                label=title
                                draft
                                refused=submit.field("description")
                                rows=16
                            />
                            <FormError error=submit.general(&["description"])/>
                            <div class="flex justify-end gap-2">
                                <button type="button" class="btn" on:click=cancel>
                                    "Cancel"
                                </button>
                                <SubmitButton
                                    text="Save"
                                    pending=submit.pending
                                    disabled=Signal::derive(move || check::description(&draft.value.read()).is_some())
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
