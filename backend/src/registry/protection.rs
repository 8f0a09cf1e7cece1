//! Protected aliases: names such as `production` or `release-*` that only maintainers move, in one model
//! or in all models of a project.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};

use crate::access::user::User;
use crate::access::{Maintainer, Reader, Writer, actor};
use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::{ModelId, ProjectId, UserId, VersionId, new_uuid};
use crate::loader::{load_by_owner, loaders};
use crate::log::Subject;
use crate::registry::model::{self, Model};
use crate::registry::payload;
use crate::registry::project;
use crate::registry::user;
use crate::time::Timestamp;

/// How many a project can have, with those of its models.
const MAX_RULES: i64 = 100;

/// The name of an alias, or a pattern of names, that only maintainers move.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct ProtectedAlias {
    /// The name or names: `*` stands for any characters, as in `release-*`.
    pattern: String,
    #[graphql(skip)]
    model_id: String,
    #[graphql(skip)]
    created_by_id: UserId,
    /// When it was protected.
    #[graphql(name = "createdAt")]
    created_at_ms: Timestamp,
}

#[ComplexObject]
impl ProtectedAlias {
    /// The model that it is for; null where it is for all models of the project.
    async fn model(&self, ctx: &Context<'_>) -> Result<Option<Model>> {
        if self.is_for_the_whole_project() {
            return Ok(None);
        }
        model::load(ctx, &ModelId::from_raw(&self.model_id)).await.map(Some)
    }

    /// Who protected it.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, Some(&self.created_by_id)).await
    }
}

impl ProtectedAlias {
    pub fn is_for_the_whole_project(&self) -> bool {
        self.model_id.is_empty()
    }

    pub fn is_for(&self, model: &ModelId) -> bool {
        self.is_for_the_whole_project() || self.model_id == model.raw()
    }

    /// Whether an alias of this model is protected by it.
    pub fn protects(&self, model: &ModelId, alias: &str) -> bool {
        self.is_for(model) && matches(&self.pattern, alias)
    }
}

/// Names of aliases to protect.
#[derive(InputObject)]
pub struct ProtectAliasInput {
    /// The path of the project, to protect them in all of its models.
    project: Option<String>,
    /// Or the path of one model, such as `vision/ocr`.
    model: Option<String>,
    /// The name, or names: 1–255 of A-Z, a-z, 0-9, `_`, `-`, and `*` for any characters.
    pattern: String,
}

/// Names of aliases to protect no more.
#[derive(InputObject)]
pub struct UnprotectAliasInput {
    /// The path of the project, for what is protected in all of its models.
    project: Option<String>,
    /// Or the path of one model, such as `vision/ocr`.
    model: Option<String>,
    /// The name or names, as they were protected.
    pattern: String,
}

payload! {
    /// What is protected now.
    ProtectAliasPayload {
        /// The protection.
        protected_alias: ProtectedAlias
    }
}
payload! {
    /// What is protected no more.
    UnprotectAliasPayload {
        /// The protection as it was.
        protected_alias: ProtectedAlias
    }
}

#[derive(Default)]
pub struct ProtectionMutation;

#[Object]
impl ProtectionMutation {
    /// Lets only maintainers move or delete the aliases of this name.
    async fn protect_alias(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where, and which names.")] input: ProtectAliasInput,
    ) -> Result<ProtectAliasPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let place = place(ctx, &mut change, input.project, input.model).await?;
        let protected_alias = protect(&mut change, &place, &input.pattern).await?;
        change.commit().await?;
        Ok(ProtectAliasPayload { protected_alias })
    }

    /// Lets developers move and delete the aliases of this name again.
    async fn unprotect_alias(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where, and which names.")] input: UnprotectAliasInput,
    ) -> Result<UnprotectAliasPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let place = place(ctx, &mut change, input.project, input.model).await?;
        let protected_alias = unprotect(&mut change, &place, &input.pattern).await?;
        change.commit().await?;
        Ok(UnprotectAliasPayload { protected_alias })
    }
}

