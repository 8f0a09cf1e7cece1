//! What is filed under models, versions, runs and experiments alike: tags, params, metrics and the curves of these.
//!
//! Knows an owner by its id alone: nothing here names a model or a run.

pub mod curve;
pub mod metric;
pub mod param;
pub mod tag;
