//! The rules of embed tokens: made by maintainers for a year at most, and revoked.

use async_graphql::{InputObject, SimpleObject};

use super::operations::{self, Operations};
use super::{EmbedToken, find};
use crate::access::credential::hash_secret;
use crate::access::{Account, Maintainer, embed};
use crate::action::Action;
use crate::change::Change;
use crate::config::origins::AllowedOrigin;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::{EmbedTokenId, ModelId, random_text};
use crate::log::Subject;
use crate::role::Visibility;
use crate::text;
use crate::time::Timestamp;

/// How many embed tokens a project has, origins a token, and models.
const MAX_TOKENS: i64 = 200;
const MAX_ORIGINS: usize = 20;
pub(super) const MAX_MODELS: usize = 100;
/// The longest that one works.
const MAX_SECONDS: i64 = 366 * 24 * 60 * 60;

/// A new embed token.
#[derive(InputObject)]
pub struct CreateEmbedTokenInput {
    /// The path of the project that it lets see, such as `vision`.
    pub(super) project: String,
    /// What it is for, 1–255 characters.
    name: String,
    /// Whose pages it may stand in, such as `https://dash.example.org`: 1 to 20 origins. It keeps other sites out, and no
    /// scripts.
    origins: Vec<String>,
    /// When it stops working: within a year.
    expires_at: Timestamp,
    /// The names of the models that it lets see, at most 100; all of the project's if omitted.
    pub(super) models: Option<Vec<String>>,
    /// Whether pages get the bytes of files with it.
    #[graphql(default)]
    files: bool,
    /// The only queries and subscriptions that run with it: at most 50; all if neither these nor a manifest are given.
    operations: Option<Vec<String>>,
    /// More such operations, as JSON: Apollo's `persisted-query-manifest.json`, or an object of operations by their SHA-256.
    /// The whole request has at most 512 KiB.
    manifest: Option<String>,
}

/// A new embed token.
#[derive(SimpleObject)]
pub struct CreateEmbedTokenPayload {
    /// The token, without its secret.
    embed_token: EmbedToken,
    /// The secret to put into pages. It is shown only this once: the registry stores only its hash.
    secret: String,
}

pub(super) async fn create(
    change: &mut Change,
    maintainer: &Maintainer,
    _account: &Account,
    input: CreateEmbedTokenInput,
    models: Option<Vec<ModelId>>,
) -> Result<CreateEmbedTokenPayload> {
    let project = maintainer.project();
    let name = text::new_name("name", &input.name)?;
    let origins = origins(&input.origins)?;
    let operations = match (input.operations, &input.manifest) {
        (None, None) => None,
        (given, manifest) => {
            Some(Operations::parse(given.unwrap_or_default(), manifest.as_deref())?)
        }
    };
    // What everybody sees of a public project, everybody with the token sees of this one.
    change.allowed.check_visibility(Some(project.visibility), Visibility::Public)?;
    change.allowed.token_end(change.now, Some(input.expires_at))?;
    let latest = change.now.plus_seconds(MAX_SECONDS);
    if input.expires_at <= change.now || input.expires_at > latest {
        return Err(Error::invalid("expiresAt", "must be in the future, and within a year"));
    }
    let (live,): (i64,) =
        query("SELECT COUNT(*) FROM embed_tokens WHERE project_id = $1 AND revoked_at_ms IS NULL")
            .bind(&project.id)
            .fetch_one(&mut **change)
            .await?;
    if live >= MAX_TOKENS {
        return Err(Error::Conflict(format!(
            "There can be at most {MAX_TOKENS} embed tokens in a project. Revoke some first."
        )));
    }
    let secret = format!("{}{}", embed::PREFIX, random_text(40));
    let id = EmbedTokenId::new(change.now);
    query(
        "INSERT INTO embed_tokens (id, project_id, name, secret_sha256, files, only_models, only_operations,
                                   created_by_id, created_at_ms, expires_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&id)
    .bind(&project.id)
    .bind(&name)
    .bind(hash_secret(&secret))
    .bind(input.files)
    .bind(models.is_some())
    .bind(operations.is_some())
    .bind(change.author())
    .bind(change.now)
    .bind(input.expires_at)
    .execute(change)
    .await?;
    for origin in &origins {
        query("INSERT INTO embed_token_origins (token_id, origin) VALUES ($1, $2)")
            .bind(&id)
            .bind(origin)
            .execute(change)
            .await?;
    }
    for model in models.iter().flatten() {
        query("INSERT INTO embed_token_models (token_id, model_id) VALUES ($1, $2)")
            .bind(&id)
            .bind(model)
            .execute(change)
            .await?;
    }
    if let Some(operations) = &operations {
        operations::insert(change, &id, operations).await?;
    }
    let detail = serde_json::json!({ "name": name, "origins": origins });
    record(change, Action::TokenCreate, maintainer, (&id, &name), detail).await?;
    let embed_token = find(&mut **change, &id).await?;
    let embed_token =
        embed_token.ok_or_else(|| Error::internal("a new embed token is not there"))?;
    Ok(CreateEmbedTokenPayload { embed_token, secret })
}

/// Origins as browsers write them, each once.
fn origins(given: &[String]) -> Result<Vec<String>> {
    let wrong = |reason: String| Error::invalid("origins", reason);
    if !(1..=MAX_ORIGINS).contains(&given.len()) {
        return Err(wrong(format!("must be 1 to {MAX_ORIGINS}")));
    }
    let mut origins = Vec::new();
    for text in given {
        match text.trim().parse() {
            Ok(AllowedOrigin::Exact(origin)) if origins.contains(&origin) => {}
            Ok(AllowedOrigin::Exact(origin)) => origins.push(origin),
            Ok(AllowedOrigin::Any) => {
                let reason = "must name each origin: a public project needs no token";
                return Err(wrong(reason.to_owned()));
            }
            Err(reason) => return Err(wrong(reason)),
        }
    }
    Ok(origins)
}

pub(super) async fn revoke(
    change: &mut Change,
    maintainer: &Maintainer,
    _account: &Account,
    token: &EmbedToken,
) -> Result<()> {
    let revoked =
        query("UPDATE embed_tokens SET revoked_at_ms = $2 WHERE id = $1 AND revoked_at_ms IS NULL")
            .bind(&token.id)
            .bind(change.now)
            .execute(change)
            .await?;
    if revoked == 0 {
        return Err(Error::not_found("embed token", token.id.raw()));
    }
    let detail = serde_json::json!({ "name": token.name });
    record(change, Action::TokenRevoke, maintainer, (&token.id, &token.name), detail).await
}

async fn record(
    change: &mut Change,
    action: Action,
    maintainer: &Maintainer,
    (id, name): (&EmbedTokenId, &str),
    detail: serde_json::Value,
) -> Result<()> {
    let subject = Subject {
        name: name.to_owned(),
        project_id: Some(&maintainer.project().id),
        model_id: None,
        object_id: id.raw(),
    };
    change.record(action, subject, detail).await
}
