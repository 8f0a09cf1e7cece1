//! Where a request comes from: the address of the client, and the network that it is in.

use std::net::IpAddr;
use std::sync::Once;

use axum::http::request::Parts;

use crate::config::Serve;

/// The other end of a connection: `server` puts it into every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// The address of the client: the other end of the connection or, where that is a proxy that the
/// configuration trusts, the last address in `X-Forwarded-For` that is none.
pub fn client_address(config: &Serve, request: &Parts) -> Option<IpAddr> {
    let trusted = |address: &IpAddr| {
        config.trusted_proxies.iter().any(|network| network.contains(&address.to_canonical()))
    };
    let Peer(peer) = *request.extensions.get::<Peer>()?;
    if !trusted(&peer) {
        return Some(peer.to_canonical());
    }
    let forwarded: Vec<_> = request
        .headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|address| address.trim().parse::<IpAddr>().ok())
        .collect();
    // What is no address was not written by our proxy; nor is anything before it to be believed.
    let known = forwarded.into_iter().rev().map_while(|address| address);
    Some(known.into_iter().find(|address| !trusted(address)).unwrap_or(peer).to_canonical())
}

/// The network of an address, as far as one customer has it: of IPv6 that is a /64.
pub fn of(address: IpAddr) -> String {
    match address {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        IpAddr::V4(address) => address.to_string(),
    }
}

/// The network that requests of an address are counted by. Behind a proxy that nobody named, everybody would be one network:
/// then none is.
pub fn counted(config: &Serve, address: IpAddr) -> Option<String> {
    (!may_be_proxy(config, address)).then(|| of(address))
}

/// As [`counted`], of whoever sends a request.
pub fn counted_of(config: &Serve, request: &Parts) -> Option<String> {
    client_address(config, request).and_then(|address| counted(config, address))
}

/// Whether many may come from an address: from a proxy that the configuration trusts, and where it trusts none from this
/// machine and its network, of which one may be a proxy that nobody named.
pub fn may_be_proxy(config: &Serve, address: IpAddr) -> bool {
    if !config.trusted_proxies.is_empty() {
        return config.trusted_proxies.iter().any(|proxy| proxy.contains(&address));
    }
    let is_near = match address {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    };
    if is_near && !address.is_loopback() {
        static SAID: Once = Once::new();
        SAID.call_once(|| {
            tracing::warn!(
                %address,
                "if this is a reverse proxy, name it in --trusted-proxies: limits go by the addresses that it forwards then"
            );
        });
    }
    is_near
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn a_network_is_what_one_customer_has() {
        let network = |address: &str| of(address.parse().unwrap());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
