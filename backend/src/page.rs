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
    /// Smallest or oldest first.
    Asc,
    /// Greatest or newest first.
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
                return Err(Error::invalid(
                    "last",
                    "can't be combined with first: give only one of them",
                ));
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

/// The columns of the sort keys of a row, as text, integer or real.
pub const KEY_COLUMNS: [[&str; 3]; MAX_KEYS] = [
    ["page_text_0", "page_int_0", "page_real_0"],
    ["page_text_1", "page_int_1", "page_real_1"],
    ["page_text_2", "page_int_2", "page_real_2"],
    ["page_text_3", "page_int_3", "page_real_3"],
    ["page_text_4", "page_int_4", "page_real_4"],
    ["page_text_5", "page_int_5", "page_real_5"],
    ["page_text_6", "page_int_6", "page_real_6"],
    ["page_text_7", "page_int_7", "page_real_7"],
];

/// What a field costs that has a statement of its own, in rows.
pub const LOOK_UP: usize = 50;

/// What a field costs that is a list without pages, in rows.
pub const ENTRIES: usize = 10;
/// What a field costs that looks at thousands of rows.
pub const SCAN: usize = 2000;

/// Far beyond what is allowed, and so few that sums of it do not wrap.
const MAX_COST: usize = 1 << 30;

/// What a page may cost: every row may have every field that is asked of one.
pub fn cost(first: Option<i32>, last: Option<i32>, row: usize) -> usize {
    let size = first.or(last).unwrap_or(DEFAULT_SIZE).clamp(1, MAX_SIZE);
    let size = usize::try_from(size).unwrap_or_default();
    size.saturating_mul(row).saturating_add(1).min(MAX_COST)
}

/// How many things can be looked up at once.
pub const MAX_LOOK_UPS: usize = 100;

/// How long each of what is looked up is at most, in bytes: paths are shorter.
const MAX_LOOKED_UP: usize = 2048;

/// Refuses to look up more than that.
pub fn check_look_ups<'a>(
    field: &str,
    mut asked: impl ExactSizeIterator<Item = &'a str>,
) -> Result<()> {
    if asked.len() > MAX_LOOK_UPS {
        return Err(Error::invalid(field, format!("must be at most {MAX_LOOK_UPS} at once")));
    }
    if asked.any(|asked| asked.len() > MAX_LOOKED_UP) {
        return Err(Error::invalid(field, format!("must be at most {MAX_LOOKED_UP} bytes each")));
    }
    Ok(())
}

/// What looking many things up may cost.
pub fn cost_of(count: usize, row: usize) -> usize {
    count.saturating_mul(row.saturating_add(1)).min(MAX_COST)
}

/// A place in a list: the values that the list is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    pub keys: Vec<Key>,
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
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid(
                field,
                "is not a cursor of this list: use a cursor from an earlier answer",
            )
        };
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let (keys, id): (Vec<Key>, String) = serde_json::from_slice(&json).map_err(|_| wrong())?;
        let has_nul = |key: &Key| matches!(key, Key::Text(text) if text.contains('\0'));
        if id.contains('\0') || keys.iter().any(has_nul) {
            return Err(wrong());
        }
        Ok(Self { keys, id })
    }

    /// As API users see it: opaque, URL-safe.
    pub fn encode(&self) -> String {
        let json = serde_json::to_vec(&(&self.keys, &self.id));
        URL_SAFE_NO_PAD.encode(json.expect("numbers and strings are JSON"))
    }
}

/// The type of a sort key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    Text,
    Int,
    Real,
}

/// One of the things that a list is sorted by: an expression that is never NULL. SQL of ours, never a
/// caller's text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SortKey {
    pub sql: Sql,
    pub of: KeyType,
    pub descending: bool,
}

impl SortKey {
    pub fn new(of: KeyType, sql: Sql, direction: OrderDirection) -> Self {
        Self { sql, of, descending: direction == OrderDirection::Desc }
    }

    pub fn text(column: &str, direction: OrderDirection) -> Self {
        Self::new(KeyType::Text, Sql::new(column), direction)
    }

    pub fn int(column: &str, direction: OrderDirection) -> Self {
        Self::new(KeyType::Int, Sql::new(column), direction)
    }

    /// A number in ascending order: 1 for rows that come last, for example.
    pub fn flag(sql: Sql) -> Self {
        Self::new(KeyType::Int, sql, OrderDirection::Asc)
    }

    /// Which rows come `strictly` after a value, or with it.
    fn compare(&self, value: &Value, after: bool, strictly: bool) -> Sql {
        let mut sql = self.sql.clone();
        sql.push(if self.descending == after { " <" } else { " >" });
        sql.push(if strictly { " " } else { "= " }).push_value(value.clone());
        sql
    }
}

