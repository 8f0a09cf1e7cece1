//! A message to SQLite's writer: several statements at once, of which the last has an answer.

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{Either, Executor, SqliteConnection, query_with};

use super::{Text, sqlite_arguments};
use crate::sql::{Sql, Value};

/// How long a message may be, in bytes, that is kept prepared.
const MAX_PREPARED: usize = 16 << 10;

/// Statements that nobody waits for, each ended.
#[derive(Default)]
pub struct Script {
    pub sql: Sql,
    pub count: usize,
}

impl Script {
    pub fn push(&mut self, text: &str, values: Vec<Value>) {
        self.sql.push(text).push_values(values).push("; ");
        self.count += 1;
    }

    pub fn append(&mut self, other: Self) {
        self.sql.push_sql(other.sql);
        self.count += other.count;
    }
}

/// What the last statement of a message came to.
#[derive(Default)]
pub struct Answer {
    pub rows: Vec<SqliteRow>,
    /// How many rows it changed.
    pub changed: u64,
}

/// Runs some statements and a last one: its answer, or how many were done before one failed, and why.
pub async fn send(
    connection: &mut SqliteConnection,
    before: Script,
    (text, values): (Text, Vec<Value>),
) -> std::result::Result<Answer, (usize, sqlx::Error)> {
    let (text, values) = text.after(before.sql, values);
    let arguments = sqlite_arguments(values).map_err(|error| (0, error))?;
    let text = text.for_sqlite();
    let is_kept = text.0.len() <= MAX_PREPARED;
    let mut results = connection.fetch_many(query_with(text, arguments).persistent(is_kept));
    let (mut answer, mut rows, mut done) = (Answer::default(), Vec::new(), 0);
    while let Some(result) = results.try_next().await.map_err(|error| (done, error))? {
        match result {
            Either::Right(row) => rows.push(row),
            Either::Left(end) => {
                done += 1;
                answer = Answer { rows: std::mem::take(&mut rows), changed: end.rows_affected() };
            }
        }
    }
    // Where the thread of the connection ends, so do the results.
    if done > before.count { Ok(answer) } else { Err((done, sqlx::Error::WorkerCrashed)) }
}

/// Whether SQLite may have undone the whole transaction: out of memory, a failing or full disk, a broken file.
pub fn ends_transaction(error: &sqlx::Error) -> bool {
    const PRIMARY: [u32; 4] = [7, 10, 11, 13]; // https://www.sqlite.org/rescode.html
    match error {
        sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse::<u32>().ok());
            code.is_some_and(|code| PRIMARY.contains(&(code & 0xff)))
        }
        _ => false,
    }
}
