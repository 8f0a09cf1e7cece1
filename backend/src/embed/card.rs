//! Cards: `/embed/{project}/{model}[@ref]`, a widget for an `<iframe>` with what there is to know of a version.
//!
//! It is one page of at most 8 KiB that loads nothing. Its policy lets it be framed everywhere and do nothing: no script, no
//! form, an origin of its own; its link opens another page.

use std::sync::LazyLock;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::text::{escaped, json_number, number, shown, size};
use super::{Answer, EMBEDDER_POLICY, Found, Visitor, is_absence, not_utf8, wrong_query};
use crate::app::App;
use crate::config::Serve;
use crate::error::{Error, Result};
use crate::registry::address;
use crate::registry::catalog::version::facts::{self, Facts};
use crate::registry::catalog::version::support::VersionSupport;
use crate::registry::catalog::version::{ModelVersion, VersionState};

/// The same for every card, so that its hash is, too.
const STYLE: &str = ":root{--b:#fff;--t:#1f2328;--m:#59636e;--l:#d1d9e0;--a:#0969da;color-scheme:light}\
@media(prefers-color-scheme:dark){:root[data-theme=auto]{--b:#0d1117;--t:#f0f6fc;--m:#9198a1;--l:#3d444d;--a:#4493f8;color-scheme:dark}}\
:root[data-theme=dark]{--b:#0d1117;--t:#f0f6fc;--m:#9198a1;--l:#3d444d;--a:#4493f8;color-scheme:dark}\
body{margin:0;background:var(--b);color:var(--t);font:14px/1.5 system-ui,sans-serif}\
article{box-sizing:border-box;min-height:100vh;padding:12px 16px;border:1px solid var(--l);border-radius:8px;overflow-wrap:anywhere}\
a{color:var(--a);font-weight:600;text-decoration:none}a:hover{text-decoration:underline}\
p{margin:4px 0 0}small,dt{color:var(--m);font-size:12px}\
i{border:1px solid var(--l);border-radius:99px;padding:0 8px;margin-left:4px;font-size:12px;font-style:normal}\
dl{display:flex;flex-wrap:wrap;gap:4px 20px;margin:8px 0 0}dd{margin:0;font-variant-numeric:tabular-nums}";

static STYLE_HASH: LazyLock<String> = LazyLock::new(|| STANDARD.encode(Sha256::digest(STYLE)));

/// What a card may do, and whose pages may show it: all, or those that an embed token is for.
fn policy(visitor: Option<&Visitor>) -> Result<HeaderValue> {
    let pages = match visitor.and_then(|visitor| visitor.actor.embed()) {
        Some(embed) => embed.origins.join(" "),
        None => "*".to_owned(),
    };
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; img-src 'self' data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors {pages}; sandbox allow-popups allow-popups-to-escape-sandbox",
        *STYLE_HASH
    );
    HeaderValue::from_str(&policy).map_err(Error::internal)
}

/// How many aliases are shown.
const MAX_ALIASES: usize = 5;

#[derive(serde::Deserialize)]
pub struct Options {
    theme: Option<String>,
    metrics: Option<String>,
    format: Option<String>,
}

impl Options {
    /// What else is asked for is shown as most would like it: an embed is looked at by people who did not write it.
    fn theme(&self) -> &'static str {
        match self.theme.as_deref() {
            Some("light") => "light",
            Some("dark") => "dark",
            _ => "auto",
        }
    }

    fn is_json(&self) -> Result<bool> {
        match self.format.as_deref() {
            None | Some("html") => Ok(false),
            Some("json") => Ok(true),
            Some(_) => Err(Error::invalid("format", "must be html or json")),
        }
    }

    /// The names of metrics; none where the card chooses.
    fn metrics(&self) -> Vec<&str> {
        let names = self.metrics.as_deref().unwrap_or_default().split(',').map(str::trim);
        names.filter(|name| !name.is_empty()).take(facts::MAX_METRICS).collect()
    }
}

pub(super) async fn show(
    State(app): State<App>,
    address: Result<Path<(String, String)>, PathRejection>,
    options: Result<Query<Options>, QueryRejection>,
    request: HeaderMap,
    visitor: Result<Visitor>,
) -> Result<Response> {
    let Path((project, model)) = address.map_err(not_utf8)?;
    let Query(options) = options.map_err(wrong_query)?;
    let is_json = options.is_json()?;
    // No name of a model has this character.
    let (model, reference) = match model.split_once('@') {
        Some((model, reference)) => (model, Some(reference)),
        None => (model.as_str(), None),
    };
    let shown = async {
        let visitor = visitor.as_ref().map_err(Error::clone)?;
        let found = visitor.find(&app, &project, model, reference).await?;
        let version = found.version.as_ref();
        let facts = facts::of(&app.db, &found.model, version, &options.metrics()).await?;
        Ok::<_, Error>((visitor, found, facts))
    };
    let (visitor, found, facts) = match shown.await {
        Ok(shown) => shown,
        Err(error) if is_absence(&error, &request) && !is_json => {
            let mut answer =
                Answer::new("text/html; charset=utf-8", absent(&error, options.theme()));
            answer.headers = error.headers();
            let answer = answer.with_policy(policy(visitor.as_ref().ok())?);
            return Ok(framed(answer.with_status(error.status())).into_response_to(&request));
        }
        Err(error) => return Err(error),
    };
    let link = link(&app.config, &found);
    let answer = if is_json {
        let facts = json(&found, &facts, &link).to_string();
        visitor.answer(&found.project, "application/json", facts)
    } else {
        let card = html(&found, &facts, &link, options.theme());
        visitor.answer(&found.project, "text/html; charset=utf-8", card)
    };
    Ok(framed(answer.with_policy(policy(Some(visitor))?)).into_response_to(&request))
}

