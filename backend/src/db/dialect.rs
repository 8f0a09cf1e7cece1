//! The dialects of SQL: what SQLite and PostgreSQL write differently.

use super::{Db, Pools, Sql};
use crate::sql::{escape_like, glob_containing, like_to_glob};

impl Db {
    /// The time in milliseconds as all servers of the database have it: PostgreSQL's own, or `own`, of the one there is.
    pub fn now(&self, own: i64) -> Sql {
        match &self.pools {
            Pools::Sqlite { .. } => Sql::new("?").bind(own),
            Pools::Postgres(_) => {
                Sql::new("CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")
            }
        }
    }

    /// What a sub-select ends with whose rows several servers claim: those that another one is claiming are passed over.
    pub fn skipping_locked(&self) -> &'static str {
        match &self.pools {
            Pools::Sqlite { .. } => "",
            Pools::Postgres(_) => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// The ids of objects whose name contains `text`, whatever its case, as a sub-select.
    /// Texts under three characters have no trigram and are looked for row by row.
    pub fn names_containing(&self, text: &str) -> Sql {
        if matches!(self.pools, Pools::Postgres(_)) {
            let like = format!("%{}%", escape_like(text));
            let named = "SELECT object_id FROM names WHERE name ILIKE ? ESCAPE '\\'";
            return Sql::new(named).bind(like);
        }
        if text.chars().count() < 3 {
            let named = "SELECT object_id FROM names WHERE name GLOB ?";
            return Sql::new(named).bind(glob_containing(text));
        }
        let phrase = format!("\"{}\"", text.replace('"', "\"\""));
        let named = "SELECT n.object_id FROM names_index i JOIN names n ON n.id = i.rowid WHERE names_index MATCH ?";
        Sql::new(named).bind(phrase)
    }

    /// The condition that a column is one of the values that a sub-select finds, each of which is looked up: for a few hundred
    /// PostgreSQL would read the whole table.
    pub fn is_found(&self, column: &str, select: Sql) -> Sql {
        let (start, end) = match self.pools {
            Pools::Sqlite { .. } => (" IN (", ")"),
            Pools::Postgres(_) => (" = ANY(ARRAY(", "))"),
        };
        let mut sql = Sql::new(column);
        sql.push(start).push_sql(select).push(end);
        sql
    }

    /// A case-sensitive `LIKE`: SQLite's own ignores the case of ASCII, so there it becomes a GLOB.
    pub fn like(&self, column: &str, pattern: &str) -> Sql {
        match &self.pools {
            Pools::Sqlite { .. } => {
                Sql::new(format!("{column} GLOB ?")).bind(like_to_glob(pattern))
            }
            Pools::Postgres(_) => Sql::new(format!("{column} LIKE ? ESCAPE ''")).bind(pattern),
        }
    }

    /// A `LIKE` that ignores case.
    pub fn ilike(&self, column: &str, pattern: &str) -> Sql {
        let operator = match &self.pools {
            Pools::Sqlite { .. } => "LIKE",
            Pools::Postgres(_) => "ILIKE",
        };
        // No escapes, as in MLflow; an empty ESCAPE is an error on SQLite, so a control character is.
        Sql::new(format!("{column} {operator} ? ESCAPE '\u{1}'")).bind(pattern)
    }

    /// Whether one of the columns contains `text`, whatever its case; reads every row.
    pub fn contains(&self, columns: &[&str], text: &str) -> Sql {
        let operator = match &self.pools {
            Pools::Sqlite { .. } => "LIKE",
            Pools::Postgres(_) => "ILIKE",
        };
        let mut sql = Sql::default();
        for (index, column) in columns.iter().enumerate() {
            let or = if index == 0 { "" } else { " OR " };
            sql.push(&format!("{or}{column} {operator} "))
                .push_value(format!("%{}%", escape_like(text)));
            sql.push(" ESCAPE '\\'");
        }
        sql
    }
}
