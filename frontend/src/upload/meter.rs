//! How fast bytes go, over the last seconds rather than since the beginning.

/// A measurement is as long, in milliseconds.
const SPAN: f64 = 1_000.0;
/// What comes after so long a silence has nothing to do with what was before.
const SILENCE: f64 = 5_000.0;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meter {
    begun_at: f64,
    bytes: f64,
    rate: f64,
}

impl Meter {
    /// Counts bytes that went at `now`, in milliseconds.
    pub fn count(&mut self, bytes: f64, now: f64) {
        let span = now - self.begun_at;
        if span > SILENCE {
            *self = Self { begun_at: now, bytes: bytes.max(0.0), rate: 0.0 };
            return;
        }
        self.bytes += bytes.max(0.0);
        if span >= SPAN {
            let measured = self.bytes / span * 1_000.0;
            // Smoothed, so that the time left does not jump.
            let rate = if self.rate == 0.0 { measured } else { 0.7 * self.rate + 0.3 * measured };
            *self = Self { begun_at: now, bytes: 0.0, rate };
        }
    }

    /// In bytes a second; 0 while it is not known.
    pub fn rate(&self) -> f64 {
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::Meter;

    #[test]
    fn the_rate_follows_what_goes() {
        let mut meter = Meter::default();
        meter.count(100.0, 10_000.0);
        assert_eq!(meter.rate(), 0.0);
        meter.count(900.0, 11_000.0);
        assert_eq!(meter.rate(), 1_000.0);
        meter.count(2_000.0, 12_000.0);
        assert_eq!(meter.rate(), 1_300.0);
        meter.count(10.0, 20_000.0);
        assert_eq!(meter.rate(), 0.0, "a new beginning");
    }
}
