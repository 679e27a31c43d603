//! Which addresses may be called.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::address::Place;
use super::allowed::Allowed;
use super::failure::CallFailure;
use super::networks::internal;
use quarterdeck_actors::config::view::ServiceSettings;
use reqwest::Url;
use tracing::warn;

/// The party that chose the host of a call. It decides which addresses may be called, and from which pool the permit
/// is.
/// A redirect to another host is nobody's choice and always checked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Chosen<'a> {
    /// An operator, in the configuration: it may be anywhere, as push proxies often are.
    InConfiguration,
    /// An operator who tries the address of this site: internal addresses are refused, except its own.
    ByOperator {
        /// Where this server listens: calls may go there, and to the site URL in force.
        listening: &'a [SocketAddr],
    },
    /// The user with this id: internal addresses are refused.
    ByUser(&'a str),
}

/// What is allowed for one call.
pub(super) struct Policy<'a> {
    allowed: Allowed,
    trusted: Option<Place>,
    listening: &'a [SocketAddr],
}

impl<'a> Policy<'a> {
    /// The policy for a call to `url`.
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

    /// Refuses `place` if any of the addresses that it has is internal and not allowed.
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

/// The address in its shortest form. The loopback address is one of two; `localhost` means both.
fn usual(address: IpAddr) -> IpAddr {
    let is_second_loopback = address == IpAddr::V6(Ipv6Addr::LOCALHOST);
    if is_second_loopback { Ipv4Addr::LOCALHOST.into() } else { address.to_canonical() }
}

/// The addresses of this machine's interfaces.
fn own_addresses() -> Vec<IpAddr> {
    match if_addrs::get_if_addrs() {
        Ok(interfaces) => interfaces.iter().map(if_addrs::Interface::ip).collect(),
        Err(cause) => {
            warn!(error = %cause, "the machine's own addresses are unknown, and not refused to outgoing calls");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests;
