//! Statements that PostgreSQL runs together: as the parts of one, which is one way to the server and back instead of
//! several.

use sqlx::Executor;
use sqlx::postgres::PgConnection;

use super::message::Unmet;
use super::postgres::PgBusy;
use super::query::Text;
use crate::sql::Value;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// A transaction, and what is kept of it for the next statement or for its commit.
pub struct PgTx {
    busy: PgBusy,
    kept: Vec<Part>,
}

/// A statement with `?`.
pub struct Part {
    pub text: String,
    pub values: Vec<Value>,
    /// What it means if it fails in the one way that it may.
    pub unmet: Option<Unmet>,
}

impl PgTx {
    pub fn new(busy: PgBusy) -> Self {
        Self { busy, kept: Vec::new() }
    }

    /// Keeps a statement that neither reads nor changes what those change that are kept already.
    pub async fn keep(&mut self, part: Part) -> Result<()> {
        // Of a failure it must be known whose it is.
        if part.unmet.is_some() && self.kept.iter().any(|kept| kept.unmet.is_some()) {
            self.run_kept().await?;
        }
        self.kept.push(part);
        Ok(())
    }

    /// The connection, for a statement that comes after all before it.
    pub async fn ready(&mut self) -> Result<&mut PgConnection> {
        self.run_kept().await?;
        Ok(&mut self.busy)
    }

    /// Makes the transaction durable.
    pub async fn commit(mut self) -> Result<()> {
        self.run_kept().await?;
        self.busy.commit().await
    }

    async fn run_kept(&mut self) -> Result<()> {
        let mut kept = std::mem::take(&mut self.kept);
        let unmet = kept.iter_mut().find_map(|part| part.unmet.take());
        let (mut text, mut values) = (String::new(), Vec::new());
        let Some(last) = kept.pop() else { return Ok(()) };
        for (index, part) in kept.into_iter().enumerate() {
            text.push_str(if index == 0 { "WITH " } else { ", " });
            text.push_str(&format!("part_{index} AS ({})", part.text));
            values.extend(part.values);
        }
        // The last one is what the others are beside.
        text.push_str(if text.is_empty() { "" } else { " " });
        text.push_str(&last.text);
        values.extend(last.values);
        let query = Text::PutTogether(text).for_postgres(&values)?;
        self.busy.execute(query).await.map(drop).map_err(|error| match unmet {
            Some(unmet) if unmet.explains(&error) => unmet.into(),
            _ => error,
        })
    }
}
