//! Addresses and networks of clients and proxies.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// The prefix length of an IPv6 network that one client has: it can choose the remaining bits freely.
const OWNED_BITS: u8 = 64;

/// The networks of the proxies in front of this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Parses addresses and networks in CIDR notation. The error is the first text that is neither.
    pub(crate) fn read<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let networks = texts.map(|text| network(text).ok_or_else(|| text.to_owned()));
        networks.collect::<Result<_, _>>().map(Self)
    }

    /// Returns true if one of the networks contains `address`.
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

fn network(text: &str) -> Option<IpNet> {
    parse_network(text).or_else(|| parse(text).map(IpNet::from))
}

/// Parses a network in CIDR notation, or a single address without a port as a network of one. A network of IPv4
/// addresses in IPv6 form becomes a network of IPv4 addresses.
pub(crate) fn parse_network(text: &str) -> Option<IpNet> {
    let (first, bits) = text.split_once('/').map_or((text, None), |(first, bits)| (first, Some(bits)));
    let first: IpAddr = first.trim_matches(['[', ']']).parse().ok()?;
    let folded = first.to_canonical();
    let Some(bits) = bits else { return Some(IpNet::from(folded)) };
    let bits: u8 = bits.parse().ok()?;
    let is_mapped = first.is_ipv6() && folded.is_ipv4();
    let bits = if is_mapped { bits.checked_sub(96)? } else { bits };
    IpNet::new(folded, bits).ok().map(|network| network.trunc())
}

/// Parses `ip`, `ip:port`, `[v6]` and `[v6]:port`. An IPv4 address in IPv6 form becomes an IPv4 address.
pub(crate) fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let found = text.parse::<IpAddr>().ok().or_else(bracketed).or_else(with_port);
    found.map(|address| address.to_canonical())
}

/// Returns the network that counts as one client: a single IPv4 address, or the /64 network of an IPv6 address.
pub(crate) fn group(address: IpAddr) -> IpNet {
    let address = address.to_canonical();
    let bits = if address.is_ipv4() { 32 } else { OWNED_BITS };
    IpNet::new(address, bits).map_or(IpNet::from(address), |network| network.trunc())
}
