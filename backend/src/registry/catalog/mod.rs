//! What is published: projects, their models, the versions of these, aliases and what protects them, files with their
//! blobs and uploads.
//!
//! No type or rule of runs is used here: a version remembers the id of the one that it came from. Some SQL looks among
//! the rows of runs (the best metric, addresses of files), and GraphQL shows them.

pub mod alias;
pub mod blob;
pub mod file;
pub mod mlmodel;
pub mod model;
pub mod project;
pub mod protection;
pub mod semver;
pub mod upload;
pub mod version;
