//! The trash of a project: what was deleted and can be restored.

use async_graphql::{Context, Object, Union};

use crate::connection::{Connection, Node};
use crate::db::Sql;
use crate::error::{Error, Result};
use crate::id::{CandidateId, ModelId, ProjectId, UserId, VersionId};
use crate::loader::loaders;
use crate::page::{List, OrderDirection, Page, Sort};
use crate::registry::candidate::Candidate;
use crate::registry::model::Model;
use crate::registry::user::{self, User};
use crate::registry::version::ModelVersion;
use crate::time::Timestamp;

/// One thing in the trash.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TrashEntry {
    id: String,
    kind: String,
    deleted_at_ms: Timestamp,
    deleted_by_id: Option<UserId>,
}

/// What can be in the trash.
#[derive(Union)]
pub enum TrashItem {
    Model(Model),
    ModelVersion(ModelVersion),
    Candidate(Candidate),
}

/// One thing in the trash.
#[Object]
impl TrashEntry {
    /// When it was deleted.
    async fn deleted_at(&self) -> Timestamp {
        self.deleted_at_ms
    }

    /// Who deleted it.
    async fn deleted_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, self.deleted_by_id.as_ref()).await
    }

    /// What it is.
    async fn item(&self, ctx: &Context<'_>) -> Result<TrashItem> {
        let loader = loaders(ctx);
        let id = self.id.clone();
        let item = match self.kind.as_str() {
            "MODEL" => loader.load_one(ModelId::from_raw(id)).await?.map(TrashItem::Model),
            "VERSION" => {
                loader.load_one(VersionId::from_raw(id)).await?.map(TrashItem::ModelVersion)
            }
            _ => loader.load_one(CandidateId::from_raw(id)).await?.map(TrashItem::Candidate),
        };
        item.ok_or_else(|| Error::internal("the trash names what is not there"))
    }
}

impl Node for TrashEntry {
    const NAME: &'static str = "Trash";
}

/// The trash of a project, last deleted first. What a deleted model has is deleted with it, and is
/// not listed by itself.
pub fn list(project_id: &ProjectId, page: Page) -> Connection<TrashEntry> {
    let list = List {
        columns: "id, kind, deleted_at_ms, deleted_by_id",
        from: "(SELECT m.id, 'MODEL' AS kind, m.project_id, m.deleted_at_ms, m.deleted_by_id
                FROM models m WHERE m.deleted_at_ms IS NOT NULL
                UNION ALL
                SELECT v.id, 'VERSION', m.project_id, v.deleted_at_ms, v.deleted_by_id
                FROM model_versions v JOIN models m ON m.id = v.model_id
                WHERE v.deleted_at_ms IS NOT NULL AND m.deleted_at_ms IS NULL
                UNION ALL
                SELECT c.id, 'CANDIDATE', m.project_id, c.deleted_at_ms, c.deleted_by_id
                FROM candidates c JOIN models m ON m.id = c.model_id
                WHERE c.deleted_at_ms IS NOT NULL AND m.deleted_at_ms IS NULL) t",
        parent: Some("project_id"),
        filter: Sql::new("TRUE"),
        sort: Sort::int("deleted_at_ms", "id", OrderDirection::Desc),
    };
    Connection::new(list, page, project_id.raw())
}
