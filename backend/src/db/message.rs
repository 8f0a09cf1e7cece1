//! Messages to SQLite's [writer](super::writer), and from it to the connection's thread: statements that are run together,
//! of which the last has an answer.

use std::error::Error;
use std::fmt;

use futures_util::TryStreamExt;
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Either, Executor, SqliteConnection, query_with};
use tokio::sync::{mpsc, oneshot};

use super::query::{Text, sqlite_arguments};
use crate::sql::{Value, shifted};

/// How long a message may be, in bytes, that is kept prepared.
const MAX_PREPARED: usize = 8 << 10;

/// A change that waits for its turn.
pub struct Turn {
    pub turn: oneshot::Sender<()>,
    pub requests: mpsc::UnboundedReceiver<Request>,
}

impl Turn {
    /// Says that it has come, and gives what the change asks for, unless its caller gave up waiting.
    pub fn come(self) -> Option<mpsc::UnboundedReceiver<Request>> {
        self.turn.send(()).ok().map(|()| self.requests)
    }
}

/// What a change asks for.
pub struct Request {
    pub statements: Vec<Statement>,
    /// Whether they are its last ones. Then it is answered when the change is on the disk.
    pub commits: bool,
    pub reply: Reply,
}

pub type Reply = oneshot::Sender<Result<Answer, sqlx::Error>>;

/// A statement with its values.
pub struct Statement {
    text: Text,
    values: Vec<Value>,
    /// What it means if it fails in the one way that it may.
    unless: Option<Unmet>,
}

/// Why a change is refused: a statement that it kept failed in the one way that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// There is something with this key already: a unique index has it.
    Taken { kind: &'static str, key: String },
    /// What the change is about is not there (any more): a column that must not be NULL would be.
    Missing { kind: &'static str, key: String },
    /// There would be too many with it; seen in the same way.
    TooMany { field: &'static str, most: usize },
    /// Something is not as was predicted, so the change is to be made again; seen in the same way.
    Stale,
}

impl Unmet {
    /// Whether this is what an error means.
    pub fn explains(&self, error: &sqlx::Error) -> bool {
        let kind = error.as_database_error().map(DatabaseError::kind);
        match self {
            Self::Taken { .. } => {
                matches!(kind, Some(ErrorKind::UniqueViolation | ErrorKind::NotNullViolation))
            }
            Self::Missing { .. } | Self::TooMany { .. } | Self::Stale => {
                matches!(kind, Some(ErrorKind::NotNullViolation))
            }
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { kind, key } => write!(f, "the {kind} {key} already exists"),
            Self::Missing { kind, key } => write!(f, "there is no {kind} {key}"),
            Self::TooMany { field, most } => write!(f, "{field} must be at most {most}"),
            Self::Stale => f.write_str("something was changed meanwhile: try again"),
        }
    }
}

impl Error for Unmet {}

impl From<Unmet> for sqlx::Error {
    fn from(unmet: Unmet) -> Self {
        // The one of sqlx's that carries what others say.
        Self::AnyDriverError(Box::new(unmet))
    }
}

impl Statement {
    pub fn new(text: Text, values: Vec<Value>) -> Self {
        Self { text, values, unless: None }
    }

    pub fn unless(mut self, unmet: Option<Unmet>) -> Self {
        self.unless = unmet;
        self
    }

    /// What it means that it failed, if it may fail so.
    pub fn unmet(&self, error: &sqlx::Error) -> Option<&Unmet> {
        self.unless.as_ref().filter(|unmet| unmet.explains(error))
    }
}

impl From<&'static str> for Statement {
    fn from(text: &'static str) -> Self {
        Self::new(Text::Written(text), Vec::new())
    }
}

/// What the last statement of a message came to.
#[derive(Default)]
pub struct Answer {
    pub rows: Vec<SqliteRow>,
    /// How many rows it changed.
    pub changed: u64,
}

/// Runs statements, of which only the last may have `$1`, `$2` … Where one fails: how many were done, and why.
pub async fn send(
    connection: &mut SqliteConnection,
    statements: &[Statement],
) -> Result<Answer, (usize, sqlx::Error)> {
    let (mut text, mut values) = (String::new(), Vec::new());
    for statement in statements {
        match &statement.text {
            Text::Written(own) if !values.is_empty() => text.push_str(&shifted(own, values.len())),
            own => text.push_str(own.as_str()),
        }
        text.push_str("; ");
        values.extend(&statement.values);
    }
    let arguments = sqlite_arguments(values).map_err(|error| (0, error))?;
    let is_kept = text.len() <= MAX_PREPARED;
    let query = query_with(AssertSqlSafe(text), arguments).persistent(is_kept);
    let mut results = connection.fetch_many(query);
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
    if done >= statements.len() { Ok(answer) } else { Err((done, sqlx::Error::WorkerCrashed)) }
}

/// Whether SQLite may have undone the whole transaction: busy, out of memory, interrupted, a failing or full disk, a
/// broken file.
pub fn ends_transaction(error: &sqlx::Error) -> bool {
    const PRIMARY: [u32; 6] = [5, 7, 9, 10, 11, 13]; // https://www.sqlite.org/rescode.html
    match error {
        sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse::<u32>().ok());
            code.is_some_and(|code| PRIMARY.contains(&(code & 0xff)))
        }
        _ => false,
    }
}
