//! Time: milliseconds since 1970 in the database, RFC 3339 on the wire, and a clock that tests can set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let moment: jiff::Timestamp = text.parse().ok()?;
        Some(Self(moment.as_millisecond()))
    }

    fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }

    /// The date and the time of day, in UTC.
    pub fn to_civil(self) -> jiff::civil::DateTime {
        jiff::tz::TimeZone::UTC.to_datetime(self.to_jiff())
    }

    /// `2026-01-02T03:04:05.678Z`
    pub fn to_rfc3339(self) -> String {
        format!("{:.3}", self.to_jiff())
    }

    /// `Fri, 02 Jan 2026 03:04:05 GMT`, as HTTP has it (RFC 9110 §5.6.7).
    pub fn to_http_date(self) -> String {
        let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
        printer.timestamp_to_rfc9110_string(&self.to_jiff()).expect("it is after the year 0")
    }
}

/// A moment in RFC 3339, in UTC with milliseconds: `2026-01-02T03:04:05.678Z`.
#[Scalar(name = "DateTime", specified_by_url = "https://scalars.graphql.org/andimarek/date-time")]
impl ScalarType for Timestamp {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        Self::from_rfc3339(text).ok_or_else(|| {
            InputValueError::custom("not a time in RFC 3339, such as 2026-01-02T03:04:05Z")
        })
    }

    fn to_value(&self) -> Value {
        Value::String(self.to_rfc3339())
    }
}

impl From<Timestamp> for crate::db::Value {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0.into()
    }
}

impl From<Option<Timestamp>> for crate::db::Value {
    fn from(timestamp: Option<Timestamp>) -> Self {
        timestamp.map(|timestamp| timestamp.0).into()
    }
}

/// Where the time comes from.
#[derive(Clone)]
pub enum Clock {
    System,
    /// Stands still until it is set: for tests.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp(jiff::Timestamp::now().as_millisecond()),
            Self::Fixed(millis) => Timestamp(millis.load(Ordering::Relaxed)),
        }
    }
}
