//! Embed tokens as they are recognised: whoever sends one is nobody who can read one project, from pages of the origins
//! that the token is for. How they are made is in
//! [`registry::people::embed_token`](crate::registry::people::embed_token).
//!
//! They stand in pages, so everybody can read them: an origin keeps other sites out, and no script.

use std::sync::Arc;

use axum::http::header::{AUTHORIZATION, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use headers::HeaderMapExt;
use headers::authorization::{Authorization, Bearer};

use super::Access;
use super::actor::Actor;
use super::credential::{hash_secret, is_stale};
use crate::db::{Conn, Db, query};
use crate::error::{Error, Result};
use crate::id::{EmbedTokenId, ModelId, ProjectId};
use crate::time::Timestamp;

/// What embed tokens begin with.
pub const PREFIX: &str = "mre_";

/// How long pages are told that their token works no more, in seconds.
const KNOWN_SECONDS: i64 = 90 * 24 * 60 * 60;

const NOT_VALID: Error = Error::Unauthenticated(
    "The embed token is not valid: it was revoked, or has expired. This page needs another one, from Access tokens of its project.",
);

/// An embed token that somebody showed, live or not.
#[derive(Clone, Debug)]
pub struct Embed {
    pub id: EmbedTokenId,
    /// The project that it lets see.
    pub project_id: ProjectId,
    /// Whose pages it may stand in.
    pub origins: Vec<String>,
    /// The models that it lets see; none: all of the project's.
    pub models: Option<Vec<ModelId>>,
    /// Whether it gets the bytes of files.
    pub files: bool,
    /// Whether only operations that were named when it was made run.
    pub only_operations: bool,
    is_revoked: bool,
    expires_at: Timestamp,
    last_used_at: Option<Timestamp>,
}

impl Embed {
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.is_revoked && self.expires_at > now
    }

    /// Whether it may stand in pages of the origin that a request names.
    pub fn is_for(&self, origin: &HeaderValue) -> bool {
        self.origins.iter().any(|own| own.as_bytes() == origin.as_bytes())
    }

    /// Refuses what is no operation, where it is for some operations only.
    pub fn check_is_for_all(&self) -> Result<()> {
        match self.only_operations {
            true => Err(Error::Forbidden("This embed token is for some operations only.")),
            false => Ok(()),
        }
    }

    /// Whether it lets see a model of its project.
    pub fn shows(&self, model: &ModelId) -> bool {
        self.models.as_ref().is_none_or(|models| models.contains(model))
    }
}

/// Whether the request must name the page that it comes from: all do that browsers let pages read, and no picture or frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum From {
    Page,
    Anywhere,
}

/// The embed token that a request shows by `Authorization`, live or not; none if it shows none.
pub async fn shown(access: &Access, request: &Parts) -> Result<Option<Arc<Embed>>> {
    // Who let the page in has found it.
    if let Some(found) = request.extensions.get::<Arc<Embed>>() {
        return Ok(Some(found.clone()));
    }
    match secret_of(&request.headers) {
        Some(secret) => known(access, &secret).await.map(Some),
        None => Ok(None),
    }
}

/// The token with this secret, live or not.
pub async fn known(access: &Access, secret: &str) -> Result<Arc<Embed>> {
    find(access, secret).await?.ok_or(NOT_VALID)
}

/// The secret that `Authorization` gives, if it is that of an embed token.
pub fn secret_of(headers: &HeaderMap) -> Option<String> {
    headers.get(AUTHORIZATION)?;
    let Authorization(bearer) = headers.typed_get::<Authorization<Bearer>>()?;
    Some(bearer.token().trim().to_owned()).filter(|token| token.starts_with(PREFIX))
}

/// Who shows an embed token: nobody, who can read its project.
pub fn visitor(access: &Access, request: &Parts, embed: Arc<Embed>, from: From) -> Result<Actor> {
    let now = access.clock.now();
    if !embed.is_live(now) {
        return Err(NOT_VALID);
    }
    let is_allowed = match request.headers.get(ORIGIN) {
        Some(origin) => embed.is_for(origin),
        None => from == From::Anywhere,
    };
    if !is_allowed {
        return Err(Error::Forbidden(
            "This embed token is for pages of other origins. Its project's maintainers say which when they make it.",
        ));
    }
    if embed.last_used_at.is_none_or(|last| is_stale(last, now)) {
        let (db, id) = (access.db.clone(), embed.id.clone());
        access.beside.spawn(async move {
            if let Err(error) = touch(&db, &id, now).await {
                tracing::warn!(?error, "cannot note when an embed token was used");
            }
        });
    }
    Ok(Actor { embed: Some(embed), ..Actor::of_network(access, request) })
}

