//! Pages: keyset cursors, and the SQL of one page of a list. Never uses OFFSET.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::db::{Query, Sql, Value};
use crate::error::{Error, Result};

const DEFAULT_SIZE: i32 = 20;
const MAX_SIZE: i32 = 100;

/// Which way a list is sorted.
#[derive(async_graphql::Enum, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderDirection {
    /// From the smallest or oldest on.
    Asc,
    /// From the greatest or newest on.
    Desc,
}

/// Which rows of a list: the four arguments of a Relay connection, checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    pub size: i64,
    pub backward: bool,
    pub after: Option<Cursor>,
    pub before: Option<Cursor>,
}

impl Page {
    pub fn new(
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Self> {
        let (field, size) = match (first, last) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid("last", "goes without first: ask for one of the two"));
            }
            (None, Some(last)) => ("last", last),
            (first, None) => ("first", first.unwrap_or(DEFAULT_SIZE)),
        };
        if !(0..=MAX_SIZE).contains(&size) {
            return Err(Error::invalid(field, format!("must be from 0 to {MAX_SIZE}")));
        }
        let cursor =
            |field, text: Option<String>| text.map(|text| Cursor::parse(field, &text)).transpose();
        Ok(Self {
            size: size.into(),
            backward: last.is_some(),
            after: cursor("after", after)?,
            before: cursor("before", before)?,
        })
    }
}

/// What a field costs that has a statement of its own, in rows.
pub const LOOK_UP: usize = 50;

/// What a field costs that is a list without pages, in rows.
pub const ENTRIES: usize = 10;

/// What a page may cost: every row may have every field that is asked of one.
pub fn cost(first: Option<i32>, last: Option<i32>, row: usize) -> usize {
    let size = first.or(last).unwrap_or(DEFAULT_SIZE).clamp(1, MAX_SIZE);
    usize::try_from(size).unwrap_or_default() * row + 1
}

/// A place in a list: the values that the list is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    pub flag: i64,
    pub key: Key,
    pub id: String,
}

/// The value of a cursor's sort key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Key {
    Int(i64),
    /// As bits: JSON has no infinities.
    Real(u64),
    Text(String),
}

impl Cursor {
    fn parse(field: &str, text: &str) -> Result<Self> {
        let wrong = || Error::invalid(field, "is not a cursor of this list: use one that it gave");
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let (flag, key, id): (i64, Key, String) =
            serde_json::from_slice(&json).map_err(|_| wrong())?;
        if id.contains('\0') || matches!(&key, Key::Text(text) if text.contains('\0')) {
            return Err(wrong());
        }
        Ok(Self { flag, key, id })
    }

    /// As API users see it: opaque, URL-safe.
    pub fn encode(&self) -> String {
        let json = serde_json::to_vec(&(self.flag, &self.key, &self.id));
        URL_SAFE_NO_PAD.encode(json.expect("numbers and strings are JSON"))
    }
}

/// What a list is sorted by. Expressions are SQL of ours, never a caller's text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sort {
    /// A number in ascending order before everything else: 1 for rows that come last, for example.
    pub flag: Option<Sql>,
    pub key: SortKey,
    /// A unique column that breaks ties.
    pub id: &'static str,
    pub descending: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SortKey {
    Text(Sql),
    Int(Sql),
    Real(Sql),
}

impl Sort {
    pub fn text(column: &str, id: &'static str, direction: OrderDirection) -> Self {
        Self::by(SortKey::Text(Sql::new(column)), id, direction)
    }

    pub fn int(column: &str, id: &'static str, direction: OrderDirection) -> Self {
        Self::by(SortKey::Int(Sql::new(column)), id, direction)
    }

    pub fn by(key: SortKey, id: &'static str, direction: OrderDirection) -> Self {
        Self { flag: None, key, id, descending: direction == OrderDirection::Desc }
    }
}

/// A whole list, of which a [`Page`] is a part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct List {
    /// `m.id, m.name`
    pub columns: &'static str,
    /// `models m JOIN …`
    pub from: &'static str,
    /// The column that names the parent, for a list inside another object.
    pub parent: Option<&'static str>,
    pub filter: Sql,
    pub sort: Sort,
}

