//! What a webhook was sent: each delivery with its body and its attempts, and the button that sends it again.

use leptos::prelude::*;

use super::line::outcome;
use crate::{
    components::{
        badge::{AlarmBadge, Badge},
        form::Submit,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        skeleton::SkeletonRows,
        time::{Time, Until},
        toast::use_toasts,
    },
    graphql::{
        scalar::DateTime,
        webhook::{self, Deliveries, Delivery, RedeliverWebhookInput, WebhookDeliveryState},
    },
    logic::format,
    parts::tags::report,
};

/// Older ones are not kept.
const EVER: &str = "2000-01-01T00:00:00Z";

#[component]
pub fn DeliveryList(id: cynic::Id) -> impl IntoView {
    let id = StoredValue::new(id);
    let deliveries = Load::new(move || webhook::deliveries(id.get_value()));
    let toasts = use_toasts();
    let submit = Submit::new();
    report(submit);
    let again = Callback::new(move |delivery: Option<cynic::Id>| {
        let failed_since = delivery.is_none().then(|| DateTime(EVER.to_owned()));
        let input = RedeliverWebhookInput { id: id.get_value(), delivery, failed_since };
        submit.run(webhook::redeliver(input), move |count| {
            let count = format::plural(count.into(), "message is", "messages are");
            toasts.success(format!("{count} sent again."));
            deliveries.refetch();
        });
    });
    view! {
        <div class="mb-3 flex flex-wrap gap-2">
            <button type="button" class="btn btn-sm" on:click=move |_| deliveries.refetch()>
                <Icon d=icon::REFRESH/>
                "Refresh"
            </button>
            <button
                type="button" class="btn btn-sm" disabled=move || submit.pending.get()
                on:click=move |_| again.run(None)
            >
                "Send all failed again"
            </button>
        </div>
        <Loaded from=deliveries fallback=|| view! { <SkeletonRows rows=3/> } let:page>
            <Lines page again/>
        </Loaded>
    }
}

#[component]
fn Lines(page: Memo<Deliveries>, again: Callback<Option<cynic::Id>>) -> impl IntoView {
    let shown = move || {
        let page = page.read();
        let (shown, all) = (page.nodes.len(), page.total_count);
        match usize::try_from(all).is_ok_and(|all| all > shown) {
            true => format!("The last {shown} of {all} deliveries."),
            false => String::new(),
        }
    };
    view! {
        <Show
            when=move || !page.read().nodes.is_empty()
            fallback=|| view! { <p class="text-sm text-muted">"Nothing was sent yet."</p> }
        >
            <ul class="divide-y divide-base-300" aria-label="Deliveries">
                <For each=move || page.get().nodes key=|delivery| format!("{delivery:?}") let:delivery>
                    <Line delivery again/>
                </For>
            </ul>
            <p class="mt-3 text-sm text-muted">{shown}</p>
        </Show>
    }
}

#[component]
fn Line(delivery: Delivery, again: Callback<Option<cynic::Id>>) -> impl IntoView {
    let Delivery { id, event, created_at, state, body, due_at, attempts } = delivery;
    let is_test = event == "webhook.test";
    let badge = match state {
        WebhookDeliveryState::Pending => view! { <Badge text="Pending"/> }.into_any(),
        WebhookDeliveryState::Delivered => view! { <Badge text="Delivered"/> }.into_any(),
        WebhookDeliveryState::Failed => view! { <AlarmBadge text="Failed"/> }.into_any(),
        WebhookDeliveryState::Dropped => view! { <AlarmBadge text="Dropped"/> }.into_any(),
    };
    let can_repeat = state != WebhookDeliveryState::Pending && !is_test;
    let last = attempts.last().map(outcome).unwrap_or_default();
    view! {
        <li class="py-2">
            <details>
                <summary class="flex cursor-pointer flex-wrap items-center gap-x-3 gap-y-1 text-sm">
                    {badge}
                    <span class="font-mono">{event}</span>
                    <span class="text-muted"><Time at=created_at.0/></span>
                    <span class="break-words text-muted">{last}</span>
                </summary>
                <div class="mt-3 space-y-3 text-sm">
                    {due_at.map(|at| view! { <p>"It is tried again " <Until at=at.0/> "."</p> })}
                    <ol class="space-y-1" aria-label="Attempts">
                        {attempts.into_iter().map(|attempt| {
                            let text = outcome(&attempt);
                            let answer = attempt.answer.filter(|answer| !answer.is_empty());
                            view! {
                                <li>
                                    <Time at=attempt.at.0/> ": " {text}
                                    {answer.map(|answer| view! {
                                        <pre class="mt-1 max-h-40 overflow-auto whitespace-pre-wrap break-all rounded-field bg-base-200 p-2 text-xs" tabindex="0">
                                            {answer}
                                        </pre>
                                    })}
                                </li>
                            }
                        }).collect_view()}
                    </ol>
                    {body.map(|body| view! {
                        <pre
                            class="max-h-64 overflow-auto whitespace-pre-wrap break-all rounded-field bg-base-200 p-2 font-mono text-xs"
                            tabindex="0" aria-label="What is sent"
                        >
                            {indented(&body)}
                        </pre>
                    })}
                    {can_repeat.then(|| view! {
                        <button type="button" class="btn btn-sm" on:click=move |_| again.run(Some(id.clone()))>
                            "Send again"
                        </button>
                    })}
                </div>
            </details>
        </li>
    }
}

/// JSON over several lines.
fn indented(body: &str) -> String {
    let json = serde_json::from_str::<serde_json::Value>(body);
    json.ok()
        .and_then(|json| serde_json::to_string_pretty(&json).ok())
        .unwrap_or_else(|| body.to_owned())
}
