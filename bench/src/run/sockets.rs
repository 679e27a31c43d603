//! Idle sockets beside the requests of a run: their memory at the server, and the events that they receive.

use std::sync::atomic::Ordering;

use serde::Serialize;

use super::accounts::Accounts;
use super::address::Address;
use crate::ws::crowd::Crowd;
use crate::ws::endpoint::SocketEndpoint;
use crate::ws::idle::settled_kb;
use crate::ws::place::PATH;

type Failure = Box<dyn std::error::Error>;

/// The sockets of a run, which are open until this is dropped.
pub(crate) struct Sockets {
    crowd: Crowd,
    bytes_each: Option<u64>,
}

/// The facts about sockets that a report names.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SocketFacts {
    pub(crate) opened: u64,
    /// The number of sockets that ended during the run.
    pub(crate) failed: u64,
    /// The number of events about preferences that the sockets received.
    pub(crate) events: u64,
    /// The number of events whose sequence numbers were skipped, or came again.
    pub(crate) skipped: u64,
    pub(crate) repeated: u64,
    /// The growth of the server's resident memory for each socket, if its process is known.
    pub(crate) bytes_each: Option<u64>,
}

impl Sockets {
    /// Opens sockets, divided evenly among the accounts, and waits until each is greeted.
    pub(crate) async fn open(
        address: &Address,
        accounts: &Accounts,
        count: u64,
        pid: Option<u32>,
    ) -> Result<Self, Failure> {
        if !address.prefix.is_empty() {
            return Err("sockets need a site without a path".into());
        }
        let endpoint = |token: &str| SocketEndpoint {
            host: address.host.clone(),
            remote: address.remote(),
            path: PATH,
            token: token.to_owned(),
            resets: true,
        };
        let endpoints = accounts.users.iter().map(|account| endpoint(&account.token)).collect();
        let before = match pid {
            Some(pid) => Some(settled_kb(pid).await?),
            None => None,
        };
        let crowd = Crowd::gather(endpoints, count).await?;
        let after = match pid {
            Some(pid) => Some(settled_kb(pid).await?),
            None => None,
        };
        let grown = before.zip(after).map(|(before, after)| after.saturating_sub(before) * 1024 / count.max(1));
        Ok(Self { crowd, bytes_each: grown })
    }

    pub(crate) fn facts(&self) -> SocketFacts {
        let tally = &self.crowd.tally;
        SocketFacts {
            opened: self.crowd.len(),
            failed: tally.failed.load(Ordering::Relaxed),
            events: tally.published.value(),
            skipped: tally.missing.load(Ordering::Relaxed),
            repeated: tally.repeated.load(Ordering::Relaxed),
            bytes_each: self.bytes_each,
        }
    }
}
