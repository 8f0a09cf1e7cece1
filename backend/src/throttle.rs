//! Counting what somebody does too often: wrong passwords, refused changes. In memory only; a restart
//! forgets.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::time::Timestamp;

/// How many keys are counted at once; of more, those that were quiet longest are forgotten.
const MAX_KEYS: usize = 10_000;
const FIRST_WAIT_SECONDS: i64 = 15;
const MAX_WAIT_SECONDS: i64 = 15 * 60;

/// A limit: so many at once, then fewer and fewer.
pub struct Throttle {
    free: u32,
    counts: Mutex<HashMap<String, Count>>,
}

#[derive(Clone, Copy)]
struct Count {
    times: u32,
    last: Timestamp,
}

impl Count {
    /// How long after the last one the next may come, in seconds: at once for the free ones, then 15,
    /// 30, 60 … up to a quarter of an hour.
    fn wait_seconds(self, free: u32) -> i64 {
        match self.times.checked_sub(free) {
            None => 0,
            Some(over) => (FIRST_WAIT_SECONDS << over.min(20)).min(MAX_WAIT_SECONDS),
        }
    }

    /// After the longest wait all is forgiven.
    fn is_over(self, now: Timestamp) -> bool {
        now.millis() - self.last.millis() > MAX_WAIT_SECONDS * 1000
    }
}

impl Throttle {
    pub fn new(free: u32) -> Self {
        Self { free, counts: Mutex::default() }
    }

    /// Counts one more by `key`, unless it comes too early: then says how many seconds to wait.
    pub fn count(&self, key: &str, now: Timestamp) -> Result<(), i64> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get(key).copied().filter(|count| !count.is_over(now)) {
            let wait = count.wait_seconds(self.free);
            let next = count.last.plus_seconds(wait);
            // Of several who come at once, one may have read the clock before the others.
            if wait > 0 && next > now {
                return Err((next.millis() - now.millis() + 999).div_euclid(1000));
            }
            let last = count.last.max(now);
            counts.insert(key.to_owned(), Count { times: count.times + 1, last });
            return Ok(());
        }
        if counts.len() >= MAX_KEYS {
            counts.retain(|_, count| !count.is_over(now));
        }
        if counts.len() >= MAX_KEYS {
            let oldest = counts.iter().min_by_key(|(_, count)| count.last);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                counts.remove(&oldest);
            }
        }
        counts.insert(key.to_owned(), Count { times: 1, last: now });
        Ok(())
    }

    /// Takes back one that was counted: it went well.
    pub fn take_back(&self, key: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(key) {
            count.times = count.times.saturating_sub(1);
        }
    }

    /// Forgets what was counted: it went well.
    pub fn forget(&self, key: &str) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_at_once_is_not_too_early() {
        let throttle = Throttle::new(20);
        let at = Timestamp::from_millis;
        assert_eq!(throttle.count("x", at(11)), Ok(()));
        assert_eq!(throttle.count("x", at(10)), Ok(()), "it read the clock first");
    }

    #[test]
    fn the_twenty_first_waits_longer_and_longer_and_others_do_not() {
        let throttle = Throttle::new(20);
        let mut now = Timestamp::from_millis(1_000_000);
        for _ in 0..20 {
            assert_eq!(throttle.count("a", now), Ok(()));
        }
        assert_eq!(throttle.count("a", now), Err(15));
        assert_eq!(throttle.count("b", now), Ok(()));
        now = now.plus_seconds(15);
        assert_eq!(throttle.count("a", now), Ok(()));
        now = now.plus_seconds(16);
        assert_eq!(throttle.count("a", now), Err(14));
        now = now.plus_seconds(MAX_WAIT_SECONDS + 1);
        assert_eq!(throttle.count("a", now), Ok(()), "all is forgiven by then");
        throttle.forget("a");
        for _ in 0..20 {
            assert_eq!(throttle.count("a", now), Ok(()));
        }
    }

    #[test]
    fn it_stays_small() {
        let throttle = Throttle::new(1);
        for key in 0..MAX_KEYS + 10 {
            throttle.count(&key.to_string(), Timestamp::from_millis(key as i64)).ok();
        }
        assert!(throttle.counts.lock().unwrap().len() <= MAX_KEYS);
    }
}
