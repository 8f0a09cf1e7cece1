//! Experiments: series of candidates. Every model has a default one, named `[model]NAME`.

use async_graphql::{ComplexObject, Context, ID, SimpleObject};

use crate::auth::Writer;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::{ExperimentId, ModelId, ProjectId};
use crate::loader::{load_by_id, load_by_owner, loaders};
use crate::registry::event::Change;
use crate::registry::model::{self, Model};
use crate::registry::project::Project;
use crate::time::Timestamp;

/// A series of candidates.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct Experiment {
    #[graphql(skip)]
    pub id: ExperimentId,
    #[graphql(skip)]
    pub project_id: ProjectId,
    #[graphql(skip)]
    pub model_id: Option<ModelId>,
    /// Its name, unique in its project.
    pub name: String,
    /// When it was created.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
}

#[ComplexObject]
impl Experiment {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// The project that it is in.
    async fn project(&self, ctx: &Context<'_>) -> Result<Project> {
        loaders(ctx)
            .load_one(self.project_id.clone())
            .await?
            .ok_or_else(|| Error::internal("an experiment without its project"))
    }

    /// The model whose default experiment this is; null if it is none.
    async fn model(&self, ctx: &Context<'_>) -> Result<Option<Model>> {
        match &self.model_id {
            Some(id) => model::load(ctx, id).await.map(Some),
            None => Ok(None),
        }
    }
}

macro_rules! columns {
    () => {
        "id, project_id, model_id, name, created_at_ms"
    };
}

/// Creates the default experiment of a new model.
pub async fn create_default(change: &mut Change, _writer: &Writer, model: &Model) -> Result<()> {
    query(
        "INSERT INTO experiments (id, project_id, model_id, name, created_at_ms)
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(ExperimentId::new(change.now))
    .bind(&model.project_id)
    .bind(&model.id)
    .bind(default_name(&model.name))
    .bind(change.now)
    .execute(change)
    .await
    .map_err(Error::unless_unique("experiment", &default_name(&model.name)))?;
    Ok(())
}

/// Keeps the default experiment in step with its model: renamed, deleted or restored.
pub async fn follow(change: &mut Change, _writer: &Writer, model: &Model) -> Result<()> {
    query("UPDATE experiments SET name = $2, deleted_at_ms = $3 WHERE model_id = $1")
        .bind(&model.id)
        .bind(default_name(&model.name))
        .bind(model.deleted_at_ms)
        .execute(change)
        .await
        .map_err(Error::unless_unique("experiment", &default_name(&model.name)))?;
    Ok(())
}

fn default_name(model: &str) -> String {
    format!("[model]{model}")
}

/// The id of the default experiment of a model.
pub async fn default_of(change: &mut Change, model: &Model) -> Result<ExperimentId> {
    let (id,): (ExperimentId,) = query("SELECT id FROM experiments WHERE model_id = $1")
        .bind(&model.id)
        .fetch_one(&mut **change)
        .await?;
    Ok(id)
}

load_by_id!(
    ExperimentId => Experiment,
    concat!("SELECT ", columns!(), " FROM experiments WHERE "),
    "id"
);

load_by_owner!(
    /// The default experiment of a model.
    ExperimentOf => Experiment,
    concat!("SELECT model_id AS owner_id, ", columns!(), " FROM experiments WHERE "),
    "model_id",
    ""
);
