//! Scalars and enums of the schema.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::schema;

/// A moment in RFC 3339.
#[derive(cynic::Scalar, Clone, Debug, PartialEq, Eq)]
pub struct DateTime(pub String);

/// A 64-bit float; `NaN` and the infinities travel as strings.
#[derive(Clone, Copy, Debug)]
pub struct MetricValue(pub f64);

impl PartialEq for MetricValue {
    /// Equal bits: `NaN` is the same as itself, so that an unchanged page is not drawn anew.
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

cynic::impl_scalar!(MetricValue, schema::MetricValue);
cynic::impl_scalar!(i64, schema::Long);

impl Serialize for MetricValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if value.is_nan() => serializer.serialize_str("NaN"),
            f64::INFINITY => serializer.serialize_str("Infinity"),
            f64::NEG_INFINITY => serializer.serialize_str("-Infinity"),
            value => serializer.serialize_f64(value),
        }
    }
}

impl<'de> Deserialize<'de> for MetricValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Number(f64),
            Text(String),
        }
        match Wire::deserialize(deserializer)? {
            Wire::Number(value) => Ok(Self(value)),
            Wire::Text(text) => match text.as_str() {
                "NaN" => Ok(Self(f64::NAN)),
                "Infinity" => Ok(Self(f64::INFINITY)),
                "-Infinity" => Ok(Self(f64::NEG_INFINITY)),
                other => Err(de::Error::custom(format!("“{other}” isn't a metric value"))),
            },
        }
    }
}

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    Private,
    Internal,
    Public,
}

/// What a person may do in a project, from least to most.
#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Guest,
    Developer,
    Maintainer,
    Owner,
}

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenScope {
    Read,
    Write,
    Admin,
}

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    Active,
    Invited,
    Blocked,
    Deleted,
}

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionState {
    Draft,
    Published,
}

/// Whether a version should still be used.
#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionSupport {
    Active,
    Deprecated,
    Yanked,
}

/// MLflow's stages.
#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelStage {
    None,
    Staging,
    Production,
    Archived,
}

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateStatus {
    Running,
    Scheduled,
    Finished,
    Failed,
    Killed,
}

impl CandidateStatus {
    /// Whether there is more to come.
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Running | Self::Scheduled)
    }
}

#[derive(cynic::Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderDirection {
    Asc,
    Desc,
}

impl OrderDirection {
    pub fn of(descending: bool) -> Self {
        if descending { Self::Desc } else { Self::Asc }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_values_that_json_has_no_number_for() {
        let values: Vec<MetricValue> =
            serde_json::from_str(r#"[1, 0.5, "NaN", "Infinity", "-Infinity"]"#).unwrap();
        assert!(values[2].0.is_nan() && values[4].0 == f64::NEG_INFINITY);
        let text = serde_json::to_string(&values).unwrap();
        assert_eq!(text, r#"[1.0,0.5,"NaN","Infinity","-Infinity"]"#);
    }
}
