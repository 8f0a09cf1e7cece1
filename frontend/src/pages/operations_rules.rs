//! The rules of `/admin/operations` that say which files belong in which storage: in words, and as a form that shows what
//! would be moved before it can be saved.

use leptos::prelude::*;

use crate::{
    components::{
        failed::Failed,
        field::{CheckField, SubmitButton},
        form::{Submit, filled},
        icon::{self, Icon},
        toast::Toasts,
    },
    graphql::{
        operations::Storage,
        placement::{self, StoragePreview, StorageRule, StorageRuleInput, StoredKind},
    },
    logic::format,
};

/// What sizes are given in, in bytes.
const MIB: i64 = 1 << 20;

/// Which files a rule is for, in words.
fn files_of(rule: &StorageRule) -> String {
    let mut text = match rule.kind {
        Some(StoredKind::Version) => "Files of versions",
        Some(StoredKind::Run) => "Files of runs",
        None => "Files",
    }
    .to_owned();
    if let Some(project) = &rule.project {
        text += &format!(" in {}", project.path);
    }
    let days = |days: i32| format::plural(days.into(), "day", "days");
    let conditions = [
        rule.alias.as_ref().map(|alias| format!("with the alias or stage {alias}")),
        rule.is_unaliased.then(|| "without an alias".to_owned()),
        rule.is_deprecated.then(|| "deprecated or yanked".to_owned()),
        rule.older_than_days.map(|n| format!("uploaded at least {} ago", days(n))),
        rule.not_fetched_days.map(|n| format!("not fetched for {}", days(n))),
        (rule.min_size > 0).then(|| format!("of {} or more", format::bytes(rule.min_size))),
    ];
    for condition in conditions.into_iter().flatten() {
        text += &format!(", {condition}");
    }
    text
}

/// The rules, and the form to change them.
#[component]
pub fn Rules(
    storages: Memo<Vec<Storage>>,
    rules: Memo<Vec<StorageRule>>,
    #[prop(into)] on_change: Callback<()>,
) -> impl IntoView {
    let editing = RwSignal::new(false);
    let first = move || storages.read().first().map(|storage| storage.name.clone());
    let one = "There is one storage. With a second one (--storage NAME=URL), rules can move old versions to a cheaper place.";
    view! {
        <Show
            when=move || { storages.read().len() > 1 }
            fallback=move || view! { <p class="panel p-4 text-sm">{one}</p> }
        >
            <Show
                when=move || editing.get()
                fallback=move || view! {
                    <ol class="panel divide-y divide-base-300 text-sm" aria-labelledby="rules">
                        {move || rules.get().into_iter().map(|rule| view! {
                            <li class="p-4">
                                {files_of(&rule)} " → " <span class="font-medium">{rule.storage.clone()}</span>
                            </li>
                        }).collect_view()}
                        <li class="p-4">
                            {move || if rules.read().is_empty() {
                                "There are no rules: every file stays where it is, and new ones go to "
                            } else {
                                "All other files stay; those in a storage above come back to "
                            }}
                            <span class="font-medium">{first}</span>
                        </li>
                    </ol>
                    <button type="button" class="btn btn-sm mt-3" on:click=move |_| editing.set(true)>
                        <Icon d=icon::PENCIL/>
                        "Change rules"
                    </button>
                }
            >
                <Editor
                    names=storages.get_untracked().into_iter().map(|storage| storage.name).collect()
                    rules=rules.get_untracked()
                    on_end=move |changed| {
                        editing.set(false);
                        if changed {
                            on_change.run(());
                        }
                    }
                />
            </Show>
        </Show>
    }
}

/// A rule while it is being written.
#[derive(Clone, Copy)]
struct Draft {
    id: usize,
    storage: RwSignal<String>,
    kind: RwSignal<String>,
    project: RwSignal<String>,
    alias: RwSignal<String>,
    is_unaliased: RwSignal<bool>,
    is_deprecated: RwSignal<bool>,
    older: RwSignal<String>,
    not_fetched: RwSignal<String>,
    min_mib: RwSignal<String>,
}

impl Draft {
    fn new(id: usize, storage: String) -> Self {
        let empty = || RwSignal::new(String::new());
        Self {
            id,
            storage: RwSignal::new(storage),
            kind: empty(),
            project: empty(),
            alias: empty(),
            is_unaliased: RwSignal::new(false),
            is_deprecated: RwSignal::new(false),
            older: empty(),
            not_fetched: empty(),
            min_mib: RwSignal::new("1".to_owned()),
        }
    }

