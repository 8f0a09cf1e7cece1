//! Flags of webhooks: where they may go, and what their secrets are sealed with.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use ipnet::IpNet;

#[derive(Args, Clone, Debug)]
pub struct Webhooks {
    /// Where webhooks may go besides public addresses with https: networks, and hosts with or without a port, such as
    /// 10.1.0.0/16,hooks.internal:8080. There they may also go with http
    #[arg(
        long = "webhook-allow",
        env = "MODEL_REGISTRY_WEBHOOK_ALLOW",
        value_delimiter = ',',
        value_name = "HOSTS"
    )]
    pub allowed: Vec<AllowedHost>,

    /// The file of the key that the secrets of webhooks are sealed with: 64 hexadecimal digits, the same at all servers. It belongs
    /// in your backup [default: secret.key in --data, made when it is first needed]
    #[arg(long, env = "MODEL_REGISTRY_SECRET_KEY_FILE", value_name = "FILE")]
    pub secret_key_file: Option<PathBuf>,
}

/// Somewhere that webhooks may go although it is not public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHost {
    Network(IpNet),
    Host {
        /// In lower case, or an address.
        name: String,
        /// None: any.
        port: Option<u16>,
    },
}

impl FromStr for AllowedHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(network) = text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse()) {
            return Ok(Self::Network(network));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self::Host { name: address.ip().to_string(), port: Some(address.port()) });
        }
        let wrong = || format!("{text:?} must be a network, or a host with or without a port");
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let is_name = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        match is_name {
            true => Ok(Self::Host { name: name.to_ascii_lowercase(), port }),
            false => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AllowedHost;

    #[test]
    fn networks_and_hosts_are_read() {
        for (text, read) in [
            ("10.1.0.0/16", AllowedHost::Network("10.1.0.0/16".parse().unwrap())),
            ("10.1.2.3", AllowedHost::Network("10.1.2.3/32".parse().unwrap())),
            ("::1", AllowedHost::Network("::1/128".parse().unwrap())),
            ("10.1.2.3:80", AllowedHost::Host { name: "10.1.2.3".into(), port: Some(80) }),
            (
                "Hooks.Internal:8080",
                AllowedHost::Host { name: "hooks.internal".into(), port: Some(8080) },
            ),
            ("ci", AllowedHost::Host { name: "ci".into(), port: None }),
        ] {
            assert_eq!(text.parse(), Ok(read), "{text}");
        }
        for wrong in ["", "https://ci", "ci:x", "a/b", "ci:99999", "*"] {
            assert!(wrong.parse::<AllowedHost>().is_err(), "{wrong}");
        }
    }
}
