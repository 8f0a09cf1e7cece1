//! Who may what: passwords, roles, visibilities, tokens, and pages that need a session.

pub mod embed_tokens;
pub mod new_password;
pub mod revocable;
pub mod role;
pub mod signed_in;
pub mod tokens;
pub mod user_field;
pub mod visibility;
