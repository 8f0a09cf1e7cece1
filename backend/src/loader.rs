//! Loaders: all look-ups of one kind that a GraphQL request makes at once become one statement.
//!
//! async-graphql's loaders wait a while for more keys to come. Here nothing waits: what they would
//! spawn is polled by the request itself, and only once every resolver stands still ([`run`]), which
//! is when no more keys can come.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::hash::Hash;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_graphql::dataloader::{DataLoader, Loader};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::task::AtomicWaker;

use crate::app::App;
use crate::error::{Error, Result};

/// SQLite takes 32,766 values, and a longer list is no faster.
const MAX_KEYS: usize = 1000;
/// How many selects one statement puts together: SQLite takes at most 500.
pub const MAX_SELECTS: usize = 400;

/// What loaders load with.
pub struct Loaders {
    pub app: App,
}

impl Loaders {
    /// What is there of many keys at once, outside GraphQL.
    pub async fn load_all<K, V>(&self, keys: impl IntoIterator<Item = K>) -> Result<HashMap<K, V>>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        Self: Loader<K, Value = V, Error = Error>,
    {
        let keys: Vec<K> = keys.into_iter().collect();
        let mut found = HashMap::new();
        for keys in keys.chunks(MAX_KEYS) {
            found.extend(self.load(keys).await?);
        }
        Ok(found)
    }

    /// As [`Loaders::load_all`], of what belongs to many things, to be taken apart.
    pub async fn load_lists<K, V>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<HashMap<K, Vec<V>>>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        V: Clone,
        Self: Loader<K, Value = Arc<Vec<V>>, Error = Error>,
    {
        let found = self.load_all(keys).await?;
        Ok(found.into_iter().map(|(key, rows)| (key, Arc::unwrap_or_clone(rows))).collect())
    }
}

/// The loaders of one request.
pub fn loaders<'a>(ctx: &async_graphql::Context<'a>) -> &'a DataLoader<Loaders> {
    ctx.data_unchecked()
}

#[derive(Clone, Default)]
pub struct Spawned(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

impl Spawned {
    /// Loaders whose work goes to `self`.
    pub fn loaders(&self, app: App) -> DataLoader<Loaders> {
        let spawned = self.clone();
        let spawn = move |future| {
            spawned.0.lock().unwrap_or_else(PoisonError::into_inner).push(future);
        };
        DataLoader::new(Loaders { app }, spawn).delay(Duration::ZERO).max_batch_size(MAX_KEYS)
    }

    fn take(&self) -> Vec<BoxFuture<'static, ()>> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether the request can go on, told by whatever it waits for.
struct Awake {
    flag: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Awake {
    fn wake(self: Arc<Self>) {
        self.flag.store(true, Ordering::Release);
        self.task.wake();
    }
}

/// Runs `request` to its end, and what it spawned only when it can go no further by itself. A future
/// that merely pauses wakes itself at once, and is polled again before anything is loaded. While loaders run, the
/// request goes on, too: what it holds, such as a connection, may be what they wait for.
pub async fn run<F: Future>(request: F, spawned: Spawned) -> F::Output {
    let mut request = pin!(request);
    let mut running = FuturesUnordered::new();
    let awake = Arc::new(Awake { flag: AtomicBool::new(true), task: AtomicWaker::new() });
    let waker = Waker::from(awake.clone());
    let driven = poll_fn(|cx| {
        awake.task.register(cx.waker());
        loop {
            while awake.flag.swap(false, Ordering::AcqRel) {
                let waiting = &mut Context::from_waker(&waker);
                if let Poll::Ready(output) = request.as_mut().poll(waiting) {
                    return Poll::Ready(output);
                }
            }
            // In rounds: what is loaded goes back before more is, so that the next keys come together.
            if running.is_empty() {
                running.extend(spawned.take());
            }
            match running.poll_next_unpin(cx) {
                Poll::Ready(Some(())) => {}
                Poll::Ready(None) if awake.flag.load(Ordering::Acquire) => {}
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    });
    // Tokio's budget would have a request of many parts pause in their midst.
    tokio::task::coop::unconstrained(driven).await
}

/// A row and the id of what it belongs to.
#[derive(sqlx::FromRow)]
pub struct Owned<T> {
    pub owner_id: String,
    #[sqlx(flatten)]
    pub row: T,
}

/// How many there are of something.
#[derive(Clone, sqlx::FromRow)]
pub struct Count {
    pub total: i64,
}

/// A loader of rows by their id: `UserId => User, "SELECT … FROM users u WHERE ", "u.id"`.
macro_rules! load_by_id {
    ($id:ident => $row:ty, $select:expr, $column:literal) => {
        impl async_graphql::dataloader::Loader<$id> for $crate::loader::Loaders {
            type Value = $row;
            type Error = $crate::error::Error;

            async fn load(
                &self,
                keys: &[$id],
            ) -> Result<std::collections::HashMap<$id, $row>, Self::Error> {
                let mut sql = $crate::db::Sql::new($select);
                sql.push_sql($crate::db::Sql::is_in($column, keys));
                let rows: Vec<$row> = $crate::db::Query::from(sql).fetch_all(&self.app.db).await?;
                Ok(rows.into_iter().map(|row| (row.id.clone(), row)).collect())
            }
        }
    };
}
pub(crate) use load_by_id;

/// A loader of the rows that belong to something: the key is a new type around the owner's raw id, the
/// statement selects `owner_id` first and is cut in two where the list of owners goes, or is put together of the database and
/// that list. Rows are shared: a request may ask for
/// the same ones many times over.
macro_rules! load_by_owner {
    ($(#[$doc:meta])* $key:ident => $row:ty, $select:expr, $column:literal, $rest:expr) => {
        $crate::loader::load_by_owner!($(#[$doc])* $key => $row, $column, |_, owners| {
            let mut sql = $crate::db::Sql::new($select);
            sql.push_sql(owners).push($rest);
            sql
        });
    };
    ($(#[$doc:meta])* $key:ident => $row:ty, $column:literal, $statement:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $key(pub String);

        impl async_graphql::dataloader::Loader<$key> for $crate::loader::Loaders {
            type Value = std::sync::Arc<Vec<$row>>;
            type Error = $crate::error::Error;

            async fn load(
                &self,
                keys: &[$key],
            ) -> Result<std::collections::HashMap<$key, Self::Value>, Self::Error> {
                let statement: fn(&$crate::db::Db, $crate::db::Sql) -> $crate::db::Sql = $statement;
                let owners = keys.iter().map(|key| key.0.as_str());
                let sql = statement(&self.app.db, $crate::db::Sql::is_in($column, owners));
                let rows: Vec<$crate::loader::Owned<$row>> =
                    $crate::db::Query::from(sql).fetch_all(&self.app.db).await?;
                let mut groups = std::collections::HashMap::<$key, Vec<$row>>::new();
                for $crate::loader::Owned { owner_id, row } in rows {
                    groups.entry($key(owner_id)).or_default().push(row);
                }
                let shared = |(key, rows)| (key, std::sync::Arc::new(rows));
                Ok(groups.into_iter().map(shared).collect())
            }
        }
    };
}
pub(crate) use load_by_owner;

/// The number that a loader of [`Count`]s found; nothing counted is 0.
pub fn total(counts: Option<Arc<Vec<Count>>>) -> i32 {
    let total = counts.and_then(|counts| counts.first().map(|count| count.total)).unwrap_or(0);
    i32::try_from(total).unwrap_or(i32::MAX)
}
