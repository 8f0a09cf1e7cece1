//! Drafts: a text that is being edited is kept in the browser's storage until it is saved or discarded, for each person
//! and object, so that neither a wrong click nor a lost session takes it.
//!
//! Storage may be refused or full: then the editor works as before, and only the question before leaving says so.

use leptos::prelude::*;
use web_sys::Storage;

use crate::{
    components::{
        icon::{self, Icon},
        time,
        unsaved::{Edit, use_unsaved},
    },
    logic::draft::{self, Kept},
    session::use_session,
};

const PREFIX: &str = "draft ";

/// The text in one editor. Made with the editor, or before it, with what it edits.
#[derive(Clone, Copy)]
pub struct Draft {
    pub value: RwSignal<String>,
    /// What is saved, as far as this page knows.
    saved: RwSignal<String>,
    /// What an earlier visit left, until somebody says whether to go on with it.
    pub found: RwSignal<Option<Kept>>,
    /// Whether the browser took what was typed last.
    kept: RwSignal<bool>,
    key: StoredValue<String>,
}

impl Draft {
    /// `object` names what is edited, such as `model` and its id: no other text has the same.
    pub fn new(object: &str, saved: String) -> Self {
        let viewer = untrack(|| use_session().viewer());
        let username = viewer.map(|viewer| viewer.username).unwrap_or_default();
        let key = format!("{}{object}", prefix_of(&username));
        let found = find(&key).filter(|kept| kept.text != saved);
        let draft = Self {
            value: RwSignal::new(saved.clone()),
            saved: RwSignal::new(saved),
            found: RwSignal::new(found),
            kept: RwSignal::new(false),
            key: StoredValue::new(key),
        };
        Effect::new(move |was_changed: Option<bool>| {
            let changed = draft.is_changed();
            if changed {
                draft.kept.set(keep(&draft.key.read_value(), &draft.now()));
            } else if was_changed == Some(true) {
                forget(&draft.key.read_value());
            }
            changed
        });
        use_unsaved().follow(Signal::derive(move || {
            match (draft.is_changed(), draft.kept.get()) {
                (false, _) => Edit::Saved,
                (true, true) => Edit::Kept,
                (true, false) => Edit::AtRisk,
            }
        }));
        draft
    }

    pub fn is_changed(self) -> bool {
        *self.value.read() != *self.saved.read()
    }

    fn now(self) -> Kept {
        let text = self.value.get_untracked();
        Kept::new(js_sys::Date::now(), &self.saved.read_untracked(), text)
    }

    /// Begins with what is saved by now.
    pub fn begin(self, saved: String) {
        self.saved.set(saved.clone());
        self.value.set(saved);
    }

    /// `text` is saved: it needs no draft any more. What was typed meanwhile does.
    pub fn is_saved(self, text: String) {
        if self.found.read_untracked().is_none() {
            forget(&self.key.read_value());
        }
        self.saved.set(text);
    }

    /// Gives up what was typed; returns how it comes back, where there is something to lose.
    pub fn discard(self) -> Option<impl Fn() + Send + Sync + 'static> {
        let typed = untrack(|| self.is_changed()).then(|| self.now());
        self.value.set(self.saved.get_untracked());
        let key = self.key.get_value();
        forget(&key);
        typed.map(|typed| {
            move || {
                keep(&key, &typed);
                // The page may be gone by now; it is offered when somebody comes back to it.
                self.found.try_set(Some(typed.clone()));
            }
        })
    }

    fn go_on(self) {
        if let Some(found) = self.found.get_untracked() {
            self.value.set(found.text);
            self.found.set(None);
        }
    }
}

/// Asks whether to go on with what an earlier visit left.
#[component]
pub fn DraftOffer(
    draft: Draft,
    /// To show the editor, where it is not there yet.
    #[prop(optional, into)]
    on_continue: Option<Callback<()>>,
) -> impl IntoView {
    let text = move || {
        draft.found.get().map(|found| {
            let overtaken = found.is_overtaken(&draft.saved.read());
            let since = if overtaken { " The text has been changed since then." } else { "" };
            format!("You have unsaved changes from {}.{since}", time::clock(found.at))
        })
    };
    let go_on = move |_| {
        draft.go_on();
        if let Some(on_continue) = on_continue {
            on_continue.run(());
        }
    };
    let discard = move |_| {
        forget(&draft.key.read_value());
        draft.found.set(None);
    };
    view! {
        <div class="flex flex-wrap items-center gap-x-4 gap-y-2 rounded-field border border-warning bg-warning/10 px-4 py-3 text-sm" role="status">
            <span class="text-warning"><Icon d=icon::PENCIL class="size-5 shrink-0"/></span>
            <p class="min-w-0 grow basis-56">{text}</p>
            <div class="flex gap-2">
                <button type="button" class="btn btn-sm btn-primary" on:click=go_on>"Continue editing"</button>
                <button type="button" class="btn btn-sm" on:click=discard>"Discard"</button>
            </div>
        </div>
    }
}

fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// What the keys of a person's drafts begin with.
fn prefix_of(username: &str) -> String {
    format!("{PREFIX}{username} ")
}

fn find(key: &str) -> Option<Kept> {
    Kept::parse(&storage()?.get_item(key).ok().flatten()?, js_sys::Date::now())
}

/// Returns whether the browser took it.
fn keep(key: &str, draft: &Kept) -> bool {
    let stored = storage().zip(draft.write());
    stored.is_some_and(|(storage, text)| storage.set_item(key, &text).is_ok())
}

fn forget(key: &str) {
    if let Some(storage) = storage() {
        // There may be nothing to remove.
        let _ = storage.remove_item(key);
    }
}

fn keys(prefix: &str) -> Vec<String> {
    let Some(storage) = storage() else { return Vec::new() };
    let keys = (0..storage.length().unwrap_or(0)).filter_map(|index| storage.key(index).ok()?);
    keys.filter(|key| key.starts_with(prefix)).collect()
}

/// Forgets what is too old, or too much. To be called once, by the app.
pub fn purge() {
    let drafts = keys(PREFIX).into_iter().map(|key| {
        let at = find(&key).map(|kept| kept.at);
        (key, at)
    });
    draft::surplus(&drafts.collect::<Vec<_>>()).into_iter().for_each(forget);
}

/// How many drafts a person has in this browser.
pub fn count_of(username: &str) -> usize {
    keys(&prefix_of(username)).len()
}

/// Forgets all drafts of a person, who signs out: the next one at this browser need not read them.
pub fn forget_all_of(username: &str) {
    keys(&prefix_of(username)).iter().for_each(|key| forget(key));
}
