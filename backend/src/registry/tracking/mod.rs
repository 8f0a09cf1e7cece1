//! What is tried: experiments, their runs, which are the candidates of models, and the models and data sets that runs log.
//!
//! Knows the models that candidates belong to; how one becomes a version is in [`lifecycle`](super::lifecycle).

pub mod candidate;
pub mod dataset;
pub mod experiment;
pub mod logged_model;
