//! A webhook in its list: what it is told of, how it is, and what can be done with it.

use leptos::prelude::*;

use super::{deliveries::DeliveryList, form::WebhookForm};
use crate::{
    components::{
        badge::{AlarmBadge, Badge},
        confirm::Confirm,
        dialog::Dialog,
        form::Submit,
        icon::{self, Icon},
        menu::Menu,
        toast::use_toasts,
    },
    graphql::webhook::{
        self, DeleteWebhookInput, RotateWebhookSecretInput, TestWebhookInput, UpdateWebhookInput,
        Webhook, WebhookAttempt, WebhookFormat, WebhookState,
    },
    logic::error::{ApiError, Code},
    parts::tags::report,
};

/// What a format is called.
pub fn format_name(format: WebhookFormat) -> &'static str {
    match format {
        WebhookFormat::Standard => "Standard Webhooks",
        WebhookFormat::Mlflow => "MLflow",
        WebhookFormat::Cloudevents => "CloudEvents",
        WebhookFormat::Text => "Text for a chat",
    }
}

/// An attempt in words: `200 in 12 ms`.
pub fn outcome(attempt: &WebhookAttempt) -> String {
    match (attempt.status, &attempt.error) {
        (Some(status), _) => format!("answered {status} in {} ms", attempt.milliseconds),
        (None, error) => error.clone().unwrap_or_default(),
    }
}

/// What narrows a webhook down, in words; nothing if it is told of all.
fn narrowed(hook: &Webhook) -> String {
    let only = |what: &str, list: &[String]| {
        (!list.is_empty()).then(|| format!(" · only {what} {}", list.join(", ")))
    };
    let parts = [
        only("models", &hook.models),
        only("aliases", &hook.aliases),
        hook.releases_only.then(|| " · only releases".to_owned()),
    ];
    parts.into_iter().flatten().collect()
}

/// What is open of a webhook.
#[derive(Clone, Copy)]
struct Open {
    editing: RwSignal<bool>,
    deleting: RwSignal<bool>,
    reading: RwSignal<bool>,
}

#[component]
pub fn WebhookLine(
    hook: Webhook,
    secret: RwSignal<Option<String>>,
    on_change: Callback<()>,
) -> impl IntoView {
    let closed = || RwSignal::new(false);
    let open = Open { editing: closed(), deleting: closed(), reading: closed() };
    let submit = Submit::new();
    report(submit);
    let state = match hook.state {
        WebhookState::Active => view! { <Badge text="Active"/> }.into_any(),
        WebhookState::BackingOff => view! { <AlarmBadge text="Backing off"/> }.into_any(),
        WebhookState::Disabled => view! { <AlarmBadge text="Disabled"/> }.into_any(),
    };
    let about = format!("{}{}", hook.events.join(", "), narrowed(&hook));
    view! {
        <li class="flex flex-wrap items-center justify-between gap-x-4 gap-y-3 p-4">
            <div class="min-w-0 grow basis-72 space-y-0.5">
                <p class="flex flex-wrap items-center gap-2">
                    <span class="break-words font-medium">{hook.name.clone()}</span>
                    {state}
                    <Badge text=format_name(hook.format)/>
                </p>
                <p class="break-all font-mono text-sm">{hook.url.clone()}</p>
                <p class="break-words text-sm text-muted">{about}</p>
                {hook.state_reason.clone().map(|reason| view! { <p class="text-sm">{reason}</p> })}
            </div>
            <Actions hook=hook.clone() open submit secret on_change/>
            <Dialogs hook open submit on_change/>
        </li>
    }
}

/// What can be done with a webhook.
#[component]
fn Actions(
    hook: Webhook,
    open: Open,
    submit: Submit,
    secret: RwSignal<Option<String>>,
    on_change: Callback<()>,
) -> impl IntoView {
    let toasts = use_toasts();
    let (id, name) = (StoredValue::new(hook.id), StoredValue::new(hook.name));
    let enabled = hook.state != WebhookState::Disabled;
    let test = move |_| {
        submit.run(webhook::test(TestWebhookInput { id: id.get_value() }), move |attempt| {
            let told = format!("Test of “{}”: {}", name.get_value(), outcome(&attempt));
            if attempt.status.is_some_and(|status| (200..300).contains(&status)) {
                toasts.success(told);
            } else {
                toasts.failure(&ApiError::new(Code::Conflict, told));
            }
        });
    };
    let enable = move |_| {
        let input = UpdateWebhookInput::enable(id.get_value(), !enabled);
        submit.run(webhook::update(input), move |_| on_change.run(()));
    };
    let rotate = move |_| {
        let input = RotateWebhookSecretInput { id: id.get_value() };
        submit.run(webhook::rotate(input), move |new| {
            secret.set(Some(new));
            toasts.success("Messages are signed with the former secret, too, for 24 hours.");
        });
    };
    view! {
        <div class="flex items-center gap-2">
            <button type="button" class="btn btn-sm" on:click=move |_| open.reading.set(true)>"Deliveries"</button>
            <button type="button" class="btn btn-sm" disabled=move || submit.pending.get() on:click=test>
                "Send test"
            </button>
            <Menu
                label=Signal::derive(move || format!("More for {}", name.get_value()))
                class="btn btn-sm btn-square"
                button=|| view! { <Icon d=icon::MORE/> }
            >
                <li><button type="button" on:click=move |_| open.editing.set(true)><Icon d=icon::PENCIL/>"Edit"</button></li>
                <li>
                    <button type="button" on:click=enable>
                        <Icon d=if enabled { icon::PAUSE } else { icon::PLAY }/>
                        {if enabled { "Disable" } else { "Enable" }}
                    </button>
                </li>
                <li><button type="button" on:click=rotate><Icon d=icon::KEY/>"New secret"</button></li>
                <li><button type="button" on:click=move |_| open.deleting.set(true)><Icon d=icon::TRASH/>"Delete"</button></li>
            </Menu>
        </div>
    }
}

/// What opens over the page.
#[component]
fn Dialogs(hook: Webhook, open: Open, submit: Submit, on_change: Callback<()>) -> impl IntoView {
    let toasts = use_toasts();
    let kept = StoredValue::new(hook);
    let name = move || kept.with_value(|hook| hook.name.clone());
    let delete = move |()| {
        let input = DeleteWebhookInput { id: kept.with_value(|hook| hook.id.clone()) };
        submit.run(webhook::delete(input), move |hook| {
            open.deleting.set(false);
            toasts.success(format!("Webhook “{}” deleted.", hook.name));
            on_change.run(());
        });
    };
    let edited = Callback::new(move |_: Option<String>| {
        open.editing.set(false);
        on_change.run(());
    });
    view! {
        <Dialog open=open.editing title=Signal::derive(move || format!("Edit “{}”", name())) wide=true>
            <WebhookForm project=Signal::stored(None) hook=kept.get_value() on_end=edited/>
        </Dialog>
        <Dialog open=open.reading title=Signal::derive(move || format!("Deliveries of “{}”", name())) wide=true>
            <DeliveryList id=kept.with_value(|hook| hook.id.clone())/>
        </Dialog>
        <Confirm
            open=open.deleting
            title=Signal::derive(move || format!("Delete “{}”?", name()))
            action="Delete webhook"
            danger=true
            pending=submit.pending
            on_confirm=delete
        >
            <p>"Its receiver is told nothing more, and what waits to be sent is not. This can't be undone."</p>
        </Confirm>
    }
}
