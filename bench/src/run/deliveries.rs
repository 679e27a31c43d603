//! Events that requests cause at the other nodes of a cluster: which sockets have the event of which request.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::accounts::Accounts;
use super::address::Address;
use super::mix::Count;
use crate::cluster::sockets::{Arrivals, Sockets};
use crate::ws::endpoint::SocketEndpoint;
use crate::ws::place::PATH;

type Failure = Box<dyn std::error::Error>;

/// The maximum number of nodes, and of the sockets of an account at each node.
pub(crate) const MAX_NODES: u64 = 10;
const MAX_SOCKETS_EACH: u64 = 100;

/// The numbers of the publications of a round; those of the next one begin after them.
const NUMBERS_OF_ROUND: u64 = 1_000_000_000_000;

/// The cluster of a mix file.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cluster {
    /// The number of nodes; requests go to the first one.
    pub(crate) nodes: Count<MAX_NODES>,
    /// The number of sockets that each account has at each of the other nodes.
    pub(crate) sockets: Option<Count<MAX_SOCKETS_EACH>>,
}

/// The sockets at the other nodes, and the publications that some of them do not have yet.
pub(crate) struct Deliveries {
    arrivals: Arc<Arrived>,
    _sockets: Sockets,
}

/// The publications that are awaited, by number.
struct Arrived {
    /// The number of sockets that receive each publication.
    sockets: u64,
    pending: Mutex<HashMap<u64, Pending>>,
    ended: AtomicU64,
}

struct Pending {
    missing: u64,
    completed: Arc<Notify>,
}

/// A publication that is awaited until this is dropped.
pub(super) struct Awaited<'a> {
    arrived: &'a Arrived,
    number: u64,
    completed: Arc<Notify>,
}

impl Deliveries {
    /// Opens the sockets of all accounts at the given nodes.
    pub(crate) async fn open(nodes: &[Address], accounts: &Accounts, cluster: Cluster) -> Result<Self, Failure> {
        let each = cluster.sockets.map_or(1, |count| count.0);
        let mut endpoints = Vec::new();
        for (node, address) in nodes.iter().enumerate() {
            for account in &accounts.users {
                let (host, remote, token) = (address.host.clone(), address.remote(), account.token.clone());
                let endpoint = SocketEndpoint { host, remote, path: PATH, token, resets: true };
                endpoints.extend((0..each).map(|_| (node, endpoint.clone())));
            }
        }
        let sockets = each * u64::try_from(nodes.len())?;
        let arrivals = Arc::new(Arrived::of(sockets));
        let open = Sockets::open(endpoints, &arrivals).await;
        let sockets = open.map_err(|cause| format!("a socket at another node cannot be opened: {cause}"))?;
        Ok(Self { arrivals, _sockets: sockets })
    }

    /// Returns the number of the first publication of a round.
    pub(crate) fn first_of(round: usize) -> u64 {
        NUMBERS_OF_ROUND * u64::try_from(round).unwrap_or_default()
    }

    /// Returns the number of sockets that ended during the run.
    pub(crate) fn ended(&self) -> u64 {
        self.arrivals.ended.load(Ordering::Relaxed)
    }

    /// Awaits a publication that is about to be sent.
    pub(super) fn expect(&self, number: u64) -> Awaited<'_> {
        self.arrivals.expect(number)
    }
}

impl Arrived {
    fn of(sockets: u64) -> Self {
        Self { sockets, pending: Mutex::default(), ended: AtomicU64::new(0) }
    }

    fn expect(&self, number: u64) -> Awaited<'_> {
        let completed = Arc::new(Notify::new());
        self.pending().insert(number, Pending { missing: self.sockets, completed: completed.clone() });
        Awaited { arrived: self, number, completed }
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<u64, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrivals for Arrived {
    fn arrived(&self, number: u64, _: usize, _: Instant) {
        let mut pending = self.pending();
        let Some(one) = pending.get_mut(&number) else { return };
        one.missing = one.missing.saturating_sub(1);
        if one.missing == 0 {
            one.completed.notify_one();
        }
    }

    fn fail(&self, _: &io::Error) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

impl Awaited<'_> {
    /// Waits until all sockets have the event.
    pub(super) async fn completed(&self) {
        self.completed.notified().await;
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.arrived.pending().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_publication_is_complete_once_all_sockets_have_it() {
        let arrived = Arrived::of(2);
        let (one, two) = (arrived.expect(1), arrived.expect(2));
        for number in [1, 2, 2, 3] {
            arrived.arrived(number, 0, Instant::now());
        }
        two.completed().await;
        assert!(timeout(Duration::from_millis(1), one.completed()).await.is_err());
        drop((one, two));
        assert!(arrived.pending().is_empty());
        assert!(Deliveries::first_of(1) > 1000 && Deliveries::first_of(0) == 0);
    }
}
