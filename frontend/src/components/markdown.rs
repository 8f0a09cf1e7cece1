//! Markdown that the server has rendered and sanitised.

use leptos::{html, prelude::*};
use wasm_bindgen::JsCast;

use crate::logic::relative;

/// The address of the files that pictures and links in markdown are relative to, below `/files`; none where there are
/// none. Provided by who shows the text that belongs to them.
#[derive(Clone, Copy)]
pub struct RelativeTo(pub Signal<Option<String>>);

/// The only place where HTML goes into the page as it is: it must come from `descriptionHtml` or
/// `renderMarkdown`, never from anywhere else.
#[component]
pub fn Markdown(#[prop(into)] html: Signal<String>) -> impl IntoView {
    let node = NodeRef::<html::Div>::new();
    let files = use_context::<RelativeTo>();
    let html = Memo::new(move |_| match files.and_then(|RelativeTo(files)| files.get()) {
        Some(files) => relative_to(&files, html.get()),
        None => html.get(),
    });
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

/// With the addresses of files where pictures and links name some. A template loads nothing.
fn relative_to(files: &str, html: String) -> String {
    let template = document().create_element("template").ok();
    let Some(Ok(template)) = template.map(JsCast::dyn_into::<web_sys::HtmlTemplateElement>) else {
        return html;
    };
    template.set_inner_html(&html);
    let Ok(found) = template.content().query_selector_all("img[src], a[href]") else { return html };
    let mut changed = false;
    for index in 0..found.length() {
        let Some(Ok(element)) = found.item(index).map(JsCast::dyn_into::<web_sys::Element>) else {
            continue;
        };
        let name = if element.has_attribute("src") { "src" } else { "href" };
        let target = element.get_attribute(name).unwrap_or_default();
        if let Some(address) = relative::resolve(files, &target) {
            // Setting an attribute of a known name does not fail. Files are no pages of the router's.
            let _ = element.set_attribute(name, &address);
            if name == "href" {
                let _ = element.set_attribute("rel", "external");
            }
            changed = true;
        }
    }
    if changed { template.inner_html() } else { html }
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
