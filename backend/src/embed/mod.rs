//! Embeds: cards, badges, feeds and link previews for pages of other sites, rendered here and without a script; and facts and
//! lists for dashboards and catalogues.
//!
//! What is shown here stands in pages that we do not know. So no cookie is looked at: whoever comes is nobody, who sees
//! public projects, or says by a token who they are. All that users wrote is shortened and escaped ([`text`]), and what may
//! not be seen is answered as what is not there.

mod backstage;
mod badge;
mod card;
mod exposition;
mod facts;
mod feed;
mod gauges;
mod kept;
mod oembed;
mod text;
pub mod unfurl;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use headers::HeaderMapExt;
use headers::authorization::{Authorization, Bearer};
use sha2::{Digest, Sha256};

use crate::access::Actor;
use crate::access::embed::{self, Embed, From};
use crate::access::project::Project;
use crate::answer;
use crate::app::App;
use crate::error::{Error, Result};
use crate::network;
use crate::registry::catalog::model::{self, Model};
use crate::registry::catalog::version::{self, ModelVersion};
use crate::role::Visibility;

pub fn routes() -> Router<App> {
    Router::new()
        .route("/embed/{project}/{model}", get(card::show))
        .route("/badge/{project}/{model}/{file}", get(badge::show))
        .route("/feed/{file}", get(feed::of_project))
        .route("/feed/{project}/{file}", get(feed::of_model))
        .route("/oembed", get(oembed::describe))
        .route("/api/backstage/{file}", get(backstage::list))
        .merge(facts::routes())
}

const EMBEDDER_POLICY: HeaderName = HeaderName::from_static("cross-origin-embedder-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Who looks at an embed: nobody, or who a token says they are.
struct Visitor {
    actor: Actor,
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Error;

    async fn from_request_parts(request: &mut Parts, app: &App) -> Result<Self> {
        if let Some(network) = network::counted_of(&app.config, request) {
            let taken = app.embeds.take(&network, app.clock.now());
            let what = "Too many requests from your network";
            taken.map_err(|seconds| Error::TooOften { what, seconds })?;
        }
        // What programs read is for no page.
        let is_for_pages =
            !request.uri.path().starts_with("/api/") && request.uri.path() != "/oembed";
        if is_for_pages && let Some(token) = embed_token(app, request).await? {
            let actor = embed::visitor(&app.access, request, token, From::Anywhere)?;
            actor.embed().map_or(Ok(()), Embed::check_is_for_all)?;
            return Ok(Self { actor });
        }
        let has_token = request.headers.typed_get::<Authorization<Bearer>>().is_some();
        // With --no-auth everybody would be the administrator, on whatever page the embed stands.
        if !has_token || app.config.no_auth {
            return Ok(Self { actor: Actor::of_network(&app.access, request) });
        }
        // With that header the cookie is not read.
        Ok(Self { actor: Actor::of_request(&app.access, request).await? })
    }
}

/// The embed token that a request shows, or else its address: a frame or a picture can send no header.
async fn embed_token(app: &App, request: &Parts) -> Result<Option<Arc<Embed>>> {
    let shown = embed::shown(&app.access, request).await?;
    let query = request.uri.query().unwrap_or_default().as_bytes();
    let in_address = form_urlencoded::parse(query).find(|(name, _)| name == "token");
    match in_address.filter(|(_, token)| shown.is_none() && token.starts_with(embed::PREFIX)) {
        Some((_, secret)) => embed::known(&app.access, &secret).await.map(Some),
        None => Ok(shown),
    }
}

/// Whether people see in its place that something is not shown: that it is missing, or that the page may not see it or asks
/// too often. Who sends a header is a program, which reads the status of an error.
fn is_absence(error: &Error, request: &HeaderMap) -> bool {
    match error {
        Error::NotFound { .. } | Error::OnlyYanked { .. } => true,
        Error::Unauthenticated(_) | Error::Forbidden(_) | Error::TooOften { .. } => {
            !request.contains_key(AUTHORIZATION)
        }
        _ => false,
    }
}

/// What was asked for, and may be seen.
struct Found {
    project: Project,
    model: Model,
    version: Option<ModelVersion>,
}

impl Visitor {
    /// A model, and the version that `reference` names or else the latest, if there is one.
    async fn find(
        &self,
        app: &App,
        project: &str,
        model: &str,
        reference: Option<&str>,
    ) -> Result<Found> {
        let path = format!("{project}/{model}");
        let (reader, model) = model::sql::readable(&app.db, &self.actor, &path).await?;
        let version = match reference {
            Some(reference) => Some(version::facts::named(&app.db, &model, reference).await?),
            None => match version::sql::find(&app.db, &model, "latest").await {
                Err(Error::OnlyYanked { .. }) => None,
                found => found?,
            },
        };
        Ok(Found { project: reader.project().clone(), model, version })
    }

    /// An answer with what this visitor may see of a project.
    fn answer(&self, project: &Project, content_type: &'static str, content: String) -> Answer {
        let is_nobody = self.actor.user().is_err() && self.actor.embed().is_none();
        Answer {
            is_for_all: is_nobody && project.visibility == Visibility::Public,
            headers: self.actor.deprecations.headers(),
            ..Answer::new(content_type, content)
        }
    }
}

/// What is sent.
struct Answer {
    status: StatusCode,
    content_type: &'static str,
    content: String,
    /// Whether everybody would get the same.
    is_for_all: bool,
    headers: HeaderMap,
}

impl Answer {
    fn new(content_type: &'static str, content: String) -> Self {
        let (status, headers) = (StatusCode::OK, HeaderMap::new());
        Self { status, content_type, content, is_for_all: false, headers }
    }

    fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    fn with_policy(mut self, policy: HeaderValue) -> Self {
        self.headers.insert(CONTENT_SECURITY_POLICY, policy);
        self
    }

    /// For pages of other origins, also those that demand of all they show that it agrees to that.
    fn into_response_to(self, request: &HeaderMap) -> Response {
        let etag = format!("\"{}\"", hex::encode(&Sha256::digest(&self.content)[..16]));
        let is_same =
            self.status == StatusCode::OK && answer::lists(request, IF_NONE_MATCH.as_str(), &etag);
        let cache = if self.is_for_all { "public, max-age=60" } else { "private, no-cache" };
        let fixed = [
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (RESOURCE_POLICY, "cross-origin"),
            (REFERRER_POLICY, "no-referrer"),
            (VARY, "authorization"),
            (CACHE_CONTROL, cache),
        ];
        let (status, content) = match is_same {
            true => (StatusCode::NOT_MODIFIED, String::new()),
            false => (self.status, self.content),
        };
        let content_type = [(CONTENT_TYPE, self.content_type)];
        let mut response = (status, fixed, self.headers, content_type, content).into_response();
        if is_same {
            response.headers_mut().remove(CONTENT_TYPE);
        }
        if self.status == StatusCode::OK
            && let Ok(etag) = HeaderValue::from_str(&etag)
        {
            response.headers_mut().insert(ETAG, etag);
        }
        response
    }
}

fn not_utf8(_: PathRejection) -> Error {
    Error::invalid("path", "must be percent-encoded UTF-8")
}

fn wrong_query(rejection: QueryRejection) -> Error {
    Error::invalid("query", rejection.body_text())
}
