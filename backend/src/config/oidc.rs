//! Who may sign in by a provider of OpenID Connect, and with which rights.

use clap::Args;
use openidconnect::url::{Host, Url};
use openidconnect::{ClientId, ClientSecret, IssuerUrl};

use crate::role::Role;

/// Sign-in with OpenID Connect.
#[derive(Args, Clone, Debug)]
pub struct Oidc {
    /// OpenID provider that people sign in with, such as https://login.example.org; register
    /// PUBLIC_URL/auth/oidc/callback there as redirect URL
    #[arg(
        long = "oidc-issuer",
        env = "MODEL_REGISTRY_OIDC_ISSUER",
        value_name = "URL",
        requires = "client_id",
        value_parser = issuer
    )]
    pub issuer: Option<IssuerUrl>,

    /// The client ID of this registry at the provider
    #[arg(
        long = "oidc-client-id",
        env = "MODEL_REGISTRY_OIDC_CLIENT_ID",
        value_name = "ID",
        value_parser = |id: &str| Ok::<_, String>(ClientId::new(id.to_owned()))
    )]
    pub client_id: Option<ClientId>,

    /// The client secret; a public client has none
    #[arg(
        long = "oidc-client-secret",
        env = "MODEL_REGISTRY_OIDC_CLIENT_SECRET",
        value_name = "SECRET",
        hide_env_values = true,
        value_parser = |secret: &str| Ok::<_, String>(ClientSecret::new(secret.to_owned()))
    )]
    pub client_secret: Option<ClientSecret>,

    /// The name of the provider on the sign-in page: "Sign in with …"
    #[arg(
        long = "oidc-name",
        env = "MODEL_REGISTRY_OIDC_NAME",
        value_name = "TEXT",
        default_value = "single sign-on"
    )]
    pub name: String,

    /// The scopes to request from the provider
    #[arg(
        long = "oidc-scopes",
        env = "MODEL_REGISTRY_OIDC_SCOPES",
        value_name = "SCOPES",
        value_delimiter = ',',
        default_value = "openid,profile,email"
    )]
    pub scopes: Vec<String>,

    /// The claim that lists a person's groups
    #[arg(
        long = "oidc-groups-claim",
        env = "MODEL_REGISTRY_OIDC_GROUPS_CLAIM",
        value_name = "CLAIM",
        default_value = "groups"
    )]
    pub groups_claim: String,

    /// What the members of a group can do, applied at each sign-in: GROUP=admin, or GROUP=PROJECT:ROLE such
    /// as vision-team=vision:DEVELOPER; repeat it, or separate several with commas
    #[arg(
        long = "oidc-groups",
        env = "MODEL_REGISTRY_OIDC_GROUPS",
        value_name = "GROUP=RIGHT",
        value_delimiter = ',',
        value_parser = group_right
    )]
    pub groups: Vec<GroupRight>,
}

/// What the members of a provider's group may do.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRight {
    pub group: String,
    pub right: Right,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Right {
    /// Manage the whole registry.
    Admin,
    Member {
        /// The project's path.
        project: String,
        role: Role,
    },
}

/// Reads an issuer. What it says is believed, so it must be https, or on this machine.
fn issuer(text: &str) -> Result<IssuerUrl, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && local) {
        return Err("must begin with https:// (http:// only on this machine)".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err("must have no user name, query or fragment".to_owned());
    }
    IssuerUrl::new(text.to_owned()).map_err(|error| error.to_string())
}

/// Reads `vision-team=vision:DEVELOPER` or `operators=admin`. A group's own name may have a `=`.
fn group_right(text: &str) -> Result<GroupRight, String> {
    let wrong = || "must be GROUP=admin or GROUP=PROJECT:ROLE".to_owned();
    let (group, right) =
        text.rsplit_once('=').filter(|(group, _)| !group.is_empty()).ok_or_else(wrong)?;
    let right = match right.split_once(':') {
        None if right == "admin" => Right::Admin,
        Some((project, role)) if !project.is_empty() => Right::Member {
            project: project.to_owned(),
            role: Role::try_from(role.to_ascii_uppercase())
                .map_err(|_| format!("{role:?} must be GUEST, DEVELOPER, MAINTAINER or OWNER"))?,
        },
        _ => return Err(wrong()),
    };
    Ok(GroupRight { group: group.to_owned(), right })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_https_or_on_this_machine() {
        for right in ["https://login.example.org", "https://a.example/realms/b/", "http://[::1]:1"]
        {
            assert_eq!(issuer(right).unwrap().as_str(), right);
        }
        for wrong in ["http://login.example.org", "login", "ftp://a", "https://a/?b", "https://u@a"]
        {
            assert!(issuer(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn groups_have_rights() {
        let member = Right::Member { project: "vision".to_owned(), role: Role::Developer };
        for (text, group, right) in [
            ("ops=admin", "ops", Right::Admin),
            ("vision-team=vision:DEVELOPER", "vision-team", member.clone()),
            ("cn=vision=vision:developer", "cn=vision", member),
        ] {
            let group = group.to_owned();
            assert_eq!(group_right(text).unwrap(), GroupRight { group, right });
        }
        for wrong in ["ops", "=admin", "ops=root", "ops=vision:", "ops=vision:BOSS", "ops=:OWNER"] {
            assert!(group_right(wrong).is_err(), "{wrong}");
        }
    }
}
