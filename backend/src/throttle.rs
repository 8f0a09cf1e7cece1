//! Rate limiting: counting what somebody does too often, such as refused changes, for which the waits grow ([`Throttle`]), or
//! what everybody may do so many times a minute ([`Rate`]). In memory only; a restart forgets.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::time::Timestamp;

/// How many keys are counted at once; of more, those that were quiet longest are forgotten.
const MAX_KEYS: usize = 10_000;
const FIRST_WAIT_SECONDS: i64 = 15;
/// After which all is forgiven.
pub const MAX_WAIT_SECONDS: i64 = 15 * 60;

/// A limit: so many at once, then fewer and fewer.
pub struct Throttle {
    free: u32,
    counts: Mutex<HashMap<String, Count>>,
}

/// How often something happened, and when it did last.
#[derive(Clone, Copy)]
pub struct Count {
    pub times: u32,
    pub last: Timestamp,
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

    /// How many seconds too early one more comes, if it does.
    pub fn early_seconds(self, free: u32, now: Timestamp) -> Option<i64> {
        let wait = if self.is_over(now) { 0 } else { self.wait_seconds(free) };
        let next = self.last.plus_seconds(wait);
        // Of several who come at once, one may have read the clock before the others.
        let is_early = wait > 0 && next > now;
        is_early.then(|| (next.millis() - now.millis() + 999).div_euclid(1000))
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
            if let Some(seconds) = count.early_seconds(self.free, now) {
                return Err(seconds);
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

    /// Forgets what was counted.
    pub fn forget(&self, key: &str) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// A token bucket: so many a minute, of which all may come at once.
pub struct Rate {
    per_minute: i64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

/// What is left, in milliseconds of the minute that fill a bucket, and as of when.
#[derive(Clone, Copy)]
struct Bucket {
    left: i64,
    at: Timestamp,
}

const MINUTE: i64 = 60 * 1000;

impl Rate {
    /// More than 60,000 a minute is no limit.
    pub fn new(per_minute: i64) -> Self {
        Self { per_minute: per_minute.clamp(1, MINUTE), buckets: Mutex::default() }
    }

    /// Takes one by `key`; where none is left, says in how many seconds there will be.
    pub fn take(&self, key: &str, now: Timestamp) -> Result<(), i64> {
        let price = MINUTE / self.per_minute;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |bucket: &Bucket| now.millis() - bucket.at.millis() >= MINUTE - bucket.left;
        if buckets.len() >= MAX_KEYS && !buckets.contains_key(key) {
            // A full bucket is one that nobody took from.
            buckets.retain(|_, bucket| !is_full(bucket));
            // So many networks at once are an attack, and to sort them would help it.
            if buckets.len() >= MAX_KEYS {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(key.to_owned()).or_insert(Bucket { left: MINUTE, at: now });
        // Of several who come at once, one may have read the clock before the others.
        let passed = (now.millis() - bucket.at.millis()).clamp(0, MINUTE);
        bucket.left = (bucket.left + passed).min(MINUTE);
        bucket.at = bucket.at.max(now);
        if bucket.left < price {
            return Err((price - bucket.left + 999).div_euclid(1000));
        }
        bucket.left -= price;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_a_minute_may_come_at_once_and_then_as_time_passes() {
        let rate = Rate::new(300);
        let mut now = Timestamp::from_millis(1_000_000);
        for _ in 0..300 {
            assert_eq!(rate.take("a", now), Ok(()));
        }
        assert_eq!(rate.take("a", now), Err(1));
        assert_eq!(rate.take("a", Timestamp::from_millis(1)), Err(1), "it read the clock first");
        assert_eq!(rate.take("b", now), Ok(()));
        now = now.plus_seconds(1);
        let taken = (0..10).filter(|_| rate.take("a", now).is_ok()).count();
        assert_eq!(taken, 5);
        now = now.plus_seconds(600);
        let taken = (0..400).filter(|_| rate.take("a", now).is_ok()).count();
        assert_eq!(taken, 300, "no more than a minute's worth is kept");
    }

    #[test]
    fn a_rate_of_many_networks_stays_small() {
        let rate = Rate::new(300);
        for key in 0..MAX_KEYS + 10 {
            rate.take(&key.to_string(), Timestamp::from_millis(0)).ok();
        }
        assert!(rate.buckets.lock().unwrap().len() <= MAX_KEYS);
    }

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
