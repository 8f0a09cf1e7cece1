//! Aliases: set, move, remove, and the history of every move with the way back.

use leptos::prelude::*;

use crate::{
    components::{
        badge::AliasChip,
        dialog::Dialog,
        failed::FormError,
        field::{SubmitButton, TextField},
        form::Submit,
        icon::{self, Icon},
        menu::Menu,
        person::Person,
        time::Time,
        toast::{Toasts, use_toasts},
    },
    graphql::{
        alias::{self, AliasDetail, AliasMove, DeleteAliasInput, SetAliasInput},
        model::OwningProject,
        scalar::Role,
        viewer::Author,
    },
    logic::{address, check, error::ApiError},
    parts::tags::report,
};

/// The aliases of a model; where `version` is given, those that name it, and a way to add one.
#[component]
pub fn Aliases(
    #[prop(into)] model: Signal<String>,
    /// All of the model.
    #[prop(into)]
    aliases: Signal<Vec<AliasDetail>>,
    #[prop(optional, into)] version: MaybeProp<String>,
    /// Of the model: what the viewer may do in it.
    #[prop(into)]
    project: Signal<OwningProject>,
    /// Whether no other alias may come to name the version: it is yanked.
    #[prop(optional, into)]
    closed: Signal<bool>,
    #[prop(into)] on_change: Callback<()>,
) -> impl IntoView {
    let adding = RwSignal::new(false);
    // What is typed stays where something else changes.
    let version = Memo::new(move |_| version.get());
    let edits = Memo::new(move |_| project.read().allows(Role::Developer));
    let maintains = Memo::new(move |_| project.read().allows(Role::Maintainer));
    let movable = move |alias: &AliasDetail| maintains.get() || (edits.get() && !alias.protected);
    let shown = move || {
        let mut shown = aliases.get();
        if let Some(version) = version.get() {
            shown.retain(|alias| alias.version.version == version);
        }
        shown
    };
    // Not of a line: it is made anew when the alias moves, which may be heard of before the answer comes.
    let (removal, rollback) = (Submit::new(), Submit::new());
    report(removal);
    let can_add = move || version.get().is_some();
    let aliases_to_move =
        Signal::derive(move || aliases.get().into_iter().filter(movable).collect::<Vec<_>>());
    view! {
        <div class="space-y-3">
            <ul class="space-y-1" aria-label="Aliases">
                <For
                    each=shown
                    key=move |alias| {
                        let version = alias.version.version.clone();
                        (alias.name.clone(), version, alias.history.len(), alias.protected, movable(alias))
                    }
                    let:alias
                >
                    <AliasLine movable=movable(&alias) alias model on_change removal rollback linked=!can_add()/>
                </For>
            </ul>
            <Show when=move || shown().is_empty() && !adding.get()>
                <p class="text-sm text-muted">
                    {if can_add() { "No aliases point to this version." } else { "No aliases." }}
                </p>
            </Show>
            {move || version.get().filter(|_| edits.get() && !closed.get()).map(|version| if adding.get() {
                view! { <AddAlias model aliases=aliases_to_move version on_change adding/> }.into_any()
            } else {
                view! {
                    <button type="button" class="btn btn-sm" on:click=move |_| adding.set(true)>
                        <Icon d=icon::PLUS/>
                        "Add or move alias"
                    </button>
                }
                .into_any()
            })}
        </div>
    }
}

