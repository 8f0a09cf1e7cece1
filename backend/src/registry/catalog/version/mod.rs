//! Versions: published releases of a model, named by strict SemVer.
//!
//! A version begins as a draft that files are put into; publishing locks it: its files never change
//! again, and its digest says so. Numbers are never given twice, deleted or not.

pub mod at_ref;
pub mod facts;
pub mod fetch;
pub mod graphql;
pub mod mutation;
pub mod names;
pub mod new;
pub mod published;
pub mod rules;
pub mod sql;
pub mod support;

use sha2::{Digest, Sha256};

use crate::access::project::Project;
use crate::connection::Node;
use crate::id::{CandidateId, ModelId, UserId, VersionId};
use crate::registry::catalog::model::Model;
use crate::registry::target::{Target, TargetId};
use crate::time::Timestamp;
use crate::words::text_enum;

text_enum! {
    /// Whether the files of a version can still change. More may come.
    VersionState {
        /// Files can be added and removed.
        Draft = "DRAFT",
        /// Files are locked permanently.
        Published = "PUBLISHED",
    }
}

text_enum! {
    /// The stages of MLflow, for clients that still use them. Aliases are the better way.
    ModelStage {
        /// In no stage.
        None = "NONE",
        /// On trial.
        Staging = "STAGING",
        /// In use.
        Production = "PRODUCTION",
        /// No longer in use.
        Archived = "ARCHIVED",
    }
}

/// A release of a model, named by its SemVer version.
#[derive(Clone, Debug, sqlx::FromRow, async_graphql::SimpleObject)]
#[graphql(complex)]
pub struct ModelVersion {
    #[graphql(skip)]
    pub id: VersionId,
    #[graphql(skip)]
    pub model_id: ModelId,
    /// Its SemVer 2.0 version, such as `1.2.0`.
    pub version: String,
    /// Its number in the model: 1, 2, 3 … in the order of creation, never given twice.
    pub number: i64,
    /// Whether its files can still change.
    #[sqlx(try_from = "String")]
    pub state: VersionState,
    /// Its stage in MLflow.
    #[sqlx(try_from = "String")]
    pub stage: ModelStage,
    /// Where an MLflow client said that its files come from; null if it was made otherwise.
    pub source: Option<String>,
    /// Where its files are, if not here.
    #[graphql(skip)]
    pub location: Option<String>,
    #[graphql(skip)]
    pub run_id: Option<String>,
    #[graphql(skip)]
    pub run_link: Option<String>,
    #[graphql(skip)]
    pub logged_model_id: Option<String>,
    #[graphql(skip)]
    pub description: String,
    #[graphql(skip)]
    pub author_id: UserId,
    #[graphql(skip)]
    pub candidate_id: Option<CandidateId>,
    /// SHA-256 over its files, `PATH NUL SIZE NUL SHA256 LF` of each in the order of paths, in
    /// hexadecimal; null until it is published.
    pub digest: Option<String>,
    /// When it was created.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
    /// When it or its files, aliases or tags were last changed.
    #[graphql(name = "updatedAt")]
    pub updated_at_ms: Timestamp,
    /// When it was published; null for a draft.
    #[graphql(name = "publishedAt")]
    pub published_at_ms: Option<Timestamp>,
    #[graphql(skip)]
    pub deprecated_at_ms: Option<Timestamp>,
    #[graphql(skip)]
    pub yanked_at_ms: Option<Timestamp>,
    /// The reason why it is deprecated or yanked; null if it is active.
    pub support_reason: Option<String>,
    /// The version of this model to use instead, such as `1.2.1`; null if none is given.
    pub successor: Option<String>,
    #[graphql(skip)]
    pub last_fetched_at_ms: Option<Timestamp>,
    /// When it was moved to the trash; null if it is not there.
    #[graphql(name = "deletedAt")]
    pub deleted_at_ms: Option<Timestamp>,
}

impl ModelVersion {
    /// Whether what is logged to its run is its own: as with GitLab, where a version is made without a
    /// source and filled by the run that it comes with.
    pub fn is_filled_by_run(&self) -> bool {
        self.source.as_deref() == Some("") && self.state == VersionState::Draft
    }

    /// What is locked, logged and tagged, and has files.
    pub fn target(&self, project: &Project, model: &Model) -> Target {
        Target {
            name: format!("{}/{}@{}", project.path, model.name, self.version),
            project_id: model.project_id.clone(),
            model_id: Some(model.id.clone()),
            id: TargetId::from(&self.id),
            sealed: self.state == VersionState::Published,
        }
    }
}

/// The columns of [`ModelVersion`].
macro_rules! columns {
    () => {
        "id, model_id, version, number, state, stage, source, location, run_id, run_link, logged_model_id, \
         description, author_id, candidate_id, digest, created_at_ms, updated_at_ms, published_at_ms, \
         deprecated_at_ms, yanked_at_ms, support_reason, successor, last_fetched_at_ms, deleted_at_ms"
    };
}
use columns;

/// The condition that `latest`, a range or a stage can mean a version.
macro_rules! offered {
    ($of:literal) => {
        concat!($of, ".deleted_at_ms IS NULL AND ", $of, ".yanked_at_ms IS NULL")
    };
}
pub(in crate::registry::catalog) use offered;

/// As [`offered!`], of what can be the latest: no draft where only yanked versions are published, or those of them for which
/// a condition over `y` holds. Nobody shall get files that may still change in the place of those that were withdrawn.
macro_rules! latest_offered {
    ($of:literal) => {
        latest_offered!($of, "")
    };
    ($of:literal, $condition:literal) => {
        concat!(
            offered!($of),
            " AND (",
            $of,
            ".state = 'PUBLISHED' OR NOT EXISTS (SELECT 1 FROM model_versions y WHERE y.model_id = ",
            $of,
            ".model_id AND y.yanked_at_ms IS NOT NULL AND y.deleted_at_ms IS NULL",
            $condition,
            "))"
        )
    };
}
pub(in crate::registry::catalog) use latest_offered;

impl Node for ModelVersion {
    const NAME: &'static str = "ModelVersion";
}

/// The digest of a version with these files, in the order of paths.
fn digest_of(files: &[(String, i64, String)]) -> String {
    let mut hasher = Sha256::new();
    for (path, size, sha256) in files {
        hasher.update(format!("{path}\0{size}\0{sha256}\n"));
    }
    hex::encode(hasher.finalize())
}
