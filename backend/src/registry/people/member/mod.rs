//! Members: who has which role in a project; and what that lets them read.
//!
//! Never leaves a project without an owner, and never lets anybody give or take more than they have.

pub mod graphql;
pub mod rules;
pub mod sql;

use async_graphql::SimpleObject;

use crate::connection::Node;
use crate::id::{MemberId, ProjectId, UserId};
use crate::role::Role;
use crate::time::Timestamp;
use crate::words::text_enum;

text_enum! {
    /// Where a membership comes from.
    Source {
        /// Somebody gave it.
        Manual = "MANUAL",
        /// Single sign-on gave it, by the person's groups.
        Oidc = "OIDC",
    }
}

/// A person's role in a project.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct Member {
    #[graphql(skip)]
    pub id: MemberId,
    #[graphql(skip)]
    pub project_id: ProjectId,
    #[graphql(skip)]
    pub user_id: UserId,
    /// Their role.
    #[sqlx(try_from = "String")]
    pub role: Role,
    #[graphql(skip)]
    #[sqlx(try_from = "String")]
    pub source: Source,
    #[graphql(skip)]
    pub added_by_id: Option<UserId>,
    /// When they became a member.
    #[graphql(name = "createdAt")]
    pub created_at_ms: Timestamp,
}

impl Node for Member {
    const NAME: &'static str = "Member";
}

/// The columns of [`Member`], of `members m`.
macro_rules! columns {
    () => {
        "m.id, m.project_id, m.user_id, m.role, m.source, m.added_by_id, m.created_at_ms"
    };
}
use columns;
