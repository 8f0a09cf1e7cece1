//! What is published: projects, their models, the versions of these, aliases and what protects them, files and their
//! uploads.
//!
//! Nothing here knows runs: a version remembers the id of the one that it came from.

pub mod alias;
pub mod file;
pub mod mlmodel;
pub mod model;
pub mod project;
pub mod protection;
pub mod semver;
pub mod upload;
pub mod version;
