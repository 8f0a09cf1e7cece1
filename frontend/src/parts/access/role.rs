//! What roles and scopes are called, and what they mean.

use crate::graphql::scalar::{Role, TokenScope};

/// From least to most; the key is what forms hold.
pub const ROLES: &[(&str, &str)] = &[
    ("guest", "Guest – read only"),
    ("developer", "Developer – create and publish"),
    ("maintainer", "Maintainer – manage members and tokens"),
    ("owner", "Owner – full control"),
];

/// The same in one word each.
pub const ROLE_NAMES: &[(&str, &str)] = &[
    ("guest", "Guest"),
    ("developer", "Developer"),
    ("maintainer", "Maintainer"),
    ("owner", "Owner"),
];

/// The roles that a robot can have, and that a maintainer can give.
pub const UP_TO_MAINTAINER: usize = 3;

pub fn role_key(role: Role) -> &'static str {
    ROLE_NAMES[role as usize].0
}

pub fn role_name(role: Role) -> &'static str {
    ROLE_NAMES[role as usize].1
}

pub fn role_of(key: &str) -> Role {
    match key {
        "owner" => Role::Owner,
        "maintainer" => Role::Maintainer,
        "developer" => Role::Developer,
        _ => Role::Guest,
    }
}

pub const SCOPES: &[(&str, &str)] =
    &[("read", "Read only"), ("write", "Read and write"), ("admin", "Full access")];

pub fn scope_name(scope: TokenScope) -> &'static str {
    match scope {
        TokenScope::Read => "Read only",
        TokenScope::Write => "Read and write",
        TokenScope::Admin => "Full access",
    }
}

pub fn scope_of(key: &str) -> TokenScope {
    match key {
        "admin" => TokenScope::Admin,
        "write" => TokenScope::Write,
        _ => TokenScope::Read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_keep_their_names() {
        for role in [Role::Guest, Role::Developer, Role::Maintainer, Role::Owner] {
            assert_eq!(role_of(role_key(role)), role);
            assert!(ROLES.iter().any(|(key, text)| {
                *key == role_key(role) && text.starts_with(role_name(role))
            }));
        }
    }
}
