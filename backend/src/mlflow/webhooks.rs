//! Webhooks: those of a project whose messages are MLflow's. Those with other messages its clients would not understand.

use serde::Serialize;

use super::call::{Call, Done};
use super::error::{Failure, Result};
use super::lists::page;
use super::message::Message;
use crate::access::{self, Actor};
use crate::change::Change;
use crate::connection;
use crate::error::Error;
use crate::id::WebhookId;
use crate::registry::webhook::pair::{PAIRS, Pair};
use crate::registry::webhook::rules::{self, Manager};
use crate::registry::webhook::settings::{Settings, Tools};
use crate::registry::webhook::{Webhook, WebhookFormat, WebhookState, mutation, sql};
use crate::role::Role;

/// How many a page has, unless that is said, and at most.
const PAGE: i64 = 100;
const MAX_PAGE: i64 = 1000;
/// What stands in the place of what a receiver answers that is not public.
const NOT_SHOWN: &str = "The registry does not show what receivers with private addresses answer.";
/// How long a name is, at most.
const MAX_NAME: usize = 63;

#[derive(Serialize)]
pub struct WireWebhook {
    webhook_id: String,
    name: String,
    url: String,
    events: Vec<WireEvent>,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    status: &'static str,
    creation_timestamp: i64,
    last_updated_timestamp: i64,
}

#[derive(Serialize)]
struct WireEvent {
    entity: String,
    action: String,
}

impl From<Webhook> for WireWebhook {
    fn from(hook: Webhook) -> Self {
        let pairs = hook.events().into_iter().filter_map(|name| Pair::named(&name));
        let events = pairs.map(|pair| WireEvent {
            entity: pair.entity.to_ascii_uppercase(),
            action: pair.action.to_ascii_uppercase(),
        });
        Self {
            webhook_id: hook.id.raw().to_owned(),
            events: events.collect(),
            status: if hook.state == WebhookState::Disabled { "DISABLED" } else { "ACTIVE" },
            creation_timestamp: hook.created_at_ms.millis(),
            last_updated_timestamp: hook.updated_at_ms.millis(),
            name: hook.name,
            url: hook.url,
            description: hook.description,
        }
    }
}

#[derive(Serialize)]
pub struct Found {
    webhook: WireWebhook,
}

#[derive(Serialize)]
pub struct All {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    webhooks: Vec<WireWebhook>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize)]
pub struct Tested {
    result: TestResult,
}

#[derive(Serialize)]
struct TestResult {
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_body: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<String>,
}

pub async fn create(call: Call) -> Result<Found> {
    let message = &call.message;
    let name = name(message.required("name")?)?;
    let events = events(message)?
        .ok_or_else(|| Failure::invalid("Webhook events must be a non-empty list"))?;
    let settings = Settings {
        name: Some(name),
        description: message.text("description")?,
        url: Some(message.required("url")?),
        format: Some(WebhookFormat::Mlflow),
        events: Some(events),
        secret: message.text("secret")?,
        enabled: is_active(message)?,
        ..Settings::default()
    };
    let mut change = Change::begin(&call.app, &call.actor).await?;
    let manager = Manager::at(&mut *change, &call.actor, Some(&call.project)).await?;
    let webhook =
        rules::create(&mut change, &manager, &Tools::of(&call.app), settings).await?.into();
    change.commit().await?;
    Ok(Found { webhook })
}

pub async fn list(call: Call) -> Result<All> {
    let size = call.message.int("max_results")?.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&size) {
        return Err(Failure::invalid(format!("max_results must be between 1 and {MAX_PAGE}.")));
    }
    let reader = call.reader().await?;
    reader.check_sees(Role::Maintainer)?;
    let (list, page) = (sql::list(WebhookFormat::Mlflow), page(&call.message, size)?);
    let project = Some(reader.project().id.raw());
    let (found, more): (Vec<(Webhook, _)>, bool) =
        connection::fetch(&call.app.db, &list, &page, project).await?;
    let next_page_token = found.last().filter(|_| more).map(|(_, cursor)| cursor.encode());
    let webhooks = found.into_iter().map(|(hook, _)| hook.into()).collect();
    Ok(All { webhooks, next_page_token })
}

pub async fn get(call: Call) -> Result<Found> {
    let hook = find(&call).await?;
    Ok(Found { webhook: hook.into() })
}

