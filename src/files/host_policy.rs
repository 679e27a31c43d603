//! Restricts the hosts that a store may be at.
//!
//! Stores are often on a private network, so private addresses are allowed. Link-local addresses and the metadata
//! services of clouds hand out the machine's credentials, so only the operator's own settings may name them.

use std::io;
use std::net::SocketAddr;

use futures_util::FutureExt;
use quarterdeck_actors::storage::report::{Kind, Step, StepFailure};
use quarterdeck_actors::storage::settings::StoreSettings;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;

use crate::outbound::client::is_metadata;

/// The error code of a refused address.
const CODE: &str = "ForbiddenAddress";

/// Names of metadata services; they resolve to link-local addresses.
const NAMES: [&str; 6] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "metadata.azure.com",
    "instance-data",
    "instance-data.ec2.internal",
];

/// The addresses that a store may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostPolicy {
    /// All addresses, because the operator pinned the host.
    Everywhere,
    /// All but link-local addresses and metadata services, because a caller entered the host.
    NoMetadata,
}

impl HostPolicy {
    pub(super) fn of(settings: &StoreSettings) -> Self {
        if settings.is_pinned { Self::Everywhere } else { Self::NoMetadata }
    }

    /// Refuses a forbidden host by its text, before a DNS look-up.
    pub(super) fn check_host(self, host: &str, place: &str) -> Result<(), StepFailure> {
        let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        let is_forbidden = NAMES.contains(&host.as_str()) || host.parse().is_ok_and(is_metadata);
        if self == Self::NoMetadata && is_forbidden {
            return Err(StepFailure { kind: Kind::Unusable, ..refused(Step::Settings, place) });
        }
        Ok(())
    }

    /// Returns all addresses of a host. Fails if one of them is forbidden.
    pub(super) async fn addresses(self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
        if self == Self::NoMetadata && found.iter().any(|address| is_metadata(address.ip())) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, ForbiddenAddress));
        }
        Ok(found)
    }
}

/// Checks the addresses in the look-up of the connection itself. So a DNS name that gets another address between a test
/// and a request cannot lead to a forbidden host.
impl Resolve for HostPolicy {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = *self;
        async move {
            let addresses: Addrs = Box::new(policy.addresses(name.as_str(), 0).await?.into_iter());
            Ok(addresses)
        }
        .boxed()
    }
}

/// The error of a look-up that found a forbidden address.
#[derive(Debug, thiserror::Error)]
#[error("the address is link-local or belongs to a metadata service")]
struct ForbiddenAddress;

/// Returns true when a look-up failed because of a forbidden address.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<ForbiddenAddress>)
}

/// Returns the failure for a forbidden address.
pub(super) fn refused(step: Step, place: &str) -> StepFailure {
    StepFailure {
        step,
        kind: Kind::Other,
        code: Some(CODE.to_owned()),
        cause: "the host has a link-local address or that of a metadata service".to_owned(),
        remedy: format!(
            "Set another host in {place}; such a host may only be set in config.toml or by an environment variable."
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn forbids(address: &str) -> bool {
        is_metadata(address.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn link_local_and_metadata_addresses_are_forbidden_in_every_form() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.0.1",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
        ] {
            assert!(forbids(address), "{address}");
            let refused = HostPolicy::NoMetadata.check_host(address, "X").unwrap_err();
            assert_eq!((refused.step, refused.code.as_deref()), (Step::Settings, Some(CODE)));
            assert!(HostPolicy::Everywhere.check_host(address, "X").is_ok());
        }
        for address in ["127.0.0.1", "10.0.0.5", "192.168.1.1", "100.100.100.201", "::1", "fd00::1", "8.8.8.8"] {
            assert!(!forbids(address), "{address}");
            assert!(HostPolicy::NoMetadata.check_host(address, "X").is_ok());
        }
    }

    #[test]
    fn names_of_metadata_services_are_refused_without_a_look_up() {
        for name in ["metadata.google.internal", "METADATA.google.internal.", "metadata", "instance-data"] {
            assert!(HostPolicy::NoMetadata.check_host(name, "X").is_err(), "{name}");
        }
        assert!(HostPolicy::NoMetadata.check_host("metadata.example.com", "X").is_ok());
    }

    #[tokio::test]
    async fn what_a_name_leads_to_is_checked_for_each_connection() {
        let refused = HostPolicy::NoMetadata.addresses("169.254.169.254", 80).await.unwrap_err();
        assert!(is_refusal(&refused), "{refused}");
        assert!(HostPolicy::Everywhere.addresses("169.254.169.254", 80).await.is_ok());
        assert!(HostPolicy::NoMetadata.addresses("localhost", 80).await.is_ok());
        let name = |text: &str| text.parse::<Name>().unwrap();
        assert!(
            HostPolicy::NoMetadata.resolve(name("169.254.169.254")).await.is_err(),
            "each connection looks it up anew"
        );
        assert!(HostPolicy::NoMetadata.resolve(name("localhost")).await.is_ok());
    }
}
