//! The form of a webhook, new or not.

use leptos::prelude::*;

use crate::{
    components::{
        failed::FormError,
        field::{CheckField, SelectField, SubmitButton, TextField},
        form::{Submit, filled},
        toast::use_toasts,
    },
    graphql::webhook::{
        self, CreateWebhookInput, UpdateWebhookInput, Webhook, WebhookFormat, WebhookHeaderInput,
    },
    logic::listed::listed,
};

const FORMATS: &[(&str, &str)] = &[
    ("standard", "Standard Webhooks: JSON for a program"),
    ("text", "Text: a line for Slack, Discord, Teams or Mattermost"),
    ("cloudevents", "CloudEvents: for Knative and Argo Events"),
    ("mlflow", "MLflow: as MLflow's own server sends them"),
];

/// What is told of unless something else is written.
const EVENTS: &str = "alias.*, version.*";
const MLFLOW_EVENTS: &str = "model_version.created, model_version_alias.created";

fn format_of(value: &str) -> WebhookFormat {
    match value {
        "text" => WebhookFormat::Text,
        "cloudevents" => WebhookFormat::Cloudevents,
        "mlflow" => WebhookFormat::Mlflow,
        _ => WebhookFormat::Standard,
    }
}

fn value_of(format: WebhookFormat) -> &'static str {
    match format {
        WebhookFormat::Standard => "standard",
        WebhookFormat::Text => "text",
        WebhookFormat::Cloudevents => "cloudevents",
        WebhookFormat::Mlflow => "mlflow",
    }
}

/// What is written in the form.
#[derive(Clone, Copy)]
struct Draft {
    name: RwSignal<String>,
    url: RwSignal<String>,
    format: RwSignal<String>,
    events: RwSignal<String>,
    models: RwSignal<String>,
    aliases: RwSignal<String>,
    releases_only: RwSignal<bool>,
    header_name: RwSignal<String>,
    header_value: RwSignal<String>,
}

impl Draft {
    fn of(hook: Option<&Webhook>) -> Self {
        let text = |read: fn(&Webhook) -> String| RwSignal::new(hook.map(read).unwrap_or_default());
        let draft = Self {
            name: text(|hook| hook.name.clone()),
            url: text(|hook| hook.url.clone()),
            format: text(|hook| value_of(hook.format).to_owned()),
            events: text(|hook| hook.events.join(", ")),
            models: text(|hook| hook.models.join(", ")),
            aliases: text(|hook| hook.aliases.join(", ")),
            releases_only: RwSignal::new(hook.is_some_and(|hook| hook.releases_only)),
            header_name: text(|hook| hook.header_name.clone().unwrap_or_default()),
            header_value: RwSignal::new(String::new()),
        };
        if hook.is_none() {
            draft.format.set("standard".to_owned());
            draft.events.set(EVENTS.to_owned());
        }
        draft
    }

    /// The header, if its value is written: that of before is never shown.
    fn header(self) -> Option<WebhookHeaderInput> {
        let (name, value) = (
            filled(&self.header_name.read_untracked())?,
            filled(&self.header_value.read_untracked())?,
        );
        Some(WebhookHeaderInput { name, value })
    }

    fn created(self, project: Option<String>) -> CreateWebhookInput {
        CreateWebhookInput {
            project,
            name: self.name.get_untracked().trim().to_owned(),
            url: self.url.get_untracked().trim().to_owned(),
            format: format_of(&self.format.read_untracked()),
            events: listed(&self.events.read_untracked()),
            models: Some(listed(&self.models.read_untracked())),
            aliases: Some(listed(&self.aliases.read_untracked())),
            releases_only: self.releases_only.get_untracked(),
            header: self.header(),
        }
    }

    fn changed(self, id: cynic::Id) -> UpdateWebhookInput {
        let CreateWebhookInput {
            name,
            url,
            format,
            events,
            models,
            aliases,
            releases_only,
            header,
            ..
        } = self.created(None);
        UpdateWebhookInput {
            id,
            name: Some(name),
            url: Some(url),
            format: Some(format),
            events: Some(events),
            models,
            aliases,
            releases_only: Some(releases_only),
            header,
            without_header: self.header_name.read_untracked().trim().is_empty(),
            enabled: None,
        }
    }
}

