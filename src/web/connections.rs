//! Limits on open connections, in total and for each client.
//!
//! Behind a trusted proxy one connection carries the requests of many clients. There each request in flight counts as a
//! connection of the address that the proxy names.

mod entry;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use quarterdeck_actors::clock::Uptime;

use self::entry::ConnectionEntries;
pub(crate) use self::entry::ConnectionEntry;
use crate::base::network::{TrustedProxies, group};
use crate::settings::descriptors::{Shares, spare};
use crate::settings::options::Options;

/// The size up to which an incomplete request head is not counted, in bytes. Every connection may use this much.
const UNCOUNTED_HEAD_BYTES: usize = 16 * 1024;

/// The limit for the bytes above `UNCOUNTED_HEAD_BYTES` in the incomplete heads of all connections together.
const MAX_LONG_HEADS_BYTES: usize = 32 << 20;

/// The largest number of connections to the metrics listener, in total and for each address.
const MAX_METRICS_CONNECTIONS: usize = 64;
const MAX_METRICS_CONNECTIONS_PER_ADDRESS: usize = 16;

/// Counts open connections and refuses those beyond the limits.
pub(crate) struct Connections {
    limit: usize,
    limit_per_client: usize,
    proxies: Option<TrustedProxies>,
    open: AtomicUsize,
    entries: ConnectionEntries,
    made_room: AtomicU64,
    long_heads: AtomicUsize,
    by_client: Mutex<HashMap<IpNet, usize>>,
    refused: AtomicU64,
    refused_for_client: AtomicU64,
}

/// A permit for an open connection, or for a request in flight. Dropping it releases the place.
pub(crate) struct Permit {
    connections: Arc<Connections>,
    client: Option<IpNet>,
    /// The connection; `None` if the permit is for a request.
    entry: Option<Arc<ConnectionEntry>>,
    /// The size of the request head that is not complete yet, in bytes.
    head: usize,
}

impl Connections {
    /// Creates the limits from the options and from the number of file descriptors for connections.
    pub(crate) fn new(options: &Options, shares: &Shares) -> Arc<Self> {
        let limit = options.max_connections.min(shares.connections);
        Self::with(limit, options.max_connections_per_address, options.trusted_proxies.clone())
    }

    /// Returns the limits of the metrics listener. They are fixed, because only Prometheus connects there.
    pub(crate) fn of_metrics() -> Arc<Self> {
        Self::with(MAX_METRICS_CONNECTIONS, MAX_METRICS_CONNECTIONS_PER_ADDRESS, None)
    }

    fn with(limit: usize, limit_per_client: usize, proxies: Option<TrustedProxies>) -> Arc<Self> {
        Arc::new(Self {
            limit,
            limit_per_client,
            proxies,
            open: AtomicUsize::new(0),
            entries: ConnectionEntries::default(),
            made_room: AtomicU64::new(0),
            long_heads: AtomicUsize::new(0),
            by_client: Mutex::default(),
            refused: AtomicU64::new(0),
            refused_for_client: AtomicU64::new(0),
        })
    }

