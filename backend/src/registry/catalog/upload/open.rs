//! Uploads under way, whoever began them, as a list: what operators look at.

use async_graphql::{Enum, SimpleObject};

use super::PART;
use crate::connection::{Connection, Node};
use crate::db::Sql;
use crate::id::{ProjectId, UserId};
use crate::long::Long;
use crate::page::{List, OrderDirection, Page, Sort};
use crate::time::Timestamp;

/// How a file comes. More may come.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadKind {
    /// As a whole, from the start to the end; it can be interrupted and go on.
    Whole,
    /// This is one part of a file; a later request puts the parts together.
    Part,
    /// It is being put together from parts that have come.
    Joined,
    /// In parts in any order, as MLflow's clients send large files.
    InParts,
}

/// An upload under way: begun, not over, and not expired. A file that comes in a single request is not one.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct OpenUpload {
    #[graphql(skip)]
    pub id: String,
    #[graphql(skip)]
    pub user_id: UserId,
    #[graphql(skip)]
    pub owner_id: String,
    #[graphql(skip)]
    pub project_id: Option<ProjectId>,
    #[graphql(skip)]
    pub path: String,
    #[graphql(skip)]
    pub size: i64,
    /// How many bytes are safely stored.
    pub received: Long,
    #[graphql(skip)]
    pub is_deferred: bool,
    #[graphql(skip)]
    pub concat: Option<String>,
    #[graphql(skip)]
    pub part_count: Option<i64>,
    /// When it began.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
    /// When it is given up if no more bytes come.
    #[graphql(name = "expiresAt")]
    pub expires_at_ms: Timestamp,
}

impl Node for OpenUpload {
    const NAME: &'static str = "OpenUpload";
}

impl OpenUpload {
    pub fn kind_of(&self) -> UploadKind {
        match self.concat.as_deref() {
            _ if self.part_count.is_some() => UploadKind::InParts,
            Some(PART) => UploadKind::Part,
            Some(_) => UploadKind::Joined,
            None => UploadKind::Whole,
        }
    }
}

/// All that are under way, what began last first.
pub fn list(now: Timestamp, page: Page) -> Connection<OpenUpload> {
    let list = List {
        columns: "u.id, u.user_id, u.owner_id, u.project_id, COALESCE(u.sent_path, u.path) AS path, u.size, u.received,
                  u.is_deferred, u.concat, u.part_count, u.created_at_ms, u.expires_at_ms",
        from: "uploads u",
        parent: None,
        filter: Sql::new("NOT u.is_over AND u.expires_at_ms > ?").bind(now),
        // Ids are in the order of time. They are no secrets: only who began an upload can go on with it.
        sort: Sort::text("u.id", "u.id", OrderDirection::Desc),
    };
    Connection::new(list, page, "")
}
