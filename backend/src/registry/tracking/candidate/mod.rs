//! Candidates: training runs of a model, with params, metrics, tags and files. One of them may become a
//! version. A candidate is an MLflow run: its raw id is the run id.

pub mod graphql;
pub mod live;
pub mod rules;
pub mod sql;

use async_graphql::Context;

use crate::access::project::Project;
use crate::change::Change;
use crate::connection::Node;
use crate::error::{Error, Result};
use crate::id::{CandidateId, ExperimentId, ModelId, UserId};
use crate::loader::loaders;
use crate::registry::target::{Target, TargetId};
use crate::registry::tracking::experiment::Experiment;
use crate::time::Timestamp;
use crate::words::text_enum;

text_enum! {
    /// How a training run is doing. More may come.
    CandidateStatus {
        /// It is running.
        Running = "RUNNING",
        /// It will run.
        Scheduled = "SCHEDULED",
        /// It ended well.
        Finished = "FINISHED",
        /// It ended with an error.
        Failed = "FAILED",
        /// Somebody ended it.
        Killed = "KILLED",
    }
}

impl CandidateStatus {
    fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Killed)
    }
}

/// A training run: what the UI, errors and documentation call a run, this API calls a candidate, whether or not a
/// version was made of it.
#[derive(Clone, Debug, sqlx::FromRow, async_graphql::SimpleObject)]
#[graphql(complex)]
pub struct Candidate {
    #[graphql(skip)]
    pub id: CandidateId,
    #[graphql(skip)]
    pub experiment_id: ExperimentId,
    #[graphql(skip)]
    pub model_id: Option<ModelId>,
    /// Its number in the model: 1, 2, 3 …, never reused; null while it belongs to no model.
    pub number: Option<i64>,
    /// Its name; need not be unique.
    pub name: String,
    /// The status.
    #[sqlx(try_from = "String")]
    pub status: CandidateStatus,
    #[graphql(skip)]
    pub author_id: UserId,
    /// When training began.
    #[graphql(name = "startedAt")]
    pub started_at_ms: Option<Timestamp>,
    /// When training ended; null while it runs.
    #[graphql(name = "endedAt")]
    pub ended_at_ms: Option<Timestamp>,
    /// When it was created.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
    /// When it was last logged to.
    #[graphql(name = "updatedAt")]
    pub updated_at_ms: Timestamp,
    /// When it was moved to the trash; null if it is not there.
    #[graphql(name = "deletedAt")]
    pub deleted_at_ms: Option<Timestamp>,
}

impl Candidate {
    fn publish(&self, change: &mut Change) {
        change.publish_run(&self.id, &self.experiment_id, self.model_id.as_ref());
    }
}

impl Candidate {
    /// What is locked, logged and tagged, and has files: a candidate of the model of this name, or a run that belongs to
    /// none.
    pub fn target(&self, project: &Project, model: Option<&str>) -> Target {
        let name = match (model, self.number) {
            (Some(model), Some(number)) => {
                format!("{}/{model}/candidates/{number}", project.path)
            }
            _ => format!("{}/-/runs/{}", project.path, self.id.raw()),
        };
        Target {
            name,
            project_id: project.id.clone(),
            model_id: self.model_id.clone(),
            id: TargetId::from(&self.id),
            sealed: false,
        }
    }
}

/// The columns of [`Candidate`].
macro_rules! columns {
    () => {
        "id, experiment_id, model_id, number, name, status, author_id, started_at_ms, ended_at_ms, \
         created_at_ms, updated_at_ms, deleted_at_ms"
    };
}
use columns;

impl Candidate {
    pub async fn experiment_of(&self, ctx: &Context<'_>) -> Result<Experiment> {
        loaders(ctx)
            .load_one(self.experiment_id.clone())
            .await?
            .ok_or_else(|| Error::internal("a candidate without its experiment"))
    }
}

impl Node for Candidate {
    const NAME: &'static str = "Candidate";
}
