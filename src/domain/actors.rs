//! Handles of the actors that several parts of the server use. Those of sessions and the audit trail are elsewhere.

use quarterdeck_actors::analytics::AnalyticsHandle;
use quarterdeck_actors::busy::BusyHandle;
use quarterdeck_actors::cluster::ClusterHandle;
use quarterdeck_actors::config::ConfigHandle;
use quarterdeck_actors::health::HealthHandle;
use quarterdeck_actors::hub::HubHandle;
use quarterdeck_actors::license::LicenseHandle;
use quarterdeck_actors::notices::NoticesHandle;
use quarterdeck_actors::presence::PresenceHandle;
use quarterdeck_actors::probe::FileProbeHandle;
use quarterdeck_actors::sockets::SocketsHandle;
use quarterdeck_actors::upgrade::UpgradeHandle;

/// The handles of the actors.
pub(crate) struct Actors {
    pub(crate) config: ConfigHandle,
    pub(crate) license: LicenseHandle,
    pub(crate) busy: BusyHandle,
    pub(crate) health: HealthHandle,
    pub(crate) files: FileProbeHandle,
    pub(crate) analytics: AnalyticsHandle,
    pub(crate) notices: NoticesHandle,
    pub(crate) presence: PresenceHandle,
    pub(crate) hub: HubHandle,
    pub(crate) cluster: ClusterHandle,
    pub(crate) sockets: SocketsHandle,
    pub(crate) upgrade: UpgradeHandle,
}
