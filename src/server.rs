//! Starting and stopping: settings in, addresses out.

mod checks;
pub(crate) mod database;
mod failures;
mod http;
mod listeners;
mod mending;
mod metrics;
mod rest;
mod stop;
pub(crate) mod stored;
mod stream;
mod tasks;

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use actix_web::dev::{Server as HttpServer, ServerHandle};
use actix_web::web::Data;
use quarterdeck_actors::analytics::AnalyticsHandle;
use quarterdeck_actors::audit::AuditHandle;
use quarterdeck_actors::busy::BusyHandle;
use quarterdeck_actors::clock::{Clock, Uptime, wall_ms};
use quarterdeck_actors::config::{Config, ConfigHandle};
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::health::HealthHandle;
use quarterdeck_actors::hub::{HubHandle, Limits};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::license::LicenseHandle;
use quarterdeck_actors::notices::NoticesHandle;
use quarterdeck_actors::presence::PresenceHandle;
use quarterdeck_actors::probe::FileProbeHandle;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::sessions::SessionsHandle;
use quarterdeck_actors::supervisor::Vitals;
use quarterdeck_actors::upgrade::UpgradeHandle;
use tokio::sync::Notify;
use tracing::warn;

use crate::accounts::{Attempts, FirstAccount};
use crate::ai_bridge::AiBridge;
use crate::analytics::Statistics;
use crate::announce::{self, Statuses};
use crate::answer::Sending;
use crate::audit::key_file::ready_keys;
use crate::audit::refusals::Refusals;
use crate::audit::reload_record;
use crate::base::traffic::Traffic;
use crate::configuration::fingerprint_key;
use crate::configurations::{Configurations, Place, Recorded};
use crate::connections::Connections;
use crate::descriptors::Shares;
use crate::files::Stores;
use crate::images::Images;
use crate::license::{self, Signatory};
use crate::links::Links;
use crate::logging::LogReader;
use crate::mail::Mailer;
use crate::metrics::Metrics;
use crate::notices::WebFeed;
use crate::options::Options;
use crate::outbound::Outbound;
use crate::passwords::Passwords;
use crate::pipeline::limit::Limiter;
use crate::prepared::{Installation, PreparedAnswers};
use crate::push::PushProxy;
use crate::releases::Releases;
use crate::request::budget::BodyBudget;
use crate::routes::Router;
use crate::settings::{Settings, Sources};
use crate::state::AppState;
use crate::store::{Db, NameKey, StoreError, when_ready};
use crate::support_packet::{SupportPackets, Surroundings};
use crate::trial::Trials;
use crate::upgrade;
use database::{first_account, refuse_beside_unnamed};
pub use failures::{StartError, StopError};
use stored::{place, stored_configuration, with_file};
use tasks::{
    close_earlier_drafts, keep_closing_drafts, keep_pruning, keep_pruning_names, keep_reporting_refusals,
    renew_prepared, retire_connections,
};

/// A running server.
pub struct Server {
    addresses: Vec<SocketAddr>,
    socket: Option<PathBuf>,
    metrics: Option<SocketAddr>,
    app: Data<AppState>,
    handles: Vec<ServerHandle>,
    ended: Vec<actix_web::rt::task::JoinHandle<std::io::Result<()>>>,
}

