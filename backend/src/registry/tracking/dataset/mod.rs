//! Datasets: what runs were trained on, as MLflow describes it. The data itself is elsewhere.

pub mod rules;

use crate::db::{Db, Query, Sql};
use crate::error::Result;
use crate::id::ExperimentId;
use crate::loader::load_by_owner;

/// A dataset as an input of a run.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Input {
    /// What its tags are filed under.
    pub id: String,
    pub name: String,
    pub digest: String,
    pub source_type: String,
    pub source: String,
    pub schema: Option<String>,
    pub profile: Option<String>,
}

/// A dataset that runs of an experiment were given, and what for.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Summary {
    /// The number of the experiment.
    pub experiment: i64,
    pub name: String,
    pub digest: String,
    /// Such as `training`; empty if nobody said.
    pub context: String,
}

/// How many datasets are told of: as many as MLflow tells of.
const MAX_SUMMARIES: i64 = 1000;

/// What the runs of some experiments were trained on, each once.
pub async fn summaries(db: &Db, experiments: &[ExperimentId]) -> Result<Vec<Summary>> {
    let mut sql = Sql::new(
        "SELECT DISTINCT e.number AS experiment, d.name, d.digest, COALESCE(t.value, '') AS context
         FROM datasets d
         JOIN experiments e ON e.id = d.experiment_id
         JOIN dataset_inputs i ON i.dataset_id = d.id
         LEFT JOIN tags t ON t.owner_id = i.id AND t.key = 'mlflow.data.context'
         WHERE ",
    );
    sql.push_sql(Sql::is_in("d.experiment_id", experiments));
    sql.push(" ORDER BY experiment, d.name, d.digest, context").push_limit(MAX_SUMMARIES);
    Ok(Query::from(sql).fetch_all(db).await?)
}

load_by_owner!(
    /// What a run was trained on.
    InputsOf => Input,
    "SELECT i.candidate_id AS owner_id, i.id, d.name, d.digest, d.source_type, d.source, d.schema, d.profile
     FROM dataset_inputs i JOIN datasets d ON d.id = i.dataset_id WHERE ",
    "i.candidate_id",
    " ORDER BY i.candidate_id, i.id"
);
