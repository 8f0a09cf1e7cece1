//! Memberships as they are looked up to decide who may read what.

use super::actor::Actor;
use super::user::User;
use crate::db::{Conn, Sql, query};
use crate::error::{Error, Result};
use crate::id::{ProjectId, UserId};
use crate::role::Role;

/// The condition that a caller who is signed in may read the project whose id is in `column`.
pub fn readable(column: &str, user: &User) -> Sql {
    // A robot is in its project only; elsewhere it is a stranger.
    let open = if user.is_robot() { "= 'PUBLIC'" } else { "<> 'PRIVATE'" };
    Sql::new(format!(
        "{column} IN (SELECT o.id FROM projects o WHERE o.visibility {open}
                      UNION ALL SELECT o.project_id FROM members o WHERE o.user_id = ?)"
    ))
    .bind(&user.id)
}

/// The condition that everybody may read the project whose id is in `column`.
pub fn public(column: &str) -> Sql {
    Sql::new(format!("{column} IN (SELECT o.id FROM projects o WHERE o.visibility = 'PUBLIC')"))
}

/// The condition that the caller owns the project whose id is in `column`.
pub fn owned(column: &str, actor: &Actor) -> Result<Sql> {
    let user = actor.user()?;
    Ok(if user.is_admin {
        Sql::new("TRUE")
    } else {
        Sql::new(format!(
            "{column} IN (SELECT o.project_id FROM members o WHERE o.user_id = ? AND o.role = 'OWNER')"
        ))
        .bind(&user.id)
    })
}

/// The role of a membership; none where there is none.
pub async fn role_of(
    conn: impl Into<Conn<'_>>,
    project: &ProjectId,
    user: &UserId,
) -> Result<Option<Role>> {
    let found: Option<(String,)> =
        query("SELECT role FROM members WHERE project_id = $1 AND user_id = $2")
            .bind(project)
            .bind(user)
            .fetch_optional(conn)
            .await?;
    found.map(|(role,)| Role::try_from(role).map_err(Error::internal)).transpose()
}