/// How many keys a list can be sorted by.
pub const MAX_KEYS: usize = 8;

/// What a list is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sort {
    /// At most [`MAX_KEYS`].
    pub keys: Vec<SortKey>,
    /// A unique column that breaks ties.
    pub id: &'static str,
    /// Which way it breaks them.
    pub descending: bool,
}

impl Sort {
    pub fn text(column: &str, id: &'static str, direction: OrderDirection) -> Self {
        Self::by(vec![SortKey::text(column, direction)], id)
    }

    pub fn int(column: &str, id: &'static str, direction: OrderDirection) -> Self {
        Self::by(vec![SortKey::int(column, direction)], id)
    }

    /// Ties are broken in the direction of the last key: an index can then do both.
    pub fn by(keys: Vec<SortKey>, id: &'static str) -> Self {
        let descending = keys.last().is_some_and(|key| key.descending);
        Self { keys, id, descending }
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
        let mut sql = Sql::new(format!("SELECT {}, ", self.columns));
        for (key, [text, int, real]) in self.sort.keys.iter().zip(KEY_COLUMNS) {
            match key.of {
                KeyType::Text => sql.push_sql(key.sql.clone()).push(&format!(" AS {text}, ")),
                KeyType::Int => sql
                    .push("CAST(")
                    .push_sql(key.sql.clone())
                    .push(&format!(" AS BIGINT) AS {int}, ")),
                KeyType::Real => sql
                    .push("CAST(")
                    .push_sql(key.sql.clone())
                    .push(&format!(" AS DOUBLE PRECISION) AS {real}, ")),
            };
        }
        sql.push(self.sort.id).push(" AS page_id FROM ").push(self.from);
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
        sql.push_limit(page.size + 1);
        Ok(sql)
    }

    fn order_by(&self, sql: &mut Sql, backward: bool) {
        let direction = |descending: bool| if descending != backward { " DESC" } else { " ASC" };
        sql.push(" ORDER BY ");
        for key in &self.sort.keys {
            sql.push_sql(key.sql.clone()).push(direction(key.descending)).push(", ");
        }
        sql.push(self.sort.id).push(direction(self.sort.descending));
    }

    /// The rows that come after (or before) a cursor.
    fn beyond(&self, field: &str, cursor: &Cursor, after: bool) -> Result<Sql> {
        let of_another = || {
            Error::invalid(
                field,
                "is a cursor of another sort order: use a cursor from an earlier answer with the same order",
            )
        };
        if cursor.keys.len() != self.sort.keys.len() {
            return Err(of_another());
        }
        let values =
            self.sort.keys.iter().zip(&cursor.keys).map(|(key, value)| match (key.of, value) {
                (KeyType::Text, Key::Text(text)) => Ok(Value::from(text.as_str())),
                (KeyType::Int, Key::Int(int)) => Ok(Value::from(*int)),
                (KeyType::Real, Key::Real(bits)) => Ok(Value::from(f64::from_bits(*bits))),
                _ => Err(of_another()),
            });
        let values = values.collect::<Result<Vec<_>>>()?;
        Ok(self.sort.beyond(&values, &cursor.id, after))
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

impl Sort {
    /// As [`List::beyond`]. The last key and the id are one comparison where they go the same way, so
    /// that an index finds where to begin.
    fn beyond(&self, values: &[Value], id: &str, after: bool) -> Sql {
        let than = if self.descending == after { " < " } else { " > " };
        let (last, mut rows) = match (self.keys.last(), values.last()) {
            (Some(key), Some(value)) if key.descending == self.descending => {
                let mut rows = Sql::new("(");
                rows.push_sql(key.sql.clone()).push(", ").push(self.id).push(")").push(than);
                rows.push("(").push_value(value.clone()).push(", ").push_value(id).push(")");
                (1, rows)
            }
            _ => (0, Sql::new(self.id).push(than).push_value(id).clone()),
        };
        let others = self.keys.len() - last;
        for (key, value) in self.keys.iter().zip(values).take(others).rev() {
            // Said twice: an index finds where to begin by the first condition only.
            let mut equal = key.sql.clone();
            equal.push(" = ").push_value(value.clone()).push(" AND ").push_sql(rows);
            let mut either = key.compare(value, after, true);
            either.push(" OR (").push_sql(equal).push(")");
            rows = Sql::new("(").push_sql(key.compare(value, after, false)).clone().and(either);
            rows.push(")");
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_wire() {
        for key in [Key::Int(7), Key::Real(f64::INFINITY.to_bits()), Key::Text("ä".into())] {
            let cursor = Cursor { keys: vec![Key::Int(1), key], id: "x".into() };
            assert_eq!(Cursor::parse("after", &cursor.encode()).unwrap(), cursor);
        }
        assert!(Cursor::parse("after", "nonsense").is_err());
    }
}
