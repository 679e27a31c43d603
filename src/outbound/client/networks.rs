//! Recognises internal addresses: those that IANA's registries reserve for other uses than the public network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Describes an internal address, as the end of "… is"; returns `None` for a public address.
/// `own` are the addresses of this machine.
pub(super) fn internal(address: IpAddr, own: &[IpAddr]) -> Option<String> {
    let listed = BLOCKS.iter().find(|(network, _)| network.contains(&address));
    if let Some((_, what)) = listed {
        return Some((*what).to_owned());
    }
    if own.contains(&address) {
        return Some("an address of this server itself".to_owned());
    }
    wrapped(address)
        .find_map(|inner| internal(inner, own).map(|what| format!("an address that leads to {inner}, {what}")))
}

/// Returns true for a link-local address, or the address of a cloud's metadata service, which hands out credentials of
/// the machine.
pub(crate) fn is_metadata(address: IpAddr) -> bool {
    METADATA.iter().any(|network| network.contains(&address)) || wrapped(address).any(is_metadata)
}

/// The link-local networks, and the metadata services with other addresses: Alibaba, Oracle and Azure, and Amazon and
/// Google over IPv6.
const METADATA: [IpNet; 7] = [
    v4([169, 254, 0, 0], 16, "").0,
    v4([100, 100, 100, 200], 32, "").0,
    v4([192, 0, 0, 192], 32, "").0,
    v4([168, 63, 129, 16], 32, "").0,
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "").0,
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32, "").0,
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0], 32, "").0,
];

/// Returns the IPv4 addresses inside an IPv6 address. A connection to it may reach them.
pub(super) fn wrapped(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let found = match address {
        IpAddr::V4(_) => [None, None],
        IpAddr::V6(address) => inside(address),
    };
    found.into_iter().flatten().map(IpAddr::V4)
}

fn inside(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let joined = |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        // IPv4-compatible, IPv4-mapped, IPv4-translated, NAT64, and 6to4 addresses.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => [joined(high, low), None],
        // Teredo contains the address of its server, and the inverted address of its client.
        [0x2001, 0, high, low, _, _, hidden_high, hidden_low] => [joined(high, low), joined(!hidden_high, !hidden_low)],
        _ => [None, None],
    }
}

/// The special-purpose registries of IANA. Narrow blocks come before the wider blocks that contain them.
const BLOCKS: [(IpNet, &str); 32] = [
    v4([0, 0, 0, 0], 32, "the unspecified address"),
    v4([0, 0, 0, 0], 8, "an address of \"this network\" (RFC 791)"),
    v4([10, 0, 0, 0], 8, PRIVATE),
    v4([100, 64, 0, 0], 10, "an address shared behind a carrier's NAT (RFC 6598)"),
    v4([127, 0, 0, 0], 8, LOOPBACK),
    v4([169, 254, 0, 0], 16, LINK_LOCAL),
    v4([172, 16, 0, 0], 12, PRIVATE),
    v4([192, 0, 0, 0], 24, RESERVED),
    v4([192, 0, 2, 0], 24, DOCUMENTATION),
    v4([192, 88, 99, 0], 24, RESERVED),
    v4([192, 168, 0, 0], 16, PRIVATE),
    v4([198, 18, 0, 0], 15, BENCHMARK),
    v4([198, 51, 100, 0], 24, DOCUMENTATION),
    v4([203, 0, 113, 0], 24, DOCUMENTATION),
    v4([224, 0, 0, 0], 4, MULTICAST),
    v4([255, 255, 255, 255], 32, "the broadcast address"),
    v4([240, 0, 0, 0], 4, RESERVED),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, "the unspecified address"),
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, LOOPBACK),
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "an address of a translator's own network (RFC 8215)"),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 63, "an address where everything is discarded (RFC 6666)"),
    v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, BENCHMARK),
    v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28, RESERVED),
    v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28, RESERVED),
    v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28, RESERVED),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, DOCUMENTATION),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, DOCUMENTATION),
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, RESERVED),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "a unique local address (RFC 4193)"),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, LINK_LOCAL),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "a site-local address (RFC 3879)"),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, MULTICAST),
];

const BENCHMARK: &str = "an address for benchmarks (RFC 2544)";
const DOCUMENTATION: &str = "an address for documentation (RFC 5737, RFC 3849)";
const LINK_LOCAL: &str = "a link-local address (RFC 3927, RFC 4291)";
const LOOPBACK: &str = "a loopback address";
const MULTICAST: &str = "a multicast address";
const PRIVATE: &str = "a private address (RFC 1918)";
const RESERVED: &str = "a reserved address (RFC 6890)";

const fn v4([a, b, c, d]: [u8; 4], bits: u8, what: &'static str) -> (IpNet, &'static str) {
    (IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)), what)
}

#[expect(clippy::many_single_char_names, reason = "an address has eight parts, which have no names")]
const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], bits: u8, what: &'static str) -> (IpNet, &'static str) {
    (IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), bits)), what)
}
