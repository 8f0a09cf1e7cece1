//! Pages of lists: MLflow's page tokens are our cursors.
//!
//! MLflow's clients ask for up to 200,000 things at once, each with all that it has, and take whatever comes: they ask
//! for the rest by the token. So a page ends where it has grown large.

use super::call::Call;
use super::error::{Failure, Result};
use super::message::Message;
use crate::app::App;
use crate::connection;
use crate::db::{Budget, Row};
use crate::error::Error;
use crate::loader::Loaders;
use crate::page::{Cursor, List, Page};

/// An answer with so many bytes of texts is large.
const LARGE: usize = 32 << 20;
/// How many rows are made ready at once, and what they may need for it.
const ROWS: usize = 1000;
const NEEDED: usize = 64 << 20;

/// The page that a request asks for.
pub fn page(message: &Message, size: i64) -> Result<Page> {
    let token = message.text("page_token")?.filter(|token| !token.is_empty());
    let after = token.map(|token| Cursor::parse("page_token", &token)).transpose();
    let after =
        after.map_err(|_| Failure::invalid("Invalid page token, could not base64-decode"))?;
    Ok(Page { size, backward: false, after, before: None })
}

/// A page of a list that is made ready part by part: [`next`](Parts::next) gives some rows, [`add`](Parts::add) takes
/// what they became, until there are no more or the answer is large.
pub struct Parts<T, R> {
    app: App,
    rows: Vec<(T, Cursor)>,
    /// Whether there are more than `rows`.
    more: bool,
    ready: Vec<R>,
    at_once: usize,
    /// What the part that is being made ready needs, and what all before it needed.
    budget: Budget,
    bytes: usize,
}

impl<T: Row + Clone, R> Parts<T, R> {
    pub async fn of(
        call: &Call,
        (list, parent): (&List, Option<&str>),
        page: &Page,
    ) -> Result<Self> {
        let (rows, more) = connection::fetch(&call.app.db, list, page, parent).await?;
        let (app, budget) = (call.app.clone(), Budget::new(NEEDED));
        Ok(Self { app, rows, more, ready: Vec::new(), at_once: ROWS, budget, bytes: 0 })
    }

    /// The next rows, and what to load with that they have.
    pub fn next(&mut self) -> Option<(Loaders, Vec<T>)> {
        if self.ready.len() >= self.rows.len() || self.bytes >= LARGE {
            return None;
        }
        let rest = &self.rows[self.ready.len()..];
        let rows = rest.iter().take(self.at_once).map(|(row, _)| row.clone()).collect();
        self.budget = Budget::new(NEEDED);
        let db = self.app.db.within(&self.budget);
        Some((Loaders { app: App { db, ..self.app.clone() } }, rows))
    }

    /// Takes what the rows became. Where that was too large, they come again, fewer at once: only what is too large by
    /// itself cannot be shown.
    pub fn add(&mut self, ready: Result<Vec<R>>) -> Result<()> {
        match ready {
            Ok(ready) => {
                self.bytes += self.budget.used();
                self.ready.extend(ready);
            }
            Err(Failure { error: Error::TooLarge(_), .. }) if self.at_once > 1 => {
                let rest = self.rows.len() - self.ready.len();
                self.at_once = (self.at_once.min(rest) / 8).max(1);
            }
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    /// What is ready, and the token of the next page.
    pub fn end(self) -> (Vec<R>, Option<String>) {
        let is_whole = self.ready.len() == self.rows.len() && !self.more;
        let last = self.ready.len().checked_sub(1).filter(|_| !is_whole);
        let token = last.map(|last| self.rows[last].1.encode());
        (self.ready, token)
    }
}
