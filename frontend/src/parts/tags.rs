//! Tags, edited in place.

use leptos::prelude::*;

use crate::{
    components::{
        badge::TagChip,
        failed::FormError,
        field::{SubmitButton, TextField},
        form::Submit,
        icon::{self, Icon},
        toast::use_toasts,
    },
    graphql::tag::{self, Tag, Target},
    logic::{check, format},
};

#[component]
pub fn Tags(
    #[prop(into)] target: Signal<Target>,
    #[prop(into)] tags: Signal<Vec<Tag>>,
    /// Whether the viewer may change them.
    #[prop(into)]
    editable: Signal<bool>,
    #[prop(into)] on_change: Callback<()>,
) -> impl IntoView {
    let adding = RwSignal::new(false);
    let list = move |system: bool, label: &'static str| {
        let shown = move || {
            let mut tags = tags.get();
            tags.retain(|tag| tag.is_system() == system);
            tags
        };
        view! {
            <ul class="flex flex-wrap gap-1.5 empty:hidden" aria-label=label>
                <For each=shown key=|tag| (tag.key.clone(), tag.value.clone()) let:tag>
                    <EditableTag tag target editable on_change/>
                </For>
            </ul>
        }
        .into_any()
    };
    // What is typed stays where something else changes.
    let editing = Memo::new(move |_| editable.get().then(|| adding.get()));
    let system = move || tags.read().iter().filter(|tag| tag.is_system()).count();
    view! {
        <div class="space-y-3">
            {list(false, "Tags")}
            <Show when=move || system() != 0>
                <details class="text-sm">
                    <summary class="mb-2 cursor-pointer text-muted">
                        {move || format::plural(system() as i64, "system tag", "system tags")}
                    </summary>
                    {list(true, "System tags")}
                </details>
            </Show>
            <Show when=move || tags.read().is_empty() && !adding.get()>
                <p class="text-sm text-muted">"No tags."</p>
            </Show>
            {move || match editing.get() {
                None => ().into_any(),
                Some(true) => view! { <AddTag target on_change adding/> }.into_any(),
                Some(false) => view! {
                    <button type="button" class="btn btn-sm" on:click=move |_| adding.set(true)>
                        <Icon d=icon::PLUS/>
                        "Add tag"
                    </button>
                }
                .into_any(),
            }}
        </div>
    }
}

#[component]
fn EditableTag(
    tag: Tag,
    target: Signal<Target>,
    editable: Signal<bool>,
    on_change: Callback<()>,
) -> impl IntoView {
    let toasts = use_toasts();
    let remove = Submit::new();
    report(remove);
    let Tag { key, value } = tag;
    let label = format!("Remove tag {key}");
    let on_click = {
        let (key, value) = (key.clone(), value.clone());
        move |_| {
            let target = target.get_untracked();
            let undo = {
                let (target, key, value) = (target.clone(), key.clone(), value.clone());
                move || {
                    let (target, key, value) = (target.clone(), key.clone(), value.clone());
                    leptos::task::spawn_local(async move {
                        match tag::set(target, key, value).await {
                            Ok(_) => {
                                on_change.try_run(());
                            }
                            Err(error) => toasts.failure(&error),
                        }
                    });
                }
            };
            let text = format!("Tag “{key}” removed.");
            remove.run(tag::delete(target, key.clone()), move |_| {
                toasts.undoable(text, undo);
                on_change.run(());
            });
        }
    };
    view! {
        <li class="flex max-w-full items-center">
            <TagChip key value/>
            <Show when=move || editable.get()>
                <button
                    type="button"
                    class="btn btn-ghost btn-xs btn-square"
                    aria-label=label.clone()
                    title=label.clone()
                    disabled=remove.pending
                    on:click=on_click.clone()
                >
                    <Icon d=icon::CROSS class="size-3"/>
                </button>
            </Show>
        </li>
    }
}

/// Tells what was refused where there is no form to say it; of files that are awaited the dialog itself tells.
pub fn report(submit: Submit) {
    let toasts = use_toasts();
    Effect::new(move |_| {
        if let Some(error) = submit.error.get().filter(|error| error.uploads.is_empty()) {
            toasts.failure(&error);
        }
    });
}

#[component]
fn AddTag(
    target: Signal<Target>,
    on_change: Callback<()>,
    adding: RwSignal<bool>,
) -> impl IntoView {
    let key = RwSignal::new(String::new());
    let value = RwSignal::new(String::new());
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let work = tag::set(
            target.get_untracked(),
            key.get_untracked().trim().to_owned(),
            value.get_untracked().trim().to_owned(),
        );
        submit.run(work, move |_| {
            adding.set(false);
            on_change.run(());
        });
    };
    let blocked = Signal::derive(move || {
        key.read().trim().is_empty()
            || check::key(&key.read()).is_some()
            || check::value(&value.read()).is_some()
    });
    view! {
        <form class="space-y-2" on:submit=send>
            <TextField
                id="tag-key" label="Key" value=key required=true autofocus=true
                check=check::key refused=submit.field("key")
            />
            <TextField
                id="tag-value" label="Value" value=value
                check=check::value refused=submit.field("value")
            />
            <FormError error=submit.general(&["key", "value"])/>
            <div class="flex gap-2">
                <SubmitButton text="Add" pending=submit.pending disabled=blocked/>
                <button type="button" class="btn" on:click=move |_| adding.set(false)>"Cancel"</button>
            </div>
        </form>
    }
}
