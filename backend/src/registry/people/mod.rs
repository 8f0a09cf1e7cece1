//! Who there is: users, their sessions and tokens, invitations, identities from elsewhere, and who is a member of which
//! project.
//!
//! Changes them; what they may do is decided in [`access`](crate::access). Nothing here knows what is in a project.

pub mod credential;
pub mod embed_token;
pub mod identity;
pub mod invitation;
pub mod member;
pub mod session;
pub mod token;
pub mod user;
