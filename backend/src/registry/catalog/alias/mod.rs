//! Aliases: movable names for versions, such as `champion`. Every move is kept.

pub mod graphql;
pub mod rules;

use async_graphql::SimpleObject;

use crate::id::{AliasId, ModelId, UserId, VersionId};
use crate::loader::{load_by_id, load_by_owner};
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

macro_rules! columns {
    () => {
        "id, model_id, name, version_id, updated_by_id, updated_at_ms"
    };
}
pub(crate) use columns;

/// The condition that an alias names a version that is not in the trash.
macro_rules! names_a_version {
    () => {
        "EXISTS (SELECT 1 FROM model_versions v WHERE v.id = version_id AND v.deleted_at_ms IS NULL)"
    };
}
pub(crate) use names_a_version;

load_by_id!(AliasId => Alias, concat!("SELECT ", columns!(), " FROM aliases WHERE "), "id");

load_by_owner!(
    /// The aliases of a model that name versions which are not in the trash.
    AliasesOfModel => Alias,
    concat!("SELECT model_id AS owner_id, ", columns!(), " FROM aliases WHERE ", names_a_version!(), " AND "),
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
