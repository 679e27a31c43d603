//! Names to addresses.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

/// So many names are looked up at once, also by those who do not wait any more.
const LOOK_UPS: usize = 16;

/// So many addresses of a name count.
const ADDRESSES: usize = 16;

/// Where names are looked up.
pub(super) trait Names: Send + Sync {
    /// The addresses of `host` at this moment.
    fn look_up(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// What the operating system knows: the hosts file, DNS and whatever else it is set up with.
pub(super) struct SystemNames {
    turns: Arc<Semaphore>,
}

impl SystemNames {
    pub(super) fn new() -> Self {
        Self { turns: Arc::new(Semaphore::new(LOOK_UPS)) }
    }
}

impl Names for SystemNames {
    fn look_up(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let (host, turns) = (host.to_owned(), self.turns.clone());
        async move {
            let turn = turns.acquire_owned().await.map_err(io::Error::other)?;
            // The turn goes along: a look-up cannot be called off.
            let asking = tokio::task::spawn_blocking(move || {
                let found = (host.as_str(), 0).to_socket_addrs();
                drop(turn);
                found.map(|found| found.map(|address| address.ip()).take(ADDRESSES).collect())
            });
            asking.await.map_err(io::Error::other)?
        }
        .boxed()
    }
}

/// Gives the addresses that were checked, whatever it is asked for: nothing is looked up a second time.
pub(super) struct Checked(pub(super) Vec<SocketAddr>);

impl Resolve for Checked {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        std::future::ready(Ok(addresses)).boxed()
    }
}