    fn of(id: usize, rule: StorageRule) -> Self {
        let draft = Self::new(id, rule.storage);
        let kind = match rule.kind {
            Some(StoredKind::Version) => "VERSION",
            Some(StoredKind::Run) => "RUN",
            None => "",
        };
        let number = |number: Option<i32>| number.map(|n| n.to_string()).unwrap_or_default();
        draft.kind.set(kind.to_owned());
        draft.project.set(rule.project.map(|project| project.path).unwrap_or_default());
        draft.alias.set(rule.alias.unwrap_or_default());
        draft.is_unaliased.set(rule.is_unaliased);
        draft.is_deprecated.set(rule.is_deprecated);
        draft.older.set(number(rule.older_than_days));
        draft.not_fetched.set(number(rule.not_fetched_days));
        draft.min_mib.set((rule.min_size as f64 / MIB as f64).to_string());
        draft
    }

    /// As the server takes it. What is no number is one that it refuses.
    fn input(self) -> StorageRuleInput {
        let days = |text: RwSignal<String>| filled(&text.read()).map(|n| n.parse().unwrap_or(-1));
        let mib = filled(&self.min_mib.read()).map(|n| n.parse::<f64>().unwrap_or(-1.0));
        StorageRuleInput {
            storage: self.storage.get(),
            project: filled(&self.project.read()),
            kind: match &**self.kind.read() {
                "VERSION" => Some(StoredKind::Version),
                "RUN" => Some(StoredKind::Run),
                _ => None,
            },
            alias: filled(&self.alias.read()),
            is_unaliased: self.is_unaliased.get(),
            is_deprecated: self.is_deprecated.get(),
            older_than_days: days(self.older),
            not_fetched_days: days(self.not_fetched),
            min_size: Some(mib.map_or(0, |mib| (mib * MIB as f64) as i64)),
        }
    }
}

/// The form. It ends with whether the rules were changed.
#[component]
fn Editor(
    names: Vec<String>,
    rules: Vec<StorageRule>,
    #[prop(into)] on_end: Callback<bool>,
) -> impl IntoView {
    let toasts = expect_context::<Toasts>();
    let last = names.last().cloned().unwrap_or_default();
    let next_id = StoredValue::new(rules.len());
    let drafts: Vec<_> =
        rules.into_iter().enumerate().map(|(id, rule)| Draft::of(id, rule)).collect();
    let drafts = RwSignal::new(drafts);
    let inputs = Memo::new(move |_| -> Vec<StorageRuleInput> {
        drafts.read().iter().map(|draft| draft.input()).collect()
    });
    let submit = Submit::new();
    // What would be moved by which rules: only what was shown can be saved.
    let shown = RwSignal::new(None::<(Vec<StorageRuleInput>, StoragePreview)>);
    let preview = move || {
        let shown = shown.read();
        let (of, preview) = shown.as_ref()?;
        (*of == *inputs.read()).then(|| preview.clone())
    };
    let add = move |_| {
        let id = next_id.get_value();
        next_id.set_value(id + 1);
        drafts.update(|drafts| drafts.push(Draft::new(id, last.clone())));
    };
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let rules = inputs.get_untracked();
        if untrack(preview).is_none() {
            submit.run(placement::preview(rules.clone()), move |preview| {
                shown.set(Some((rules, preview)));
            });
        } else {
            submit.run(placement::set(rules), move |_| {
                toasts.success("Saved the rules. Files are moved within a day.");
                on_end.run(true);
            });
        }
    };
    view! {
        <form class="space-y-3" on:submit=send aria-labelledby="rules">
            <ol class="space-y-3">
                <For each=move || drafts.get() key=|draft| draft.id let(draft)>
                    <DraftLine draft drafts names=names.clone()/>
                </For>
            </ol>
            <button type="button" class="btn btn-sm" on:click=add>
                <Icon d=icon::PLUS/>
                "Add rule"
            </button>
            {move || submit.error.get().map(|error| view! { <Failed error on_retry=|()| {}/> })}
            <div aria-live="polite">
                {move || preview().map(|preview| view! { <Preview preview/> })}
            </div>
            <div class="flex flex-wrap gap-2">
                {move || {
                    let text = if preview().is_some() { "Save rules" } else { "Preview" };
                    view! { <SubmitButton text pending=submit.pending/> }
                }}
                <button type="button" class="btn" on:click=move |_| on_end.run(false)>"Cancel"</button>
            </div>
        </form>
    }
}

