//! What spans catalog and tracking: a project begins with an experiment, a model takes its experiment along, a candidate
//! becomes a version, the trash is emptied.
//!
//! Nothing is here that one wing can do by itself.

pub mod model;
pub mod placement;
pub mod project;
pub mod promotion;
pub mod trash;
