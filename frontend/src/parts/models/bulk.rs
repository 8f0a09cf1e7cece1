//! What is done to one or several models at once: deleting, with a way back, and tagging. One after the other; what
//! was refused is said of each.

use leptos::{prelude::*, task::spawn_local};
use leptos_router::NavigateOptions;

use crate::{
    components::{
        confirm::Confirm,
        dialog::Dialog,
        field::{SubmitButton, TextField},
        form::Submit,
        toast::{Toasts, use_toasts},
    },
    graphql::{
        kind::ModelKind,
        model::{self, DeleteModelInput, ModelName, RestoreModelInput},
        tag::{self, Target},
    },
    logic::{address, check, format},
    parts::{
        bulk::{Refused, Step, each, names, refusals},
        tags::report,
    },
};

/// A model that was chosen, and what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub kind: ModelKind,
    pub path: String,
    pub name: String,
    pub versions: i32,
    pub candidates: i32,
}

fn named(models: RwSignal<Vec<Chosen>>) -> Signal<Vec<String>> {
    Signal::derive(move || models.read().iter().map(|chosen| chosen.name.clone()).collect())
}

/// What they are: all are chosen from one list.
fn kind_of(models: &[Chosen]) -> ModelKind {
    models.first().map(|chosen| chosen.kind).unwrap_or_default()
}

/// “ocr”, or “3 models”.
fn called(models: &[Chosen]) -> String {
    match models {
        [one] => format!("“{}”", one.name),
        many => kind_of(many).count(many.len()),
    }
}

/// What their deletion means.
fn what_goes(models: &[Chosen]) -> String {
    let sum = |of: fn(&Chosen) -> i32| models.iter().map(of).map(i64::from).sum();
    let versions = format::plural(sum(|chosen| chosen.versions), "version", "versions");
    let kind = kind_of(models);
    let runs = match kind {
        ModelKind::Model => {
            format!(" and {}", format::plural(sum(|chosen| chosen.candidates), "run", "runs"))
        }
        ModelKind::Prompt => String::new(),
    };
    let (one, many) = kind.words();
    let (go, these, are) = match models {
        [_] => (format!("The {one} moves"), format!("this {one}"), "it is"),
        _ => (format!("The {many} move"), format!("these {many}"), "they are"),
    };
    format!(
        "{go} to the project's trash, with {versions}{runs}. \
         Scripts that use {these} will fail until {are} restored."
    )
}

#[component]
pub fn DeleteModels(
    open: RwSignal<bool>,
    /// Which; afterwards those that are still there.
    models: RwSignal<Vec<Chosen>>,
    /// Told the paths of those that went, and nothing once they are back.
    #[prop(into)]
    on_change: Callback<Vec<String>>,
) -> impl IntoView {
    let toasts = use_toasts();
    let navigate = address::use_navigate();
    let submit = Submit::new();
    report(submit);
    let failed = RwSignal::new(Refused::<Chosen>::new());
    Effect::new(move |before: Option<bool>| {
        let now = open.get();
        if now && before == Some(false) {
            failed.set(Vec::new());
        }
        now
    });
    let delete = move |()| {
        let (chosen, navigate) = (models.get_untracked(), navigate.clone());
        // The dialog may be closed meanwhile, and the page left.
        let work = async move {
            let delete = |chosen: &Chosen| -> Step<ModelName> {
                Box::pin(model::delete(DeleteModelInput { model: chosen.path.clone() }))
            };
            let kind = kind_of(&chosen);
            let (gone, refused) = each(chosen, delete).await;
            let text = match gone.as_slice() {
                [] => return Ok(refused),
                [one] => format!("{} “{}” moved to the trash.", kind.title(), one.name),
                many => format!("{} moved to the trash.", kind.count(many.len())),
            };
            let paths = gone.iter().map(|model| model.path.clone()).collect();
            let undo = move || {
                let navigate = navigate.clone();
                let back = move |path: String| {
                    // Where the list is still shown it loads anew; else the model is where to go on.
                    if on_change.try_run(Vec::new()).is_none() {
                        navigate(&address::model(&path), NavigateOptions::default());
                    }
                };
                spawn_local(restore(toasts, gone.clone(), back));
            };
            toasts.undoable(text, undo);
            on_change.try_run(paths);
            Ok(refused)
        };
        submit.run(work, move |refused: Refused<Chosen>| {
            open.set(!refused.is_empty());
            models.set(refused.iter().map(|(chosen, _)| chosen.clone()).collect());
            failed.set(refused);
        });
    };
    view! {
        <Confirm
            open
            title=Signal::derive(move || format!("Delete {}?", called(&models.read())))
            action="Delete"
            danger=true
            pending=submit.pending
            on_confirm=delete
        >
            {names("Names", named(models))}
            <p>{move || what_goes(&models.read())}</p>
            {refusals(failed, |chosen: &Chosen| chosen.name.clone())}
        </Confirm>
    }
}