#[component]
fn Preview(preview: StoragePreview) -> impl IntoView {
    let StoragePreview { flows, is_complete } = preview;
    let is_empty = flows.is_empty();
    view! {
        <div class="panel p-4 text-sm">
            <p class="font-medium">"With these rules"</p>
            {is_empty.then_some("nothing is moved.")}
            <ul>
                {flows.into_iter().map(|flow| {
                    let files = format::plural(flow.file_count, "file", "files");
                    let size = format::bytes(flow.byte_count);
                    view! { <li>{format!("{files}, {size}, would be moved from {} to {}", flow.from, flow.to)}</li> }
                }).collect_view()}
            </ul>
            {(!is_complete).then(|| view! {
                <p class="text-muted">"There are too many files to count all of them here: at least so much would be moved."</p>
            })}
        </div>
    }
}

#[component]
fn DraftLine(draft: Draft, drafts: RwSignal<Vec<Draft>>, names: Vec<String>) -> impl IntoView {
    let number =
        move || drafts.read().iter().position(|other| other.id == draft.id).unwrap_or(0) + 1;
    let up = move |_| {
        drafts.update(|drafts| {
            let at = drafts.iter().position(|other| other.id == draft.id);
            if let Some(at) = at.filter(|at| *at > 0) {
                drafts.swap(at - 1, at);
            }
        });
    };
    let remove = move |_| drafts.update(|drafts| drafts.retain(|other| other.id != draft.id));
    let names = names.into_iter().map(|name| (name.clone(), name)).collect();
    let kinds = [("", "versions and runs"), ("VERSION", "versions"), ("RUN", "runs")];
    let kinds = kinds.map(|(value, text)| (value.to_owned(), text.to_owned())).to_vec();
    view! {
        <li class="panel space-y-3 p-4">
            <fieldset>
                <legend class="float-left font-medium">{move || format!("Rule {}", number())}</legend>
                <div class="flex justify-end gap-1">
                    <button
                        type="button" class="btn btn-ghost btn-sm btn-square" on:click=up
                        aria-label=move || format!("Move rule {} up", number())
                        disabled=move || number() == 1
                    >
                        <Icon d=icon::ARROW_UP/>
                    </button>
                    <button
                        type="button" class="btn btn-ghost btn-sm btn-square" on:click=remove
                        aria-label=move || format!("Remove rule {}", number())
                    >
                        <Icon d=icon::TRASH/>
                    </button>
                </div>
                <div class="grid gap-3 sm:grid-cols-2 xl:grid-cols-4">
                    <Choice label="Files of" value=draft.kind options=kinds/>
                    <Text label="In the project" value=draft.project placeholder="all projects"/>
                    <Text label="With the alias or stage" value=draft.alias placeholder="any or none"/>
                    <Text label="Of at least (MiB)" value=draft.min_mib numeric=true/>
                    <Text label="Uploaded at least (days ago)" value=draft.older numeric=true/>
                    <Text label="Not fetched for (days)" value=draft.not_fetched numeric=true/>
                    <div class="space-y-2 self-end pb-2">
                        <CheckField label="Without an alias" value=draft.is_unaliased/>
                        <CheckField label="Deprecated or yanked" value=draft.is_deprecated/>
                    </div>
                    <Choice label="Belong in" value=draft.storage options=names/>
                </div>
            </fieldset>
        </li>
    }
}

#[component]
fn Text(
    label: &'static str,
    value: RwSignal<String>,
    #[prop(optional)] placeholder: &'static str,
    #[prop(optional)] numeric: bool,
) -> impl IntoView {
    view! {
        <label class="block space-y-1.5 text-sm">
            <span class="font-medium">{label}</span>
            <input
                class="input w-full" type="text" autocomplete="off" autocapitalize="off" spellcheck="false"
                inputmode=if numeric { "decimal" } else { "text" }
                placeholder=placeholder
                prop:value=move || value.get()
                on:input:target=move |event| value.set(event.target().value())
            />
        </label>
    }
}

#[component]
fn Choice(
    label: &'static str,
    value: RwSignal<String>,
    /// Value and text.
    options: Vec<(String, String)>,
) -> impl IntoView {
    view! {
        <label class="block space-y-1.5 text-sm">
            <span class="font-medium">{label}</span>
            <select
                class="select w-full"
                prop:value=move || value.get()
                on:change:target=move |event| value.set(event.target().value())
            >
                {options.into_iter().map(|(option, text)| {
                    let chosen = option.clone();
                    view! {
                        <option value=option selected=move || *value.read() == chosen>{text}</option>
                    }
                }).collect_view()}
            </select>
        </label>
    }
}
