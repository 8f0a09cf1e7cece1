//! Aliases: movable names for versions, such as `champion`. Every move is kept.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, SimpleObject};

use crate::access::user::User;
use crate::access::{Writer, actor};
use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::{AliasId, ModelId, UserId, VersionId};
use crate::loader::{load_by_id, load_by_owner, loaders};
use crate::log::Subject;
use crate::page::ENTRIES;
use crate::registry::model::{self, Model};
use crate::registry::version::{self, ModelVersion};
use crate::registry::{payload, protection, target, user};
use crate::text::{self, AliasName};
use crate::time::Timestamp;

/// A movable name for a version.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct Alias {
    #[graphql(skip)]
    pub id: AliasId,
    #[graphql(skip)]
    pub model_id: ModelId,
    /// The name, unique in its model.
    pub name: String,
    #[graphql(skip)]
    pub version_id: VersionId,
    #[graphql(skip)]
    pub updated_by_id: UserId,
    /// When it was last moved.
    #[graphql(name = "updatedAt")]
    pub updated_at_ms: Timestamp,
}

#[ComplexObject]
impl Alias {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// The version that it names.
    async fn version(&self, ctx: &Context<'_>) -> Result<ModelVersion> {
        loaders(ctx)
            .load_one(self.version_id.clone())
            .await?
            .ok_or_else(|| Error::internal("an alias without its version"))
    }

    /// Whether only maintainers may move it.
    #[graphql(complexity = "ENTRIES")]
    async fn protected(&self, ctx: &Context<'_>) -> Result<bool> {
        let model = model::load(ctx, &self.model_id).await?;
        let rules = protection::load(ctx, &model.project_id).await?;
        Ok(rules.iter().any(|rule| rule.protects(&self.model_id, &self.name)))
    }

    /// Who moved it last.
    async fn updated_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, Some(&self.updated_by_id)).await
    }

    /// Where it pointed and since when, latest first; at most 100 moves.
    #[graphql(complexity = "ENTRIES + child_complexity")]
    async fn history(&self, ctx: &Context<'_>) -> Result<Vec<AliasMove>> {
        let moves = loaders(ctx).load_one(MovesOf(self.id.raw().to_owned())).await?;
        Ok(moves.unwrap_or_default())
    }
}

/// One move of an alias.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct AliasMove {
    #[graphql(skip)]
    version_id: Option<VersionId>,
    /// The version that it was moved to, as text; null where the alias was deleted.
    #[graphql(name = "ref")]
    version: Option<String>,
    #[graphql(skip)]
    moved_by_id: UserId,
    /// When it was moved.
    #[graphql(name = "at")]
    moved_at_ms: Timestamp,
}

#[ComplexObject]
impl AliasMove {
    /// The version that it was moved to; null where the alias or the version was deleted.
    #[graphql(name = "version")]
    async fn model_version(&self, ctx: &Context<'_>) -> Result<Option<ModelVersion>> {
        match &self.version_id {
            Some(id) => {
                let version: Option<ModelVersion> = loaders(ctx).load_one(id.clone()).await?;
                Ok(version.filter(|version| version.deleted_at_ms.is_none()))
            }
            None => Ok(None),
        }
    }

    /// Who moved it.
    async fn by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, Some(&self.moved_by_id)).await
    }
}

/// An alias to set or move.
#[derive(InputObject)]
pub struct SetAliasInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The alias: 1–255 of A-Z, a-z, 0-9, `_` and `-`; neither `latest` nor `v1`.
    name: String,
    /// The version that it shall name: `1.2.0`, `^1.2`, `@other` or `latest`.
    version: String,
}

/// Which alias to delete.
#[derive(InputObject)]
pub struct DeleteAliasInput {
    /// The model's path, such as `vision/ocr`.
    model: String,
    /// The alias.
    name: String,
}

payload! {
    /// The alias that was set.
    SetAliasPayload {
        /// The alias.
        alias: Alias
    }
}

payload! {
    /// The alias that was deleted.
    DeleteAliasPayload {
        /// The alias as it was.
        alias: Alias
    }
}

#[derive(Default)]
pub struct AliasMutation;

#[Object]
impl AliasMutation {
    /// Makes an alias name a version; one that is there already is moved.
    async fn set_alias(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which alias and version.")] input: SetAliasInput,
    ) -> Result<SetAliasPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let (writer, model) = model::writable(&mut change, actor(ctx), &input.model).await?;
        let alias = set(&mut change, &writer, &model, &input.name, &input.version).await?;
        change.commit().await?;
        Ok(SetAliasPayload { alias })
    }

    /// Deletes an alias. Its history stays.
    async fn delete_alias(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which alias.")] input: DeleteAliasInput,
    ) -> Result<DeleteAliasPayload> {
        let mut change = Change::begin(&loaders(ctx).loader().app, actor(ctx)).await?;
        let (writer, model) = model::writable(&mut change, actor(ctx), &input.model).await?;
        let alias = delete(&mut change, &writer, &model, &input.name).await?;
        change.commit().await?;
        Ok(DeleteAliasPayload { alias })
    }
}