#[component]
fn AliasLine(
    alias: AliasDetail,
    /// Whether the viewer may move and remove it.
    movable: bool,
    model: Signal<String>,
    on_change: Callback<()>,
    removal: Submit,
    rollback: Submit,
    linked: bool,
) -> impl IntoView {
    let toasts = use_toasts();
    let history = RwSignal::new(false);
    let AliasDetail { name, version, history: moves, protected, .. } = alias;
    let version = version.version;
    let href = linked.then(|| address::version(&model.read_untracked(), &version));
    let shown_version = linked.then(|| version.clone());
    let remove = {
        let name = name.clone();
        move |_| {
            let (model, version, name) = (model.get_untracked(), version.clone(), name.clone());
            let input = DeleteAliasInput { model: model.clone(), name: name.clone() };
            removal.run(alias::delete(input), move |_| {
                let text = format!("Alias “{name}” removed.");
                toasts.undoable(text, put_back(toasts, on_change, model, name, Some(version)));
                on_change.run(());
            });
        }
    };
    let show_history = move |_| {
        // What was refused of another alias.
        rollback.error.set(None);
        history.set(true);
    };
    let title = format!("History of “{name}”");
    let dialog_name = name.clone();
    let moves = StoredValue::new(moves);
    view! {
        <li class="flex items-center justify-between gap-2">
            <AliasChip
                name=name.clone()
                href=href.unwrap_or_default()
                version=shown_version.unwrap_or_default()
                protected
            />
            <Menu
                label=format!("Actions for {name}")
                class="btn btn-ghost btn-xs btn-square"
                button=|| view! { <Icon d=icon::MORE/> }
            >
                <li>
                    <button type="button" on:click=show_history>
                        <Icon d=icon::HISTORY/>"History"
                    </button>
                </li>
                {movable.then(|| view! {
                    <li>
                        <button type="button" on:click=remove.clone()>
                            <Icon d=icon::TRASH/>"Remove"
                        </button>
                    </li>
                })}
            </Menu>
            <Dialog open=history title>
                <History name=dialog_name.clone() moves=moves.get_value() movable model on_change submit=rollback open=history/>
            </Dialog>
        </li>
    }
}

/// What is asked about aliases where there is no panel of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// How an alias moved, by its name.
    History(String),
    /// Which alias is to name a version.
    Move(String),
}

/// Answers it in a dialog: the history with the way back, or a form.
#[component]
pub fn AliasDialog(
    asked: RwSignal<Option<Asked>>,
    #[prop(into)] model: Signal<String>,
    /// All of the model.
    #[prop(into)]
    aliases: Signal<Vec<AliasDetail>>,
    /// Whether the viewer may move one that is protected or not.
    movable: Callback<bool, bool>,
    #[prop(into)] on_change: Callback<()>,
) -> impl IntoView {
    let (open, submit) = (RwSignal::new(false), Submit::new());
    Effect::new(move |_| open.set(asked.read().is_some()));
    Effect::new(move |_| {
        if !open.get() && asked.read_untracked().is_some() {
            asked.set(None);
        }
    });
    let title = move || match asked.get() {
        Some(Asked::History(name)) => format!("History of “{name}”"),
        Some(Asked::Move(version)) => format!("Add or move alias to {version}"),
        None => String::new(),
    };
    let aliases_to_move = Signal::derive(move || {
        let mut aliases = aliases.get();
        aliases.retain(|alias| movable.run(alias.protected));
        aliases
    });
    let content = move || match asked.get() {
        Some(Asked::History(name)) => {
            let found = aliases.get_untracked().into_iter().find(|alias| alias.name == name);
            found.map(|AliasDetail { history: moves, protected, .. }| {
                view! { <History name moves movable=movable.run(protected) model on_change submit open/> }
                    .into_any()
            })
        }
        Some(Asked::Move(version)) => Some(
            view! { <AddAlias model aliases=aliases_to_move version on_change adding=open/> }
                .into_any(),
        ),
        None => None,
    };
    view! { <Dialog open title=Signal::derive(title)>{content}</Dialog> }
}

