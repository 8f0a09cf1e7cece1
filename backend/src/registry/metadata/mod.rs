//! What is filed under models, versions, runs and experiments alike: tags, params, metrics and the curves of these.
//!
//! Knows an owner by its id alone: no type or rule of models or runs is used here. Only the GraphQL of tags names these.

pub mod curve;
pub mod metric;
pub mod param;
pub mod tag;
