//! The support of a version: what its page says of one that is deprecated or yanked, and how that is changed.

use leptos::{prelude::*, task::spawn_local};

use crate::{
    components::{
        dialog::Dialog,
        failed::FormError,
        field::{SubmitButton, TextField},
        form::{Submit, filled},
        icon::{self, Icon},
        loaded::Load,
        time::Time,
        toast::{Toasts, use_toasts},
    },
    graphql::{
        scalar::{VersionState, VersionSupport},
        support::{self, Support},
        version::{self, VersionPageData},
    },
    logic::{address, check},
    parts::tags::report,
};

/// What whoever comes to a version that is deprecated or yanked reads first; nothing of another one.
#[component]
pub fn SupportBanner(data: Memo<VersionPageData>) -> impl IntoView {
    move || {
        let VersionPageData { model, version, .. } = data.get();
        let (state, meaning, class, tint) = match version.support {
            VersionSupport::Active => return None,
            VersionSupport::Deprecated => (
                "Deprecated",
                "This version is deprecated. It still works, but use another version instead.",
                "alert alert-warning alert-soft mb-6 text-base-content",
                "text-warning",
            ),
            VersionSupport::Yanked => (
                "Yanked",
                "This version is yanked and should not be used. Latest, ranges and lists skip this version.",
                "alert alert-error alert-soft mb-6 text-base-content",
                "text-error",
            ),
        };
        let successor = version.successor.map(|successor| {
            let href = address::version(&model, &successor);
            view! { "Use " <a class="link font-mono" href=href>{successor}</a> " instead. " }
        });
        let since = version.support_since.map(|at| view! { {state} " " <Time at=at.0/> "." });
        Some(view! {
            <div class=class role="note" aria-label=state>
                <span class=tint><Icon d=icon::WARNING class="size-5 shrink-0"/></span>
                <div class="min-w-0 space-y-1 wrap-anywhere">
                    <p class="font-semibold">{meaning}</p>
                    {version.support_reason.map(|reason| view! { <p>"Reason: " {reason}</p> })}
                    <p>{successor} {since}</p>
                </div>
            </div>
        })
    }
}

/// What can be done about the support of a version: items of its menu, and the dialogs that they open.
#[derive(Clone, Copy)]
pub struct SupportActions {
    data: Memo<VersionPageData>,
    on_change: Callback<()>,
    toasts: Toasts,
    deprecating: RwSignal<bool>,
    yanking: RwSignal<bool>,
    /// Outlives the menu, which closes on a choice.
    reactivation: Submit,
}

impl SupportActions {
    pub fn new(data: Memo<VersionPageData>, on_change: Callback<()>) -> Self {
        let reactivation = Submit::new();
        report(reactivation);
        let (deprecating, yanking) = (RwSignal::new(false), RwSignal::new(false));
        Self { data, on_change, toasts: use_toasts(), deprecating, yanking, reactivation }
    }

    fn send(self, submit: Submit, to: Support, then: impl FnOnce() + 'static) {
        let (model, version, before) = self.data.with_untracked(|data| {
            (data.model.clone(), data.version.version.clone(), data.version.support())
        });
        let state = to.state;
        submit.run(support::set(model.clone(), version, to), move |changed| {
            let version = changed.version;
            let text = match state {
                VersionSupport::Active => format!("{version} is active again."),
                VersionSupport::Deprecated => format!("{version} is deprecated."),
                VersionSupport::Yanked => format!("{version} is yanked."),
            };
            self.toasts.undoable(text, self.put_back(model, version, before));
            then();
            self.on_change.run(());
        });
    }

    fn put_back(
        self,
        model: String,
        version: String,
        before: Support,
    ) -> impl Fn() + Send + Sync + 'static {
        let Self { toasts, on_change, .. } = self;
        move || {
            let (model, version, before) = (model.clone(), version.clone(), before.clone());
            spawn_local(async move {
                match support::set(model, version, before).await {
                    // The page may be gone by now; the next one loads anew.
                    Ok(_) => drop(on_change.try_run(())),
                    Err(error) => toasts.failure(&error),
                }
            });
        }
    }

    fn use_again(self) {
        let to = Support { state: VersionSupport::Active, reason: None, successor: None };
        self.send(self.reactivation, to, || {});
    }
}

