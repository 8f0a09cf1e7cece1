//! The metric that a model is judged by: shown with its best value, and set by who may change the model.

use leptos::{prelude::*, task::spawn_local};

use crate::{
    components::{
        facts::SidePanel,
        failed::FormError,
        field::{SelectField, SubmitButton, TextField},
        form::Submit,
        icon::{self, Icon},
        loaded::Load,
        toast::use_toasts,
    },
    graphql::{
        model::{self, BestMetric},
        tag::{self, Target},
    },
    logic::{
        address, check,
        error::ApiError,
        format,
        judge::{self, Judge},
    },
    parts::tags::report,
};

/// Which way a metric can be better; which one it is, must be said.
const DIRECTIONS: &[(&str, &str)] =
    &[("", "Choose one"), ("min", "Lower is better"), ("max", "Higher is better")];

/// Gives the tag of a model a value, or takes it away.
async fn write(model: String, value: Option<String>) -> Result<(), ApiError> {
    let target = Target::model(model);
    match value {
        Some(value) => tag::set(target, judge::TAG.to_owned(), value).await.map(drop),
        None => tag::delete(target, judge::TAG.to_owned()).await.map(drop),
    }
}

/// Sets what a model is judged by at once; a message offers the way back to `tag`, the value of the tag as it was.
pub fn use_setter(
    model: Memo<String>,
    tag: Signal<Option<String>>,
    on_change: Callback<()>,
) -> Callback<Judge> {
    let toasts = use_toasts();
    let submit = Submit::new();
    report(submit);
    Callback::new(move |judge: Judge| {
        let (model, before) = (model.get_untracked(), tag.get_untracked());
        let way = judge.less.map(judge::words).unwrap_or_default();
        let text = format!("The model is judged by {}: {way}.", judge.name);
        submit.run(write(model.clone(), Some(judge.write())), move |()| {
            on_change.run(());
            toasts.undoable(text, move || {
                let (model, before) = (model.clone(), before.clone());
                spawn_local(async move {
                    match write(model, before).await {
                        // The page may be gone by now.
                        Ok(()) => drop(on_change.try_run(())),
                        Err(error) => toasts.failure(&error),
                    }
                });
            });
        });
    })
}

/// Beside the card. Where no metric is chosen, only who can choose one sees it.
#[component]
pub fn JudgePanel(
    model: Memo<String>,
    #[prop(into)] judge: Signal<Option<Judge>>,
    /// The value of the tag, as it is.
    #[prop(into)]
    tag: Signal<Option<String>>,
    #[prop(into)] best: Signal<Option<BestMetric>>,
    #[prop(into)] editable: Signal<bool>,
    #[prop(into)] on_change: Callback<()>,
) -> impl IntoView {
    let editing = RwSignal::new(false);
    // What is typed stays where something else changes.
    let judge = Memo::new(move |_| judge.get());
    let shown = Memo::new(move |_| judge.read().is_some() || editable.get());
    let form = move || {
        view! { <JudgeForm model judge=judge.get_untracked() is_set=tag.get_untracked().is_some() on_change editing/> }
    };
    let change = move || if judge.read().is_some() { "Change" } else { "Choose a metric" };
    view! {
        <Show when=move || shown.get()>
            <SidePanel title="Metric">
                <Show when=move || !editing.get() fallback=form>
                    <Judged model judge best/>
                    <Show when=move || editable.get()>
                        <button type="button" class="btn btn-sm mt-3" on:click=move |_| editing.set(true)>
                            <Icon d=icon::PENCIL/>
                            {change}
                        </button>
                    </Show>
                </Show>
            </SidePanel>
        </Show>
    }
}

#[component]
fn Judged(
    model: Memo<String>,
    judge: Memo<Option<Judge>>,
    best: Signal<Option<BestMetric>>,
) -> impl IntoView {
    move || {
        let Some(Judge { name, less }) = judge.get() else {
            return view! {
                <p class="text-sm text-muted">
                    "Choose the metric that this model is judged by. Its best run is then shown here and in the list of models."
                </p>
            }
            .into_any();
        };
        let way = less.map_or("It is not known which way is better.", judge::words);
        let best = best.get().filter(|best| best.name == name).map(|best| {
            let value = best.value.0;
            let href = best.candidate.number.map(|number| address::candidate(&model.read(), number));
            view! {
                <p class="mt-2 text-sm">
                    "Best: "
                    <span class="font-semibold tabular-nums" title=value.to_string()>{format::metric(value)}</span>
                    " by "
                    <a class="link wrap-anywhere" href=href>{best.candidate.name}</a>
                </p>
            }
        });
        let none = best.is_none().then(|| {
            view! { <p class="mt-2 text-sm text-muted">"No finished run has it yet."</p> }
        });
        view! {
            <p class="text-sm">
                <span class="font-mono font-medium wrap-anywhere">{name}</span>
                <span class="block text-muted">{way}</span>
            </p>
            {best}
            {none.filter(|_| less.is_some())}
        }
        .into_any()
    }
}

#[component]
fn JudgeForm(
    model: Memo<String>,
    judge: Option<Judge>,
    /// Whether there is something to remove.
    is_set: bool,
    on_change: Callback<()>,
    editing: RwSignal<bool>,
) -> impl IntoView {
    let way = match judge.as_ref().and_then(|judge| judge.less) {
        Some(true) => "min",
        Some(false) => "max",
        None => "",
    };
    let name = RwSignal::new(judge.map(|judge| judge.name).unwrap_or_default());
    let way = RwSignal::new(way.to_owned());
    let submit = Submit::new();
    let names = Load::new(move || model::metric_names(model.get()));
    let suggestions = Signal::derive(move || {
        let names = names.with(|names| names.and_then(Result::ok).cloned()).unwrap_or_default();
        names.into_iter().map(|name| (name, String::new())).collect::<Vec<_>>()
    });
    let run = move |value: Option<String>| {
        submit.run(write(model.get_untracked(), value), move |()| {
            editing.set(false);
            on_change.run(());
        });
    };
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let less = Some(*way.read_untracked() == "min");
        run(Some(Judge { name: name.get_untracked().trim().to_owned(), less }.write()));
    };
    let blocked = Signal::derive(move || {
        name.read().trim().is_empty() || check::key(&name.read()).is_some() || way.read().is_empty()
    });
    view! {
        <form class="space-y-2" on:submit=send>
            <TextField
                id="judge-name" label="Metric" value=name required=true autofocus=true mono=true
                placeholder="accuracy" suggestions check=check::key refused=submit.field("value")
            />
            <SelectField id="judge-way" label="Direction" value=way options=DIRECTIONS/>
            <FormError error=submit.general(&["value"])/>
            <div class="flex flex-wrap gap-2">
                <SubmitButton text="Save" pending=submit.pending disabled=blocked/>
                <button type="button" class="btn" on:click=move |_| editing.set(false)>"Cancel"</button>
                {is_set.then(|| view! {
                    <button
                        type="button" class="btn btn-ghost ml-auto"
                        disabled=submit.pending on:click=move |_| run(None)
                    >
                        "Remove"
                    </button>
                })}
            </div>
        </form>
    }
}
