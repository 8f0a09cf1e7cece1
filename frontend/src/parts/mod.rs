//! Parts of several pages that talk to the server.

pub mod aliases;
pub mod candidate_columns;
pub mod candidate_table;
pub mod curves;
pub mod description;
pub mod events;
pub mod files;
pub mod markdown_field;
pub mod measures;
pub mod mlflow;
pub mod mlmodel;
pub mod new_password;
pub mod page;
pub mod promote;
pub mod protected_aliases;
pub mod role;
pub mod run_facts;
pub mod signed_in;
pub mod status;
pub mod suggest_field;
pub mod tags;
pub mod tokens;
pub mod uploads;
pub mod usage;
pub mod user_field;
pub mod version_field;
