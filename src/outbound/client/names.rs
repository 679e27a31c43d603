//! Resolves names to addresses.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::shared_pool::Permit;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The maximum number of addresses of a name; further ones are ignored.
const MAX_ADDRESSES: usize = 16;

/// A source of addresses for names.
pub(super) trait Names: Send + Sync {
    /// Returns the current addresses of `host`. The look-up keeps `permit` until it ends, even if its caller is gone.
    fn look_up(&self, host: &str, permit: Permit) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the operating system: the hosts file, DNS, and other configured sources.
pub(super) struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, host: &str, permit: Permit) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let host = host.to_owned();
        let asking = tokio::task::spawn_blocking(move || {
            let found = (host.as_str(), 0).to_socket_addrs();
            drop(permit);
            found.map(|found| found.map(|address| address.ip()).take(MAX_ADDRESSES).collect())
        });
        async move { asking.await.map_err(io::Error::other)? }.boxed()
    }
}

/// Returns the checked addresses for all names, so that no second look-up can give other addresses.
pub(super) struct CheckedAddresses(pub(super) Vec<SocketAddr>);

impl Resolve for CheckedAddresses {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        std::future::ready(Ok(addresses)).boxed()
    }
}
