//! A button that copies a text.

use std::time::Duration;

use leptos::{prelude::*, task::spawn_local};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::icon::{self, Icon};

/// Copies `text`, and says so for a moment.
#[component]
pub fn CopyButton(
    #[prop(into)] text: Signal<String>,
    /// What is copied, for screen readers: “Copy the digest”.
    #[prop(into)]
    label: String,
    #[prop(default = "btn btn-ghost btn-xs btn-square")] class: &'static str,
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let on_click = move |_| {
        spawn_local(async move {
            if copy(&text.get_untracked()).await.is_ok() {
                copied.set(true);
                set_timeout(
                    move || {
                        copied.try_set(false);
                    },
                    Duration::from_secs(2),
                );
            }
        });
    };
    view! {
        <button type="button" class=class aria-label=label.clone() title=label on:click=on_click>
            {move || if copied.get() {
                view! {
                    <span class="text-success"><Icon d=icon::CHECK/></span>
                    <span class="sr-only" role="status">"Copied"</span>
                }
                .into_any()
            } else {
                view! { <Icon d=icon::COPY/> }.into_any()
            }}
        </button>
    }
}

/// Through the clipboard API where the page is served securely, otherwise the old way.
pub async fn copy(text: &str) -> Result<(), JsValue> {
    let navigator = window().navigator();
    if js_sys::Reflect::get(&navigator, &"clipboard".into())?.is_object() {
        JsFuture::from(navigator.clipboard().write_text(text)).await?;
        return Ok(());
    }
    let document = document().unchecked_into::<web_sys::HtmlDocument>();
    let area =
        document.create_element("textarea")?.unchecked_into::<web_sys::HtmlTextAreaElement>();
    area.set_value(text);
    // Inside an open dialog, only what is in the dialog can be selected.
    let place = document
        .query_selector("dialog[open]")?
        .or_else(|| document.body().map(Into::into))
        .ok_or(JsValue::NULL)?;
    place.append_child(&area)?;
    area.select();
    let done = document.exec_command("copy");
    area.remove();
    done.and_then(|done| if done { Ok(()) } else { Err(JsValue::NULL) })
}