pub async fn update(call: Call) -> Result<Found> {
    let id = find(&call).await?.id;
    let message = &call.message;
    let given = |name: &str| Ok::<_, Failure>(message.text(name)?.filter(|text| !text.is_empty()));
    let settings = Settings {
        name: given("name")?.map(name).transpose()?,
        description: message.text("description")?,
        url: given("url")?,
        events: events(message)?,
        secret: message.text("secret")?,
        enabled: is_active(message)?,
        ..Settings::default()
    };
    let mut change = Change::begin(&call.app, &call.actor).await?;
    let (hook, manager) = mutation::hold(&mut change, &call.actor, &id).await?;
    let webhook =
        rules::update(&mut change, &manager, &Tools::of(&call.app), &hook, settings).await?.into();
    change.commit().await?;
    Ok(Found { webhook })
}

pub async fn delete(call: Call) -> Result<Done> {
    let id = find(&call).await?.id;
    let mut change = Change::begin(&call.app, &call.actor).await?;
    let (hook, manager) = mutation::hold(&mut change, &call.actor, &id).await?;
    rules::delete(&mut change, &manager, &hook).await?;
    change.commit().await?;
    Ok(Done {})
}

pub async fn test(call: Call) -> Result<Tested> {
    let hook = find(&call).await?;
    let pair = match call.message.has("event") {
        true => Some(pair(&call.message.message("event")?)?),
        false => None,
    };
    let (sent, _) = mutation::test(&call.app, &call.actor, &hook.id, pair).await?;
    let is_success = sent.is_success();
    let result = match sent.answer {
        Ok(answer) => TestResult {
            success: is_success,
            response_status: Some(answer.status),
            response_body: answer.is_private.then(|| NOT_SHOWN.to_owned()).or(Some(answer.text)),
            error_message: None,
        },
        Err(error) => TestResult {
            success: false,
            response_status: None,
            response_body: None,
            error_message: Some(format!("Failed to test webhook: {error}")),
        },
    };
    Ok(Tested { result })
}

/// The webhook that a request names, of its project.
async fn find(call: &Call) -> Result<Webhook> {
    let id = call.message.required("webhook_id")?;
    let not_found = || Failure::not_found("webhook", format!("Webhook with ID {id} not found."));
    let actor: &Actor = &call.actor;
    let reader = access::reader(&call.app.db, actor, &call.project).await?;
    reader.check_sees(Role::Maintainer)?;
    let digits: String = id.chars().filter(|c| *c != '-').collect();
    let hook = sql::find(&call.app.db, &WebhookId::from_raw(digits.replace('\0', ""))).await?;
    let is_here = |hook: &Webhook| {
        hook.project_id.as_ref() == Some(&reader.project().id)
            && hook.format == WebhookFormat::Mlflow
    };
    hook.filter(is_here).ok_or_else(not_found)
}

fn name(name: String) -> Result<String> {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let is_good = name.len() <= MAX_NAME
        && is_end(name.chars().next())
        && is_end(name.chars().last())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    match is_good {
        true => Ok(name),
        false => Err(Failure::invalid(format!(
            "Webhook name {name:?} is invalid. It must start and end with a letter or digit, be less than 63 characters long, and \
             contain only letters, digits, dots (.), underscores (_), and hyphens (-)."
        ))),
    }
}

/// The names of the events of a request; none where it has no events.
fn events(message: &Message) -> Result<Option<Vec<String>>> {
    let events = message.messages("events")?;
    let names = events.iter().map(|event| Ok(pair(event)?.name())).collect::<Result<Vec<_>>>()?;
    Ok((!names.is_empty()).then_some(names))
}

fn pair(event: &Message) -> Result<&'static Pair> {
    let (entity, action) = (event.required("entity")?, event.required("action")?);
    let is_it = |pair: &&Pair| {
        pair.entity.eq_ignore_ascii_case(&entity) && pair.action.eq_ignore_ascii_case(&action)
    };
    PAIRS.iter().find(is_it).ok_or_else(|| {
        Failure::from(Error::invalid("events", format!("{action} is not valid for {entity}")))
    })
}

fn is_active(message: &Message) -> Result<Option<bool>> {
    message.choice("status", &[("ACTIVE", 1, true), ("DISABLED", 2, false)])
}
