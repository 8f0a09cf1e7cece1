//! Markdown that the server has rendered and sanitised.

use leptos::{html, prelude::*};
use wasm_bindgen::JsCast;

/// The only place where HTML goes into the page as it is: it must come from `descriptionHtml` or
/// `renderMarkdown`, never from anywhere else.
#[component]
pub fn Markdown(#[prop(into)] html: Signal<String>) -> impl IntoView {
    let node = NodeRef::<html::Div>::new();
    Effect::new(move |_| {
        html.track();
        if let Some(node) = node.get() {
            request_animation_frame(move || make_accessible(&node));
        }
    });
    view! {
        <div class="prose max-w-none break-words" node_ref=node inner_html=move || html.get()></div>
    }
}

/// What markdown cannot say: wide blocks scroll by keyboard, and task boxes have a name.
fn make_accessible(node: &web_sys::Element) {
    let each = |selector: &str, change: &dyn Fn(&web_sys::Element)| {
        let Ok(found) = node.query_selector_all(selector) else { return };
        for index in 0..found.length() {
            if let Some(element) = found.item(index).and_then(|item| item.dyn_into().ok()) {
                change(&element);
            }
        }
    };
    // Setting an attribute of a known name does not fail.
    let set = |element: &web_sys::Element, name: &str, value: &str| {
        let _ = element.set_attribute(name, value);
    };
    each("pre, table", &|block| set(block, "tabindex", "0"));
    each("input[type=checkbox]", &|checkbox| {
        let done = checkbox.has_attribute("checked");
        set(checkbox, "aria-label", if done { "Done" } else { "To do" });
    });
}