/// A project or one of its models, whose aliases may be protected by the caller.
struct Place {
    maintainer: Maintainer,
    model: Option<Model>,
}

impl Place {
    /// As it is stored: `''` for all models.
    fn model_id(&self) -> &str {
        self.model.as_ref().map_or("", |model| model.id.raw())
    }

    async fn record(&self, change: &mut Change, action: &'static str, pattern: &str) -> Result<()> {
        let project = self.maintainer.project();
        let name = match &self.model {
            Some(model) => format!("{}/{}@{pattern}", project.path, model.name),
            None => format!("{}: @{pattern}", project.path),
        };
        let subject = Subject {
            name,
            project_id: Some(&project.id),
            model_id: self.model.as_ref().map(|model| &model.id),
            object_id: self.model.as_ref().map_or(project.id.raw(), |model| model.id.raw()),
        };
        change.record(action, subject, serde_json::json!({ "pattern": pattern })).await
    }
}

async fn place(
    ctx: &Context<'_>,
    change: &mut Change,
    project: Option<String>,
    model: Option<String>,
) -> Result<Place> {
    match (project, model) {
        (Some(project), None) => {
            let maintainer = project::lone_maintainer(change, actor(ctx), &project).await?;
            Ok(Place { maintainer, model: None })
        }
        (None, Some(model)) => {
            let (reader, model) = model::readable(&mut **change, actor(ctx), &model).await?;
            Ok(Place { maintainer: Maintainer::of(reader)?, model: Some(model) })
        }
        _ => Err(Error::invalid("model", "name a project or a model: one of the two")),
    }
}

async fn protect(change: &mut Change, place: &Place, pattern: &str) -> Result<ProtectedAlias> {
    let good = (1..=255).contains(&pattern.len())
        && pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-*".contains(&byte));
    if !good {
        return Err(Error::invalid("pattern", "must be 1 to 255 of A-Z, a-z, 0-9, _, - and *"));
    }
    let (there,): (i64,) = query("SELECT COUNT(*) FROM protected_aliases WHERE project_id = $1")
        .bind(&place.maintainer.project().id)
        .fetch_one(&mut **change)
        .await?;
    if there >= MAX_RULES {
        return Err(Error::Conflict(format!(
            "a project can have {MAX_RULES} of them: use * in some"
        )));
    }
    let protected = query(
        "INSERT INTO protected_aliases (id, project_id, model_id, pattern, created_by_id, created_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6)
         RETURNING pattern, model_id, created_by_id, created_at_ms",
    )
    .bind(new_uuid(change.now))
    .bind(&place.maintainer.project().id)
    .bind(place.model_id())
    .bind(pattern)
    .bind(change.author())
    .bind(change.now)
    .fetch_one(&mut **change)
    .await
    .map_err(Error::unless_unique("protected alias", pattern))?;
    place.record(change, "alias.protect", pattern).await?;
    Ok(protected)
}

async fn unprotect(change: &mut Change, place: &Place, pattern: &str) -> Result<ProtectedAlias> {
    let protected = query(
        "DELETE FROM protected_aliases WHERE project_id = $1 AND model_id = $2 AND pattern = $3
         RETURNING pattern, model_id, created_by_id, created_at_ms",
    )
    .bind(&place.maintainer.project().id)
    .bind(place.model_id())
    .bind(crate::text::looked_up(pattern))
    .fetch_optional(&mut **change)
    .await?
    .ok_or_else(|| Error::not_found("protected alias", pattern))?;
    place.record(change, "alias.unprotect", pattern).await?;
    Ok(protected)
}

