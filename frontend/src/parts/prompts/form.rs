//! Writing a template: a text, or the messages of a chat as JSON.

use leptos::prelude::*;

use crate::{
    components::field::{Field, SelectField},
    logic::template,
    parts::draft::{Draft, DraftOffer},
};

/// A template that is being written.
#[derive(Clone, Copy)]
pub struct Writing {
    pub draft: Draft,
    /// `text` or `chat`.
    pub kind: RwSignal<String>,
}

impl Writing {
    /// Begins with `text`; `object` names what is written, as drafts are kept for it.
    pub fn new(object: &str, text: String, is_chat: bool) -> Self {
        let kind = if is_chat { "chat" } else { "text" };
        Self { draft: Draft::new(object, text), kind: RwSignal::new(kind.to_owned()) }
    }

    pub fn is_chat(self) -> bool {
        *self.kind.read() == "chat"
    }

    fn wrong(self) -> Option<String> {
        template::check(&self.draft.value.read(), self.is_chat())
    }

    /// Whether it can be registered as it is: not while an earlier draft is offered in its place.
    pub fn is_ready(self) -> bool {
        self.draft.found.read().is_none()
            && !self.draft.value.read().trim().is_empty()
            && self.wrong().is_none()
    }

    /// What an earlier visit left is taken up, of which only the text was kept.
    fn is_taken_up(self) {
        let is_chat = template::is_chat(&self.draft.value.read_untracked());
        self.kind.set(if is_chat { "chat" } else { "text" }.to_owned());
    }
}

#[component]
pub fn TemplateFields(writing: Writing) -> impl IntoView {
    let Writing { draft, kind } = writing;
    let error = Signal::derive(move || writing.wrong());
    let hint = "Write variables in double braces: {{name}}";
    let editor = move || {
        view! {
            <Field id="template" label="Template" hint required=true error>
                <textarea
                    id="template"
                    name="template"
                    class="textarea w-full font-mono text-sm leading-relaxed"
                    rows=12
                    required
                    aria-invalid=move || error.read().is_some().then_some("true")
                    aria-describedby="template-note"
                    prop:value=move || draft.value.get()
                    on:input:target=move |event| draft.value.set(event.target().value())
                ></textarea>
            </Field>
        }
    };
    let taken_up = Callback::new(move |()| writing.is_taken_up());
    view! {
        <SelectField
            id="kind" label="Type" value=kind
            options=&[("text", "Text"), ("chat", "Chat: messages with roles, as JSON")]
        />
        <Show when=move || draft.found.read().is_none() fallback=move || view! { <DraftOffer draft on_continue=taken_up/> }>
            {editor}
        </Show>
    }
}
