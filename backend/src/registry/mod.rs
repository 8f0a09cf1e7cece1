//! The registry itself: one file a concept, each with its type, its GraphQL fields, its rules and its SQL.
//!
//! Never knows HTTP. A rule takes the [`Change`](event::Change) it is part of and a proof from
//! [`access`](crate::access) that the caller may.

pub mod alias;
pub mod candidate;
pub mod credential;
pub mod curve;
pub mod dataset;
pub mod event;
pub mod experiment;
pub mod file;
pub mod identity;
pub mod invitation;
pub mod lifecycle;
pub mod live;
pub mod logged_model;
pub mod markdown;
pub mod member;
pub mod metric;
pub mod mlmodel;
pub mod model;
pub mod node;
pub mod object;
pub mod param;
pub mod project;
pub mod protection;
pub mod semver;
pub mod session;
pub mod tag;
pub mod target;
pub mod token;
pub mod trash;
pub mod upload;
pub mod user;
pub mod version;

/// The payload of a mutation: the object that it made or changed.
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident { $(#[$field_doc:meta])* $field:ident: $type:ty }) => {
        $(#[$doc])*
        #[derive(async_graphql::SimpleObject)]
        pub struct $name {
            $(#[$field_doc])*
            pub $field: $type,
        }
    };
}
pub(crate) use payload;
