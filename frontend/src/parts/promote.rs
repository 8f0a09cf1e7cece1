//! A candidate becomes a version: which one, and what goes along.

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{markdown_field::MarkdownField, version_field::VersionField};
use crate::{
    address, check,
    components::{dialog::Dialog, failed::FormError, field::SubmitButton, toast::use_toasts},
    form::{Submit, filled},
    graphql::candidate::{self, PromoteCandidateInput},
};

/// What is promoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    pub model: String,
    pub number: i32,
    pub name: String,
    /// What goes along, in words: “3 files, 12 MB”.
    pub files: String,
    /// The highest version so far.
    pub latest: Option<String>,
}

#[component]
pub fn PromoteDialog(
    open: RwSignal<bool>,
    #[prop(into)] promotion: Signal<Promotion>,
) -> impl IntoView {
    view! {
        <Dialog open wide=true title=Signal::derive(move || format!("Promote “{}”", promotion.read().name))>
            <PromoteForm open promotion=promotion.get_untracked()/>
        </Dialog>
    }
}

#[component]
fn PromoteForm(open: RwSignal<bool>, promotion: Promotion) -> impl IntoView {
    let navigate = use_navigate();
    let toasts = use_toasts();
    let Promotion { model, number, files, latest, .. } = promotion;
    let [patch, _, major] = check::next_versions(latest.as_deref());
    let value = RwSignal::new(if latest.is_some() { patch } else { major });
    let description = RwSignal::new(String::new());
    let submit = Submit::naming("version");
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let input = PromoteCandidateInput {
            model: model.clone(),
            candidate: number,
            version: Some(value.get_untracked()),
            description: filled(&description.get_untracked()),
        };
        let (navigate, model) = (navigate.clone(), model.clone());
        submit.run(candidate::promote(input), move |made| {
            open.set(false);
            toasts.success(format!("Version {} is published.", made.version));
            navigate(&address::version(&model, &made.version), NavigateOptions::default());
        });
    };
    let blocked = Signal::derive(move || {
        value.read().is_empty()
            || check::version(&value.read()).is_some()
            || check::description(&description.read()).is_some()
    });
    view! {
        <form class="space-y-5" on:submit=send>
            <p class="text-sm text-muted">
                "The version gets the candidate's files (" {files} "), params and metrics, remembers where it came from, "
                "and is published at once. Nothing is stored twice."
            </p>
            <VersionField value latest=Signal::stored(latest) refused=submit.field("version")/>
            <MarkdownField
                id="promote-description" label="What is new" value=description rows=5 refused=submit.field("description")
            />
            <FormError error=submit.general(&["version", "description"])/>
            <div class="modal-action">
                <button type="button" class="btn" on:click=move |_| open.set(false)>"Cancel"</button>
                <SubmitButton text="Promote and publish" pending=submit.pending disabled=blocked/>
            </div>
        </form>
    }
}