impl Server {
    /// Starts everything; when this answers, requests are served.
    pub async fn start(settings: Settings, sources: Sources) -> Result<Self, StartError> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let settings = with_file(settings, &sources).await?;
        let place = place(&sources)?.seen_from(&settings.config.view.sql);
        mending::mend(&settings.config);
        let shares = Shares::of_process();
        shares.report(&settings.options, &settings.config.view.sql);
        let db = Db::new(&shares.within(&settings.config.view.sql))?;
        // First of all: nothing is written for a database that a later version changed.
        when_ready(async || db.pending_migrations().await).await?;
        let accounts = async || when_ready(async || db.accounts_found().await).await;
        refuse_beside_unnamed(&sources, &settings.config.view.sql, accounts).await?;
        let db = db.with_audit_keys(ready_keys(&settings));
        db.migrate_when_ready().await?;
        db.note_audit_key().await?;
        close_earlier_drafts(&db).await;
        // On the heap: all that a server is made of would make every future that starts one a large one.
        let app = Data::new(Box::pin(state(settings, sources, place, db, shares)).await?);
        actix_web::rt::spawn(renew_prepared(app.clone()));
        actix_web::rt::spawn(announce::configurations(app.clone()));
        actix_web::rt::spawn(announce::stores(app.clone()));
        actix_web::rt::spawn(announce::licenses(app.clone()));
        actix_web::rt::spawn(retire_connections(app.db.clone()));
        actix_web::rt::spawn(keep_reporting_refusals(app.clone()));
        actix_web::rt::spawn(keep_closing_drafts(app.clone()));
        actix_web::rt::spawn(keep_pruning_names(app.db.clone()));
        if let Some(days) = app.options.audit_retention_days() {
            actix_web::rt::spawn(keep_pruning(app.db.clone(), days));
        }
        app.metrics.follow(&app.vitals());
        warn_of_unnamed_proxies(&app);
        let router = Data::new(Router::new()?);
        let listening = listeners::open(&app, &router).map_err(StartError::Listen)?;
        app.listening.get_or_init(|| listening.addresses.clone());
        let measuring = metrics::open(&app).map_err(StartError::Listen)?;
        let metrics = measuring.as_ref().map(|(_, address)| *address);
        let servers: Vec<_> = listening.servers.into_iter().chain(measuring.map(|(server, _)| server)).collect();
        app.db.mark_open().await?;
        let handles = servers.iter().map(HttpServer::handle).collect();
        let ended = servers.into_iter().map(actix_web::rt::spawn).collect();
        Ok(Self { addresses: listening.addresses, socket: listening.socket, metrics, app, handles, ended })
    }

    /// Reads store, file and environment anew and puts them in force.
    pub async fn reload(&self) -> Result<Arc<Config>, AppError> {
        let (before, around) = (self.app.config.current(), self.app.surroundings());
        let reloaded = self.app.config.reload(around.clone()).await;
        let after = reloaded.as_ref().map(|config| &config.document);
        self.app.audit.record(reload_record(&before.document, after, &around)).await;
        reloaded
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The local socket, if it is on.
    pub fn socket(&self) -> Option<&PathBuf> {
        self.socket.as_ref()
    }

    /// Where Prometheus asks, if metrics are on.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// The scheme that clients use.
    pub fn scheme(&self) -> &'static str {
        let is_tls = self.app.started_with.view.service.connection_security == "TLS";
        if is_tls { "https" } else { "http" }
    }

    /// The configuration in force, to follow or reload.
    pub fn config(&self) -> &ConfigHandle {
        &self.app.config
    }

    /// How each actor fares.
    pub fn vitals(&self) -> Vec<Arc<Vitals>> {
        self.app.vitals()
    }

    /// The busy flag, to raise or take down.
    pub fn busy(&self) -> &BusyHandle {
        &self.app.busy
    }

    /// Who is connected, to tell something.
    pub fn hub(&self) -> &HubHandle {
        &self.app.hub
    }

    /// Decides which caller may make the first account, while there is none.
    pub(crate) fn first_account(&self) -> &FirstAccount {
        &self.app.first_account
    }

    /// The one-time code with which the first account is made over the network; `None` when there is no such way.
    pub fn setup_code(&self) -> Option<&Secret> {
        self.app.first_account.code()
    }

    /// Waits until somebody wants the program that an upgrade put in place to run.
    pub async fn restart_wanted(&self) {
        self.app.restart.notified().await;
    }
}

