//! The log as a feed (a change stream with cursors): who follows it gets every line once, in one order, whenever they come back.
//!
//! A line is in it when no transaction that is still open could bring one before it. With SQLite that is at once, as one
//! writer writes all lines; with PostgreSQL when all transactions that began before it have ended.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::export::{self, Exported};
use super::sql::{EventFilter, FOR_READERS};
use crate::access::{Auditor, Reader};
use crate::db::{Db, Query, Sql, query};
use crate::error::{Error, Result};
use crate::id::ModelId;
use crate::role::Role;

/// How many lines are looked at for one page, whether they are asked for or not.
const LOOKED_AT: i64 = 10_000;

/// A place in the feed, between two lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
struct Place {
    /// 0 of lines that are older than the feed.
    position: i64,
    /// Of the line before.
    id: String,
}

impl Place {
    fn parse(cursor: &str) -> Result<Self> {
        let wrong = || {
            let reason = "must be what `next` said, or empty for the whole log, or now for what comes from now on";
            Error::invalid("after", reason)
        };
        if cursor.is_empty() {
            return Ok(Self::default());
        }
        let text =
            URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|text| String::from_utf8(text).ok());
        let text = text.ok_or_else(wrong)?;
        let (position, id) = text.split_once(' ').ok_or_else(wrong)?;
        Ok(Self { position: position.parse().map_err(|_| wrong())?, id: id.to_owned() })
    }

    fn cursor(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{} {}", self.position, self.id))
    }

    /// The condition that a line is behind this place.
    fn before(&self) -> Sql {
        Sql::new("(e.position, e.id) > (?, ?)").bind(self.position).bind(&self.id)
    }

    /// The condition that a line is not behind this place.
    fn not_before(&self) -> Sql {
        Sql::new("(e.position, e.id) <= (?, ?)").bind(self.position).bind(&self.id)
    }
}

/// What somebody follows.
pub struct Feed {
    db: Db,
    condition: Sql,
    /// Whether they are shown what is for maintainers.
    shows_all: bool,
}

/// Some lines of the feed.
pub struct Lines {
    pub lines: Vec<Exported>,
    /// The cursor to go on from.
    pub next: String,
    /// Whether there is nothing more by now.
    pub is_end: bool,
}

impl Feed {
    /// The whole log.
    pub fn of_everything(db: Db, _auditor: &Auditor, filter: EventFilter) -> Self {
        let condition = filter.condition(&db);
        Self { db, condition, shows_all: true }
    }

    /// The log of a project or, where `model` is given, of that model of it, as the reader may see it.
    pub fn of_part(db: Db, reader: &Reader, model: Option<&ModelId>, filter: EventFilter) -> Self {
        let shows_all = reader.check_sees(Role::Maintainer).is_ok();
        let mut condition = filter.condition(&db).and(export::part(reader, model));
        if !shows_all {
            condition = condition.and(Sql::new(FOR_READERS));
        }
        Self { db, condition, shows_all }
    }

    /// The lines behind a cursor, at most `size`. There may be none where there is more: not all that is behind it is looked at.
    pub async fn after(&self, cursor: &str, size: usize) -> Result<Lines> {
        let place = match cursor {
            "now" => self.end().await?.unwrap_or_default(),
            cursor => self.find(cursor).await?,
        };
        let Some((end, is_last)) = self.window(&place).await? else {
            return Ok(Lines { lines: Vec::new(), next: place.cursor(), is_end: true });
        };
        let mut lines = self.between(&place, &end, size).await?;
        if !self.shows_all {
            lines.iter_mut().try_for_each(Exported::hide)?;
        }
        let last = lines.last().filter(|_| lines.len() == size);
        let is_end = is_last && last.is_none();
        let next = last.map_or(end, |last| Place { position: last.position, id: last.id.clone() });
        Ok(Lines { lines, next: next.cursor(), is_end })
    }

    /// The place of a cursor, which the log must have: one that was restored from a backup has not all that was told of it.
    async fn find(&self, cursor: &str) -> Result<Place> {
        let place = Place::parse(cursor)?;
        let there = query("SELECT 1 FROM events WHERE id = $1 AND position = $2");
        let there: Option<(i32,)> =
            there.bind(&place.id).bind(place.position).fetch_optional(&self.db).await?;
        if there.is_none() && place != Place::default() {
            let reason = "is not of this log, perhaps because a backup was restored: begin anew with after= or after=now";
            return Err(Error::invalid("after", reason));
        }
        Ok(place)
    }

    /// The first lines between two places that are asked for. What is between them is read first, and then looked through: by
    /// another index a database might read all lines of a project instead.
    async fn between(&self, place: &Place, end: &Place, size: usize) -> Result<Vec<Exported>> {
        let mut events = Sql::new("(SELECT * FROM events e WHERE TRUE");
        events = events.and(place.before()).and(end.not_before());
        events.push(" ORDER BY e.position, e.id").push_limit(LOOKED_AT).push(")");
        let mut sql = export::select(events).and(self.condition.clone());
        sql.push(" ORDER BY e.position, e.id").push_limit(size as i64);
        Ok(Query::from(sql).fetch_all(&self.db).await?)
    }

    /// The last of the lines behind a place that are looked at, and whether it is the last of all; none where none is behind it.
    async fn window(&self, place: &Place) -> Result<Option<(Place, bool)>> {
        let mut sql = Sql::new(
            "SELECT w.position, w.id, COUNT(*) OVER () FROM (SELECT e.position, e.id FROM events e WHERE TRUE",
        );
        sql = sql.and(place.before()).and(self.db.is_settled("e.position"));
        sql.push(" ORDER BY e.position, e.id").push_limit(LOOKED_AT);
        sql.push(") w ORDER BY w.position DESC, w.id DESC LIMIT 1");
        let end: Option<(i64, String, i64)> = Query::from(sql).fetch_optional(&self.db).await?;
        Ok(end.map(|(position, id, count)| (Place { position, id }, count < LOOKED_AT)))
    }

    /// The last line of the feed.
    async fn end(&self) -> Result<Option<Place>> {
        let sql = Sql::new("SELECT e.position, e.id FROM events e WHERE TRUE");
        let mut sql = sql.and(self.db.is_settled("e.position"));
        sql.push(" ORDER BY e.position DESC, e.id DESC LIMIT 1");
        Ok(Query::from(sql).fetch_optional(&self.db).await?)
    }
}
