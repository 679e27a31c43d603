//! All that a route can touch.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use quarterdeck_actors::analytics::AnalyticsHandle;
use quarterdeck_actors::audit::AuditHandle;
use quarterdeck_actors::busy::BusyHandle;
use quarterdeck_actors::config::proposal::Surroundings;
use quarterdeck_actors::config::{Config, ConfigHandle};
use quarterdeck_actors::health::HealthHandle;
use quarterdeck_actors::hub::HubHandle;
use quarterdeck_actors::license::LicenseHandle;
use quarterdeck_actors::notices::NoticesHandle;
use quarterdeck_actors::presence::PresenceHandle;
use quarterdeck_actors::probe::FileProbeHandle;
use quarterdeck_actors::roles::Roles;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::sessions::SessionsHandle;
use quarterdeck_actors::supervisor::Vitals;
use quarterdeck_actors::upgrade::UpgradeHandle;
use tokio::sync::Notify;

use crate::accounts::{Attempts, FirstAccount};
use crate::ai_bridge::AiBridge;
use crate::answer::Sending;
use crate::audit::refusals::Refusals;
use crate::base::traffic::Traffic;
use crate::configuration::surroundings;
use crate::configurations::Configurations;
use crate::connections::Connections;
use crate::images::Images;
use crate::license::Signatory;
use crate::links::Links;
use crate::logging::LogReader;
use crate::mail::Mailer;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::outbound::Outbound;
use crate::passwords::Passwords;
use crate::pipeline::limit::Limiter;
use crate::prepared::PreparedAnswers;
use crate::push::PushProxy;
use crate::releases::Releases;
use crate::request::budget::BodyBudget;
use crate::store::Db;
use crate::support_packet::SupportPackets;
use crate::trial::Trials;

/// Handles and store. One for all workers.
pub(crate) struct AppState {
    pub(crate) config: ConfigHandle,
    /// What some parts of the server keep until it starts anew.
    pub(crate) started_with: Arc<Config>,
    pub(crate) sessions: SessionsHandle,
    pub(crate) busy: BusyHandle,
    pub(crate) health: HealthHandle,
    pub(crate) files: FileProbeHandle,
    pub(crate) analytics: AnalyticsHandle,
    pub(crate) audit: AuditHandle,
    /// Refusals of callers without a session.
    pub(crate) strangers: Refusals,
    /// Refusals of callers with a session.
    pub(crate) refusals: Refusals,
    pub(crate) hub: HubHandle,
    pub(crate) license: LicenseHandle,
    pub(crate) notices: NoticesHandle,
    /// Whose signatures licences need.
    pub(crate) signatory: Signatory,
    /// The machine's name, if it has one.
    pub(crate) hostname: Option<String>,
    pub(crate) options: Options,
    pub(crate) presence: PresenceHandle,
    pub(crate) roles: Arc<Roles>,
    pub(crate) db: Db,
    pub(crate) configurations: Configurations,
    /// Makes the fingerprints that tell secrets apart in the history of the configuration.
    pub(crate) fingerprint_key: Secret,
    pub(crate) passwords: Passwords,
    pub(crate) attempts: Attempts,
    /// Decides which caller may make the first account over the network.
    pub(crate) first_account: FirstAccount,
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) push: PushProxy,
    pub(crate) links: Links,
    pub(crate) images: Images,
    pub(crate) releases: Releases,
    /// Where the server listens, once it does.
    pub(crate) listening: OnceLock<Vec<SocketAddr>>,
    pub(crate) trials: Trials,
    pub(crate) log_reader: LogReader,
    /// The stand-in for an AI service, for end-to-end tests.
    pub(crate) ai_bridge: AiBridge,
    pub(crate) upgrade: UpgradeHandle,
    /// Told when the server is to end and its program to be run anew.
    pub(crate) restart: Notify,
    pub(crate) mailer: Mailer,
    pub(crate) metrics: Metrics,
    pub(crate) limiter: Limiter,
    pub(crate) connections: Arc<Connections>,
    pub(crate) bodies: Arc<BodyBudget>,
    pub(crate) support_packets: SupportPackets,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) prepared: PreparedAnswers,
    pub(crate) sending: Sending,
}

impl AppState {
    /// What decisions about the configuration must know.
    pub(crate) fn surroundings(&self) -> Surroundings {
        surroundings(&self.fingerprint_key)
    }

    /// Where the server listens; nowhere before it is started.
    pub(crate) fn listening(&self) -> &[SocketAddr] {
        self.listening.get().map_or(&[], Vec::as_slice)
    }

    /// How each actor fares.
    pub(crate) fn vitals(&self) -> Vec<Arc<Vitals>> {
        let mut vitals = vec![
            self.analytics.vitals(),
            self.audit.vitals(),
            self.busy.vitals(),
            self.config.vitals(),
            self.files.vitals(),
            self.health.vitals(),
            self.license.vitals(),
            self.notices.vitals(),
            self.presence.vitals(),
            self.sessions.vitals(),
            self.upgrade.vitals(),
        ];
        vitals.extend(self.hub.vitals());
        vitals
    }
}