async fn state(
    settings: Settings,
    sources: Sources,
    place: Place,
    db: Db,
    shares: Shares,
) -> Result<AppState, StartError> {
    let roles = db.ready_roles().await?;
    let fingerprint_key = fingerprint_key(&db).await?;
    let first_account = first_account(&db, &place, &settings.config.view.sql).await?;
    let opened = Configurations::open(&place, &db, &settings.config.view.sql).await;
    let configurations = opened.map_err(|cause| StartError::Configuration(cause.to_string()))?;
    let options = settings.options.clone();
    let support_packets = SupportPackets::new(Surroundings::of(&sources));
    let (variable, purpose) = (sources.license(), sources.purpose());
    let loaded = stored_configuration(settings.config.overrides, &configurations, &sources, &fingerprint_key).await?;
    mending::mend(&loaded);
    let versions = Recorded { configurations: configurations.clone(), trail: db.clone() };
    let config = ConfigHandle::start(loaded, Arc::new(sources), Arc::new(versions));
    let current = config.current();
    let roles = Arc::new(roles);
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let hub = HubHandle::start(cores, socket_limits(&options, &shares), roles.clone()).await;
    let sessions = SessionsHandle::start(Arc::new(db.clone()), config.clone(), hub.clone());
    let clock = Clock::new(wall_ms, Uptime::now);
    let busy = BusyHandle::start(Arc::new(db.clone()), clock.clone()).await?;
    let statuses = Arc::new(db.clone());
    let presence =
        PresenceHandle::start(statuses, config.clone(), busy.clone(), Arc::new(Statuses(hub.clone())), clock);
    let signatory = Signatory::named(&options, purpose).map_err(StartError::Configuration)?;
    let license =
        LicenseHandle::start(Arc::new(db.clone()), license::loaded(&signatory, variable, &current, &db).await?);
    let outbound = Arc::new(Outbound::new()?);
    let sending = Sending::new();
    let source = upgrade::Source::named(&options).map_err(StartError::Configuration)?;
    let audit = AuditHandle::start(Arc::new(db.clone()));
    let upgrade = upgrade::Upgrades::new(source, outbound.clone(), config.clone(), audit.clone(), db.clone());
    let feed = WebFeed::new(outbound.clone(), config.clone());
    let notices = NoticesHandle::start(config.clone(), Arc::new(feed), Arc::new(db.clone()));
    let files = FileProbeHandle::start(config.clone(), Arc::new(Stores::default()));
    let (age, limit) = options.analytics_limits();
    let statistics = Statistics::new(db.clone(), config.clone(), license.clone(), limit);
    let health = HealthHandle::start(checks::all(&db, &config, &files));
    health.check().await.or_fail("app.health.check.app_error")?;
    Ok(AppState {
        analytics: AnalyticsHandle::start(Arc::new(statistics), age),
        sessions,
        audit,
        strangers: Refusals::of_strangers(),
        refusals: Refusals::of_users(),
        health,
        files,
        hub,
        license: license.clone(),
        upgrade: UpgradeHandle::start(Arc::new(upgrade)),
        restart: Notify::new(),
        notices,
        signatory,
        hostname: hostname(),
        busy,
        presence,
        roles,
        passwords: Passwords::new(&options),
        attempts: Attempts::new(NameKey::of(&fingerprint_key)),
        first_account,
        push: PushProxy::new(outbound.clone()),
        ai_bridge: AiBridge::default(),
        log_reader: LogReader::new(),
        trials: Trials::new(outbound.clone()),
        outbound,
        links: Links::new(),
        releases: Releases::new(options.latest_version_url()),
        images: Images::new(options.image_proxy_bytes(), sending.budget.clone()),
        connections: Connections::new(&options, &shares),
        bodies: BodyBudget::new(options.body_bytes()),
        options,
        listening: OnceLock::new(),
        mailer: Mailer::new(),
        metrics: Metrics::new()?,
        limiter: Limiter::new(config.clone()),
        support_packets,
        traffic: Arc::new(Traffic::default()),
        prepared: PreparedAnswers::new(installation(&db, purpose).await?, current.clone(), license),
        started_with: current,
        config,
        configurations,
        db,
        fingerprint_key,
        sending,
    })
}

/// Warns where every caller is believed that names its own address.
fn warn_of_unnamed_proxies(app: &AppState) {
    let headers = &app.started_with.view.service.trusted_proxy_ip_header;
    if !headers.is_empty() && app.options.trusted_proxies().is_none() {
        warn!(
            headers = headers.join(" "),
            "ServiceSettings.TrustedProxyIPHeader is set and Quarterdeck.TrustedProxies is not: every client that \
             reaches this server can make up its address. Name the networks of the proxies in TrustedProxies"
        );
    }
}

/// The limits of sockets: never more than there are files for.
fn socket_limits(options: &Options, shares: &Shares) -> Limits {
    let limits = options.socket_limits();
    Limits { sockets: limits.sockets.min(shares.sockets), ..limits }
}

/// The machine's name, if it has one.
pub(crate) fn hostname() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_owned();
    Some(name).filter(|name| !name.is_empty())
}

/// What this installation is known by; made at its first start.
async fn installation(db: &Db, purpose: &'static str) -> Result<Installation, StoreError> {
    let installed_at = db.ready_system("InstallationDate", &wall_ms().to_string()).await?;
    Ok(Installation {
        diagnostic_id: db.ready_system("DiagnosticId", &new_id()).await?,
        installed_at: installed_at.parse().ok(),
        purpose,
        has_accounts: AtomicBool::new(db.user_count().await? > 0),
    })
}
