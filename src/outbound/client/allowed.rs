//! `ServiceSettings.AllowedUntrustedInternalConnections`: the internal hosts that may be called.

use std::net::IpAddr;

use ipnet::IpNet;

use super::address::name_of;
use super::networks::wrapped;
use crate::base::network::parse_network;

/// The allowed host names with any addresses, and the allowed networks.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    names: Vec<String>,
    networks: Vec<IpNet>,
}

impl Allowed {
    /// Parses the setting. Commas or white space separate the entries; an invalid entry allows nothing.
    pub(super) fn read(setting: &str) -> Self {
        let mut allowed = Self::default();
        for entry in setting.split([',', ' ', '\t', '\r', '\n']).filter(|entry| !entry.is_empty()) {
            match parse_network(entry) {
                Some(network) => allowed.networks.push(network),
                None => allowed.names.extend(name_of(entry)),
            }
        }
        allowed
    }

    /// Returns true when the setting allows `host` or its address `address`.
    pub(super) fn holds(&self, host: &str, address: IpAddr) -> bool {
        let is_named = self.names.iter().any(|name| name == host);
        is_named || self.holds_address(address) || wrapped(address).any(|inner| self.holds_address(inner))
    }

    fn holds_address(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(setting: &str, host: &str, address: &str) -> bool {
        Allowed::read(setting).holds(host, address.parse().unwrap())
    }

    #[test]
    fn a_name_allows_itself_whatever_it_resolves_to_and_nothing_else() {
        for setting in
            ["chat.example", "other.example,CHAT.example.", "a  chat.example\n b", "bücher.example chat.example"]
        {
            assert!(holds(setting, "chat.example", "10.0.0.5"), "{setting}");
        }
        assert!(holds("bücher.example", "xn--bcher-kva.example", "10.0.0.5"));
        for setting in [
            "",
            "example",
            "sub.chat.example",
            "*.example",
            "chat.example/24",
            "https://chat.example",
            "x@chat.example",
        ] {
            assert!(!holds(setting, "chat.example", "10.0.0.5"), "{setting}");
        }
    }

    #[test]
    fn an_address_or_a_network_allows_its_addresses_under_any_name() {
        for setting in ["10.0.0.5", "10.0.0.0/8", "10.0.0.5/32", "0.0.0.0/0", "8.8.8.8, 10.0.0.4/30"] {
            assert!(holds(setting, "chat.example", "10.0.0.5"), "{setting}");
            assert!(holds(setting, "10.0.0.5", "10.0.0.5"), "{setting}");
            assert!(holds(setting, "chat.example", "::ffff:10.0.0.5"), "{setting}");
        }
        for setting in ["10.0.0.6", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/x", "10.0.0.6/31", "::/0", "10.0.0.5:80"] {
            assert!(!holds(setting, "chat.example", "10.0.0.5"), "{setting}");
        }
        assert!(holds("fd00::/8", "chat.example", "fd00::2") && holds("[::1]", "localhost", "::1"));
        assert!(!holds("127.0.0.0/8", "localhost", "::1"));
    }
}
