//! Starts and stops the server: takes the settings, opens the listeners, returns their addresses.

mod announcing;
pub(crate) mod attached;
pub(crate) mod backup;
mod building;
mod certificate;
mod checks;
pub(crate) mod claimed;
mod cluster;
pub(crate) mod database;
pub(crate) mod diagnosis;
mod failures;
mod guests;
mod http;
pub(crate) mod installation;
mod listeners;
mod located;
mod mending;
mod metrics;
pub(crate) mod moving;
mod read_delays;
mod sampling;
mod seeding;
pub(crate) mod starting_config;
pub(crate) mod steps;
mod stop;
mod stream;
mod tasks;
pub(crate) mod unconfirmed;
mod upgrade_offers;
mod user_names;
mod verifying;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::dev::{Server as HttpServer, ServerHandle};
use actix_web::web::Data;
use quarterdeck_actors::audit::AuditStore;
use quarterdeck_actors::busy::BusyHandle;
use quarterdeck_actors::config::{Config, ConfigHandle};
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::hub::HubHandle;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::supervisor::Vitals;
use tracing::warn;

use crate::base::trust::install_provider;
use crate::domain::accounts::FirstAccount;
use crate::domain::audit::reload_record;
use crate::settings::{Settings, Sources};
use crate::store::StatementTexts;
use crate::web::routes;
use crate::web::state::AppState;
use building::state;
use certificate::Certificate;
use claimed::Claimed;
use database::Migrated;
pub use failures::{StartError, StopError};
use listeners::Listening;
use steps::Examined;
use unconfirmed::{examine_confirmed, record_taken_back};

/// A running server.
pub struct Server {
    addresses: Vec<SocketAddr>,
    socket: Option<PathBuf>,
    metrics: Option<SocketAddr>,
    certificate: Option<Arc<Certificate>>,
    app: Data<AppState>,
    handles: Vec<ServerHandle>,
    ended: Vec<actix_web::rt::task::JoinHandle<std::io::Result<()>>>,
}

impl Server {
    /// Starts every part of the server. When this returns, the server handles requests.
    pub async fn start(settings: Settings, sources: Sources) -> Result<Self, StartError> {
        install_provider();
        // On the heap: the future is large, and it would make every future that awaits it as large.
        let (app, mut claimed) = Box::pin(built(settings, sources)).await?;
        let app = Data::new(app);
        tasks::start(&app);
        cluster::follow(&app);
        app.metrics.follow(&app.vitals());
        warn_of_unnamed_proxies(&app);
        let router = Data::new(routes::router(app.facts.site_path.clone())?);
        let listening = listeners::open(&app, &router, &mut claimed).map_err(StartError::Listen)?;
        app.facts.listening.get_or_init(|| listening.addresses.clone());
        let measuring = metrics::open(&app, &mut claimed).map_err(StartError::Listen)?;
        let metrics = measuring.as_ref().map(|(_, address)| *address);
        let Listening { servers, addresses, socket, certificate } = listening;
        let servers: Vec<_> = servers.into_iter().chain(measuring.map(|(server, _)| server)).collect();
        app.db.mark_open().await?;
        let handles = servers.iter().map(HttpServer::handle).collect();
        let ended = servers.into_iter().map(actix_web::rt::spawn).collect();
        Ok(Self { addresses, socket, metrics, certificate, app, handles, ended })
    }

    /// Reads the store, the configuration file and the environment again, and puts the result in force. A renewed TLS
    /// certificate comes into use even if the configuration is refused.
    pub async fn reload(&self) -> Result<Arc<Config>, AppError> {
        if let Some(certificate) = &self.certificate {
            certificate.renew().await;
        }
        let (before, context) = (self.app.actors.config.current(), self.app.facts.decision_context());
        let reloaded = self.app.actors.config.reload(context.clone()).await;
        let after = reloaded.as_ref().map(|config| &config.document);
        self.app.trail.audit.record(reload_record(&before.document, after, &context)).await;
        reloaded
    }

