//! A budget of bytes: how much may be read for one answer. Counted while rows come, as only they say how long their texts
//! are: what would not fit is never held.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, TypeInfo, ValueRef};

/// What reading costs beside texts, in bytes a column: about what a value takes in memory.
const VALUE: usize = 16;

/// Shared by all that is read for an answer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget {
    most: usize,
    used: Arc<AtomicUsize>,
}

impl Budget {
    /// Of so many bytes.
    pub fn new(most: usize) -> Self {
        Self { most, used: Arc::default() }
    }

    /// How much of it is used.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether more was asked of it than it has.
    pub fn is_over(&self) -> bool {
        self.used() > self.most
    }

    /// Gives all of it back.
    pub fn refill(&self) {
        self.used.store(0, Ordering::Relaxed);
    }

    /// Takes what a row needs; says whether it still fits.
    pub fn take(&self, bytes: usize) -> bool {
        self.used.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.most
    }
}

/// A row whose size is known.
pub trait Measured {
    /// In bytes, about.
    fn bytes(&self) -> usize;
}

impl Measured for SqliteRow {
    fn bytes(&self) -> usize {
        let texts = (0..self.len()).filter_map(|column| {
            let value = self.try_get_raw(column).ok()?;
            // Asked for bytes, a number would become a text for good.
            let is_text = matches!(value.type_info().name(), "TEXT" | "BLOB");
            is_text.then(|| <&[u8] as Decode<Sqlite>>::decode(value).map_or(0, <[u8]>::len))
        });
        texts.sum::<usize>() + self.len() * VALUE
    }
}

impl Measured for PgRow {
    fn bytes(&self) -> usize {
        let values = (0..self.len()).filter_map(|column| {
            let value = self.try_get_raw(column).ok()?;
            (!value.is_null()).then(|| value.as_bytes().map_or(0, <[u8]>::len))
        });
        values.sum::<usize>() + self.len() * VALUE
    }
}

/// The rows are larger than the budget that they are read with.
#[derive(Debug)]
pub struct OverBudget;

impl std::fmt::Display for OverBudget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the rows are larger than what may be read for one answer")
    }
}

impl std::error::Error for OverBudget {}

/// Whether an error says so.
pub fn is_over_budget(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::AnyDriverError(error) if error.is::<OverBudget>())
}
