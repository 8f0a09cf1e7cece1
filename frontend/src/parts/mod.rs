//! Parts of several pages that talk to the server.

pub mod aliases;
pub mod description;
pub mod files;
pub mod markdown_field;
pub mod measures;
pub mod promote;
pub mod status;
pub mod tags;
pub mod uploads;
pub mod usage;
pub mod version_field;
