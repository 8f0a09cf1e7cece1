//! How the registry is run, for administrators: storages, servers, uploads, what will be removed, what is damaged.

use cynic::QueryBuilder;

use super::{
    page::{PageInfo, Place},
    scalar::DateTime,
    schema,
    viewer::Author,
};
use crate::{api::run, logic::error::ApiError};

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageKind {
    Folder,
    ObjectStore,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct Storage {
    pub name: String,
    pub location: String,
    pub kind: StorageKind,
    pub is_reachable: bool,
    pub has_room: bool,
    pub free_bytes: Option<i64>,
    pub total_bytes: Option<i64>,
    pub file_count: Option<i64>,
    pub byte_count: Option<i64>,
    pub counted_at: Option<DateTime>,
    pub takes_uploads: bool,
    pub suspect_count: i64,
    pub lost_count: i64,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query")]
struct Storages {
    storages: Vec<Storage>,
}

/// Where the bytes of files are.
pub async fn storages() -> Result<Vec<Storage>, ApiError> {
    Ok(run(Storages::build(())).await?.storages)
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct Replica {
    pub id: cynic::Id,
    pub name: String,
    pub version: String,
    pub schema: i32,
    pub started_at: DateTime,
    pub last_seen_at: DateTime,
    pub is_alive: bool,
    pub has_background_jobs: bool,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query")]
struct Replicas {
    replicas: Vec<Replica>,
}

/// The servers; none where there is one with a folder.
pub async fn replicas() -> Result<Vec<Replica>, ApiError> {
    Ok(run(Replicas::build(())).await?.replicas)
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct SweepAmount {
    pub count: i64,
    pub byte_count: i64,
    pub since: Option<DateTime>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct SweepPreview {
    pub unused: Option<SweepAmount>,
    pub unknown: Option<SweepAmount>,
    pub first_removal_at: Option<DateTime>,
    pub paused_until: Option<DateTime>,
    pub keep_days: i32,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query")]
struct Sweep {
    sweep_preview: SweepPreview,
}

/// What the next sweeps will remove.
pub async fn sweep_preview() -> Result<SweepPreview, ApiError> {
    Ok(run(Sweep::build(())).await?.sweep_preview)
}

#[derive(cynic::QueryVariables)]
pub struct PageVariables {
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
}

impl From<Place> for PageVariables {
    fn from(place: Place) -> Self {
        let (first, last) = (place.first(), place.last());
        Self { first, after: place.after, last, before: place.before }
    }
}

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadKind {
    Whole,
    Part,
    Joined,
    InParts,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct OpenUpload {
    pub kind: UploadKind,
    pub address: String,
    pub size: Option<i64>,
    pub received: i64,
    pub active: bool,
    pub created_at: DateTime,
    pub expires_at: DateTime,
    pub user: Option<Author>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "OpenUploadConnection")]
pub struct UploadPage {
    pub nodes: Vec<OpenUpload>,
    pub page_info: PageInfo,
    pub total_count: i32,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "PageVariables")]
struct OpenUploads {
    #[arguments(first: $first, after: $after, last: $last, before: $before)]
    open_uploads: UploadPage,
}

/// One page of the uploads under way, what began last first.
pub async fn open_uploads(place: Place) -> Result<UploadPage, ApiError> {
    Ok(run(OpenUploads::build(PageVariables::from(place))).await?.open_uploads)
}

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    Suspect,
    Lost,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct DamagedFile {
    pub sha256: String,
    pub size: i64,
    pub storage: String,
    pub state: Damage,
    pub since: DateTime,
    pub files: Vec<String>,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "DamagedFileConnection")]
pub struct DamagePage {
    pub nodes: Vec<DamagedFile>,
    pub page_info: PageInfo,
    pub total_count: i32,
}

#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct Scrub {
    pub rate: i32,
    pub unchecked_count: Option<i64>,
    pub oldest_check_at: Option<DateTime>,
    pub last_check_at: Option<DateTime>,
}

/// One page of what is damaged, what was found last first, and how far the search is.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
#[cynic(graphql_type = "Query", variables = "PageVariables")]
pub struct Damaged {
    #[arguments(first: $first, after: $after, last: $last, before: $before)]
    pub damaged_files: DamagePage,
    pub scrub: Scrub,
}

pub async fn damaged(place: Place) -> Result<Damaged, ApiError> {
    run(Damaged::build(PageVariables::from(place))).await
}
