//! The parts of a running server that route handlers reach, in groups. Other code takes the single group or handle that
//! it needs.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::proposal::DecisionContext;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::supervisor::Vitals;
use tokio::sync::Notify;

use crate::base::site_path::SitePath;
use crate::base::traffic::Traffic;
use crate::domain::accounts::Accounts;
use crate::domain::actors::Actors;
use crate::domain::ai_bridge::AiBridge;
use crate::domain::audit::Trail;
use crate::domain::config_access::decision_context;
use crate::domain::license::VerificationKey;
use crate::domain::support_packet::SupportPackets;
use crate::domain::trial_license::Trials;
use crate::domain::version_store::VersionStore;
use crate::outbound::client::Outbound;
use crate::outbound::images::Images;
use crate::outbound::links::Links;
use crate::outbound::mail::Mailer;
use crate::outbound::push::PushProxy;
use crate::outbound::releases::Releases;
use crate::settings::options::Options;
use crate::store::Db;
use crate::telemetry::logging::LogReader;
use crate::telemetry::metrics::Metrics;
use crate::web::answer::Sending;
use crate::web::connections::Connections;
use crate::web::pipeline::limit::Limiter;
use crate::web::prepared::PreparedAnswers;
use crate::web::request::budget::BodyBudget;
use crate::web::web_application::{WebApplication, is_below};

/// All groups. All workers share one instance.
pub(crate) struct AppState {
    pub(crate) db: Db,
    pub(crate) actors: Actors,
    pub(crate) accounts: Accounts,
    pub(crate) trail: Trail,
    pub(crate) facts: Facts,
    pub(crate) outside: Outside,
    pub(crate) limits: Limits,
    pub(crate) tools: Tools,
    pub(crate) prepared: PreparedAnswers,
    pub(crate) metrics: Metrics,
}

/// Facts that stay the same from the start of the server to its end.
pub(crate) struct Facts {
    pub(crate) options: Options,
    /// The configuration at the start. Some parts of the server use it until the next start.
    pub(crate) started_with: Arc<Config>,
    /// The path of `SiteURL` at the start. A changed path comes into force with the next start.
    pub(crate) site_path: SitePath,
    /// The web application that is served beside the API.
    pub(crate) web_application: Option<WebApplication>,
    /// The store of the configuration's versions.
    pub(crate) versions: VersionStore,
    /// The key for fingerprints of secrets. The history of the configuration compares fingerprints to show that a
    /// secret changed.
    pub(crate) fingerprint_key: Secret,
    /// The signer whose signature a licence needs.
    pub(crate) verification_key: VerificationKey,
    /// The id of this run of a server that shares its database with no other one.
    pub(crate) run_id: String,
    /// The host name of the machine; `None` if it has none.
    pub(crate) hostname: Option<String>,
    /// The addresses on which the server listens. Set once the listeners are bound.
    pub(crate) listening: OnceLock<Vec<SocketAddr>>,
}

/// The clients for calls to other servers.
pub(crate) struct Outside {
    pub(crate) outbound: Arc<Outbound>,
    pub(crate) push: PushProxy,
    pub(crate) links: Links,
    pub(crate) images: Images,
    pub(crate) releases: Releases,
    pub(crate) mailer: Mailer,
    pub(crate) trials: Trials,
}

/// The limits on requests, connections, request bodies and responses.
pub(crate) struct Limits {
    pub(crate) limiter: Limiter,
    pub(crate) connections: Arc<Connections>,
    pub(crate) bodies: Arc<BodyBudget>,
    pub(crate) sending: Sending,
    pub(crate) traffic: Arc<Traffic>,
}

/// Parts that only single routes use.
pub(crate) struct Tools {
    pub(crate) log_reader: LogReader,
    pub(crate) support_packets: SupportPackets,
    /// The stand-in for an AI service, for end-to-end tests.
    pub(crate) ai_bridge: AiBridge,
    /// Notified when the server has to stop and execute its program again.
    pub(crate) restart: Notify,
}

impl Facts {
    /// Returns the facts that decisions about the configuration need.
    pub(crate) fn decision_context(&self) -> DecisionContext {
        let context = decision_context(&self.fingerprint_key);
        match self.web_application.as_ref().map(WebApplication::folder) {
            Some(folder) => DecisionContext { is_served: Arc::new(move |place| is_below(&folder, place)), ..context },
            None => context,
        }
    }

    /// Returns the path of `SiteURL` in `config`, if it differs from the one in force and so waits for a restart.
    pub(crate) fn waiting_site_path(&self, config: &Config) -> Option<SitePath> {
        let path = SitePath::of(&config.view.service.site_url);
        (path != self.site_path).then_some(path)
    }

    /// Returns the addresses on which the server listens; an empty slice before the server has started.
    pub(crate) fn listening(&self) -> &[SocketAddr] {
        self.listening.get().map_or(&[], Vec::as_slice)
    }
}

impl AppState {
    /// Returns the id of this run of the server, and the name of the server: that of its host, with a number if another
    /// server on the database has the same.
    pub(crate) fn node(&self) -> (String, String) {
        let own = self.actors.cluster.own();
        if self.actors.cluster.is_shared() {
            return (own.id.clone(), own.name.clone());
        }
        (self.facts.run_id.clone(), self.facts.hostname.clone().unwrap_or_default())
    }

    /// Returns the vital signs of each actor.
    pub(crate) fn vitals(&self) -> Vec<Arc<Vitals>> {
        let actors = &self.actors;
        let mut vitals = vec![
            actors.analytics.vitals(),
            self.trail.audit.vitals(),
            actors.busy.vitals(),
            actors.config.vitals(),
            actors.files.vitals(),
            actors.health.vitals(),
            actors.license.vitals(),
            actors.notices.vitals(),
            actors.presence.vitals(),
            self.accounts.sessions.vitals(),
            actors.upgrade.vitals(),
        ];
        vitals.extend(actors.cluster.vitals());
        vitals.extend(actors.hub.vitals());
        vitals
    }
}