/// Refuses to move or delete aliases of these names, unless the caller is a maintainer.
async fn check(
    change: &mut Change,
    writer: &Writer,
    model: &ModelId,
    aliases: &[String],
) -> Result<()> {
    let reader: &Reader = writer;
    if aliases.is_empty() || Maintainer::of(reader.clone()).is_ok() {
        return Ok(());
    }
    let protected: Vec<ProtectedAlias> = query(
        "SELECT pattern, model_id, created_by_id, created_at_ms
         FROM protected_aliases WHERE project_id = $1",
    )
    .bind(&reader.project().id)
    .fetch_all(&mut **change)
    .await?;
    if aliases.iter().any(|alias| protected.iter().any(|rule| rule.protects(model, alias))) {
        return Err(Error::Forbidden(
            "the alias is protected: this needs the role MAINTAINER in the project",
        ));
    }
    Ok(())
}

/// Refuses to move or delete an alias that is protected, unless the caller is a maintainer.
pub async fn check_alias(
    change: &mut Change,
    writer: &Writer,
    model: &ModelId,
    alias: &str,
) -> Result<()> {
    check(change, writer, model, &[alias.to_owned()]).await
}

/// Refuses to delete a version that protected aliases name, or that is in a stage of such a name: they
/// would be gone with it.
pub async fn check_version(
    change: &mut Change,
    writer: &Writer,
    model: &ModelId,
    version: &VersionId,
) -> Result<()> {
    let aliases: Vec<(String,)> = query(
        "SELECT name FROM aliases WHERE version_id = $1
         UNION ALL SELECT LOWER(stage) FROM model_versions WHERE id = $1 AND stage <> 'NONE'",
    )
    .bind(version)
    .fetch_all(&mut **change)
    .await?;
    let aliases: Vec<_> = aliases.into_iter().map(|(name,)| name).collect();
    check(change, writer, model, &aliases).await
}

/// Refuses to delete or rename a model that has protected aliases, or a rule of its own: another model of
/// its name would be without.
pub async fn check_model(change: &mut Change, writer: &Writer, model: &ModelId) -> Result<()> {
    let own: Vec<(String,)> = query("SELECT id FROM protected_aliases WHERE model_id = $1")
        .bind(model)
        .fetch_all(&mut **change)
        .await?;
    if !own.is_empty() {
        let reader: &Reader = writer;
        Maintainer::of(reader.clone())?;
    }
    let aliases: Vec<(String,)> = query(
        "SELECT name FROM aliases WHERE model_id = $1
         UNION ALL SELECT LOWER(stage) FROM model_versions
         WHERE model_id = $1 AND stage <> 'NONE' AND deleted_at_ms IS NULL",
    )
    .bind(model)
    .fetch_all(&mut **change)
    .await?;
    let aliases: Vec<_> = aliases.into_iter().map(|(name,)| name).collect();
    check(change, writer, model, &aliases).await
}

/// What is protected in a project and its models.
pub async fn load(ctx: &Context<'_>, project: &ProjectId) -> Result<Vec<ProtectedAlias>> {
    let all = loaders(ctx).load_one(ProtectedIn(project.raw().to_owned())).await?;
    Ok(all.unwrap_or_default())
}

load_by_owner!(
    /// What is protected in a project and its models, by pattern.
    ProtectedIn => ProtectedAlias,
    "SELECT project_id AS owner_id, pattern, model_id, created_by_id, created_at_ms
     FROM protected_aliases WHERE ",
    "project_id",
    " ORDER BY project_id, pattern, model_id"
);

/// Whether `pattern`, in which `*` stands for any characters, matches all of `text`.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(begin) else { return false };
    let mut parts: Vec<_> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        // The first place is as good as any: what comes after finds more room there.
        let Some(place) = text.find(part) else { return false };
        text = &text[place + part.len()..];
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("production", "production", true),
            ("production", "production-2", false),
            ("release-*", "release-", true),
            ("release-*", "release-1", true),
            ("release-*", "pre-release-1", false),
            ("*", "anything", true),
            ("*-eu-*", "prod-eu-1", true),
            ("*-eu-*", "prod-us-1", false),
            ("a*b*b", "ab", false),
            ("a*b*b", "abxb", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