/// Ends with the secret of a new webhook.
#[component]
pub fn WebhookForm(
    /// Of the registry if there is none.
    project: Signal<Option<String>>,
    /// The one that is changed.
    #[prop(optional)]
    hook: Option<Webhook>,
    on_end: Callback<Option<String>>,
) -> impl IntoView {
    let draft = Draft::of(hook.as_ref());
    let toasts = use_toasts();
    let submit = Submit::naming("name");
    let id = StoredValue::new(hook.as_ref().map(|hook| hook.id.clone()));
    // The names of events are others for MLflow: what nobody changed follows the format.
    Effect::new(move |_| {
        let is_mlflow = *draft.format.read() == "mlflow";
        let (from, to) = if is_mlflow { (EVENTS, MLFLOW_EVENTS) } else { (MLFLOW_EVENTS, EVENTS) };
        if *draft.events.read_untracked() == from {
            draft.events.set(to.to_owned());
        }
    });
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        match id.get_value() {
            Some(id) => submit.run(webhook::update(draft.changed(id)), move |hook| {
                toasts.success(format!("Webhook “{}” saved.", hook.name));
                on_end.run(None);
            }),
            None => {
                let input = draft.created(project.get_untracked());
                submit.run(webhook::create(input), move |secret| on_end.run(secret));
            }
        }
    };
    let blocked = Signal::derive(move || {
        draft.name.read().trim().is_empty()
            || draft.url.read().trim().is_empty()
            || listed(&draft.events.read()).is_empty()
    });
    let is_new = hook.is_none();
    let (action, value_hint) = match hook.as_ref().and_then(|hook| hook.header_name.as_ref()) {
        _ if is_new => ("Create webhook", "Such as “Bearer …”. It is never shown again."),
        Some(_) => ("Save webhook", "Leave it empty to keep the one that there is."),
        None => ("Save webhook", "Such as “Bearer …”. It is never shown again."),
    };
    view! {
        <form class="space-y-4" on:submit=send>
            <TextField
                id="webhook-name" label="Name" value=draft.name required=true autofocus=true
                hint="What it is for." refused=submit.field("name")
            />
            <TextField
                id="webhook-url" label="URL" value=draft.url required=true mono=true kind="url"
                placeholder="https://ci.example.org/hooks/models"
                hint="Where messages are posted to." refused=submit.field("url")
            />
            <SelectField id="webhook-format" label="Format" value=draft.format options=FORMATS/>
            <TextField
                id="webhook-events" label="Events" value=draft.events required=true mono=true
                hint="Separated by commas: actions of the audit log, such as alias.set, all of a kind, such as version.*, or * for all."
                refused=submit.field("events")
            />
            <div class="grid gap-4 sm:grid-cols-2">
                <TextField
                    id="webhook-models" label="Models" value=draft.models mono=true
                    hint="Only these, separated by commas; * is a wildcard." refused=submit.field("models")
                />
                <TextField
                    id="webhook-aliases" label="Aliases" value=draft.aliases mono=true
                    hint="Only these, such as production, when an alias moves." refused=submit.field("aliases")
                />
            </div>
            <CheckField label="Only releases: no drafts and no pre-releases" value=draft.releases_only/>
            <div class="grid gap-4 sm:grid-cols-2">
                <TextField
                    id="webhook-header" label="Header" value=draft.header_name mono=true placeholder="Authorization"
                    hint="Sent with each message." refused=submit.field("header.name")
                />
                <TextField
                    id="webhook-header-value" label="Value of the header" value=draft.header_value mono=true kind="password"
                    autocomplete="new-password" hint=value_hint refused=submit.field("header.value")
                />
            </div>
            <FormError error=submit.general(&["name", "url", "events", "models", "aliases", "header.name", "header.value"])/>
            <SubmitButton text=action pending=submit.pending disabled=blocked/>
        </form>
    }
}
