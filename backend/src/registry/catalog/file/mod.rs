//! Files: paths inside a version or candidate that point at blobs.
//!
//! Write-once in a version: the same bytes again are fine, other bytes a conflict. In a candidate, which
//! is a run that may write its checkpoint again, a later upload takes the path over. Never touches bytes:
//! those are in the store before a row names them.
//!
//! The column `path` is the path in Unicode normalisation form C, by which a file is found in whatever form somebody
//! asks; `sent_path` is as it was sent, where that is another text: others refer to those bytes.

pub mod graphql;
pub mod portable;
pub mod rules;
pub mod sql;

use async_graphql::SimpleObject;

use crate::connection::Node;
use crate::long::Long;
use crate::time::Timestamp;

/// A path in a version or candidate, and the content that it points to.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct File {
    #[graphql(skip)]
    pub owner_id: String,
    /// The path as it was sent, with `/` between folders, such as `onnx/model.onnx`.
    pub path: String,
    /// The size in bytes.
    pub size: Long,
    /// The SHA-256 of the bytes, in hexadecimal.
    pub sha256: String,
    /// The media type, by the ending of the name.
    pub content_type: String,
    /// When it was uploaded.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
}

impl Node for File {
    const NAME: &'static str = "File";
}

macro_rules! columns {
    () => {
        "owner_id, COALESCE(sent_path, path) AS path, size, sha256, content_type, created_at_ms"
    };
}
use columns;
