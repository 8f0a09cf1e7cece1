//! Settings of a webhook, as somebody gives them: read, checked, and sealed where nobody shall read them.

use serde_json::json;

use super::wanted::Wanted;
use super::{Webhook, WebhookFormat, header_of, secret_of};
use crate::app::App;
use crate::error::{Error, Result};
use crate::id::WebhookId;
use crate::outbound::Outbound;
use crate::outbound::message::{self, PREFIX};
use crate::sealing::Sealing;
use crate::text;

/// How many patterns narrow one down, and how long each is, in bytes.
const MAX_PATTERNS: usize = 100;
const MAX_PATTERN: usize = 255;
/// How long secrets and headers may be, in bytes.
const MAX_SECRET: usize = 4096;

/// What rules need besides a change.
pub struct Tools<'a> {
    pub sealing: &'a Sealing,
    pub outbound: &'a Outbound,
}

impl<'a> Tools<'a> {
    pub fn of(app: &'a App) -> Self {
        Self { sealing: &app.sealing, outbound: &app.outbound }
    }
}

/// What somebody says of a webhook, new or not. What is none stays as it is, or is as the default says.
#[derive(Default)]
pub struct Settings {
    pub name: Option<String>,
    pub description: Option<String>,
    pub url: Option<String>,
    pub format: Option<WebhookFormat>,
    pub events: Option<Vec<String>>,
    pub models: Option<Vec<String>>,
    pub aliases: Option<Vec<String>>,
    pub releases_only: Option<bool>,
    /// Empty: none.
    pub secret: Option<String>,
    /// A name and a value; none where there is to be none.
    pub header: Option<Option<(String, String)>>,
    pub enabled: Option<bool>,
}

impl Settings {
    /// Refuses a new webhook without what each must have.
    pub fn check_given(&self) -> Result<()> {
        let given = [
            ("name", self.name.is_some()),
            ("url", self.url.is_some()),
            ("events", self.events.is_some()),
        ];
        match given.into_iter().find(|(_, is_given)| !is_given) {
            Some((field, _)) => Err(Error::invalid(field, "must be given")),
            None => Ok(()),
        }
    }

    /// A webhook with other settings, and what it asks for then.
    pub fn applied_to(self, mut hook: Webhook, tools: &Tools<'_>) -> Result<(Webhook, Wanted)> {
        let before = hook.url.clone();
        if let Some(name) = self.name {
            hook.name = text::new_name("name", &name)?;
        }
        if let Some(description) = self.description {
            hook.description = text::description("description", Some(description))?;
        }
        if let Some(url) = self.url {
            hook.url = url.trim().to_owned();
            tools.outbound.check(&hook.url)?;
        }
        hook.format = self.format.unwrap_or(hook.format);
        let names = self.events.unwrap_or_else(|| hook.events());
        let wanted = Wanted::parse(&names, hook.format, hook.project_id.is_none())?;
        hook.events = json!(wanted.names).to_string();
        if let Some(models) = self.models {
            hook.models = patterns("models", &models)?;
        }
        if let Some(aliases) = self.aliases {
            hook.aliases = patterns("aliases", &aliases)?;
        }
        hook.releases_only = self.releases_only.unwrap_or(hook.releases_only);
        if let Some(secret) = self.secret {
            hook.secret = sealed_secret(tools.sealing, &hook.id, &secret)?;
            (hook.former_secret, hook.former_until_ms) = (None, None);
        }
        if self.header.is_none()
            && hook.header_name.is_some()
            && origin(&hook.url) != origin(&before)
        {
            let reason =
                "must be given again, or the header removed, as the URL leads to another host now";
            return Err(Error::invalid("header.value", reason));
        }
        match self.header {
            Some(None) => (hook.header_name, hook.header_value) = (None, None),
            Some(Some((name, value))) => {
                check_header(&name, &value)?;
                hook.header_value = Some(tools.sealing.seal(&header_of(&hook.id), &value)?);
                hook.header_name = Some(name);
            }
            None => {}
        }
        Ok((hook, wanted))
    }

    /// Whether they say anything but whether it is enabled.
    pub fn changes_more(&self) -> bool {
        let texts = [&self.name, &self.description, &self.url, &self.secret];
        let lists = [&self.events, &self.models, &self.aliases];
        texts.iter().any(|text| text.is_some())
            || lists.iter().any(|list| list.is_some())
            || self.format.is_some()
            || self.releases_only.is_some()
            || self.header.is_some()
    }
}

/// Where a URL leads: who gets what is sent there.
fn origin(url: &str) -> Option<String> {
    reqwest::Url::parse(url).ok().map(|url| url.origin().ascii_serialization())
}

fn patterns(field: &str, given: &[String]) -> Result<String> {
    let is_one = |text: &String| (1..=MAX_PATTERN).contains(&text.len()) && !text.contains('\0');
    if given.len() > MAX_PATTERNS || !given.iter().all(is_one) {
        let reason = format!(
            "must be at most {MAX_PATTERNS} names or patterns of 1 to {MAX_PATTERN} bytes each"
        );
        return Err(Error::invalid(field, reason));
    }
    Ok(json!(given).to_string())
}

/// What is kept of a secret; nothing of an empty one.
pub fn sealed_secret(sealing: &Sealing, id: &WebhookId, secret: &str) -> Result<Option<String>> {
    if secret.is_empty() {
        return Ok(None);
    }
    if secret.len() > MAX_SECRET {
        return Err(Error::invalid("secret", format!("must be at most {MAX_SECRET} bytes")));
    }
    if secret.starts_with(PREFIX) && !message::is_standard(secret) {
        let reason = format!("that begins with {PREFIX} must go on with 24 to 64 bytes in Base64");
        return Err(Error::invalid("secret", reason));
    }
    sealing.seal(&secret_of(id), secret).map(Some)
}

fn check_header(name: &str, value: &str) -> Result<()> {
    if !message::is_own_header(name) {
        return Err(Error::invalid(
            "header.name",
            "must be the name of a header that the registry does not set itself",
        ));
    }
    let is_value = value.len() <= MAX_SECRET
        && value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
    match is_value {
        true => Ok(()),
        false => Err(Error::invalid(
            "header.value",
            format!("must be at most {MAX_SECRET} characters of printable ASCII"),
        )),
    }
}
