//! The address policy: which addresses may be called.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::address::Place;
use super::allowed::Allowed;
use super::failure::CallFailure;
use super::networks::{internal, is_metadata};
use quarterdeck_actors::config::view::ServiceSettings;
use reqwest::Url;
use tracing::warn;

/// The description of a metadata service whose address is not in an internal network.
const METADATA: &str = "an address of a cloud's metadata service";

/// The party that chose the host of a call. It determines the allowed addresses and the pool of permits. The host of a
/// redirect is chosen by no one, so it is always checked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Chosen<'a> {
    /// An operator, in the configuration. All addresses are allowed, because push proxies are often internal.
    InConfiguration,
    /// An operator who tests the address of this site. Link-local and metadata addresses are refused, and so are other
    /// internal ones, except the server's own.
    ByOperator {
        /// The addresses that this server listens on. Calls may go to them, and to the site URL in force.
        listening: &'a [SocketAddr],
        /// True for an operator who may change the site URL. Every address could be in force after such a change, so
        /// internal addresses are allowed.
        decides_site_url: bool,
    },
    /// The user with this id. Internal addresses are refused.
    ByUser(&'a str),
}

/// The rules for one call.
pub(super) struct Policy<'a> {
    allowed: Allowed,
    trusted: Option<Place>,
    listening: &'a [SocketAddr],
    chosen: Chosen<'a>,
}

impl<'a> Policy<'a> {
    /// Creates the policy for a call to `url`.
    pub(super) fn new(chosen: Chosen<'a>, url: &Url, service: &ServiceSettings) -> Self {
        let allowed = Allowed::read(&service.allowed_untrusted_internal_connections);
        let site = || Url::parse(&service.site_url).ok().as_ref().and_then(Place::of);
        let (trusted, listening): (_, &[SocketAddr]) = match chosen {
            Chosen::InConfiguration => (Place::of(url), &[]),
            Chosen::ByOperator { listening, .. } => (site(), listening),
            Chosen::ByUser(_) => (None, &[]),
        };
        Self { allowed, trusted, listening, chosen }
    }

    /// Refuses `place` if one of its addresses is internal and not allowed.
    pub(super) fn check(&self, place: &Place, addresses: &[IpAddr]) -> Result<(), CallFailure> {
        let is_trusted = self.trusted.as_ref() == Some(place);
        if is_trusted && matches!(self.chosen, Chosen::InConfiguration) {
            return Ok(());
        }
        let own = own_addresses();
        addresses.iter().try_for_each(|address| self.check_one(place, *address, &own, is_trusted))
    }

    /// Refuses a redirect that an operator's test of an address must not follow: it may change the scheme and the port
    /// only, so nothing but the path that was asked for is ever called.
    pub(super) fn check_redirect(&self, from: &Url, to: &Url) -> Result<(), CallFailure> {
        let is_free = !matches!(self.chosen, Chosen::ByOperator { .. });
        let is_same = from.host_str() == to.host_str() && from.path() == to.path() && from.query() == to.query();
        if is_free || is_same {
            return Ok(());
        }
        Err(CallFailure::Elsewhere { host: from.host_str().unwrap_or_default().to_owned() })
    }

    fn check_one(&self, place: &Place, address: IpAddr, own: &[IpAddr], is_trusted: bool) -> Result<(), CallFailure> {
        let metadata = || is_metadata(address).then(|| METADATA.to_owned());
        let Some(what) = internal(address, own).or_else(metadata) else { return Ok(()) };
        let decides = matches!(self.chosen, Chosen::ByOperator { decides_site_url: true, .. });
        let is_allowed = self.allowed.holds(&place.host, address)
            || self.is_this_server(address, place.port, own)
            || ((is_trusted || decides) && !is_metadata(address));
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
