//! A text field for markdown with a preview, rendered by the server exactly as it will be saved.

use leptos::{prelude::*, task::spawn_local};

use super::draft::{Draft, DraftOffer};
use crate::{
    components::{field::Field, markdown::Markdown},
    graphql::markdown,
    logic::{check, error::ApiError},
};

/// The field; before it, the question whether to go on with what an earlier visit left.
#[component]
pub fn MarkdownField(
    id: &'static str,
    label: &'static str,
    draft: Draft,
    #[prop(optional, into)] refused: Signal<Option<String>>,
    #[prop(default = 10)] rows: u32,
) -> impl IntoView {
    view! {
        <Show when=move || draft.found.read().is_none() fallback=move || view! { <DraftOffer draft/> }>
            <Editor id label value=draft.value refused rows/>
        </Show>
    }
}

#[component]
fn Editor(
    id: &'static str,
    label: &'static str,
    value: RwSignal<String>,
    refused: Signal<Option<String>>,
    rows: u32,
) -> impl IntoView {
    let preview = RwSignal::new(false);
    let rendered = RwSignal::new(None::<Result<String, ApiError>>);
    let error = Signal::derive(move || check::description(&value.read()).or_else(|| refused.get()));
    let show = move |_| {
        preview.set(true);
        rendered.set(None);
        let text = value.get_untracked();
        spawn_local(async move {
            let html = markdown::render(text).await;
            rendered.try_set(Some(html));
        });
    };
    let tab =
        |selected: Signal<bool>, text: &'static str, on_click: Callback<leptos::ev::MouseEvent>| {
            view! {
                <button
                    type="button"
                    class="btn btn-xs"
                    class:btn-active=selected
                    class:btn-ghost=move || !selected.get()
                    aria-pressed=move || selected.get().to_string()
                    on:click=move |event| on_click.run(event)
                >
                    {text}
                </button>
            }
        };
    let note = format!("{id}-note");
    view! {
        <Field id label hint="You can use Markdown." error>
            <div class="panel overflow-hidden focus-within:border-primary">
                <div class="flex gap-1 border-b border-base-300 bg-base-200 px-2 py-1.5">
                    {tab(Signal::derive(move || !preview.get()), "Write", Callback::new(move |_| preview.set(false)))}
                    {tab(preview.into(), "Preview", Callback::new(show))}
                </div>
                <textarea
                    id=id
                    name=id
                    class="textarea textarea-ghost w-full rounded-none font-mono text-sm leading-relaxed focus:bg-base-100"
                    class:hidden=preview
                    rows=rows
                    aria-invalid=move || error.read().is_some().then_some("true")
                    aria-describedby=note
                    prop:value=move || value.get()
                    on:input:target=move |event| value.set(event.target().value())
                ></textarea>
                <Show when=move || preview.get()>
                    <div class="min-h-40 p-4" aria-live="polite">
                        {move || match rendered.get() {
                            None => view! { <div class="skeleton h-4 w-1/2"></div> }.into_any(),
                            Some(Err(error)) => view! { <p class="text-sm text-error">{error.message}</p> }.into_any(),
                            Some(Ok(html)) if html.trim().is_empty() => {
                                view! { <p class="text-sm text-muted">"Nothing to preview yet."</p> }.into_any()
                            }
                            Some(Ok(html)) => view! { <Markdown html/> }.into_any(),
                        }}
                    </div>
                </Show>
            </div>
        </Field>
    }
}
