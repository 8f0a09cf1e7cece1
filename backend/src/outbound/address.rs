//! Server-side request forgery, prevented: which addresses the server sends requests to that users asked for (CWE-918).
//!
//! Only global unicast, by the registries of special-purpose addresses
//! (<https://www.iana.org/assignments/iana-ipv4-special-registry>, and `iana-ipv6-special-registry`), and what the operator
//! allows besides. An address is checked when it is connected to, not when its name is looked up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::{Ipv4Net, Ipv6Net};
use reqwest::Url;

use crate::config::webhooks::AllowedHost;

/// The longest address of a receiver, in bytes.
const MAX_URL: usize = 500;
/// What a refusal names.
const FLAG: &str = "--webhook-allow";

/// Addresses of IPv4 that are not global unicast.
static SPECIAL_V4: LazyLock<Vec<Ipv4Net>> = LazyLock::new(|| {
    [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ]
    .map(|network| network.parse().expect("a network"))
    .to_vec()
});

/// Global unicast of IPv6, and what in it is for something special.
static GLOBAL_V6: LazyLock<Ipv6Net> = LazyLock::new(|| "2000::/3".parse().expect("a network"));
static SPECIAL_V6: LazyLock<Vec<Ipv6Net>> = LazyLock::new(|| {
    ["2001::/23", "2001:db8::/32", "3fff::/20"].map(|n| n.parse().expect("a network")).to_vec()
});

/// Whether it is an address of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public(IpAddr::V4(inner)),
            None => {
                GLOBAL_V6.contains(&address)
                    && !SPECIAL_V6.iter().any(|network| network.contains(&address))
            }
        },
    }
}

/// The address of IPv4 that one of IPv6 leads to: written as one of IPv6, translated (RFC 6052), or by a tunnel (RFC 3056).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => Some(of(g, h)),
        (0x2002, ..) => Some(of(b, c)),
        _ => None,
    }
}

/// What the operator lets requests go to, and what is ours.
#[derive(Default)]
pub struct Guard {
    allowed: Vec<AllowedHost>,
    /// The host and port of the registry itself.
    own: Option<(String, u16)>,
}

impl Guard {
    pub fn new(allowed: Vec<AllowedHost>, own: Option<&str>) -> Self {
        let own = own.and_then(|own| Url::parse(own).ok());
        let own =
            own.and_then(|own| Some((own.host_str()?.to_owned(), own.port_or_known_default()?)));
        Self { allowed, own }
    }

