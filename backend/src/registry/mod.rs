//! The registry itself, in wings, each a folder of concepts: [`metadata`], [`people`], [`catalog`], [`tracking`], and
//! above them [`lifecycle`]. A wing's types, SQL and rules use only the wings before it; its GraphQL may use any,
//! because GraphQL's graph goes round. Beside the wings, [`target`] is the identity of an object, [`object`] finds one by
//! its path, [`event`] is the log as it is read, [`node`], [`entity`] and [`live`] are what GraphQL has of all of them.
//!
//! A concept is one folder: `mod` is what it is, `sql` how it is found (in `mod` where that is little), `rules` what may
//! happen to it, `graphql` how people see it, and each uses only those before it. A rule takes the [`Change`](crate::change::Change) that it is part
//! of and a proof from [`access`](crate::access) that the caller may. Nothing here knows HTTP.

pub mod address;
pub mod catalog;
pub mod entity;
pub mod event;
pub mod lifecycle;
pub mod live;
pub mod metadata;
pub mod node;
pub mod object;
pub mod people;
pub mod replica;
pub mod target;
pub mod tracking;
pub mod webhook;

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
