//! Protected aliases: names such as `production` or `release-*` that only maintainers move, in one model
//! or in all models of a project.

pub mod graphql;
pub mod rules;

use std::sync::Arc;

use async_graphql::{Context, SimpleObject};

use crate::error::Result;
use crate::id::{ModelId, ProjectId, UserId};
use crate::loader::{load_by_owner, loaders};
use crate::text;
use crate::time::Timestamp;

/// How many a project can have, with those of its models.
pub(super) const MAX_RULES: i64 = 100;

/// A protected alias: a name, or a pattern of names, that only maintainers can move.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct ProtectedAlias {
    /// The name or pattern; `*` is a wildcard, as in `release-*`.
    pattern: String,
    #[graphql(skip)]
    model_id: String,
    #[graphql(skip)]
    created_by_id: UserId,
    /// When it was protected.
    #[graphql(name = "createdAt")]
    created_at_ms: Timestamp,
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
        self.is_for(model) && text::matches(&self.pattern, alias)
    }
}

/// What is protected in a project and its models.
pub async fn load(ctx: &Context<'_>, project: &ProjectId) -> Result<Arc<Vec<ProtectedAlias>>> {
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
