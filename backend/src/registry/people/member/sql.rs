//! How memberships are found, and what they let their holders read.

use std::collections::HashMap;

use async_graphql::Context;
use async_graphql::dataloader::Loader;

use super::{Member, columns};
use crate::access::project::Project;
use crate::access::{self, Reader, actor};
use crate::connection::Connection;
use crate::db::{Db, Query, Sql};
use crate::error::{Error, Result};
use crate::id::{MemberId, ProjectId, UserId};
use crate::loader::{Count, Loaders, load_by_id, load_by_owner, loaders};
use crate::page::{List, OrderDirection, Page, Sort};
use crate::role::Role;

/// Checks that the caller may read a project that a resolver has at hand.
pub async fn reader_in(ctx: &Context<'_>, project: &Project) -> Result<Reader> {
    let actor = actor(ctx);
    let membership = match actor.user() {
        Ok(user) if !user.is_admin => {
            let key = RoleIn { project: project.id.clone(), user: user.id.clone() };
            loaders(ctx).load_one(key).await?
        }
        _ => None,
    };
    access::reader_with(actor, project, membership)
}

/// The members of a project who are persons, by username.
pub fn list(db: &Db, search: Option<String>) -> Result<List> {
    let mut filter = Sql::new("u.kind = 'PERSON'");
    if let Some(search) = crate::text::search(search)? {
        filter = filter.and(db.contains(&["u.username", "u.name"], &search));
    }
    Ok(List {
        columns: columns!(),
        from: "members m JOIN users u ON u.id = m.user_id",
        parent: Some("m.project_id"),
        filter,
        sort: Sort::text("u.username", "m.id", OrderDirection::Asc),
    })
}

/// Where a person is a member, by path.
pub fn list_of(user: &UserId, page: Page) -> Connection<Member> {
    let list = List {
        columns: columns!(),
        from: "members m JOIN projects p ON p.id = m.project_id",
        parent: Some("m.user_id"),
        filter: Sql::new("p.deleted_at_ms IS NULL"),
        sort: Sort::text("p.path", "m.id", OrderDirection::Asc),
    };
    Connection::new(list, page, user.raw())
}

load_by_id!(MemberId => Member, concat!("SELECT ", columns!(), " FROM members m WHERE "), "m.id");

load_by_owner!(
    /// How many persons are members of a project.
    MemberCount => Count,
    "SELECT m.project_id AS owner_id, COUNT(*) AS total
     FROM members m JOIN users u ON u.id = m.user_id WHERE u.kind = 'PERSON' AND ",
    "m.project_id",
    " GROUP BY m.project_id"
);

/// The key of the loader of roles.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RoleIn {
    pub project: ProjectId,
    pub user: UserId,
}

impl Loader<RoleIn> for Loaders {
    type Value = Role;
    type Error = Error;

    async fn load(&self, keys: &[RoleIn]) -> Result<HashMap<RoleIn, Role>> {
        let mut sql = Sql::new("SELECT m.project_id, m.user_id, m.role FROM members m WHERE ");
        sql.push_sql(Sql::is_in("m.project_id", keys.iter().map(|key| &key.project)));
        sql = sql.and(Sql::is_in("m.user_id", keys.iter().map(|key| &key.user)));
        let rows: Vec<(ProjectId, UserId, String)> =
            Query::from(sql).fetch_all(&self.app.db).await?;
        rows.into_iter()
            .map(|(project, user, role)| {
                Ok((RoleIn { project, user }, Role::try_from(role).map_err(Error::internal)?))
            })
            .collect()
    }
}
