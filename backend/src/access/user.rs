//! Accounts as they are looked up to decide who may come in. How they are made and changed is in
//! [`registry::people::user`](crate::registry::people::user).

use async_graphql::SimpleObject;

use crate::db::{Conn, query};
use crate::error::Result;
use crate::id::{ProjectId, UserId};
use crate::text;
use crate::time::Timestamp;
use crate::words::text_enum;

text_enum! {
    /// Who stands behind an account.
    UserKind {
        /// Somebody.
        Person = "PERSON",
        /// A token of a project.
        Robot = "ROBOT",
    }
}

/// A person who uses the registry, or the robot of a project token.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct User {
    #[graphql(skip)]
    pub id: UserId,
    /// The name to sign in with.
    pub username: String,
    /// The name to show.
    pub name: String,
    #[graphql(skip)]
    pub password_hash: String,
    #[graphql(skip)]
    pub is_admin: bool,
    /// When they were added.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
    #[graphql(skip)]
    #[sqlx(try_from = "String")]
    pub kind: UserKind,
    #[graphql(skip)]
    pub project_id: Option<ProjectId>,
    #[graphql(skip)]
    pub blocked_at_ms: Option<Timestamp>,
    #[graphql(skip)]
    pub deleted_at_ms: Option<Timestamp>,
    #[graphql(skip)]
    pub last_seen_at_ms: Option<Timestamp>,
    #[graphql(skip)]
    pub has_identity: bool,
}

/// The columns of [`User`], of `users u`.
macro_rules! columns {
    () => {
        "u.id, u.username, u.name, u.password_hash, u.is_admin, u.created_at_ms, u.kind, u.project_id, \
         u.blocked_at_ms, u.deleted_at_ms, u.last_seen_at_ms, \
         EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.id) AS has_identity"
    };
}
pub(crate) use columns;

impl User {
    pub fn is_robot(&self) -> bool {
        self.kind == UserKind::Robot
    }
}

pub async fn get_by_id(conn: impl Into<Conn<'_>>, id: &UserId) -> Result<User> {
    let user = query(concat!("SELECT ", columns!(), " FROM users u WHERE u.id = $1"))
        .bind(id)
        .fetch_one(conn)
        .await?;
    Ok(user)
}

pub async fn find_by_id(conn: impl Into<Conn<'_>>, id: &UserId) -> Result<Option<User>> {
    let user = query(concat!("SELECT ", columns!(), " FROM users u WHERE u.id = $1"));
    Ok(user.bind(id).fetch_optional(conn).await?)
}

pub async fn find_by_username(conn: impl Into<Conn<'_>>, username: &str) -> Result<Option<User>> {
    let user = query(concat!("SELECT ", columns!(), " FROM users u WHERE u.username = $1"))
        .bind(text::looked_up(username))
        .fetch_optional(conn)
        .await?;
    Ok(user)
}