    /// Reads the address of a receiver, or says why nothing is sent there. Its host may still lead where nothing may go.
    pub fn check(&self, text: &str) -> Result<Url, String> {
        if text.len() > MAX_URL {
            return Err(format!("must be at most {MAX_URL} bytes"));
        }
        let url =
            Url::parse(text).map_err(|_| "must be a URL, such as https://ci.example.org/hook")?;
        let host = url.host_str().ok_or("must have a host")?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("must begin with https://".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must have no user or password: send them in a header instead".to_owned());
        }
        let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        if matches!(literal, Some(IpAddr::V4(address)) if !text.contains(&address.to_string())) {
            return Err(format!("has a host that is a number: write {host} or a name"));
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if self
            .own
            .as_ref()
            .is_some_and(|(own, at)| own == host.trim_end_matches('.') && *at == port)
        {
            return Err("must not be the registry itself".to_owned());
        }
        let is_allowed = self.allows_host(host, port)
            || literal.is_some_and(|address| self.allows_address(address));
        if is_allowed {
            return Ok(url);
        }
        // A name that is allowed with other ports leads where only those may be reached.
        if literal.is_some_and(|address| !is_public(address)) || self.allows_name(host) {
            return Err(refusal(host));
        }
        if !matches!(port, 80 | 443 | 1024..) {
            return Err(format!(
                "must not have the port {port}, unless the operator allows it with {FLAG}"
            ));
        }
        // A name may lead into a network that is allowed, which is looked at when it does.
        if url.scheme() == "http" && (literal.is_some() || !self.has_networks()) {
            return Err(format!(
                "must begin with https://, unless the operator allows the host with {FLAG}"
            ));
        }
        Ok(url)
    }

    /// Whether a request to this host may go to this address. Without TLS it may only where the operator says so.
    pub fn lets(&self, host: &str, address: IpAddr, with_tls: bool) -> bool {
        self.allows_name(host) || self.allows_address(address) || with_tls && is_public(address)
    }

    fn allows_host(&self, host: &str, port: u16) -> bool {
        self.allowed.iter().any(|allowed| match allowed {
            AllowedHost::Host { name, port: at } => {
                name == host.trim_matches(['[', ']']) && at.is_none_or(|at| at == port)
            }
            AllowedHost::Network(_) => false,
        })
    }

    /// Whether a host is allowed by its name, with some port at least: which, was checked with the URL.
    fn allows_name(&self, host: &str) -> bool {
        let is_it = |allowed: &AllowedHost| matches!(allowed, AllowedHost::Host { name, .. } if name == host);
        self.allowed.iter().any(is_it)
    }

    fn allows_address(&self, address: IpAddr) -> bool {
        let inner = address.to_canonical();
        self.allowed.iter().any(
            |allowed| matches!(allowed, AllowedHost::Network(network) if network.contains(&inner)),
        )
    }

    fn has_networks(&self) -> bool {
        self.allowed.iter().any(|allowed| matches!(allowed, AllowedHost::Network(_)))
    }
}

/// Why nothing goes to a host.
pub fn refusal(host: &str) -> String {
    format!("leads to {host}, which is not a public address: the operator can allow it with {FLAG}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_global_unicast_is_public() {
        for (address, expected) in [
            ("8.8.8.8", true),
            ("1.1.1.1", true),
            ("0.0.0.0", false),
            ("10.0.0.1", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("127.0.0.1", false),
            ("127.255.255.255", false),
            ("169.254.169.254", false),
            ("172.15.255.255", true),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("172.32.0.0", true),
            ("192.0.0.1", false),
            ("192.0.2.1", false),
            ("192.88.99.1", false),
            ("192.168.1.1", false),
            ("198.17.255.255", true),
            ("198.18.0.1", false),
            ("198.19.255.255", false),
            ("198.51.100.1", false),
            ("203.0.113.1", false),
            ("224.0.0.1", false),
            ("239.255.255.255", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("2606:4700::1111", true),
            ("::", false),
            ("::1", false),
            ("::7f00:1", false),
            ("100::1", false),
            ("fc00::1", false),
            ("fd12::1", false),
            ("fe80::1", false),
            ("ff02::1", false),
            ("2001:db8::1", false),
            ("3fff::1", false),
            ("2001::7f00:1", false),
            ("2001:4860:4860::8888", true),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b::808:808", true),
            ("64:ff9b:1::808:808", false),
            ("2002:7f00:1::", false),
            ("2002:808:808::", true),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn receivers_are_public_unless_the_operator_allows_them() {
        let allowed =
            ["10.1.0.0/16", "hooks.internal:8080", "ci"].map(|text| text.parse().unwrap());
        let strict = Guard::new(Vec::new(), Some("https://models.example.org/registry"));
        let open = Guard::new(allowed.to_vec(), None);
        for (url, strictly, openly) in [
            ("https://ci.example.org/hook?x=1", true, true),
            ("https://ci.example.org:8443/", true, true),
            ("https://ci.example.org:22/", false, false),
            ("https://8.8.8.8/", true, true),
            ("http://8.8.8.8/", false, false),
            ("http://ci.example.org/", false, true),
            ("https://127.0.0.1/", false, false),
            ("https://[::1]/", false, false),
            ("https://[::ffff:10.1.0.1]/", false, true),
            ("http://10.1.2.3:22/", false, true),
            ("http://hooks.internal:8080/", false, true),
            ("https://hooks.internal:9443/", true, false),
            ("http://hooks.internal:9200/", false, false),
            ("http://ci/", false, true),
            ("https://2130706433/", false, false),
            ("https://0x7f.1/", false, false),
            ("https://127.1/", false, false),
            ("https://0177.0.0.1/", false, false),
            ("https://134744072/", false, false),
            ("https://u:p@ci.example.org/", false, false),
            ("ftp://ci.example.org/", false, false),
            ("ci.example.org", false, false),
            ("https://models.example.org/", false, true),
            ("https://models.example.org:8443/", true, true),
        ] {
            assert_eq!(strict.check(url).is_ok(), strictly, "{url}: {:?}", strict.check(url));
            assert_eq!(open.check(url).is_ok(), openly, "{url}: {:?}", open.check(url));
        }
        assert!(strict.check("https://10.0.0.1/").unwrap_err().contains(FLAG));
    }

    #[test]
    fn what_a_name_leads_to_is_checked() {
        let allowed = ["10.1.0.0/16", "ci:8080"].map(|text| text.parse().unwrap());
        let guard = Guard::new(allowed.to_vec(), None);
        for (host, address, with_tls, expected) in [
            ("a.example.org", "8.8.8.8", true, true),
            ("a.example.org", "8.8.8.8", false, false),
            ("a.example.org", "127.0.0.1", true, false),
            ("a.example.org", "10.1.0.1", false, true),
            ("a.example.org", "::ffff:10.1.0.1", true, true),
            ("ci", "127.0.0.1", false, true),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(
                guard.lets(host, address, with_tls),
                expected,
                "{host} {address} {with_tls}"
            );
        }
    }
}
