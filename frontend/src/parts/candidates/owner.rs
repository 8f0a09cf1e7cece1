//! Whose training runs a table shows: those of a model, or of an experiment.

use crate::{
    graphql::{
        candidate::{self, CandidateList, CandidateOrder, CandidateRow},
        experiment,
        page::Place,
    },
    logic::{address, error::ApiError},
};

/// Whose training runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// By its path. All of them have a number in it.
    Model(String),
    /// By the path of its project and its number there.
    Experiment(String, i32),
}

impl Owner {
    pub async fn list(
        self,
        filter: Option<String>,
        order: CandidateOrder,
        place: Place,
    ) -> Result<CandidateList, ApiError> {
        match self {
            Self::Model(path) => candidate::list(path, filter, order, place).await,
            Self::Experiment(project, number) => {
                experiment::candidates(project, number, filter, order, place).await
            }
        }
    }

    pub fn project(&self) -> &str {
        match self {
            Self::Model(path) => path.split('/').next().unwrap_or_default(),
            Self::Experiment(project, _) => project,
        }
    }

    /// What the address of a comparison calls a run.
    pub fn key(&self, row: &CandidateRow) -> String {
        match (self, row.number) {
            (Self::Model(_), Some(number)) => number.to_string(),
            _ => row.run_id.clone(),
        }
    }

    pub fn compare(&self, keys: &[String]) -> String {
        match self {
            Self::Model(path) => address::compare(path, keys),
            Self::Experiment(project, _) => address::compare_runs(project, keys),
        }
    }
}
