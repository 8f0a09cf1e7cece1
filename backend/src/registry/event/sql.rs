//! Lists of events, filtered.

use async_graphql::InputObject;

use super::{Event, columns};
use crate::access::Reader;
use crate::connection::Connection;
use crate::db::{Db, Sql};
use crate::page::{List, OrderDirection, Page, Sort};
use crate::role::Role;
use crate::text;
use crate::time::Timestamp;

/// Which events of a list.
#[derive(InputObject)]
pub struct EventFilter {
    /// Only events of the person or robot with this username.
    pub actor: Option<String>,
    /// Only this action, such as `alias.set`, or all of a kind: `alias.*`.
    pub action: Option<String>,
    /// Only refused events (true), or only others (false).
    pub refused: Option<bool>,
    /// From this time on.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
}

impl EventFilter {
    pub(super) fn condition(self, db: &Db) -> Sql {
        let mut sql = Sql::new("TRUE");
        if let Some(actor) = self.actor {
            let named = Sql::new("e.actor_id IN (SELECT u.id FROM users u WHERE u.username = ?)");
            sql = sql.and(named.bind(text::looked_up(&actor)));
        }
        if let Some(action) = self.action {
            sql = sql.and(match action.strip_suffix(".*") {
                Some(kind) => db.like("e.action", &format!("{}.%", text::looked_up(kind))),
                None => Sql::new("e.action = ?").bind(text::looked_up(&action)),
            });
        }
        if let Some(refused) = self.refused {
            sql = sql.and(Sql::new("e.refused = ?").bind(refused));
        }
        if let Some(since) = self.since {
            sql = sql.and(Sql::new("e.at_ms >= ?").bind(since));
        }
        if let Some(until) = self.until {
            sql = sql.and(Sql::new("e.at_ms < ?").bind(until));
        }
        sql
    }
}

/// The condition that an event is not for maintainers only, as `Event::is_for_maintainers` says.
pub(super) const FOR_READERS: &str = "NOT e.refused AND e.action NOT LIKE 'member.%' AND e.action NOT LIKE 'token.%' AND e.action NOT LIKE 'webhook.%'";

/// All events, newest first. `column` names the parent's id.
pub(super) fn list(column: Option<&'static str>, filter: Sql) -> List {
    List {
        columns: columns!(),
        from: "events e",
        parent: column,
        filter,
        // Ids are in the order of time.
        sort: Sort::text("e.id", "e.id", OrderDirection::Desc),
    }
}

/// The events of a version or candidate, newest first.
pub fn list_of(object: &str, page: Page) -> Connection<Event> {
    Connection::new(list(Some("e.object_id"), Sql::new("TRUE")), page, object)
}

/// The events of a project or model, newest first; what is for maintainers only for them. `column` says which
/// of them `parent` is the raw id of.
pub fn list_in(
    reader: &Reader,
    db: &Db,
    (column, parent): (&'static str, &str),
    filter: Option<EventFilter>,
    page: Page,
) -> Connection<Event> {
    let mut condition = filter.map_or_else(|| Sql::new("TRUE"), |filter| filter.condition(db));
    if reader.check_sees(Role::Maintainer).is_err() {
        condition = condition.and(Sql::new(FOR_READERS));
    }
    Connection::new(list(Some(column), condition), page, parent)
}
