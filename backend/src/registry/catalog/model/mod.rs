//! Models: named things in a project that own versions, candidates, aliases, tags and a description.

pub mod at_path;
pub mod best;
pub mod facet;
pub mod graphql;
pub mod listed;
pub mod live;
pub mod mutation;
pub mod rules;
pub mod sql;

use async_graphql::{Context, Enum, SimpleObject};

use crate::access::project::Project;
use crate::change::Change;
use crate::connection::Node;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::{ModelId, ProjectId, UserId};
use crate::loader::loaders;
use crate::registry::target::{Target, TargetId};
use crate::time::Timestamp;

/// A model in a project: its model card, versions, candidates, aliases and tags.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct Model {
    #[graphql(skip)]
    pub id: ModelId,
    #[graphql(skip)]
    pub project_id: ProjectId,
    /// Its name, unique in its project.
    pub name: String,
    #[graphql(skip)]
    pub description: String,
    #[graphql(skip)]
    pub author_id: UserId,
    /// When it was created.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
    /// When it, its versions, aliases or tags were last changed.
    #[graphql(name = "updatedAt")]
    pub updated_at_ms: Timestamp,
    /// When it was moved to the trash; null if it is not there.
    #[graphql(name = "deletedAt")]
    pub deleted_at_ms: Option<Timestamp>,
}

/// What a model is. More may come.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub enum ModelKind {
    /// Something whose versions have files.
    Model,
    /// A prompt for a language model, as MLflow's clients register it: its versions have a template instead of files.
    Prompt,
}

impl Model {
    pub async fn project_of(&self, ctx: &Context<'_>) -> Result<Project> {
        loaders(ctx)
            .load_one(self.project_id.clone())
            .await?
            .ok_or_else(|| Error::internal("a model without its project"))
    }

    pub async fn path_of(&self, ctx: &Context<'_>) -> Result<String> {
        Ok(format!("{}/{}", self.project_of(ctx).await?.path, self.name))
    }

    /// What is locked, logged and tagged.
    pub fn target(&self, project: &Project) -> Target {
        Target {
            name: format!("{}/{}", project.path, self.name),
            project_id: self.project_id.clone(),
            model_id: Some(self.id.clone()),
            id: TargetId::from(&self.id),
            sealed: false,
        }
    }
}

/// The columns of [`Model`].
macro_rules! columns {
    () => {
        "id, project_id, name, description, author_id, created_at_ms, updated_at_ms, deleted_at_ms"
    };
}
use columns;

/// Locks a model until the change is over, without marking it as changed.
pub async fn hold(change: &mut Change, id: &ModelId) -> Result<()> {
    let held = query(
        "UPDATE models SET updated_at_ms = updated_at_ms WHERE id = $1 AND deleted_at_ms IS NULL",
    )
    .bind(id)
    .execute(change)
    .await?;
    if held == 0 { Err(Error::not_found("model", id.raw())) } else { Ok(()) }
}

impl Node for Model {
    const NAME: &'static str = "Model";
}
