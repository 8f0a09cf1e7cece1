//! A button that opens a list of links and buttons: a disclosure, not an ARIA menu, so that everything
//! in it is what it is and may hold more than items.

use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast;

/// The list closes on a choice, on Escape, and when focus goes elsewhere.
#[component]
pub fn Menu(
    /// What the button is for, for screen readers.
    #[prop(into)]
    label: Signal<String>,
    /// Of the button.
    #[prop(default = "btn btn-square")]
    class: &'static str,
    /// Which edge of the button the list is in line with: `left-0`.
    #[prop(default = "right-0")]
    edge: &'static str,
    /// What the button shows.
    #[prop(into)]
    button: ViewFn,
    /// `<li>` elements with a link or button each.
    children: ChildrenFn,
) -> impl IntoView {
    let open = RwSignal::new(false);
    let node = NodeRef::<html::Div>::new();
    let trigger = NodeRef::<html::Button>::new();
    let on_focus_out = move |event: ev::FocusEvent| {
        let into = event.related_target().and_then(|into| into.dyn_into::<web_sys::Node>().ok());
        if !node.get_untracked().is_some_and(|node| node.contains(into.as_ref())) {
            open.set(false);
        }
    };
    let on_key_down = move |event: ev::KeyboardEvent| match event.key().as_str() {
        "Escape" if open.get_untracked() => {
            event.stop_propagation();
            open.set(false);
            focus(trigger.get_untracked().map(Into::into));
        }
        key @ ("ArrowDown" | "ArrowUp") => {
            event.prevent_default();
            open.set(true);
            let step = if key == "ArrowDown" { 1 } else { -1 };
            request_animation_frame(move || move_focus(node, step));
        }
        _ => {}
    };
    let children = StoredValue::new(children);
    view! {
        <div class="relative" node_ref=node on:focusout=on_focus_out on:keydown=on_key_down>
            <button
                type="button"
                node_ref=trigger
                class=class
                aria-label=label
                title=label
                aria-expanded=move || open.get().to_string()
                on:click=move |_| open.update(|open| *open = !*open)
            >
                {button.run()}
            </button>
            <Show when=move || open.get()>
                // A click anywhere in the list is a choice; focus stays inside until then.
                <ul
                    class=format!("{edge} menu absolute top-full z-30 mt-1 w-max min-w-44 max-w-72 rounded-box border border-base-300 bg-base-100 p-1.5 shadow-lg")
                    aria-label=label
                    tabindex="-1"
                    on:click=move |_| open.set(false)
                >
                    {children.read_value()()}
                </ul>
            </Show>
        </div>
    }
}

fn focus(element: Option<web_sys::HtmlElement>) {
    if let Some(element) = element {
        // An element that cannot take focus leaves it where it is.
        let _ = element.focus();
    }
}

/// Moves focus through the items, round the ends.
fn move_focus(node: NodeRef<html::Div>, step: i32) {
    let Some(items) = node
        .get_untracked()
        .and_then(|node| node.query_selector_all("ul a, ul button:not(:disabled)").ok())
    else {
        return;
    };
    let count = i32::try_from(items.length()).unwrap_or(0);
    if count == 0 {
        return;
    }
    let active = document().active_element();
    let current = (0..count).find(|index| {
        items.item(index.unsigned_abs()).as_ref() == active.as_ref().map(AsRef::as_ref)
    });
    let next =
        current.map_or(if step > 0 { 0 } else { count - 1 }, |now| (now + step).rem_euclid(count));
    focus(items.item(next.unsigned_abs()).and_then(|item| item.dyn_into().ok()));
}
