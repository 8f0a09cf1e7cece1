//! Unsaved changes: which editors have some, and the question before the page is left.
//!
//! A link is stopped before the router hears of it; a step back where the browser lets a page stop one. Reloading, and
//! whatever leaves the app, is the browser's own question.

use std::sync::Arc;

use leptos::{ev, prelude::*};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{Event, EventTarget, HtmlAnchorElement, MouseEvent};

use super::confirm::Confirm;

/// What an editor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// What is saved already.
    Saved,
    /// Changes that the browser keeps.
    Kept,
    /// Changes that are lost with the page.
    AtRisk,
}

/// How to go where somebody wanted to, once they say so.
type Way = Arc<dyn Fn() + Send + Sync>;

/// Provided once, by the app.
#[derive(Clone, Copy)]
pub struct Unsaved {
    editors: RwSignal<Vec<(u64, Signal<Edit>)>>,
    last_id: StoredValue<u64>,
    asked: RwSignal<Option<Way>>,
    /// Whether the next link or step is one that somebody has been asked about.
    agreed: StoredValue<bool>,
}

impl Unsaved {
    pub fn new() -> Self {
        Self {
            editors: RwSignal::new(Vec::new()),
            last_id: StoredValue::new(0),
            asked: RwSignal::new(None),
            agreed: StoredValue::new(false),
        }
    }

    /// Asks for the changes of an editor as long as its owner is on the page.
    pub fn follow(self, edit: Signal<Edit>) {
        self.last_id.update_value(|id| *id += 1);
        let (id, editors) = (self.last_id.get_value(), self.editors);
        editors.update(|editors| editors.push((id, edit)));
        on_cleanup(move || {
            editors.try_update(|editors| editors.retain(|(other, _)| *other != id));
        });
    }

    /// Whether there are changes that are not saved.
    pub fn any(self) -> bool {
        self.some(|edit| edit != Edit::Saved)
    }

    fn some(self, of: impl Fn(Edit) -> bool) -> bool {
        let editors = self.editors.get_untracked();
        editors.iter().any(|(_, edit)| edit.try_get_untracked().is_some_and(&of))
    }

    /// Goes on at once where everything is saved, and otherwise when somebody agrees.
    pub fn leave(self, way: impl Fn() + Send + Sync + 'static) {
        if self.any() {
            self.asked.set(Some(Arc::new(way)));
        } else {
            way();
        }
    }

    /// Asks nothing more: what is being edited is given up.
    pub fn give_up(self) {
        self.editors.set(Vec::new());
    }

    /// Whether the link or step that is being taken must not be.
    fn stops(self) -> bool {
        let agreed = self.agreed.get_value();
        self.agreed.set_value(false);
        !agreed && self.any()
    }
}

pub fn use_unsaved() -> Unsaved {
    expect_context()
}

/// Watches for whoever is about to leave, and asks.
#[component]
pub fn UnsavedQuestion() -> impl IntoView {
    let unsaved = use_unsaved();
    watch_links(unsaved);
    watch_steps(unsaved);
    let closing = window_event_listener(ev::beforeunload, move |event| {
        if unsaved.any() {
            event.prevent_default();
        }
    });
    on_cleanup(move || closing.remove());
    let open = RwSignal::new(false);
    Effect::new(move |_| open.set(unsaved.asked.read().is_some()));
    Effect::new(move |_| {
        if !open.get() && unsaved.asked.read_untracked().is_some() {
            unsaved.asked.set(None);
        }
    });
    let go = move |()| {
        let way = unsaved.asked.get_untracked();
        open.set(false);
        if let Some(way) = way {
            way();
        }
    };
    let text = move || {
        if unsaved.some(|edit| edit == Edit::AtRisk) {
            "Your changes are not saved, and this browser cannot keep them: they will be lost."
        } else {
            "Your changes are not saved. This browser keeps them as a draft, and offers it when you come back."
        }
    };
    view! {
        <Confirm open title="Leave this page?" action="Leave page" pending=false on_confirm=go>
            <p>{text}</p>
        </Confirm>
    }
}

/// Links that the router would follow, before it does.
fn watch_links(unsaved: Unsaved) {
    listen(&window(), "click", move |event| {
        let Some(event) = event.dyn_ref::<MouseEvent>() else { return };
        let Some(href) = route_of(event).filter(|_| unsaved.stops()) else { return };
        event.prevent_default();
        unsaved.leave(move || {
            unsaved.agreed.set_value(true);
            follow(&href);
        });
    });
}

/// Where in the app a click leads, if it leaves this page for another one in this tab.
fn route_of(event: &MouseEvent) -> Option<String> {
    let keys = [event.meta_key(), event.alt_key(), event.ctrl_key(), event.shift_key()];
    if event.button() != 0 || keys.contains(&true) {
        return None;
    }
    let target: web_sys::Element = event.target()?.dyn_into().ok()?;
    let link: HtmlAnchorElement = target.closest("a[href]").ok()??.dyn_into().ok()?;
    let here = window().location();
    let elsewhere = !link.target().is_empty()
        || link.has_attribute("download")
        || link.rel().split_whitespace().any(|word| word == "external")
        || link.origin() != here.origin().ok()?;
    (!elsewhere && link.pathname() != here.pathname().ok()?).then(|| link.href())
}

/// Follows a link as if it were clicked on: the one that was may be gone, with the menu that it was in.
fn follow(href: &str) {
    let Ok(link) = document().create_element("a") else { return };
    let (Some(body), Ok(link)) = (document().body(), link.dyn_into::<HtmlAnchorElement>()) else {
        return;
    };
    link.set_href(href);
    // The body of a page takes what is appended to it.
    let _ = body.append_child(&link);
    link.click();
    link.remove();
}

/// Steps back and forward in the history, where the browser has the Navigation API. Elsewhere the draft has to do.
fn watch_steps(unsaved: Unsaved) {
    let navigation = property(&window(), "navigation").map(JsCast::dyn_into::<EventTarget>);
    let Some(Ok(navigation)) = navigation else { return };
    listen(&navigation, "navigate", move |event| {
        let kind = property(event, "navigationType").and_then(|kind| kind.as_string());
        let key = property(event, "destination").and_then(|to| property(&to, "key")?.as_string());
        let is_step = event.cancelable() && kind.as_deref() == Some("traverse");
        let Some(key) = key.filter(|_| is_step && unsaved.stops()) else { return };
        event.prevent_default();
        unsaved.leave(move || {
            unsaved.agreed.set_value(true);
            step_to(&key);
        });
    });
}

/// Goes to an entry of the history by its key.
fn step_to(key: &str) {
    let Some(navigation) = property(&window(), "navigation") else { return };
    let step = property(&navigation, "traverseTo").map(JsCast::dyn_into::<js_sys::Function>);
    if let Some(Ok(step)) = step {
        // Refused where the history has no such entry any more; then the page stays.
        let _ = step.call1(&navigation, &key.into());
    }
}

fn property(of: &JsValue, name: &str) -> Option<JsValue> {
    js_sys::Reflect::get(of, &name.into()).ok().filter(|value| !value.is_undefined())
}

/// Hears of an event before anything else does, as long as the app is there.
fn listen(target: &EventTarget, event: &str, act: impl Fn(&Event) + 'static) {
    let act = Closure::<dyn Fn(Event)>::new(move |event: Event| act(&event)).into_js_value();
    // A function is a listener.
    let _ = target.add_event_listener_with_callback_and_bool(event, act.unchecked_ref(), true);
}
