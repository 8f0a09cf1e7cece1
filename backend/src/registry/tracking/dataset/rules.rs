//! The rules of datasets: logged as inputs of runs.

use crate::access::Writer;
use crate::action::Action;
use crate::change::Change;
use crate::db::query;
use crate::error::Result;
use crate::id::{CandidateId, ExperimentId, new_uuid};
use crate::registry::metadata::tag::{self, TagInput};
use crate::registry::target::Target;
use crate::text;

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
        tag::rules::insert_all(change, &id, input.tags).await?;
    }
    change.record_sometimes(Action::CandidateLog, target.subject()).await
}