/// The token with this secret, also one that does not work any more.
pub async fn find(access: &Access, secret: &str) -> Result<Option<Arc<Embed>>> {
    let (generation, key) = (Conn::from(&access.db).access_generation(), hash_secret(secret));
    if let Some(found) = access.cache.embeds.get(generation, &key) {
        return Ok(found);
    }
    let found = read(&access.db, &key).await?.map(Arc::new);
    access.cache.embeds.keep(generation, key, found.as_ref());
    Ok(found)
}

/// Whether a token is there still, and live.
pub async fn is_live(conn: impl Into<Conn<'_>>, id: &EmbedTokenId, now: Timestamp) -> Result<bool> {
    let found: Option<(String,)> = query(
        "SELECT id FROM embed_tokens WHERE id = $1 AND revoked_at_ms IS NULL AND expires_at_ms > $2",
    )
    .bind(id)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Whether a token is for pages of this origin, or was until lately: they are told that it works no more.
pub async fn is_known(access: &Access, origin: &str) -> Result<bool> {
    let generation = Conn::from(&access.db).access_generation();
    let until = match access.cache.origins.get(generation, origin) {
        Some(until) => until,
        None => {
            let until = known_until(&access.db, origin).await?;
            access.cache.origins.keep(generation, origin.to_owned(), until.as_ref());
            until
        }
    };
    Ok(until.is_some_and(|until| until > access.clock.now()))
}

/// Until when the pages of an origin are told of their tokens; none if it never had one.
async fn known_until(db: &Db, origin: &str) -> Result<Option<Timestamp>> {
    let (last,): (Option<Timestamp>,) = query(
        "SELECT MAX(CASE WHEN t.revoked_at_ms < t.expires_at_ms THEN t.revoked_at_ms ELSE t.expires_at_ms END)
         FROM embed_token_origins o JOIN embed_tokens t ON t.id = o.token_id WHERE o.origin = $1",
    )
    .bind(origin)
    .fetch_one(db)
    .await?;
    Ok(last.map(|last| last.plus_seconds(KNOWN_SECONDS)))
}

#[derive(sqlx::FromRow)]
struct Row {
    id: EmbedTokenId,
    project_id: ProjectId,
    files: bool,
    only_models: bool,
    only_operations: bool,
    expires_at_ms: Timestamp,
    last_used_at_ms: Option<Timestamp>,
    revoked_at_ms: Option<Timestamp>,
}

async fn read(db: &Db, secret_sha256: &str) -> Result<Option<Embed>> {
    let row: Option<Row> = query(
        "SELECT id, project_id, files, only_models, only_operations, expires_at_ms, last_used_at_ms, revoked_at_ms
         FROM embed_tokens WHERE secret_sha256 = $1",
    )
    .bind(secret_sha256)
    .fetch_optional(db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let origins: Vec<(String,)> =
        query("SELECT origin FROM embed_token_origins WHERE token_id = $1 ORDER BY origin")
            .bind(&row.id)
            .fetch_all(db)
            .await?;
    let models: Vec<(ModelId,)> =
        query("SELECT model_id FROM embed_token_models WHERE token_id = $1")
            .bind(&row.id)
            .fetch_all(db)
            .await?;
    Ok(Some(Embed {
        id: row.id,
        project_id: row.project_id,
        origins: origins.into_iter().map(|(origin,)| origin).collect(),
        models: row.only_models.then(|| models.into_iter().map(|(model,)| model).collect()),
        files: row.files,
        only_operations: row.only_operations,
        is_revoked: row.revoked_at_ms.is_some(),
        expires_at: row.expires_at_ms,
        last_used_at: row.last_used_at_ms,
    }))
}

async fn touch(db: &Db, id: &EmbedTokenId, now: Timestamp) -> Result<()> {
    let mut tx = db.begin().await?;
    // Of many who come at once, one writes.
    query(
        "UPDATE embed_tokens SET last_used_at_ms = $2
         WHERE id = $1 AND (last_used_at_ms IS NULL OR last_used_at_ms < $3)",
    )
    .bind(id)
    .bind(now)
    .bind(now.plus_seconds(-60))
    .execute(&mut tx)
    .await?;
    tx.commit().await?;
    Ok(())
}
