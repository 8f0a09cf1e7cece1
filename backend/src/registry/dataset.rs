//! Datasets: what runs were trained on, as MLflow describes it. The data itself is elsewhere.

use crate::access::Writer;
use crate::change::Change;
use crate::db::{Db, Query, Sql, query};
use crate::error::Result;
use crate::id::{CandidateId, ExperimentId, new_uuid};
use crate::loader::load_by_owner;
use crate::registry::tag::{self, TagInput};
use crate::registry::target::Target;
use crate::text;

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

/// A dataset to log as an input of a run.
pub struct NewInput {
    pub name: String,
    pub digest: String,
    pub source_type: String,
    pub source: String,
    pub schema: Option<String>,
    pub profile: Option<String>,
    pub tags: Vec<TagInput>,
}

/// Says what a run was trained on. The same dataset again only adds tags.
pub async fn log(
    change: &mut Change,
    _writer: &Writer,
    (target, experiment): (&Target, &ExperimentId),
    inputs: Vec<NewInput>,
) -> Result<()> {
    target.touch(change).await?;
    for input in inputs {
        let (dataset,): (String,) = query(
            "INSERT INTO datasets (id, experiment_id, name, digest, source_type, source, schema, profile)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (experiment_id, name, digest) DO UPDATE SET name = excluded.name RETURNING id",
        )
        .bind(new_uuid(change.now))
        .bind(experiment)
        .bind(text::long_name("name", &input.name)?)
        .bind(text::name("digest", &input.digest)?)
        .bind(text::name("source_type", &input.source_type)?)
        .bind(text::document("source", input.source)?)
        .bind(input.schema.map(|schema| text::document("schema", schema)).transpose()?)
        .bind(input.profile.map(|profile| text::document("profile", profile)).transpose()?)
        .fetch_one(&mut **change)
        .await?;
        let id = new_uuid(change.now);
        let (id,): (String,) = query(
            "INSERT INTO dataset_inputs (id, candidate_id, dataset_id) VALUES ($1, $2, $3)
             ON CONFLICT (candidate_id, dataset_id) DO UPDATE SET dataset_id = excluded.dataset_id RETURNING id",
        )
        .bind(&id)
        .bind(CandidateId::from_raw(target.id()))
        .bind(dataset)
        .fetch_one(&mut **change)
        .await?;
        tag::insert_all(change, &id, input.tags).await?;
    }
    change.record_sometimes("candidate.log", target.subject()).await
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
