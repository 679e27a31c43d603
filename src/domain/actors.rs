//! The actors that several parts of the server ask; sessions stand with the accounts, the trail on its own.

use quarterdeck_actors::analytics::AnalyticsHandle;
use quarterdeck_actors::busy::BusyHandle;
use quarterdeck_actors::config::ConfigHandle;
use quarterdeck_actors::health::HealthHandle;
use quarterdeck_actors::hub::HubHandle;
use quarterdeck_actors::license::LicenseHandle;
use quarterdeck_actors::notices::NoticesHandle;
use quarterdeck_actors::presence::PresenceHandle;
use quarterdeck_actors::probe::FileProbeHandle;
use quarterdeck_actors::upgrade::UpgradeHandle;

/// Handles of actors.
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
    pub(crate) upgrade: UpgradeHandle,
}
