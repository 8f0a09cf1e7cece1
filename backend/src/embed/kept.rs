//! A cache with a time to live: the facts of projects, which are counted again only after a while.
//!
//! Counting reads what a project has row by row. So it is done once for all who ask at the same time, and what took long is
//! kept for longer: however large a project is, and however often it is asked for, the database is busy with each
//! of its two kinds of answers, with and without models, for a twentieth of the time at most.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::sync::OwnedMutexGuard;

use super::exposition::Series;
use crate::access::project::Project;
use crate::error::Result;
use crate::time::Timestamp;

/// How long what was counted is kept, in milliseconds.
const FRESH: i64 = 15_000;
/// How many times as long as it took to count, where that is longer.
const TIMES: i64 = 20;
/// How many projects are kept, and how many bytes of them: those that were not asked for longest go first.
const MAX_KEPT: NonZeroUsize = NonZeroUsize::new(1000).unwrap();
const MAX_BYTES: usize = 16 << 20;

/// Which facts of which project, under which path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    project: String,
    path: String,
    with_models: bool,
}

impl Key {
    pub fn new(project: &Project, with_models: bool) -> Self {
        let id = project.id.raw().to_owned();
        Self { project: id, path: project.path.clone(), with_models }
    }
}

/// What was counted, or why it could not be.
#[derive(Clone)]
pub struct Counted {
    pub series: Result<Arc<Series>>,
    /// How many there are at most.
    pub at_most: i64,
    until: Timestamp,
}

impl Counted {
    pub fn new(series: Result<Arc<Series>>, at_most: i64, now: Timestamp, took: Duration) -> Self {
        let took = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        let kept_for = took.saturating_mul(TIMES).max(FRESH);
        let until = Timestamp::from_millis(now.millis().saturating_add(kept_for));
        Self { series, at_most, until }
    }

    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.until
    }

    fn len(&self) -> usize {
        self.series.as_ref().map_or(0, |series| series.len())
    }
}

/// The facts of projects.
pub struct Kept(Mutex<State>);

struct State {
    counted: LruCache<Key, Counted>,
    bytes: usize,
    /// Who counts.
    counting: LruCache<Key, Arc<tokio::sync::Mutex<()>>>,
}

impl Default for Kept {
    fn default() -> Self {
        let (counted, counting) = (LruCache::new(MAX_KEPT), LruCache::new(MAX_KEPT));
        Self(Mutex::new(State { counted, bytes: 0, counting }))
    }
}

impl Kept {
    /// What was counted last, fresh or not.
    pub fn get(&self, key: &Key) -> Option<Counted> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.counted.get(key).cloned()
    }

    pub fn keep(&self, key: Key, counted: Counted) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.bytes += counted.len();
        if let Some((_, gone)) = state.counted.push(key, counted) {
            state.bytes -= gone.len();
        }
        while state.bytes > MAX_BYTES
            && let Some((_, gone)) = state.counted.pop_lru()
        {
            state.bytes -= gone.len();
        }
    }

    /// Waits until nobody else counts any of these; while it is held, nobody else does.
    pub async fn count<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a Key>,
    ) -> Vec<OwnedMutexGuard<()>> {
        // In one order, or two who want the same ones could wait for each other.
        let mut keys: Vec<&Key> = keys.into_iter().collect();
        keys.sort_unstable();
        let mut held = Vec::with_capacity(keys.len());
        for key in keys {
            let lock = {
                let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                state.counting.get_or_insert(key.clone(), Arc::default).clone()
            };
            held.push(lock.lock_owned().await);
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::exposition::Fact;

    fn key(n: usize) -> Key {
        Key { project: n.to_string(), path: String::new(), with_models: true }
    }

    #[test]
    fn what_took_long_is_kept_for_longer() {
        let now = Timestamp::from_millis(1_000_000);
        let counted =
            |seconds| Counted::new(Ok(Arc::default()), 0, now, Duration::from_secs(seconds));
        for (took, kept) in [(0, 15), (1, 20), (10, 200)] {
            assert!(counted(took).is_fresh(now.plus_seconds(kept - 1)), "{took} s");
            assert!(!counted(took).is_fresh(now.plus_seconds(kept)), "{took} s");
        }
    }

    #[test]
    fn what_is_kept_has_bounds() {
        let kept = Kept::default();
        let mut series = Series::default();
        series.add(Fact::Models, &[("project", &"x".repeat(1 << 20))], 1);
        let (series, now) = (Arc::new(series), Timestamp::from_millis(0));
        for n in 0..40 {
            kept.keep(key(n), Counted::new(Ok(series.clone()), 1, now, Duration::ZERO));
        }
        assert!(kept.get(&key(39)).is_some() && kept.get(&key(0)).is_none());
        assert!(kept.0.lock().unwrap().bytes <= MAX_BYTES);
        for n in 0..5000 {
            kept.keep(key(n), Counted::new(Ok(Arc::default()), 1, now, Duration::ZERO));
        }
        let state = kept.0.lock().unwrap();
        assert_eq!((state.counted.len(), state.bytes), (1000, 0));
    }

    #[tokio::test]
    async fn who_asks_for_the_same_waits_in_whatever_order() {
        let kept = Kept::default();
        let (one, two, three) = (key(1), key(2), key(3));
        let held = kept.count([&one, &two]).await;
        let waiting = kept.count([&two, &three, &one]);
        let waiting = tokio::time::timeout(Duration::from_millis(20), waiting);
        assert!(waiting.await.is_err());
        drop(held);
        assert_eq!(kept.count([&two, &three, &one]).await.len(), 3);
    }
}
