//! Metrics: what a training run measured. Every point is kept: value, step, time; NaN and infinities too.

pub mod direction;
pub mod graphql;
pub mod rules;
pub mod sql;

use async_graphql::{
    InputObject, InputValueError, InputValueResult, Number, Scalar, ScalarType, SimpleObject, Value,
};

use crate::connection::Node;
use crate::db::Sql;
use crate::long::Long;
use crate::time::Timestamp;

/// A 64-bit float: a JSON number, or one of the strings `"NaN"`, `"Infinity"` and `"-Infinity"`.
#[derive(Clone, Copy, Debug)]
pub struct MetricValue(pub f64);

/// A 64-bit float: a JSON number, or one of the strings `"NaN"`, `"Infinity"` and `"-Infinity"`.
#[Scalar]
impl ScalarType for MetricValue {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => {
                number.as_f64().map(Self).ok_or(InputValueError::expected_type(value))
            }
            Value::String(text) => match text.as_str() {
                "NaN" => Ok(Self(f64::NAN)),
                "Infinity" => Ok(Self(f64::INFINITY)),
                "-Infinity" => Ok(Self(f64::NEG_INFINITY)),
                _ => Err(InputValueError::custom(
                    "is a number or one of \"NaN\", \"Infinity\", \"-Infinity\"",
                )),
            },
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        match Number::from_f64(self.0) {
            Some(number) => Value::Number(number),
            None if self.0.is_nan() => Value::String("NaN".to_owned()),
            None if self.0 > 0.0 => Value::String("Infinity".to_owned()),
            None => Value::String("-Infinity".to_owned()),
        }
    }
}

impl From<Option<f64>> for MetricValue {
    /// What the database has: NULL stands for NaN.
    fn from(value: Option<f64>) -> Self {
        Self(value.unwrap_or(f64::NAN))
    }
}

impl MetricValue {
    /// The value as the database keeps it.
    pub fn stored(self) -> Option<f64> {
        (!self.0.is_nan()).then_some(self.0)
    }

    /// An integer of the same order, with NaN above all; -0.0 counts as 0.0.
    pub fn order(self) -> i64 {
        if self.0.is_nan() {
            return i64::MAX;
        }
        let bits = (self.0 + 0.0).to_bits().cast_signed();
        bits ^ (((bits >> 63).cast_unsigned()) >> 1).cast_signed()
    }

    /// The value that has this order.
    pub fn of_order(order: i64) -> Self {
        let bits = order ^ (((order >> 63).cast_unsigned()) >> 1).cast_signed();
        Self(f64::from_bits(bits.cast_unsigned()))
    }
}

/// The last point of a metric, by step and time.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
#[graphql(complex)]
pub struct Metric {
    /// The name, unique in its run.
    pub name: String,
    /// The value.
    #[sqlx(try_from = "Option<f64>")]
    pub value: MetricValue,
    /// The training step; 0 if none was given.
    pub step: Long,
    /// When it was measured.
    #[graphql(name = "timestamp")]
    pub timestamp_ms: Timestamp,
}

/// One point of a metric's history.
#[derive(Clone, Debug, sqlx::FromRow, SimpleObject)]
pub struct MetricPoint {
    /// The value.
    #[sqlx(try_from = "Option<f64>")]
    pub value: MetricValue,
    /// The training step.
    pub step: Long,
    /// When it was measured.
    #[graphql(name = "timestamp")]
    pub timestamp_ms: Timestamp,
}

impl Node for MetricPoint {
    const NAME: &'static str = "MetricPoint";
}

/// A point of a metric to log.
#[derive(Clone, InputObject)]
pub struct MetricInput {
    /// The name, 1–255 characters.
    pub name: String,
    /// The value.
    pub value: MetricValue,
    /// The training step; 0 if omitted.
    pub step: Option<Long>,
    /// When it was measured; now if omitted.
    pub timestamp: Option<Timestamp>,
}

/// A point as its row has it.
pub(super) struct Row {
    name: String,
    step: i64,
    timestamp: Timestamp,
    value: MetricValue,
}

impl Row {
    /// Where it is among the points of its metric.
    fn place(&self) -> (i64, Timestamp, i64) {
        (self.step, self.timestamp, self.value.order())
    }
}

pub(super) fn insert_into<'a>(
    table: &str,
    owner_id: &str,
    rows: impl Iterator<Item = &'a Row>,
) -> Sql {
    let rows = rows.map(|row| {
        let (value_order, value) = (row.value.order().into(), row.value.stored().into());
        let (name, step) = (row.name.as_str().into(), row.step.into());
        [owner_id.into(), name, step, row.timestamp.into(), value_order, value]
    });
    let columns = "owner_id, name, step, timestamp_ms, value_order, value";
    Sql::rows(format!("INSERT INTO {table} ({columns}) VALUES"), rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_values_is_theirs() {
        let values = [
            f64::NEG_INFINITY,
            f64::MIN,
            -1.0,
            -f64::MIN_POSITIVE,
            0.0,
            5e-324,
            0.1,
            1.0,
            f64::MAX,
            f64::INFINITY,
            f64::NAN,
        ];
        for pair in values.windows(2) {
            assert!(MetricValue(pair[0]).order() < MetricValue(pair[1]).order(), "{pair:?}");
            assert_eq!(MetricValue::of_order(MetricValue(pair[0]).order()).0, pair[0]);
        }
        assert_eq!(MetricValue(-0.0).order(), MetricValue(0.0).order());
        assert!(MetricValue::of_order(MetricValue(f64::NAN).order()).0.is_nan());
    }
}
