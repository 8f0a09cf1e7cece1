//! Roles, scopes and visibility: the words in which it is said who may what. Decides nothing.

use crate::words::text_enum;

text_enum! {
    /// Who can see a project without being a member. More may come.
    Visibility {
        /// Its members only.
        Private = "PRIVATE",
        /// Everybody who is signed in.
        Internal = "INTERNAL",
        /// Everybody.
        Public = "PUBLIC",
    }
}

text_enum! {
    /// The roles of a project's members, from least to most access. More may come.
    Role {
        /// Read.
        Guest = "GUEST",
        /// Create and change models, versions, candidates, files and aliases.
        Developer = "DEVELOPER",
        /// Manage the project.
        Maintainer = "MAINTAINER",
        /// Everything, including deleting the project.
        Owner = "OWNER",
    }
}

text_enum! {
    /// The scopes of tokens. A token can never do more than its owner. More may come.
    TokenScope {
        /// Read.
        Read = "READ",
        /// Read and write: also create, change, upload, promote and delete, as a developer can.
        Write = "WRITE",
        /// Full access: also members, tokens and settings.
        Admin = "ADMIN",
    }
}

impl TokenScope {
    /// The most that can be done in a project within this scope.
    pub fn most(self) -> Role {
        match self {
            Self::Read => Role::Guest,
            Self::Write => Role::Developer,
            Self::Admin => Role::Owner,
        }
    }
}

text_enum! {
    /// What sort of credential it is.
    CredentialKind {
        /// The cookie of a browser.
        Session = "SESSION",
        /// An access token.
        Token = "TOKEN",
    }
}

impl CredentialKind {
    /// What its secrets begin with, so that secret scanners know them.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Session => "mrs_",
            Self::Token => "mrt_",
        }
    }
}
