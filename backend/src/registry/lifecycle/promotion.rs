//! Promotion: a candidate becomes a published version, with its files, params and metrics.

use crate::access::Writer;
use crate::action::Action;
use crate::change::Change;
use crate::error::Result;
use crate::registry::catalog::file;
use crate::registry::catalog::model::Model;
use crate::registry::catalog::upload::rules::Arrived;
use crate::registry::catalog::version::new::{NewVersion, allocate, insert};
use crate::registry::catalog::version::{ModelVersion, VersionState, rules};
use crate::registry::target;
use crate::registry::tracking::candidate::Candidate;

/// Makes a candidate a published version: by reference, so no byte is stored twice.
pub async fn promote(
    change: &mut Change,
    writer: &Writer,
    model: &Model,
    (candidate, _arrived): (&Candidate, Arrived),
    (version, description): (Option<String>, Option<String>),
) -> Result<ModelVersion> {
    let candidate_id = Some(candidate.id.clone());
    let new = NewVersion { version, description, candidate_id, ..NewVersion::default() };
    let (version, tags) = allocate(change, writer, model, new, VersionState::Draft).await?;
    let version = insert(change, model, (version, tags)).await?;
    // Locked: what is logged or uploaded meanwhile comes before or after, never half.
    target::touch(change, &candidate.id).await?;
    file::rules::copy(change, (candidate.id.raw(), ""), (version.id.raw(), "")).await?;
    rules::copy_measures(change, candidate.id.raw(), &version).await?;
    let version = rules::lock(change, &version).await?;
    let detail = serde_json::json!({ "candidate": candidate.number, "digest": version.digest });
    let target = version.target(writer.project(), model);
    change.record(Action::CandidatePromote, target.subject(), detail).await?;
    Ok(version)
}
