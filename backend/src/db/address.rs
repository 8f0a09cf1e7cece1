//! The address of a database, which is two where a pooler is before PostgreSQL.

use std::fmt::{Display, Formatter};

/// Where a database is.
#[derive(Clone)]
pub struct Address {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// Where PostgreSQL itself is, if at `url` is a pooler that lends its connections for one transaction each: what needs
    /// a session of its own goes here.
    pub direct: Option<String>,
}

impl Address {
    /// Where each connection is a session of its own.
    pub fn session(&self) -> &str {
        self.direct.as_deref().unwrap_or(&self.url)
    }
}

impl From<&str> for Address {
    fn from(url: &str) -> Self {
        Self { url: url.to_owned(), direct: None }
    }
}

impl From<&String> for Address {
    fn from(url: &String) -> Self {
        url.as_str().into()
    }
}

impl From<&Self> for Address {
    fn from(address: &Self) -> Self {
        address.clone()
    }
}

/// What is wrong with [`Address::direct`].
#[derive(Debug)]
pub struct WrongDirect(pub(super) String);

impl Display for WrongDirect {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongDirect {}

impl From<WrongDirect> for sqlx::Error {
    fn from(wrong: WrongDirect) -> Self {
        Self::Configuration(wrong.into())
    }
}
