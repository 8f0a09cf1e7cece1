//! The log, read: who did what to which object, when; in GraphQL, in lists and as an export. It is written by
//! [`Change`](crate::change::Change) and [`log`](crate::log), never here.

use async_graphql::{ComplexObject, Context, ID, InputObject, Object, SimpleObject};

use crate::access::project::Project;
use crate::access::user::User;
use crate::access::{self, Auditor, Reader, actor};
use crate::connection::{Connection, Node};
use crate::db::{Db, Query, Sql};
use crate::error::Result;
use crate::id::{CredentialId, EventId, ModelId, ProjectId, UserId};
use crate::loader::{load_by_id, loaders};
use crate::page::{ENTRIES, List, OrderDirection, Page, Sort, cost};
use crate::registry::credential::Token;
use crate::registry::member;
use crate::registry::user;
use crate::role::Role;
use crate::text;
use crate::time::Timestamp;

/// One line of the log: who did what to which object, when.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct Event {
    #[graphql(skip)]
    pub id: EventId,
    /// When it happened.
    #[graphql(name = "at")]
    pub at_ms: Timestamp,
    #[graphql(skip)]
    pub actor_id: Option<UserId>,
    /// What was done, such as `model.create` or `alias.set`.
    pub action: String,
    /// What it was done to, in words: `vision/ocr`, `vision/ocr@1.2.0`.
    pub subject: String,
    #[graphql(skip)]
    pub detail: String,
    /// Whether it was refused: then nothing changed.
    pub refused: bool,
    #[graphql(skip)]
    pub project_id: Option<ProjectId>,
    #[graphql(skip)]
    pub credential_id: Option<CredentialId>,
    #[graphql(skip)]
    pub address: Option<String>,
}

#[ComplexObject]
impl Event {
    /// Its opaque id.
    pub async fn id(&self) -> ID {
        (&self.id).into()
    }

    /// More about it, as a JSON object.
    #[graphql(complexity = "ENTRIES")]
    async fn detail(&self) -> &str {
        &self.detail
    }

    /// Who did it; null for the server itself, and for strangers who were refused.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        user::load(ctx, self.actor_id.as_ref()).await
    }

    /// The token that it was done with; null for a session, and for everybody but maintainers.
    async fn token(&self, ctx: &Context<'_>) -> Result<Option<Token>> {
        match &self.credential_id {
            Some(id) if self.shows_all(ctx).await? => loaders(ctx).load_one(id.clone()).await,
            _ => Ok(None),
        }
    }

    /// The network address that it came from; null where there was none, and for everybody but
    /// maintainers.
    async fn address(&self, ctx: &Context<'_>) -> Result<Option<&str>> {
        Ok(if self.shows_all(ctx).await? { self.address.as_deref() } else { None })
    }

    /// The project that it happened in; null if in none.
    async fn project(&self, ctx: &Context<'_>) -> Result<Option<Project>> {
        match &self.project_id {
            Some(id) => loaders(ctx).load_one(id.clone()).await,
            None => Ok(None),
        }
    }
}

impl Event {
    /// Whether only maintainers see it: what was refused, and who may what.
    pub fn is_for_maintainers(&self) -> bool {
        self.refused || self.action.starts_with("member.") || self.action.starts_with("token.")
    }

    /// Whether the caller may see how it was done: maintainers of its project and administrators.
    pub async fn shows_all(&self, ctx: &Context<'_>) -> Result<bool> {
        if actor(ctx).is_admin() {
            return Ok(true);
        }
        let Some(project) = self.project(ctx).await? else { return Ok(false) };
        Ok(member::reader_in(ctx, &project).await?.check_sees(Role::Maintainer).is_ok())
    }
}

/// Which events of a list.
#[derive(InputObject)]
pub struct EventFilter {
    /// Only what the person or robot of this user name did.
    pub actor: Option<String>,
    /// Only this action, such as `alias.set`, or all of a kind: `alias.*`.
    pub action: Option<String>,
    /// Only what was refused, or only what was not.
    pub refused: Option<bool>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

impl EventFilter {
    fn condition(self, db: &Db) -> Sql {
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

#[derive(Default)]
pub struct EventQuery;

#[Object]
impl EventQuery {
    /// What happened in the whole registry, newest first; only for administrators.
    #[graphql(complexity = "cost(first, last, child_complexity)")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which events; all if omitted.")] filter: Option<EventFilter>,
        #[graphql(desc = "How many at most, from the start: 0 to 100, 20 if omitted.")]
        first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many at most, from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Connection<Event>> {
        access::auditor(actor(ctx))?;
        let page = Page::new(first, after, last, before)?;
        let filter = match filter {
            Some(filter) => filter.condition(&loaders(ctx).loader().app.db),
            None => Sql::new("TRUE"),
        };
        Ok(Connection::new(List { parent: None, ..list(None, filter) }, page, ""))
    }
}

macro_rules! columns {
    () => {
        "e.id, e.at_ms, e.actor_id, e.action, e.subject, e.detail, e.refused, e.project_id, \
         e.credential_id, e.address"
    };
}

load_by_id!(EventId => Event, concat!("SELECT ", columns!(), " FROM events e WHERE "), "e.id");

impl Node for Event {
    const NAME: &'static str = "Event";
}

/// All events, newest first. `column` names the parent's id.
fn list(column: Option<&'static str>, filter: Sql) -> List {
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
        // As `Event::is_for_maintainers` says.
        condition = condition.and(Sql::new(
            "NOT e.refused AND e.action NOT LIKE 'member.%' AND e.action NOT LIKE 'token.%'",
        ));
    }
    Connection::new(list(Some(column), condition), page, parent)
}

/// A line of an export.
#[derive(sqlx::FromRow)]
pub struct Exported {
    pub id: String,
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
        let part = match model {
            Some(model) => Sql::new("e.model_id = ?").bind(model),
            None => Sql::new("e.project_id = ?").bind(&reader.project().id),
        };
        let condition = filter.condition(&db).and(part);
        Ok(Self { db, condition, after: String::new() })
    }

    /// The next lines, at most `size`; none at the end.
    pub async fn next(&mut self, size: i64) -> Result<Vec<Exported>> {
        let mut sql = Sql::new(
            "SELECT e.id, e.at_ms, u.username, c.name AS token, e.address, e.action, e.subject,
                    p.path AS project, e.refused, e.detail
             FROM events e
             LEFT JOIN users u ON u.id = e.actor_id
             LEFT JOIN credentials c ON c.id = e.credential_id AND c.kind = 'TOKEN'
             LEFT JOIN projects p ON p.id = e.project_id
             WHERE e.id > ?",
        )
        .bind(self.after.as_str())
        .and(self.condition.clone());
        sql.push(" ORDER BY e.id").push_limit(size);
        let lines: Vec<Exported> = Query::from(sql).fetch_all(&self.db).await?;
        if let Some(last) = lines.last() {
            self.after.clone_from(&last.id);
        }
        Ok(lines)
    }
}
