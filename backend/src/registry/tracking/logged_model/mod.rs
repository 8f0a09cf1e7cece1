//! Logged models: models as runs log them, before anybody registers one. MLflow's since 3.0.
//!
//! It can change until it is deleted, as MLflow's own code does with finished ones; a version that was made of it has
//! its files by reference, as they were then. When it is finished they are also, by reference, among the files of its
//! run, so that a candidate can be promoted whole, and follow what changes later.

pub mod rules;
pub mod sql;

use crate::access::project::Project;
use crate::id::{CandidateId, ExperimentId, LoggedModelId, UserId};
use crate::registry::target::{Target, TargetId};
use crate::time::Timestamp;
use crate::words::text_enum;

text_enum! {
    /// Whether the files of a logged model are all there.
    LoggedModelStatus {
        /// Being filled.
        Pending = "PENDING",
        /// Finished: its files are all there.
        Ready = "READY",
        /// Given up.
        Failed = "FAILED",
    }
}

/// A model as a run logged it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct LoggedModel {
    pub id: LoggedModelId,
    pub experiment_id: ExperimentId,
    /// The run that logged it.
    pub candidate_id: Option<CandidateId>,
    /// The run that it came from where that is not here.
    source_run_id: Option<String>,
    pub name: String,
    pub model_type: String,
    /// Where its files are among those of its run, once it is finished.
    pub folder: Option<String>,
    #[sqlx(try_from = "String")]
    pub status: LoggedModelStatus,
    pub author_id: UserId,
    pub created_at_ms: Timestamp,
    pub updated_at_ms: Timestamp,
    pub deleted_at_ms: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "id, experiment_id, candidate_id, source_run_id, name, model_type, folder, status, author_id, \
         created_at_ms, updated_at_ms, deleted_at_ms"
    };
}
use columns;

impl LoggedModel {
    /// The id of the run that it came from, here or not.
    pub fn source_run_id(&self) -> Option<&str> {
        let here = self.candidate_id.as_ref().map(CandidateId::raw);
        here.or(self.source_run_id.as_deref())
    }

    /// What is locked, logged and tagged, and has files.
    pub fn target(&self, project: &Project) -> Target {
        Target {
            name: format!("{}/-/logged-models/{}", project.path, self.id.wire()),
            project_id: project.id.clone(),
            model_id: None,
            id: TargetId::from(&self.id),
            sealed: false,
        }
    }
}
