//! The address of a client: the peer of its connection, or the address that a trusted proxy names in a header.

use std::net::IpAddr;

use actix_web::{HttpMessage, HttpRequest};
use quarterdeck_actors::config::Config;

use crate::base::network::{TrustedProxies, group, parse};
use crate::web::line;

/// The client of a request, determined once by the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientAddress {
    /// `None` on the local socket.
    pub(crate) address: Option<IpAddr>,
    /// True if a trusted proxy forwarded the request. Always false without `TrustedProxies`.
    pub(crate) is_behind_proxy: bool,
    /// True if the client's side of the connection is encrypted.
    pub(crate) is_secure: bool,
}

impl ClientAddress {
    /// Determines the client of `http`. Without `proxies`, every peer may name the client's address.
    pub(crate) fn of(http: &HttpRequest, config: &Config, proxies: Option<&TrustedProxies>) -> Self {
        let peer = http.peer_addr().map(|peer| peer.ip().to_canonical());
        let is_behind_proxy = proxies.zip(peer).is_some_and(|(proxies, peer)| proxies.holds(peer));
        let is_believed = proxies.is_none() || is_behind_proxy;
        let headers = config.view.service.trusted_proxy_ip_header.iter();
        let named = headers.filter(|_| is_believed).find_map(|name| match proxies {
            Some(proxies) => last_untrusted(http, name, proxies),
            None => http.headers().get(name)?.to_str().ok()?.split(',').next().and_then(parse),
        });
        let proto = http.headers().get("X-Forwarded-Proto").filter(|_| is_believed);
        let is_secure = line::is_tls(http) || proto.is_some_and(|proto| proto == "https");
        Self { address: named.or(peer), is_behind_proxy, is_secure }
    }

    /// Returns the client that the pipeline determined for `http`.
    pub(crate) fn determined(http: &HttpRequest) -> Self {
        let found = http.extensions().get::<Self>().copied();
        found.unwrap_or_else(|| Self {
            address: http.peer_addr().map(|peer| peer.ip().to_canonical()),
            is_behind_proxy: false,
            is_secure: line::is_tls(http),
        })
    }
}

/// Reads all headers of that name from the right and skips proxies. Each proxy appends the address that called it, so
/// everything left of the first address that is not a proxy's may be forged.
fn last_untrusted(http: &HttpRequest, name: &str, proxies: &TrustedProxies) -> Option<IpAddr> {
    let lines: Vec<&str> = http.headers().get_all(name).filter_map(|line| line.to_str().ok()).collect();
    let mut last_proxy = None;
    for text in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        // An entry without an address hides the client, so the proxy itself is treated as the client.
        let Some(address) = parse(text) else { break };
        if !proxies.holds(address) {
            return Some(address);
        }
        last_proxy = Some(address);
    }
    last_proxy
}

/// Returns the text of the client's address; empty on the local socket.
pub(crate) fn address_of(http: &HttpRequest) -> String {
    ClientAddress::determined(http).address.map_or_else(String::new, |address| address.to_string())
}

/// Returns the text of the client's address; for IPv6 that of its network, because a network counts as one client.
pub(crate) fn group_of(http: &HttpRequest) -> String {
    let group = ClientAddress::determined(http).address.map(group);
    group.map_or_else(
        String::new,
        |group| {
            if group.addr().is_ipv4() { group.addr().to_string() } else { group.to_string() }
        },
    )
}

#[cfg(test)]
mod tests;
