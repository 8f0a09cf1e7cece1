//! A cache of one answer with a time to live, for what reads whole tables: however many ask, one of them has it found, and
//! nobody waits for long.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::error::{Error, Result};
use crate::time::{Clock, Timestamp};

/// How long an answer is kept, in milliseconds.
const FRESH: i64 = 60_000;
/// How many times as long as it took to find, where that is longer.
const TIMES: i64 = 20;

/// One answer, which is found again only after a while.
pub struct Recent<T> {
    kept: Mutex<Option<(T, Timestamp)>>,
    /// Held by whoever finds it.
    finding: Arc<tokio::sync::Mutex<()>>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { kept: Mutex::default(), finding: Arc::default() }
    }
}

impl<T: Clone + Send + 'static> Recent<T> {
    /// What was found last, fresh or not.
    fn last(&self) -> Option<T> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().map(|(answer, _)| answer.clone())
    }

    fn fresh(&self, now: Timestamp) -> Option<T> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|(_, until)| now < *until).map(|(answer, _)| answer.clone())
    }

    fn keep(&self, answer: T, now: Timestamp, took: Duration) {
        let took = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        let kept_for = took.saturating_mul(TIMES).max(FRESH);
        let until = Timestamp::from_millis(now.millis().saturating_add(kept_for));
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((answer, until));
    }

    /// The answer, if it is fresh or found within `patience`; or else the last one, which may be none. Finding goes on
    /// without whoever asked.
    pub async fn get<F>(
        self: &Arc<Self>,
        clock: &Clock,
        patience: Duration,
        find: impl FnOnce() -> F,
    ) -> Result<Option<T>>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        if let Some(answer) = self.fresh(clock.now()) {
            return Ok(Some(answer));
        }
        let Ok(alone) = self.finding.clone().try_lock_owned() else {
            let _ = timeout(patience, self.finding.lock()).await;
            return Ok(self.last());
        };
        // Somebody may have found it just before.
        if let Some(answer) = self.fresh(clock.now()) {
            return Ok(Some(answer));
        }
        let (this, now, finding) = (self.clone(), clock.now(), find());
        let found = tokio::spawn(async move {
            let _alone = alone;
            let began = Instant::now();
            let answer = finding.await?;
            this.keep(answer.clone(), now, began.elapsed());
            Ok(answer)
        });
        match timeout(patience, found).await {
            Ok(found) => found.map_err(Error::internal)?.map(Some),
            Err(_) => Ok(self.last()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn it_is_found_once_a_minute() {
        let time = Arc::new(AtomicI64::new(0));
        let (clock, recent) = (Clock::Fixed(time.clone()), Arc::new(Recent::default()));
        let get = async |answer: i64| {
            let found = recent.get(&clock, SOON, || async move { Ok(answer) }).await;
            found.ok().flatten()
        };
        assert_eq!(get(1).await, Some(1));
        time.store(59_999, Ordering::Relaxed);
        assert_eq!(get(2).await, Some(1));
        time.store(60_000, Ordering::Relaxed);
        assert_eq!(get(3).await, Some(3));
    }

    #[tokio::test]
    async fn nobody_waits_for_long_and_one_finds_it() {
        let (clock, recent) = (Clock::Fixed(Arc::default()), Arc::new(Recent::<i64>::default()));
        let (found, finding) = tokio::sync::oneshot::channel();
        let patience = Duration::from_millis(10);
        let slow = async move { finding.await.map_err(Error::internal) };
        assert_eq!(recent.get(&clock, patience, || slow).await.ok(), Some(None));
        assert_eq!(recent.get(&clock, patience, || async { Ok(2) }).await.ok(), Some(None));
        found.send(1).unwrap();
        assert_eq!(recent.get(&clock, SOON, || async { Ok(3) }).await.ok(), Some(Some(1)));
    }
}
