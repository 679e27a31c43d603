//! The address policy: which addresses may be called.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::address::Place;
use super::allowed::Allowed;
use super::failure::CallFailure;
use super::networks::internal;
use quarterdeck_actors::config::view::ServiceSettings;
use reqwest::Url;
use tracing::warn;

/// The party that chose the host of a call. It determines the allowed addresses and the pool of permits. The host of a
/// redirect is chosen by no one, so it is always checked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Chosen<'a> {
    /// An operator, in the configuration. All addresses are allowed, because push proxies are often internal.
    InConfiguration,
    /// An operator who tests the address of this site. Internal addresses are refused, except the server's own.
    ByOperator {
        /// The addresses that this server listens on. Calls may go to them, and to the site URL in force.
        listening: &'a [SocketAddr],
    },
    /// The user with this id. Internal addresses are refused.
    ByUser(&'a str),
}

/// The rules for one call.
pub(super) struct Policy<'a> {
    allowed: Allowed,
    trusted: Option<Place>,
    listening: &'a [SocketAddr],
}

impl<'a> Policy<'a> {
    /// Creates the policy for a call to `url`.
    pub(super) fn new(chosen: Chosen<'a>, url: &Url, service: &ServiceSettings) -> Self {
        let allowed = Allowed::read(&service.allowed_untrusted_internal_connections);
        let site = || Url::parse(&service.site_url).ok().as_ref().and_then(Place::of);
        let (trusted, listening): (_, &[SocketAddr]) = match chosen {
            Chosen::InConfiguration => (Place::of(url), &[]),
            Chosen::ByOperator { listening } => (site(), listening),
            Chosen::ByUser(_) => (None, &[]),
        };
        Self { allowed, trusted, listening }
    }

    /// Refuses `place` if one of its addresses is internal and not allowed.
    pub(super) fn check(&self, place: &Place, addresses: &[IpAddr]) -> Result<(), CallFailure> {
        if self.trusted.as_ref() == Some(place) {
            return Ok(());
        }
        let own = own_addresses();
        addresses.iter().try_for_each(|address| self.check_one(place, *address, &own))
    }

    fn check_one(&self, place: &Place, address: IpAddr, own: &[IpAddr]) -> Result<(), CallFailure> {
        let Some(what) = internal(address, own) else { return Ok(()) };
        let is_allowed = self.allowed.holds(&place.host, address) || self.is_this_server(address, place.port, own);
        if is_allowed {
            return Ok(());
        }
        let is_literal = place.literal().is_some();
        let finding = if is_literal {
            format!("{address} is {what}")
        } else {
            format!("{} resolves to {address}, {what}", place.host)
        };
        Err(CallFailure::Internal(finding))
    }

    fn is_this_server(&self, address: IpAddr, port: u16, own: &[IpAddr]) -> bool {
        let address = usual(address);
        let is_own = address.is_loopback() || own.contains(&address);
        self.listening.iter().any(|door| {
            let is_there = usual(door.ip()) == address || (door.ip().is_unspecified() && is_own);
            is_there && door.port() == port
        })
    }
}

/// Returns the address in its canonical form, with `127.0.0.1` for `::1`, because `localhost` means both.
fn usual(address: IpAddr) -> IpAddr {
    let is_second_loopback = address == IpAddr::V6(Ipv6Addr::LOCALHOST);
    if is_second_loopback { Ipv4Addr::LOCALHOST.into() } else { address.to_canonical() }
}

/// Returns the addresses of this machine's network interfaces.
fn own_addresses() -> Vec<IpAddr> {
    match if_addrs::get_if_addrs() {
        Ok(interfaces) => interfaces.iter().map(if_addrs::Interface::ip).collect(),
        Err(cause) => {
            warn!(
                error = %cause,
                "the machine's own addresses could not be read; outgoing calls to them are not refused"
            );
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests;
