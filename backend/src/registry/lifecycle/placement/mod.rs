//! Placement (storage tiering): which storage files belong in, by rules that administrators give.
//!
//! A file belongs in the storage of the first rule that it matches, or else in the first of all. Bytes that several files
//! have belong where the first of these storages is, so nothing that is in use is moved away because of a copy of it.

pub mod graphql;
pub mod plan;
pub mod rules;
pub mod sql;

use crate::id::ProjectId;
use crate::words::text_enum;

text_enum! {
    /// What files are of. More may come.
    StoredKind {
        /// A version of a model.
        Version = "VERSION",
        /// A run, or a model that a run logged.
        Run = "RUN",
    }
}

/// Which files belong in a storage. What is none is not asked for.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Rule {
    /// The name of the storage.
    pub storage: String,
    pub project_id: Option<ProjectId>,
    #[sqlx(try_from = "Option<String>")]
    pub kind: OfKind,
    /// An alias, or a stage, that the version has.
    pub alias: Option<String>,
    /// Whether the version must have no alias, and no stage but that of what is archived.
    pub is_unaliased: bool,
    /// Whether the version must be deprecated or yanked.
    pub is_deprecated: bool,
    /// How long ago the file came at least.
    pub older_than_days: Option<i64>,
    /// How long ago the version came and was last fetched at least.
    pub not_fetched_days: Option<i64>,
    /// In bytes.
    pub min_size: i64,
}

/// A kind, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfKind(pub Option<StoredKind>);

impl TryFrom<Option<String>> for OfKind {
    type Error = String;

    fn try_from(kind: Option<String>) -> Result<Self, String> {
        Ok(Self(kind.map(StoredKind::try_from).transpose()?))
    }
}