fn framed(mut answer: Answer) -> Answer {
    answer.headers.insert(EMBEDDER_POLICY, HeaderValue::from_static("require-corp"));
    answer
}

/// The page of what is shown.
fn link(config: &Serve, found: &Found) -> String {
    let (project, model) = (found.project.path.as_str(), found.model.name.as_str());
    match &found.version {
        Some(version) => address::at(config, &[project, model, "versions", &version.version]),
        None => address::at(config, &[project, model]),
    }
}

/// What is to be said first of a version that is not simply to be used.
fn state(version: &ModelVersion) -> Option<&'static str> {
    match (version.support_state(), version.state) {
        (VersionSupport::Yanked, _) => Some("yanked"),
        (VersionSupport::Deprecated, _) => Some("deprecated"),
        (VersionSupport::Active, VersionState::Draft) => Some("draft"),
        (VersionSupport::Active, VersionState::Published) => None,
    }
}

fn page(title: &str, theme: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\" data-theme=\"{theme}\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style><article>{body}</article></html>"
    )
}

fn absent(error: &Error, theme: &str) -> String {
    page("Not shown", theme, &format!("<p>{}</p>", shown(&error.message(), 300)))
}

fn html(found: &Found, facts: &Facts, link: &str, theme: &str) -> String {
    let name = shown(&found.model.name, 60);
    let project = &found.project.path;
    let link = escaped(link);
    let mut body = format!(
        "<a href=\"{link}\" target=\"_blank\" rel=\"noopener noreferrer\">{project}/{name}"
    );
    let mut title = format!("{project}/{name}");
    match &found.version {
        Some(version) => {
            let number = shown(&version.version, 40);
            title.push_str(&format!(" {number}"));
            body.push_str(&format!(" {number}</a>"));
            if let Some(state) = state(version) {
                body.push_str(&format!("<i>{state}</i>"));
            }
            body.push_str(&labels(facts));
            body.push_str(&notice(version));
        }
        None => body.push_str("</a><p>No version yet.</p>"),
    }
    if !facts.metrics.is_empty() {
        body.push_str("<dl>");
        for metric in &facts.metrics {
            let (name, value) = (shown(&metric.name, 32), number(metric.value));
            body.push_str(&format!("<div><dt>{name}</dt><dd>{value}</dd></div>"));
        }
        body.push_str("</dl>");
    }
    let details = details(found.version.as_ref(), facts);
    body.push_str(&format!("<p><small>{details}</small></p>"));
    page(&title, theme, &body)
}

fn labels(facts: &Facts) -> String {
    let some = facts.aliases.iter().take(MAX_ALIASES);
    let mut labels: String = some.map(|name| format!("<i>{}</i>", shown(name, 32))).collect();
    if let Some(more) = facts.aliases.len().checked_sub(MAX_ALIASES).filter(|more| *more > 0) {
        labels.push_str(&format!("<i>+{more}</i>"));
    }
    labels
}

/// Why it should not be used.
fn notice(version: &ModelVersion) -> String {
    let notice = version.deprecation().map(|deprecation| shown(&deprecation.text, 120));
    notice.map(|text| format!("<p>{text}</p>")).unwrap_or_default()
}

/// What stands at the foot, in one line.
fn details(version: Option<&ModelVersion>, facts: &Facts) -> String {
    let mut details = Vec::new();
    if let Some(version) = version {
        let (word, at) = match version.published_at_ms {
            Some(at) => ("Published", at),
            None => ("Created", version.created_at_ms),
        };
        details.push(format!("{word} {}", at.to_civil().date()));
        let files = if facts.whole.file_count == 1 { "file" } else { "files" };
        details.push(format!("{} {files}, {}", facts.whole.file_count, size(facts.whole.size)));
    }
    if !facts.whole.license.is_empty() {
        details.push(shown(&facts.whole.license, 40));
    }
    if let Some(digest) = version.and_then(|version| version.digest.as_deref()) {
        details.push(format!(
            "<span title=\"{0}\">SHA-256 {1}</span>",
            shown(digest, 64),
            shown(digest, 13)
        ));
    }
    details.join(" · ")
}

fn json(found: &Found, facts: &Facts, link: &str) -> serde_json::Value {
    let metrics = facts.metrics.iter().map(
        |metric| serde_json::json!({ "name": metric.name, "value": json_number(metric.value) }),
    );
    let metrics: Vec<_> = metrics.collect();
    let license = Some(&facts.whole.license).filter(|license| !license.is_empty());
    let mut json = serde_json::json!({
        "project": found.project.path,
        "model": found.model.name,
        "version": null,
        "license": license,
        "url": link,
    });
    if let Some(version) = &found.version {
        json["version"] = serde_json::json!({
            "version": version.version,
            "state": version.state.as_str(),
            "support": version.support_state().as_str(),
            "notice": version.deprecation().map(|deprecation| deprecation.text),
            "aliases": facts.aliases,
            "digest": version.digest,
            "createdAt": version.created_at_ms.to_rfc3339(),
            "publishedAt": version.published_at_ms.map(|at| at.to_rfc3339()),
            "metrics": metrics,
            "fileCount": facts.whole.file_count,
            "size": facts.whole.size,
        });
    }
    json
}
