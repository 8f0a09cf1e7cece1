//! Metrics in GraphQL: which way one is better.

use async_graphql::ComplexObject;

use super::{Metric, direction};

#[ComplexObject]
impl Metric {
    /// Whether a lower value is better, according to its name; null if the name does not say. What a model is judged by may say otherwise,
    /// see `Model.bestMetric`.
    async fn lower_is_better(&self) -> Option<bool> {
        direction::lower_is_better(&self.name)
    }
}