    /// Returns the largest number of connections.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Admits a connection from `peer`; `None` if a limit is reached.
    ///
    /// At the total limit, the connections that have been idle for the longest time are closed to make room.
    pub(crate) fn admit(self: &Arc<Self>, peer: Option<IpAddr>) -> Option<Permit> {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        let spare = spare(self.limit);
        let is_admitted = before < self.limit || {
            let needed = before.saturating_sub(self.limit) + 1;
            needed <= spare && self.entries.make_room(needed, Uptime::now())
        };
        if !is_admitted {
            self.open.fetch_sub(1, Ordering::Relaxed);
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        // From here on, dropping the permit also decrements the count of open connections.
        let mut permit = self.permit();
        permit.client = self.count(peer).ok()?;
        Some(permit)
    }

    /// Admits a connection to the local socket. It counts, but is never refused, because an administrator must always
    /// be able to connect.
    pub(crate) fn admit_local(self: &Arc<Self>) -> Permit {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.permit()
    }

    /// Asks connections that have been idle since `before` to close. Returns the number of idle connections that were
    /// not asked to close.
    pub(crate) fn end_idle(&self, before: Option<Uptime>) -> usize {
        self.entries.end_idle(before)
    }

    /// Returns the number of connections with unsent bytes of a response.
    pub(crate) fn unsent(&self) -> usize {
        self.entries.unsent()
    }

    /// Returns the number of idle connections that were closed to make room for others.
    pub(crate) fn made_room(&self) -> u64 {
        self.made_room.load(Ordering::Relaxed)
    }

    fn permit(self: &Arc<Self>) -> Permit {
        Permit { connections: self.clone(), client: None, entry: Some(self.entries.add()), head: 0 }
    }

    /// Admits a request of `client`, which a trusted proxy named; `None` if the client has too many requests in flight.
    pub(crate) fn admit_request(self: &Arc<Self>, client: IpAddr) -> Option<Permit> {
        let client = self.count(Some(client)).ok()?;
        Some(Permit { connections: self.clone(), client, entry: None, head: 0 })
    }

    /// Returns the number of open connections.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Returns the numbers of refused connections and requests, by the limit that refused them.
    pub(crate) fn refused(&self) -> [(&'static str, u64); 2] {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [("total", load(&self.refused)), ("address", load(&self.refused_for_client))]
    }

    /// Counts a connection or request for the client at `address`. Loopback addresses and proxies are not counted,
    /// because they carry the requests of many clients.
    fn count(&self, address: Option<IpAddr>) -> Result<Option<IpNet>, ()> {
        let Some(address) = address.map(|address| address.to_canonical()) else { return Ok(None) };
        let is_proxy = self.proxies.as_ref().is_some_and(|proxies| proxies.holds(address));
        if address.is_loopback() || is_proxy {
            return Ok(None);
        }
        let client = group(address);
        let mut by_client = self.by_client.lock().unwrap_or_else(PoisonError::into_inner);
        let held = by_client.entry(client).or_default();
        if *held >= self.limit_per_client {
            self.refused_for_client.fetch_add(1, Ordering::Relaxed);
            return Err(());
        }
        *held += 1;
        Ok(Some(client))
    }
}

impl Permit {
    /// Returns the connection; `None` if the permit is for a request.
    pub(crate) fn entry(&self) -> Option<Arc<ConnectionEntry>> {
        self.entry.clone()
    }

    /// Counts bytes of an incomplete request head. Returns false if the head is long and the limit for long heads is
    /// exceeded.
    pub(crate) fn reserve_head(&mut self, bytes: usize) -> bool {
        let before = self.head.saturating_sub(UNCOUNTED_HEAD_BYTES);
        self.head += bytes;
        let more = self.head.saturating_sub(UNCOUNTED_HEAD_BYTES) - before;
        more == 0 || self.connections.long_heads.fetch_add(more, Ordering::Relaxed) + more <= MAX_LONG_HEADS_BYTES
    }

    /// Releases the bytes of the request head.
    pub(crate) fn release_head(&mut self) {
        let long = std::mem::take(&mut self.head).saturating_sub(UNCOUNTED_HEAD_BYTES);
        self.connections.long_heads.fetch_sub(long, Ordering::Relaxed);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.release_head();
        if let Some(entry) = &self.entry {
            self.connections.entries.remove(entry);
            let has_made_room = u64::from(entry.makes_room());
            self.connections.made_room.fetch_add(has_made_room, Ordering::Relaxed);
            self.connections.open.fetch_sub(1, Ordering::Relaxed);
        }
        let Some(client) = self.client else { return };
        let mut by_client = self.connections.by_client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = by_client.get_mut(&client) {
            *held -= 1;
            if *held == 0 {
                by_client.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[expect(clippy::unnecessary_wraps, reason = "a peer may have no address")]
    fn at(text: &str) -> Option<IpAddr> {
        Some(address(text))
    }

    #[test]
    fn a_client_has_its_limit_and_an_ipv6_network_is_one_client() {
        let connections = Connections::with(100, 2, None);
        let first = connections.admit(at("192.0.2.1"));
        let second = connections.admit(at("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(connections.admit(at("192.0.2.1")).is_none());
        assert!(connections.admit(at("192.0.2.2")).is_some());
        drop(first);
        let _third = connections.admit(at("192.0.2.1")).unwrap();
        let network = ["2001:db8::1", "2001:db8::2"].map(|text| connections.admit(at(text)).unwrap());
        assert!(connections.admit(at("2001:db8::3")).is_none());
        assert!(connections.admit(at("2001:db8:0:1::3")).is_some());
        assert_eq!(connections.open(), 4);
        assert_eq!(connections.refused(), [("total", 0), ("address", 2)]);
        drop((second, network));
        assert_eq!(connections.by_client.lock().unwrap().len(), 1);
    }

    #[test]
    fn loopback_proxies_and_the_local_socket_count_in_total_only() {
        let proxies = TrustedProxies::read(["10.0.0.0/8"].into_iter()).unwrap();
        let connections = Connections::with(8, 1, Some(proxies));
        let exempt = [at("127.0.0.1"), at("::1"), at("10.0.0.1"), None];
        let held: Vec<_> = exempt.iter().chain(&exempt).map(|peer| connections.admit(*peer).unwrap()).collect();
        assert!(connections.admit(at("127.0.0.1")).is_none());
        assert_eq!(connections.refused(), [("total", 1), ("address", 0)]);
        drop(held);
        assert_eq!(connections.open(), 0);
    }

    #[test]
    fn requests_that_a_proxy_passes_on_count_for_the_client_that_it_names() {
        let connections = Connections::with(1, 2, None);
        let client = address("192.0.2.1");
        let held = [connections.admit_request(client).unwrap(), connections.admit_request(client).unwrap()];
        assert!(connections.admit_request(client).is_none());
        assert!(connections.admit_request(address("192.0.2.2")).is_some());
        drop(held);
        assert!(connections.admit_request(client).is_some());
        assert_eq!(connections.open(), 0);
    }

    #[test]
    fn long_heads_share_a_budget_that_short_ones_do_not_need() {
        let connections = Connections::with(10_000, 1, None);
        let mut held: Vec<Permit> = (0..300).map(|_| connections.admit(None).unwrap()).collect();
        let long = held.iter_mut().filter_map(|permit| permit.reserve_head(128 * 1024).then_some(())).count();
        assert_eq!(long, 292);
        let mut short = connections.admit(None).unwrap();
        assert!(short.reserve_head(UNCOUNTED_HEAD_BYTES) && !short.reserve_head(1));
        drop(held);
        assert!(short.reserve_head(1));
        short.release_head();
        assert_eq!(connections.long_heads.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_new_connection_takes_the_place_of_the_one_that_was_idle_for_longest() {
        let connections = Connections::with(2, 8, None);
        let held = [connections.admit(None).unwrap(), connections.admit(None).unwrap()];
        assert!(connections.admit(None).is_none(), "both are busy");
        held[0].entry().unwrap().wait();
        assert!(connections.admit(None).is_none(), "nobody has been idle for a second");
        assert!(connections.entries.make_room(1, Uptime::now().plus_ms(1_000)));
        let third = connections.admit(None).unwrap();
        assert!(held[0].entry().unwrap().makes_room() && !held[1].entry().unwrap().makes_room());
        assert!(connections.admit(None).is_none(), "one makes room for one");
        drop(held);
        assert_eq!((connections.made_room(), connections.open()), (1, 1));
        drop(third);
    }
}