/// In the menu of a version. A draft is used by nobody yet.
#[component]
pub fn SupportItems(actions: SupportActions) -> impl IntoView {
    let SupportActions { data, deprecating, yanking, .. } = actions;
    let state = Memo::new(move |_| {
        let version = &data.read().version;
        (version.state == VersionState::Published).then_some(version.support)
    });
    let is_passed_over = move || state.get().is_some_and(|state| state != VersionSupport::Active);
    view! {
        <Show when=is_passed_over>
            <li>
                <button type="button" on:click=move |_| actions.use_again()>
                    <Icon d=icon::RESTORE/>"Reactivate"
                </button>
            </li>
        </Show>
        <Show when=move || state.get().is_some()>
            <li>
                <button type="button" on:click=move |_| deprecating.set(true)>
                    <Icon d=icon::INFO/>"Deprecate…"
                </button>
            </li>
            <li>
                <button type="button" on:click=move |_| yanking.set(true)>
                    <Icon d=icon::WARNING/>"Yank…"
                </button>
            </li>
        </Show>
    }
}

/// Beside the menu.
#[component]
pub fn SupportDialogs(actions: SupportActions) -> impl IntoView {
    let SupportActions { data, deprecating, yanking, .. } = actions;
    let title =
        move |verb| Signal::derive(move || format!("{verb} {}", data.read().version.version));
    view! {
        <Dialog open=deprecating title=title("Deprecate")>
            <SupportForm actions to=VersionSupport::Deprecated open=deprecating/>
        </Dialog>
        <Dialog open=yanking title=title("Yank")>
            <SupportForm actions to=VersionSupport::Yanked open=yanking/>
        </Dialog>
    }
}

/// Begins with what is said already: a reason can be written anew.
#[component]
fn SupportForm(actions: SupportActions, to: VersionSupport, open: RwSignal<bool>) -> impl IntoView {
    let (model, this, before) = actions.data.with_untracked(|data| {
        (data.model.clone(), data.version.version.clone(), data.version.support())
    });
    let reason = RwSignal::new(before.reason.unwrap_or_default());
    let successor = RwSignal::new(before.successor.unwrap_or_default());
    let offered = Load::new(move || version::offered(model.clone()));
    let suggestions = Signal::derive(move || {
        offered.with(|offered| match offered {
            Some(Ok(offered)) => {
                let others = offered.iter().filter(|other| **other != this);
                others.map(|other| (other.clone(), String::new())).collect()
            }
            // Without suggestions the field works as well.
            _ => Vec::new(),
        })
    });
    let yanks = to == VersionSupport::Yanked;
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (reason, successor) =
            (filled(&reason.read_untracked()), filled(&successor.read_untracked()));
        actions.send(submit, Support { state: to, reason, successor }, move || open.set(false));
    };
    let blocked = Signal::derive(move || {
        check::reason(&reason.read()).is_some() || (yanks && filled(&reason.read()).is_none())
    });
    let (meaning, action) = if yanks {
        let meaning = "Latest, ranges and lists will skip this version, and no alias can be pointed to it. Anyone who asks for exactly \
                       this version, or uses an existing alias, still gets it, with the reason. You can undo this.";
        (meaning, "Yank version")
    } else {
        let meaning =
            "The version keeps working. Its users are told to use another version instead.";
        (meaning, "Deprecate version")
    };
    view! {
        <form class="space-y-5" on:submit=send>
            <p class="text-sm text-muted">{meaning}</p>
            <TextField
                id="reason" label="Reason" value=reason required=yanks autofocus=true
                check=check::reason refused=submit.field("reason")
                hint="Shown to everyone who uses this version."
            />
            <TextField
                id="successor" label="Use instead" value=successor mono=true suggestions
                refused=submit.field("successor") placeholder="1.2.1"
            />
            <FormError error=submit.general(&["reason", "successor"])/>
            <div class="modal-action">
                <button type="button" class="btn" on:click=move |_| open.set(false)>"Cancel"</button>
                <SubmitButton text=action pending=submit.pending disabled=blocked danger=yanks/>
            </div>
        </form>
    }
}
