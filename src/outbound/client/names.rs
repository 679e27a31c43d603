//! Names to addresses.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use super::permits::Permit;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// So many addresses of a name count.
const ADDRESSES: usize = 16;

/// Where names are looked up.
pub(super) trait Names: Send + Sync {
    /// The addresses of `host` at this moment. The look-up holds `permit` until it ends, whether or not it is awaited.
    fn look_up(&self, host: &str, permit: Permit) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// What the operating system knows: the hosts file, DNS and whatever else it is set up with.
pub(super) struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, host: &str, permit: Permit) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let host = host.to_owned();
        let asking = tokio::task::spawn_blocking(move || {
            let found = (host.as_str(), 0).to_socket_addrs();
            drop(permit);
            found.map(|found| found.map(|address| address.ip()).take(ADDRESSES).collect())
        });
        async move { asking.await.map_err(io::Error::other)? }.boxed()
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
