//! Metrics in GraphQL: which way one is better.

use async_graphql::ComplexObject;

use super::{Metric, direction};

#[ComplexObject]
impl Metric {
    /// Whether less is better, as its name tells; null where it does not. What a model is judged by may say otherwise,
    /// see `Model.bestMetric`.
    async fn lower_is_better(&self) -> Option<bool> {
        direction::lower_is_better(&self.name)
    }
}
