//! The identity of an object: what a change locks, what the log names, what tags, params, metrics and files are filed
//! under.
//!
//! It is an id and a few words, no model and no run, so that what is filed under objects stands below them.

use crate::change::Change;
use crate::db::query;
use crate::error::{Error, Result};
use crate::id::{CandidateId, ExperimentId, LoggedModelId, ModelId, ProjectId, VersionId};
use crate::log::Subject;

/// The id of an object that keeps when it was last changed.
#[derive(Clone, Debug)]
pub enum TargetId {
    Project(ProjectId),
    Model(ModelId),
    Version(VersionId),
    Candidate(CandidateId),
    LoggedModel(LoggedModelId),
    Experiment(ExperimentId),
    /// The artifacts of a project that are of no run, under the project's id. Nothing else of the project is locked
    /// with them.
    Artifacts(ProjectId),
}

macro_rules! ids {
    ($($kind:ident($id:ident))*) => {
        $(
            impl From<&$id> for TargetId {
                fn from(id: &$id) -> Self {
                    Self::$kind(id.clone())
                }
            }
        )*

        impl TargetId {
            /// The raw id.
            pub fn raw(&self) -> &str {
                match self {
                    $(Self::$kind(id) => id.raw(),)*
                    Self::Artifacts(project) => project.raw(),
                }
            }
        }
    };
}
ids! {
    Project(ProjectId) Model(ModelId) Version(VersionId) Candidate(CandidateId) LoggedModel(LoggedModelId)
    Experiment(ExperimentId)
}

impl TargetId {
    fn missing(&self) -> Error {
        let raw = self.raw();
        match self {
            Self::Project(_) | Self::Artifacts(_) => Error::not_found("project", raw),
            Self::Model(_) => Error::not_found("model", raw),
            Self::Version(_) => Error::not_found("version", raw),
            Self::Candidate(_) => Error::not_found("run", raw),
            Self::LoggedModel(id) => Error::not_found("logged model", id.wire()),
            Self::Experiment(_) => Error::not_found("experiment", raw),
        }
    }
}

/// Marks an object as changed, which also locks it until the change is over. What is in the trash is not found.
pub async fn touch(change: &mut Change, id: impl Into<TargetId>) -> Result<()> {
    let id = id.into();
    if let TargetId::Candidate(run) = &id {
        return touch_run(change, run).await;
    }
    let statement = match &id {
        TargetId::Project(_) => {
            "UPDATE projects SET updated_at_ms = $2 WHERE id = $1 AND deleted_at_ms IS NULL"
        }
        TargetId::Model(_) => {
            "UPDATE models SET updated_at_ms = $2 WHERE id = $1 AND deleted_at_ms IS NULL"
        }
        TargetId::Version(_) => {
            "UPDATE model_versions SET updated_at_ms = $2 WHERE id = $1 AND deleted_at_ms IS NULL"
        }
        TargetId::LoggedModel(_) => {
            "UPDATE logged_models SET updated_at_ms = $2 WHERE id = $1 AND deleted_at_ms IS NULL"
        }
        TargetId::Candidate(_) | TargetId::Experiment(_) => {
            "UPDATE experiments SET updated_at_ms = $2 WHERE id = $1 AND deleted_at_ms IS NULL"
        }
        TargetId::Artifacts(project) => return touch_artifacts(change, project).await,
    };
    let touched = query(statement).bind(id.raw()).bind(change.now).execute(change).await?;
    if touched == 0 { Err(id.missing()) } else { Ok(()) }
}

/// Their row in `objects` is made when they are first asked for: most projects have none.
async fn touch_artifacts(change: &mut Change, project: &ProjectId) -> Result<()> {
    query("INSERT INTO objects (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET ended = FALSE")
        .bind(project)
        .execute(change)
        .await?;
    Ok(())
}

/// A run besides has everybody who follows it hear of it.
async fn touch_run(change: &mut Change, id: &CandidateId) -> Result<()> {
    let touched: Option<(ExperimentId, Option<ModelId>)> = query(
        "UPDATE candidates SET updated_at_ms = $2 WHERE id = $1 AND deleted_at_ms IS NULL
         RETURNING experiment_id, model_id",
    )
    .bind(id)
    .bind(change.now)
    .fetch_optional(&mut **change)
    .await?;
    let (experiment, model) = touched.ok_or_else(|| TargetId::from(id).missing())?;
    change.publish_run(id, &experiment, model.as_ref());
    Ok(())
}

/// An object, and where it is.
#[derive(Clone, Debug)]
pub struct Target {
    /// As events name it: `vision/ocr@1.2.0`.
    pub name: String,
    pub project_id: ProjectId,
    pub model_id: Option<ModelId>,
    pub id: TargetId,
    /// Whether its files were final when it was read: those of a published version.
    pub sealed: bool,
}

impl Target {
    /// The raw id, as tags, params, metrics and files are filed under it.
    pub fn id(&self) -> &str {
        self.id.raw()
    }

    /// The object as events name it.
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            name: self.name.clone(),
            project_id: Some(&self.project_id),
            model_id: self.model_id.as_ref(),
            object_id: self.id(),
        }
    }

    /// [Marks](touch) the object as changed, which also locks it until the change is over.
    pub async fn touch(&self, change: &mut Change) -> Result<()> {
        touch(change, self.id.clone()).await
    }

    /// Locks the object until the change is over; returns whether its files are final.
    pub async fn lock_files(&self, change: &mut Change) -> Result<bool> {
        self.touch(change).await?;
        let state = match &self.id {
            TargetId::Version(_) => "SELECT state FROM model_versions WHERE id = $1",
            TargetId::Candidate(_) | TargetId::LoggedModel(_) | TargetId::Artifacts(_) => {
                return Ok(false);
            }
            TargetId::Project(_) | TargetId::Model(_) | TargetId::Experiment(_) => {
                let reason =
                    "is missing: files belong to a version or a candidate, so give one of them";
                return Err(Error::invalid("version", reason));
            }
        };
        let (state,): (String,) = query(state).bind(self.id()).fetch_one(&mut **change).await?;
        Ok(state == "PUBLISHED")
    }
}