impl List {
    /// One page of the list of one parent.
    pub fn select(&self, page: &Page, parent: Option<&str>) -> Result<Sql> {
        let (text, int, real) = match &self.sort.key {
            SortKey::Text(key) => (Some(key), None, None),
            SortKey::Int(key) => (None, Some(key), None),
            SortKey::Real(key) => (None, None, Some(key)),
        };
        let or_null =
            |key: Option<&Sql>, null: &str| key.cloned().unwrap_or_else(|| Sql::new(null));
        let mut sql = Sql::new(format!("SELECT {}, ", self.columns));
        sql.push_sql(or_null(text, "CAST(NULL AS TEXT)")).push(" AS page_text, ");
        sql.push_sql(or_null(int, "CAST(NULL AS BIGINT)")).push(" AS page_int, ");
        sql.push_sql(or_null(real, "CAST(NULL AS DOUBLE PRECISION)")).push(" AS page_real, ");
        sql.push("CAST(")
            .push_sql(or_null(self.sort.flag.as_ref(), "0"))
            .push(" AS BIGINT) AS page_flag, ");
        sql.push(self.sort.id).push(" AS page_id, ");
        sql.push(self.parent.unwrap_or("''")).push(" AS page_parent FROM ").push(self.from);
        sql.push(" WHERE ").push_sql(self.filter.clone());
        if let (Some(column), Some(parent)) = (self.parent, parent) {
            sql = sql.and(Sql::new(format!("{column} = ?")).bind(parent));
        }
        if let Some(cursor) = &page.after {
            sql = sql.and(self.beyond("after", cursor, true)?);
        }
        if let Some(cursor) = &page.before {
            sql = sql.and(self.beyond("before", cursor, false)?);
        }
        self.order_by(&mut sql, page.backward);
        sql.push(" LIMIT ").push_value(page.size + 1);
        Ok(sql)
    }

    fn order_by(&self, sql: &mut Sql, backward: bool) {
        let direction = |descending: bool| if descending { " DESC" } else { " ASC" };
        sql.push(" ORDER BY ");
        if let Some(flag) = &self.sort.flag {
            sql.push_sql(flag.clone()).push(direction(backward)).push(", ");
        }
        let descending = direction(self.sort.descending != backward);
        sql.push_sql(self.sort.key.sql().clone()).push(descending).push(", ");
        sql.push(self.sort.id).push(descending);
    }

    /// The rows that come after (or before) a cursor.
    fn beyond(&self, field: &str, cursor: &Cursor, after: bool) -> Result<Sql> {
        let value = match (&self.sort.key, &cursor.key) {
            (SortKey::Text(_), Key::Text(text)) => Value::from(text.as_str()),
            (SortKey::Int(_), Key::Int(int)) => Value::from(*int),
            (SortKey::Real(_), Key::Real(bits)) => Value::from(f64::from_bits(*bits)),
            _ => {
                return Err(Error::invalid(
                    field,
                    "is a cursor of another order: use one that this list gave",
                ));
            }
        };
        let than = if self.sort.descending == after { "<" } else { ">" };
        let key = self.sort.key.sql();
        let mut rows = Sql::new("(");
        rows.push_sql(key.clone()).push(", ").push(self.sort.id).push(") ").push(than).push(" (");
        rows.push_value(value).push(", ").push_value(cursor.id.as_str()).push(")");
        let Some(flag) = &self.sort.flag else {
            return Ok(rows);
        };
        let mut sql = Sql::default();
        // Said twice: an index finds where to begin by the first condition only.
        let (strictly, beyond) = if after { (" > ", " >= ") } else { (" < ", " <= ") };
        sql.push_sql(flag.clone()).push(beyond).push_value(cursor.flag).push(" AND (");
        sql.push_sql(flag.clone())
            .push(strictly)
            .push_value(cursor.flag)
            .push(" OR (")
            .push_sql(flag.clone())
            .push(" = ")
            .push_value(cursor.flag);
        sql.push(" AND ").push_sql(rows).push("))");
        Ok(sql)
    }

    /// The totals of the lists of some parents.
    pub fn count(&self, parents: &[String]) -> Query {
        let parent = self.parent.unwrap_or("''");
        let mut sql = Sql::new(format!(
            "SELECT {parent} AS parent, COUNT(*) AS total FROM {} WHERE ",
            self.from
        ));
        sql.push_sql(self.filter.clone());
        if let Some(parent) = self.parent {
            sql = sql.and(Sql::is_in(parent, parents));
            sql.push(" GROUP BY ").push(parent);
        }
        sql.into()
    }
}

impl SortKey {
    fn sql(&self) -> &Sql {
        match self {
            Self::Text(sql) | Self::Int(sql) | Self::Real(sql) => sql,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_wire() {
        for key in [Key::Int(7), Key::Real(f64::INFINITY.to_bits()), Key::Text("ä".into())] {
            let cursor = Cursor { flag: 1, key, id: "x".into() };
            assert_eq!(Cursor::parse("after", &cursor.encode()).unwrap(), cursor);
        }
        assert!(Cursor::parse("after", "nonsense").is_err());
    }
}
