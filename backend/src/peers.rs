//! Who is connected: nobody has more than a quarter of all connections.
//!
//! Behind a reverse proxy everybody has its address. So proxies that the configuration trusts, and where it trusts none this
//! machine and its network, have as many as there are.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Serve;
use crate::network;

/// How many connections each network has.
#[derive(Clone, Default)]
pub struct Peers(Arc<Mutex<HashMap<String, usize>>>);

/// A connection of one network, until it is dropped.
pub struct Seat {
    peers: Peers,
    network: Option<String>,
}

impl Peers {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in one more connection; none if its network has its share already.
    pub fn seat(&self, config: &Serve, address: IpAddr) -> Option<Seat> {
        let network = match network::may_be_proxy(config, address.to_canonical()) {
            true => None,
            false => Some(network::of(address.to_canonical())),
        };
        if let Some(network) = &network {
            let mut peers = self.lock();
            let count = peers.entry(network.clone()).or_default();
            if *count >= (config.max_connections / 4).max(1) {
                return None;
            }
            *count += 1;
        }
        Some(Seat { peers: self.clone(), network })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(network) = self.network.take() else { return };
        if let Entry::Occupied(mut count) = self.peers.lock().entry(network) {
            match count.get() {
                0 | 1 => drop(count.remove()),
                _ => *count.get_mut() -= 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::{Cli, Command};

    fn config(flags: &[&str]) -> Serve {
        let arguments = [&["model-registry", "serve", "--max-connections", "8"], flags].concat();
        match Cli::try_parse_from(arguments).unwrap().command {
            Command::Serve(config) => config,
            _ => unreachable!("the arguments say serve"),
        }
    }

    #[test]
    fn nobody_has_more_than_a_quarter_but_proxies() {
        let (peers, plain) = (Peers::default(), config(&[]));
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let stranger = address("192.0.2.7");
        let first = peers.seat(&plain, stranger);
        let second = peers.seat(&plain, address("::ffff:192.0.2.7"));
        assert!(first.is_some() && second.is_some());
        assert!(peers.seat(&plain, stranger).is_none(), "the same one, whatever the family");
        assert!(peers.seat(&plain, address("192.0.2.8")).is_some());
        drop(first);
        assert!(peers.seat(&plain, stranger).is_some());
        drop(second);
        assert!(peers.lock().is_empty());

        let many = |config: &Serve, text: &str| {
            (0..20).map_while(|_| peers.seat(config, address(text))).collect::<Vec<_>>().len()
        };
        for near in ["127.0.0.1", "10.1.2.3", "::1", "fd00::1"] {
            assert_eq!(many(&plain, near), 20, "{near}");
        }
        let behind = config(&["--trusted-proxies", "10.0.0.0/8"]);
        assert_eq!(many(&behind, "10.1.2.3"), 20);
        assert_eq!(many(&behind, "127.0.0.1"), 2, "what is near is nobody's proxy then");
        assert_eq!(many(&behind, "2001:db8:1:2::1"), 2);
    }
}
