//! What is done to several things at once, one after the other; what was refused is said of each.

use std::{future::Future, pin::Pin, sync::Arc};

use leptos::{prelude::*, task::spawn_local};

use super::tags::report;
use crate::{
    components::{
        confirm::Confirm,
        form::Submit,
        toast::{Toasts, use_toasts},
    },
    logic::{
        error::{ApiError, Code},
        format,
    },
};

/// Which were refused, and why.
pub type Refused<T> = Vec<(T, ApiError)>;
pub type Step<T = ()> = Pin<Box<dyn Future<Output = Result<T, ApiError>>>>;

/// Does `work` for each; gives what came of it, and what was refused.
pub async fn each<T, U>(things: Vec<T>, work: impl Fn(&T) -> Step<U>) -> (Vec<U>, Refused<T>) {
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for thing in things {
        match work(&thing).await {
            Ok(result) => done.push(result),
            Err(error) => refused.push((thing, error)),
        }
    }
    (done, refused)
}

/// Says what was refused; `name` tells what each is called.
pub fn refusals<T>(
    refused: RwSignal<Refused<T>>,
    name: impl Fn(&T) -> String + Copy + Send + 'static,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
{
    let line = move |(thing, error): (T, ApiError)| {
        let name = name(&thing);
        view! { <li class="wrap-anywhere"><b>{name}</b> ": " {error.message}</li> }
    };
    view! {
        <div role="alert">
            <ul class="space-y-1 text-sm text-error empty:hidden">
                {move || refused.get().into_iter().map(line).collect_view()}
            </ul>
        </div>
    }
}

/// The names, where there are several.
pub fn names(label: &'static str, names: Signal<Vec<String>>) -> impl IntoView {
    let shown = move || Some(names.get()).filter(|names| 1 < names.len()).unwrap_or_default();
    view! {
        <ul class="max-h-40 list-inside list-disc overflow-y-auto wrap-anywhere empty:hidden" tabindex="0" aria-label=label>
            {move || shown().into_iter().map(|name| view! { <li>{name}</li> }).collect_view()}
        </ul>
    }
}

/// Deletes one, and gives the way back.
pub type Act = Arc<dyn Fn(String) -> Step<Undo> + Send + Sync>;
/// Brings back what was deleted.
pub type Undo = Arc<dyn Fn() -> Step + Send + Sync>;

/// Asks before those that are selected go to the trash, and offers to bring them back.
#[component]
pub fn DeleteSelected(
    open: RwSignal<bool>,
    /// Their keys; those that go are selected no more.
    selected: RwSignal<Vec<String>>,
    /// “version”, “versions”
    words: (&'static str, &'static str),
    /// What one is called, by its key.
    name: Callback<String, String>,
    /// What it means, besides that they can be restored.
    meaning: &'static str,
    delete: Act,
    on_change: Callback<()>,
) -> impl IntoView {
    let toasts = use_toasts();
    let submit = Submit::new();
    report(submit);
    let refused = RwSignal::new(Refused::<String>::new());
    // What is gone already is not there to be selected any more, once that was said.
    Effect::new(move |before: Option<bool>| {
        let now = open.get();
        if before.is_some_and(|before| before != now) {
            let said = refused.try_update(std::mem::take).unwrap_or_default();
            let is_gone = |key: &String| {
                said.iter().any(|(said, error)| said == key && error.code == Code::NotFound)
            };
            selected.update(|selected| selected.retain(|key| !is_gone(key)));
        }
        now
    });
    let (one, many) = words;
    let called = move |keys: &[String]| match keys {
        [key] => format!("{one} {}", name.run(key.clone())),
        keys => format::plural(keys.len() as i64, one, many),
    };
    let delete_all = move |()| {
        let (keys, delete) = (selected.get_untracked(), delete.clone());
        // The dialog may be closed meanwhile, and the page left.
        let names: Vec<_> =
            keys.iter().map(|key| (key.clone(), called(std::slice::from_ref(key)))).collect();
        let work = async move {
            let (ways_back, refused) = each(keys.clone(), |key| delete(key.clone())).await;
            let is_refused = |key: &String| refused.iter().any(|(refused, _)| refused == key);
            let gone: Vec<_> = keys.into_iter().filter(|key| !is_refused(key)).collect();
            if let [first, rest @ ..] = gone.as_slice() {
                let text = match rest {
                    [] => names.into_iter().find(|(key, _)| key == first).map(|(_, name)| name),
                    rest => Some(format::plural(rest.len() as i64 + 1, one, many)),
                };
                let text =
                    format!("{} moved to the trash.", capitalised(&text.unwrap_or_default()));
                toasts.undoable(text, move || {
                    spawn_local(restore(ways_back.clone(), toasts, on_change))
                });
                on_change.try_run(());
            }
            Ok((gone, refused))
        };
        submit.run(work, move |(gone, failed)| {
            selected.update(|selected| selected.retain(|key| !gone.contains(key)));
            if failed.is_empty() {
                open.set(false);
            }
            refused.set(failed);
        });
    };
    let names_of =
        Signal::derive(move || selected.get().into_iter().map(|key| name.run(key)).collect());
    view! {
        <Confirm
            open
            title=Signal::derive(move || format!("Delete {}?", called(&selected.read())))
            action="Delete"
            danger=true
            pending=submit.pending
            on_confirm=delete_all
        >
            {names(many, names_of)}
            <p>{meaning} " Deleted items can be restored from the project's trash."</p>
            {refusals(refused, move |key: &String| name.run(key.clone()))}
        </Confirm>
    }
}

async fn restore(ways_back: Vec<Undo>, toasts: Toasts, on_change: Callback<()>) {
    for way_back in &ways_back {
        if let Err(error) = way_back().await {
            toasts.failure(&error);
        }
    }
    // Where the list is not shown any more, it is loaded when it is.
    on_change.try_run(());
}

fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

/// Forgets what is selected when its owner is another one.
pub fn forget_with<T: PartialEq + Send + Sync + 'static>(
    selected: RwSignal<Vec<String>>,
    owner: impl Fn() -> T + 'static,
) {
    Effect::new(move |before: Option<T>| {
        let now = owner();
        if before.is_some_and(|before| before != now) {
            selected.set(Vec::new());
        }
        now
    });
}
