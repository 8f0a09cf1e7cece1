//! Experiments: series of candidates. Every project has one that runs are in unless told, named
//! `Default`; every model has one from when it is first asked for, named `[model]NAME`, that follows its model;
//! MLflow users make others.

pub mod graphql;
pub mod rules;
pub mod sql;

use async_graphql::{Context, SimpleObject};

use crate::access::project::Project;
use crate::connection::Node;
use crate::error::{Error, Result};
use crate::id::{ExperimentId, ModelId, ProjectId};
use crate::loader::loaders;
use crate::registry::target::{Target, TargetId};
use crate::time::Timestamp;

/// A named group of candidates (runs).
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct Experiment {
    #[graphql(skip)]
    pub id: ExperimentId,
    #[graphql(skip)]
    pub project_id: ProjectId,
    #[graphql(skip)]
    pub model_id: Option<ModelId>,
    /// Its number in the project, which MLflow knows as its id; 0 is the default experiment of the project.
    pub number: i64,
    /// Its name, unique in its project.
    pub name: String,
    /// Where an MLflow client wants the files of its runs; here if none.
    #[graphql(skip)]
    pub artifact_location: Option<String>,
    /// When it was created.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
    /// When it or its tags were last changed.
    #[graphql(name = "updatedAt")]
    pub updated_at_ms: Timestamp,
    /// When it was moved to the trash; null if it is not there.
    #[graphql(name = "deletedAt")]
    pub deleted_at_ms: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "id, project_id, model_id, number, name, artifact_location, created_at_ms, updated_at_ms, deleted_at_ms"
    };
}
use columns;

impl Experiment {
    pub async fn project_of(&self, ctx: &Context<'_>) -> Result<Project> {
        loaders(ctx)
            .load_one(self.project_id.clone())
            .await?
            .ok_or_else(|| Error::internal("an experiment without its project"))
    }

    /// What is locked, logged and tagged.
    pub fn target(&self, project: &Project) -> Target {
        Target {
            name: format!("{}/-/experiments/{}", project.path, self.number),
            project_id: project.id.clone(),
            model_id: self.model_id.clone(),
            id: TargetId::from(&self.id),
            sealed: false,
        }
    }
}

/// How the names of the default experiments of models begin.
pub const MODEL_PREFIX: &str = "[model]";

pub(super) fn default_name(model: &str) -> String {
    format!("{MODEL_PREFIX}{model}")
}

impl Node for Experiment {
    const NAME: &'static str = "Experiment";
}