macro_rules! columns {
    () => {
        "id, model_id, name, version_id, updated_by_id, updated_at_ms"
    };
}

pub async fn set(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    name: &str,
    reference: &str,
) -> Result<Alias> {
    let name = AliasName::parse("name", name)?;
    // The lock of the model keeps the version from being deleted meanwhile.
    target::touch(change, &model.id).await?;
    protection::check_alias(change, writer, &model.id, name.as_str()).await?;
    let version = version::get(&mut **change, model, reference).await?;
    let alias: Alias = query(concat!(
        "INSERT INTO aliases (id, model_id, name, version_id, updated_by_id, updated_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (model_id, name) DO UPDATE
         SET version_id = excluded.version_id, updated_by_id = excluded.updated_by_id,
             updated_at_ms = excluded.updated_at_ms
         RETURNING ",
        columns!()
    ))
    .bind(AliasId::new(change.now))
    .bind(&model.id)
    .bind(&name)
    .bind(&version.id)
    .bind(change.author())
    .bind(change.now)
    .fetch_one(&mut **change)
    .await?;
    record(change, writer, "alias.set", model, (name.as_str(), Some(&version))).await?;
    Ok(alias)
}

pub async fn delete(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    name: &str,
) -> Result<Alias> {
    target::touch(change, &model.id).await?;
    protection::check_alias(change, writer, &model.id, name).await?;
    let alias: Alias = query(concat!(
        "DELETE FROM aliases WHERE model_id = $1 AND name = $2 RETURNING ",
        columns!()
    ))
    .bind(&model.id)
    .bind(text::looked_up(name))
    .fetch_optional(&mut **change)
    .await?
    .ok_or_else(|| Error::not_found("alias", name))?;
    record(change, writer, "alias.delete", model, (&alias.name, None)).await?;
    Ok(alias)
}

/// Writes a move into the alias's own history and into the log.
async fn record(
    change: &mut Change,
    writer: &Writer,
    action: &'static str,
    model: &Model,
    (name, version): (&str, Option<&ModelVersion>),
) -> Result<()> {
    query(
        "INSERT INTO alias_moves (id, model_id, name, version_id, version, moved_by_id, moved_at_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(crate::id::new_uuid(change.now))
    .bind(&model.id)
    .bind(name)
    .bind(version.map(|version| version.id.raw().to_owned()))
    .bind(version.map(|version| version.version.clone()))
    .bind(change.author())
    .bind(change.now)
    .execute(change)
    .await?;
    let subject = Subject {
        name: format!("{}/{}@{name}", writer.project().path, model.name),
        project_id: Some(&model.project_id),
        model_id: Some(&model.id),
        object_id: version.map_or(model.id.raw(), |version| version.id.raw()),
    };
    let detail = serde_json::json!({ "alias": name, "version": version.map(|v| &v.version) });
    change.record(action, subject, detail).await
}

load_by_id!(AliasId => Alias, concat!("SELECT ", columns!(), " FROM aliases WHERE "), "id");

load_by_owner!(
    /// The aliases of a model that name versions which are not in the trash.
    AliasesOfModel => Alias,
    concat!("SELECT model_id AS owner_id, ", columns!(), " FROM aliases WHERE EXISTS
             (SELECT 1 FROM model_versions v WHERE v.id = version_id AND v.deleted_at_ms IS NULL) AND "),
    "model_id",
    " ORDER BY model_id, name"
);

load_by_owner!(
    /// The aliases that name a version.
    AliasesOfVersion => Alias,
    concat!("SELECT version_id AS owner_id, ", columns!(), " FROM aliases WHERE "),
    "version_id",
    " ORDER BY version_id, name"
);

load_by_owner!(
    /// The last hundred moves of an alias, latest first.
    MovesOf => AliasMove,
    "SELECT owner_id, version_id, version, moved_by_id, moved_at_ms FROM (
         SELECT a.id AS owner_id, h.id, h.version_id, h.version, h.moved_by_id, h.moved_at_ms,
                ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY h.id DESC) AS place
         FROM aliases a JOIN alias_moves h ON h.model_id = a.model_id AND h.name = a.name WHERE ",
    "a.id",
    ") moves WHERE place <= 100 ORDER BY owner_id, id DESC"
);