async fn restore(toasts: Toasts, gone: Vec<ModelName>, back: impl Fn(String)) {
    let mut restored = None;
    for ModelName { id, path, .. } in gone {
        match model::restore(RestoreModelInput { model: path, id: Some(id) }).await {
            Ok(model) => restored = Some(model.path),
            Err(error) => toasts.failure(&error),
        }
    }
    if let Some(path) = restored {
        back(path);
    }
}

/// Sets one tag on all of them.
#[component]
pub fn TagModels(
    open: RwSignal<bool>,
    models: RwSignal<Vec<Chosen>>,
    #[prop(into)] on_change: Callback<()>,
) -> impl IntoView {
    view! {
        <Dialog open title=Signal::derive(move || format!("Tag {}", called(&models.read())))>
            <TagForm open models on_change/>
        </Dialog>
    }
}

#[component]
fn TagForm(
    open: RwSignal<bool>,
    models: RwSignal<Vec<Chosen>>,
    on_change: Callback<()>,
) -> impl IntoView {
    let toasts = use_toasts();
    let submit = Submit::new();
    report(submit);
    let failed = RwSignal::new(Refused::<Chosen>::new());
    let key = RwSignal::new(String::new());
    let value = RwSignal::new(String::new());
    let text = |signal: RwSignal<String>| signal.get_untracked().trim().to_owned();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (key, value, all) = (text(key), text(value), models.get_untracked());
        let (kind, count) = (kind_of(&all), all.len());
        let said = format!("Tag “{key}” set on ");
        let work = async move {
            let set = |chosen: &Chosen| -> Step {
                let target = Target::model(chosen.path.clone());
                let set = tag::set(target, key.clone(), value.clone());
                Box::pin(async move { set.await.map(drop) })
            };
            Ok(each(all, set).await.1)
        };
        submit.run(work, move |refused: Refused<Chosen>| {
            let done = count - refused.len();
            if done != 0 {
                toasts.success(format!("{said}{}.", kind.count(done)));
                on_change.run(());
            }
            if refused.is_empty() {
                return open.set(false);
            }
            models.set(refused.iter().map(|(chosen, _)| chosen.clone()).collect());
            failed.set(refused);
        });
    };
    let blocked = Signal::derive(move || {
        key.read().trim().is_empty()
            || check::key(&key.read()).is_some()
            || check::value(&value.read()).is_some()
    });
    view! {
        <form class="space-y-3" on:submit=send>
            <div class="text-sm text-muted">{names("Names", named(models))}</div>
            <TextField id="bulk-key" label="Key" value=key required=true autofocus=true check=check::key/>
            <TextField
                id="bulk-value" label="Value" value=value check=check::value
                hint="Where a tag with this key exists, its value is replaced."
            />
            {refusals(failed, |chosen: &Chosen| chosen.name.clone())}
            <SubmitButton text="Set tag" pending=submit.pending disabled=blocked/>
        </form>
    }
}
