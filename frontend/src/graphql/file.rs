//! Files of versions and candidates.

use super::{mutation, page::PageInfo, schema};

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "File")]
pub struct FileRow {
    pub path: String,
    pub size: i64,
    pub sha256: String,
    pub content_type: String,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "FileConnection")]
pub struct FilePage {
    pub nodes: Vec<FileRow>,
    pub page_info: PageInfo,
    pub total_count: i32,
}

/// A file whose upload began and is not over.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct UnfinishedUpload {
    pub path: String,
    pub size: Option<i64>,
    pub received: Option<i64>,
    /// Whether it is going on.
    pub active: bool,
}

/// A name of a file or folder that some systems cannot keep, and why.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct NameWarning {
    pub path: String,
    pub reason: String,
}

/// What a deleted file was.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "File")]
pub struct FileName {
    pub path: String,
}

#[derive(cynic::InputObject, Clone)]
pub struct DeleteFileInput {
    pub model: String,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[cynic(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<i32>,
    pub path: String,
}

mutation! { $
    /// Only from drafts and candidates: a published version keeps its files.
    delete: delete_file(DeleteFileInput) -> "DeleteFilePayload" { file: FileName }
}
