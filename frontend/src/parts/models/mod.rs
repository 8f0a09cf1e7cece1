//! Models and their versions: lists, aliases, and how they are used.

pub mod about_version;
pub mod aliases;
pub mod bulk;
pub mod crumbs;
pub mod embed;
pub mod environment;
pub mod judge;
pub mod list;
pub mod mlflow;
pub mod mlmodel;
pub mod protected_aliases;
pub mod support;
pub mod table;
pub mod usage;
pub mod version_field;
