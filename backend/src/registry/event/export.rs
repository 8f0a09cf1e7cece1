//! The log as it is exported, line by line, for who keeps it elsewhere.

use super::sql::EventFilter;
use super::{has_value, without_value};
use crate::access::{Auditor, Reader};
use crate::db::{Db, Query, Sql};
use crate::error::Result;
use crate::id::ModelId;
use crate::role::Role;
use crate::time::Timestamp;

/// A line of an export.
#[derive(sqlx::FromRow)]
pub struct Exported {
    pub id: String,
    /// In the [feed](super::feed).
    pub position: i64,
    pub at_ms: Timestamp,
    pub username: Option<String>,
    pub token: Option<String>,
    pub address: Option<String>,
    pub action: String,
    pub subject: String,
    pub project: Option<String>,
    pub refused: bool,
    pub detail: String,
}

impl Exported {
    /// Leaves out what only maintainers see.
    pub(super) fn hide(&mut self) -> Result<()> {
        (self.token, self.address) = (None, None);
        if has_value(&self.action) {
            self.detail = without_value(&self.detail)?;
        }
        Ok(())
    }
}

/// Selects lines of `events` with all that is exported of them; conditions are added.
pub(super) fn select(events: Sql) -> Sql {
    let mut sql = Sql::new(
        "SELECT e.id, e.position, e.at_ms, u.username, c.name AS token, e.address, e.action, e.subject, p.path AS project, e.refused,
         e.detail
     FROM ",
    );
    sql.push_sql(events).push(
        " e
         LEFT JOIN users u ON u.id = e.actor_id
         LEFT JOIN credentials c ON c.id = e.credential_id AND c.kind = 'TOKEN'
         LEFT JOIN projects p ON p.id = e.project_id
         WHERE TRUE",
    );
    sql
}

/// The condition that a line is of the project of a reader or, where `model` is given, of that model of it.
pub(super) fn part(reader: &Reader, model: Option<&ModelId>) -> Sql {
    match model {
        Some(model) => Sql::new("e.model_id = ?").bind(model),
        None => Sql::new("e.project_id = ?").bind(&reader.project().id),
    }
}

/// An export of the log: its lines in the order of time.
pub struct Export {
    db: Db,
    condition: Sql,
    after: String,
}

impl Export {
    /// Of the whole registry.
    pub fn of_everything(db: Db, _auditor: &Auditor, filter: EventFilter) -> Self {
        let condition = filter.condition(&db);
        Self { db, condition, after: String::new() }
    }

    /// Of a project or, where `model` is given, of that model of it; for maintainers.
    pub fn of_part(
        db: Db,
        reader: &Reader,
        model: Option<&ModelId>,
        filter: EventFilter,
    ) -> Result<Self> {
        reader.check_sees(Role::Maintainer)?;
        let condition = filter.condition(&db).and(part(reader, model));
        Ok(Self { db, condition, after: String::new() })
    }

    /// The next lines, at most `size`; none at the end.
    pub async fn next(&mut self, size: i64) -> Result<Vec<Exported>> {
        let behind = Sql::new("e.id > ?").bind(self.after.as_str());
        let mut sql = select(Sql::new("events")).and(behind).and(self.condition.clone());
        sql.push(" ORDER BY e.id").push_limit(size);
        let lines: Vec<Exported> = Query::from(sql).fetch_all(&self.db).await?;
        if let Some(last) = lines.last() {
            self.after.clone_from(&last.id);
        }
        Ok(lines)
    }
}
