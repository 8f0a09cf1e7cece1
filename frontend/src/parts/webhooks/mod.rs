//! Webhooks of a project or of the registry: make one, see its secret once, test, change and delete it, and read what it was sent.

mod deliveries;
mod form;
mod line;

use leptos::prelude::*;

use crate::{
    components::{
        copy::CopyButton,
        dialog::Dialog,
        empty::Empty,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        skeleton::SkeletonRows,
    },
    graphql::webhook::{self, Webhook},
};
use form::WebhookForm;
use line::WebhookLine;

/// The webhooks of a project; of the registry if there is none.
#[component]
pub fn Webhooks(project: Signal<Option<String>>) -> impl IntoView {
    let hooks = Load::new(move || webhook::list_of(project.get()));
    let secret = RwSignal::new(None::<String>);
    let creating = RwSignal::new(false);
    let changed = Callback::new(move |()| hooks.refetch());
    let end = Callback::new(move |made: Option<String>| {
        creating.set(false);
        if made.is_some() {
            secret.set(made);
        }
        hooks.refetch();
    });
    view! {
        <div class="space-y-4">
            <button type="button" class="btn btn-primary" on:click=move |_| creating.set(true)>
                <Icon d=icon::PLUS/>
                "New webhook"
            </button>
            {move || secret.get().map(|secret| view! { <Secret secret/> })}
            <Loaded from=hooks fallback=|| view! { <SkeletonRows rows=2/> } let:list>
                <List list secret on_change=changed/>
            </Loaded>
        </div>
        <Dialog open=creating title="New webhook" wide=true>
            <WebhookForm project on_end=end/>
        </Dialog>
    }
}

#[component]
fn List(
    list: Memo<Vec<Webhook>>,
    secret: RwSignal<Option<String>>,
    on_change: Callback<()>,
) -> impl IntoView {
    view! {
        <Show
            when=move || !list.read().is_empty()
            fallback=|| view! {
                <Empty d=icon::SEND title="No webhooks yet">
                    <p>"Create one to start a job when an alias moves, or to tell a chat of new versions."</p>
                </Empty>
            }
        >
            <ul class="panel divide-y divide-base-300" aria-label="Webhooks">
                <For each=move || list.get() key=|hook| format!("{hook:?}") let:hook>
                    <WebhookLine hook secret on_change/>
                </For>
            </ul>
        </Show>
    }
}

/// The one time a secret is shown.
#[component]
fn Secret(secret: String) -> impl IntoView {
    view! {
        <section class="panel border-success/60 p-5" role="status">
            <h3 class="flex items-center gap-2 font-semibold">
                <span class="text-success"><Icon d=icon::SUCCESS class="size-5 shrink-0"/></span>
                "Copy the secret now"
            </h3>
            <p class="mt-1 max-w-prose text-sm text-muted">
                "You won't see this secret again. With it, the receiver checks that a message is from this registry, as Standard Webhooks "
                "and MLflow do."
            </p>
            <div class="mt-3 flex items-center gap-2 rounded-field bg-base-200 p-2 pl-3">
                <code class="min-w-0 grow break-all text-sm" data-testid="webhook-secret">{secret.clone()}</code>
                <CopyButton text=Signal::stored(secret) label="Copy the secret" class="btn btn-sm btn-square"/>
            </div>
        </section>
    }
}