    /// Returns the addresses on which the server listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the path of the local socket, if it is enabled.
    pub fn socket(&self) -> Option<&PathBuf> {
        self.socket.as_ref()
    }

    /// Returns the address that Prometheus scrapes, if metrics are enabled.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Returns the URL scheme that clients use: `https` with TLS, otherwise `http`.
    pub fn scheme(&self) -> &'static str {
        let is_tls = self.app.facts.started_with.view.service.connection_security == "TLS";
        if is_tls { "https" } else { "http" }
    }

    /// Returns the handle of the configuration, to read, subscribe or reload it.
    pub fn config(&self) -> &ConfigHandle {
        &self.app.actors.config
    }

    /// Returns the vitals of each actor, such as its restarts and its waiting and failed messages.
    pub fn vitals(&self) -> Vec<Arc<Vitals>> {
        self.app.vitals()
    }

    /// Returns the handle of the busy flag, to set or clear it.
    pub fn busy(&self) -> &BusyHandle {
        &self.app.actors.busy
    }

    /// Returns the handle of the WebSocket hub, to send events to connected clients.
    pub fn hub(&self) -> &HubHandle {
        &self.app.actors.hub
    }

    /// Returns the texts of the statements that the server ran; none in release builds.
    pub fn statement_texts(&self) -> StatementTexts {
        self.app.db.statement_texts()
    }

    /// Returns the rule that decides which caller may create the first account.
    pub(crate) fn first_account(&self) -> &FirstAccount {
        &self.app.accounts.first
    }

    /// Returns the one-time code for creating the first account over the network; `None` if there is no such code.
    pub fn setup_code(&self) -> Option<&Secret> {
        self.app.accounts.first.code()
    }

    /// Waits until a request, or the server that restarts all others, wants this one to restart.
    pub async fn restart_wanted(&self) {
        self.app.tools.restart.notified().await;
    }
}

/// Takes the steps of a start, binds the addresses, brings the database up to date, and builds the parts of the server on
/// it.
async fn built(settings: Settings, sources: Sources) -> Result<(AppState, Claimed), StartError> {
    let (examined, taken_back) = Box::pin(examine_confirmed(settings, &sources)).await?;
    attached::tell(&examined, &sources).await;
    let Examined { settings, shares, place, db, config, .. } = examined;
    for notice in config.overrides.unknown_plugins(&config.document) {
        warn!("{notice}");
    }
    let claimed = match Claimed::of(&config) {
        // With a record to store, the database is one of this server already, and the record must not be lost.
        Err(problem) if taken_back.is_none() => return Err(StartError::Listen(problem)),
        claimed => claimed,
    };
    mending::mend(&settings.config);
    shares.report(&settings.options, &settings.config.view.sql);
    let db = Migrated::open(db, &settings).await?;
    if let Some(record) = taken_back {
        db.0.append(vec![Arc::new(record)], Vec::new()).await?;
    }
    record_taken_back(&place, &db.0).await?;
    let claimed = claimed.map_err(StartError::Listen)?;
    let app = Box::pin(state(settings, sources, place, db, shares, &config)).await?;
    Ok((app, claimed))
}

/// Warns if the server reads the client's address from a header of any caller, because no trusted proxies are named.
fn warn_of_unnamed_proxies(app: &AppState) {
    let headers = &app.facts.started_with.view.service.trusted_proxy_ip_header;
    if !headers.is_empty() && app.facts.options.trusted_proxies.is_none() {
        warn!(
            headers = headers.join(" "),
            "ServiceSettings.TrustedProxyIPHeader is set and Quarterdeck.TrustedProxies is not: every client that \
             reaches this server can forge its address. Set TrustedProxies to the networks of the proxies"
        );
    }
}

/// Returns the host name of the machine, if it has one.
pub(crate) fn hostname() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_owned();
    Some(name).filter(|name| !name.is_empty())
}
