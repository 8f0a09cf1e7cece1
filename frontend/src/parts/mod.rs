//! Parts of several pages that talk to the server.

pub mod access;
pub mod bulk;
pub mod candidates;
pub mod compare;
pub mod description;
pub mod draft;
pub mod events;
pub mod files;
pub mod markdown_field;
pub mod models;
pub mod page;
pub mod palette;
pub mod project_switcher;
pub mod prompts;
pub mod shortcuts;
pub mod suggest_field;
pub mod tags;
pub mod webhooks;
