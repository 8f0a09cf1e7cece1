//! What is done to several things at once, one after the other; what was refused is said of each.

use std::{future::Future, pin::Pin, sync::Arc};

use leptos::{prelude::*, task::spawn_local};

use super::tags::report;
use crate::{
    components::{confirm::Confirm, toast::use_toasts},
    error::ApiError,
    form::Submit,
    format,
};

/// Which were refused, and why.
pub type Refused<T> = Vec<(T, ApiError)>;
pub type Step<T = ()> = Pin<Box<dyn Future<Output = Result<T, ApiError>>>>;

/// Does `work` for each; gives what was refused, which is no failure of the whole.
pub async fn each<T>(things: Vec<T>, work: impl Fn(&T) -> Step) -> Result<Refused<T>, ApiError> {
    let mut refused = Vec::new();
    for thing in things {
        if let Err(error) = work(&thing).await {
            refused.push((thing, error));
        }
    }
    Ok(refused)
}

/// Says what was refused; `name` tells what each is called.
pub fn refusals<T>(refused: RwSignal<Refused<T>>, name: fn(&T) -> &str) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
{
    let line = move |(thing, error): (T, ApiError)| {
        let name = name(&thing).to_owned();
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

/// Deletes one, or brings it back.
pub type Act = Arc<dyn Fn(String) -> Step<Undone> + Send + Sync>;
/// Brings back what was deleted.
pub type Undone = Arc<dyn Fn() -> Step + Send + Sync>;

/// Asks before those that are selected go to the trash, and offers to bring them back.
#[component]
pub fn DeleteSelected(
    open: RwSignal<bool>,
    /// Their keys, which are also what they are called here; afterwards those that are still there.
    selected: RwSignal<Vec<String>>,
    /// “version”, “versions”
    words: (&'static str, &'static str),
    /// What it means, besides that they can be restored.
    meaning: &'static str,
    /// Deletes one and gives the way back.
    delete: Act,
    on_change: Callback<()>,
) -> impl IntoView {
    let toasts = use_toasts();
    let submit = Submit::new();
    report(submit);
    let refused = RwSignal::new(Refused::<String>::new());
    Effect::new(move |before: Option<bool>| {
        let now = open.get();
        if now && before == Some(false) {
            refused.set(Vec::new());
        }
        now
    });
    let (one, many) = words;
    let called = move |keys: &[String]| match keys {
        [key] => format!("{one} {key}"),
        keys => format::plural(keys.len() as i64, one, many),
    };
    let delete_all = move |()| {
        let ways_back = StoredValue::new(Vec::<Undone>::new());
        let gone = StoredValue::new(Vec::<String>::new());
        let delete = delete.clone();
        let work = each(selected.get_untracked(), move |key| {
            let (deletion, key) = (delete(key.clone()), key.clone());
            Box::pin(async move {
                let way_back = deletion.await?;
                ways_back.try_update_value(|ways| ways.push(way_back));
                gone.try_update_value(|gone| gone.push(key));
                Ok(())
            })
        });
        submit.run(work, move |failed| {
            open.set(!failed.is_empty());
            selected.set(failed.iter().map(|(key, _)| key.clone()).collect());
            refused.set(failed);
            let (gone, ways_back) = (gone.get_value(), ways_back.get_value());
            if gone.is_empty() {
                return;
            }
            let text = called(&gone);
            let (first, rest) = text.split_at(1);
            let text = format!("{}{rest} moved to the trash.", first.to_uppercase());
            toasts.undoable(text, move || {
                let ways_back = ways_back.clone();
                spawn_local(async move {
                    for way_back in &ways_back {
                        if let Err(error) = way_back().await {
                            toasts.failure(&error);
                        }
                    }
                    // Where the list is not shown any more, it is loaded when it is.
                    on_change.try_run(());
                });
            });
            on_change.run(());
        });
    };
    view! {
        <Confirm
            open
            title=Signal::derive(move || format!("Delete {}?", called(&selected.read())))
            action="Delete"
            danger=true
            pending=submit.pending
            on_confirm=delete_all
        >
            {names(many, selected.into())}
            <p>{meaning} " In the trash of the project they can be restored."</p>
            {refusals(refused, |key| key)}
        </Confirm>
    }
}
