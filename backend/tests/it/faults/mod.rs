//! Faults: the program is killed, its disk fails or changes bits, and sweeps run without grace, while many work. What
//! was acknowledged is there afterwards, with the right bytes.
//!
//! `make faults` runs these for long, with a seed that they print; a sample is part of every test run.

mod crash;
mod flips;
mod ledger;
mod migrating;
mod program;
mod sweeping;

use program::Fault;

/// How long `make faults` takes, about, in seconds. Counts are for a run of this length.
const WHOLE: u64 = 600;
/// How long one kind of crash is tried in a sample, in seconds.
const SAMPLE: u64 = 10;
/// Which part of the whole run one kind of crash takes: several run at once.
const SHARE: u64 = 3;

/// How long the whole run takes, where one was asked for.
fn whole() -> Option<u64> {
    std::env::var("FAULTS_SECONDS").ok().and_then(|text| text.parse().ok())
}

/// How long one kind of crash is tried, in seconds.
fn seconds() -> u64 {
    whole().map_or(SAMPLE, |seconds| SAMPLE.max(seconds / SHARE))
}

/// How often something is tried: so often in a sample, and in a whole run. Shorter runs try less.
fn times(sample: u64, all: u64) -> u64 {
    whole().map_or(sample, |seconds| (all * seconds / WHOLE).clamp(sample, all))
}

fn seed() -> u64 {
    let said = std::env::var("FAULTS_SEED").ok().and_then(|text| text.parse().ok());
    said.unwrap_or_else(|| u64::from(std::process::id()))
}

fn is_postgres() -> bool {
    std::env::var("MODEL_REGISTRY_TEST_POSTGRES").is_ok()
}

/// Random numbers that a seed repeats (xorshift64*).
#[derive(Clone)]
struct Random(u64);

impl Random {
    /// Of one worker in one round.
    fn of(seed: u64, round: u64, worker: u64) -> Self {
        let mut random = Self(seed ^ (round << 20) ^ (worker << 50) | 1);
        random.below(2);
        random.below(2);
        random
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    /// A place in something of this length.
    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    fn of_these<T: Copy>(&mut self, these: &[T]) -> T {
        these[self.index(these.len())]
    }

    /// Bytes that no other call returns.
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
    }
}