/// Every move, latest first, with a way back to each version for who may move it.
#[component]
fn History(
    name: String,
    moves: Vec<AliasMove>,
    movable: bool,
    model: Signal<String>,
    on_change: Callback<()>,
    submit: Submit,
    open: RwSignal<bool>,
) -> impl IntoView {
    let toasts = use_toasts();
    let now = moves.first().and_then(|latest| latest.reference.clone());
    let line = move |(index, step): (usize, AliasMove)| {
        let person = step.by.map(|Author { name, username }| (name, username));
        let what = match &step.reference {
            Some(version) => {
                view! { "moved to " <span class="font-mono">{version.clone()}</span> }.into_any()
            }
            None => view! { "removed" }.into_any(),
        };
        let elsewhere = |version: &String| movable && index > 0 && now.as_ref() != Some(version);
        let back = step.reference.filter(elsewhere).map(|version| {
            let (name, now) = (name.clone(), now.clone());
            let label = format!("Roll back to {version}");
            let on_click = move |_| {
                let (model, name, now) = (model.get_untracked(), name.clone(), now.clone());
                let input = SetAliasInput {
                    model: model.clone(),
                    name: name.clone(),
                    version: version.clone(),
                };
                submit.run(alias::set(input), move |alias| {
                    // It may be gone with the line that it was of.
                    open.try_set(false);
                    let text = format!("{name} moved back to {}.", alias.version.version);
                    toasts.undoable(text, put_back(toasts, on_change, model, name, now));
                    on_change.run(());
                });
            };
            view! {
                <button type="button" class="btn btn-xs" disabled=submit.pending on:click=on_click>
                    {label}
                </button>
            }
        });
        view! {
            <li class="flex items-center justify-between gap-3 py-2 text-sm">
                <p>
                    {what}
                    <span class="block text-muted">
                        <Person person/> ", " <Time at=step.at.0/>
                    </span>
                </p>
                {back}
            </li>
        }
    };
    view! {
        <ol class="divide-y divide-base-300">{moves.into_iter().enumerate().map(line).collect_view()}</ol>
        <FormError error=submit.error/>
    }
}

/// Takes a move back: to the version of before, or to no version.
fn put_back(
    toasts: Toasts,
    on_change: Callback<()>,
    model: String,
    name: String,
    before: Option<String>,
) -> impl Fn() + Send + Sync + 'static {
    move || {
        let (model, name, before) = (model.clone(), name.clone(), before.clone());
        leptos::task::spawn_local(async move {
            let done: Result<(), ApiError> = match before {
                Some(version) => alias::set(SetAliasInput { model, name, version }).await.map(drop),
                None => alias::delete(DeleteAliasInput { model, name }).await.map(drop),
            };
            match done {
                // The page may be gone by now; the next one loads anew.
                Ok(()) => drop(on_change.try_run(())),
                Err(error) => toasts.failure(&error),
            }
        });
    }
}

#[component]
fn AddAlias(
    model: Signal<String>,
    aliases: Signal<Vec<AliasDetail>>,
    version: String,
    on_change: Callback<()>,
    adding: RwSignal<bool>,
) -> impl IntoView {
    let toasts = use_toasts();
    let name = RwSignal::new(String::new());
    let submit = Submit::new();
    let version = StoredValue::new(version);
    let before = move || {
        let name = name.read();
        aliases
            .read()
            .iter()
            .find(|alias| alias.name == name.trim())
            .map(|alias| alias.version.version.clone())
    };
    let others = move || {
        aliases
            .get()
            .into_iter()
            .filter(|alias| alias.version.version != *version.read_value())
            .collect::<Vec<_>>()
    };
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (model, name, before) =
            (model.get_untracked(), name.get_untracked().trim().to_owned(), untrack(before));
        let input = SetAliasInput {
            model: model.clone(),
            name: name.clone(),
            version: version.get_value(),
        };
        submit.run(alias::set(input), move |alias| {
            adding.set(false);
            let text = format!("{name} now points to {}.", alias.version.version);
            toasts.undoable(text, put_back(toasts, on_change, model, name, before));
            on_change.run(());
        });
    };
    let blocked = Signal::derive(move || {
        name.read().trim().is_empty() || check::alias(name.read().trim()).is_some()
    });
    view! {
        <form class="space-y-2" on:submit=send>
            <TextField
                id="alias-name" label="Alias" value=name required=true autofocus=true
                check=check::alias refused=submit.field("name") placeholder="champion"
            />
            <p class="text-sm text-muted" role="status">
                {move || before().map(|before| format!("This moves {} here from {before}.", name.read().trim()))}
            </p>
            <div class="flex flex-wrap gap-1.5">
                {move || others()
                    .into_iter()
                    .map(|alias| {
                        let chosen = alias.name.clone();
                        view! {
                            <button type="button" class="btn btn-xs" on:click=move |_| name.set(chosen.clone())>
                                {alias.name}
                            </button>
                        }
                    })
                    .collect_view()}
            </div>
            <FormError error=submit.general(&["name"])/>
            <div class="flex gap-2">
                <SubmitButton text="Save" pending=submit.pending disabled=blocked/>
                <button type="button" class="btn" on:click=move |_| adding.set(false)>"Cancel"</button>
            </div>
        </form>
    }
}
