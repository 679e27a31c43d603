//! Builds the parts of a server in the order of their dependencies: each step takes the results of the earlier ones.

use std::num::NonZero;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use quarterdeck_actors::analytics::AnalyticsHandle;
use quarterdeck_actors::audit::AuditHandle;
use quarterdeck_actors::busy::BusyHandle;
use quarterdeck_actors::clock::{Clock, Uptime, wall_ms};
use quarterdeck_actors::cluster::ClusterHandle;
use quarterdeck_actors::config::{Config, ConfigHandle};
use quarterdeck_actors::error::OrFail;
use quarterdeck_actors::health::HealthHandle;
use quarterdeck_actors::hub::{HubHandle, Limits as SocketLimits};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::license::LicenseHandle;
use quarterdeck_actors::license::document::License;
use quarterdeck_actors::notices::NoticesHandle;
use quarterdeck_actors::presence::PresenceHandle;
use quarterdeck_actors::probe::FileProbeHandle;
use quarterdeck_actors::roles::handle::RolesHandle;
use quarterdeck_actors::sessions::SessionsHandle;
use quarterdeck_actors::sockets::SocketsHandle;
use quarterdeck_actors::upgrade::UpgradeHandle;
use tokio::sync::Notify;

use super::database::{Migrated, first_account};
use super::{StartError, checks, cluster, hostname, mending};
use crate::base::site_path::SitePath;
use crate::base::traffic::Traffic;
use crate::domain::accounts::{Accounts, Attempts};
use crate::domain::actors::Actors;
use crate::domain::ai_bridge::AiBridge;
use crate::domain::analytics::Statistics;
use crate::domain::announce::Statuses;
use crate::domain::audit::Trail;
use crate::domain::audit::refusals::Refusals;
use crate::domain::audit::verification::Verification;
use crate::domain::config_access::{defaults_of, fingerprint_key};
use crate::domain::license::{self, VerificationKey};
use crate::domain::notices::WebFeed;
use crate::domain::passwords::Passwords;
use crate::domain::signing_key::SigningKey;
use crate::domain::support_packet::{ProcessEnvironment, SupportPackets};
use crate::domain::trial_license::Trials;
use crate::domain::upgrade;
use crate::domain::version_store::recorded::Recorded;
use crate::domain::version_store::{Place, VersionStore};
use crate::files::Stores;
use crate::outbound::client::Outbound;
use crate::outbound::images::Images;
use crate::outbound::links::Links;
use crate::outbound::mail::Mailer;
use crate::outbound::push::PushProxy;
use crate::outbound::releases::Releases;
use crate::server::starting_config::stored_configuration;
use crate::settings::descriptors::Shares;
use crate::settings::options::Options;
use crate::settings::{Settings, Sources};
use crate::store::{Db, NameKey, StoreError};
use crate::telemetry::logging::LogReader;
use crate::telemetry::metrics::Metrics;
use crate::web::answer::Sending;
use crate::web::connections::Connections;
use crate::web::pipeline::limit::Limiter;
use crate::web::prepared::{Installation, PreparedAnswers};
use crate::web::request::budget::BodyBudget;
use crate::web::state::{AppState, Facts, Limits, Outside, Tools};

/// Builds all groups of [`AppState`] on a database that has this program's schema.
pub(super) async fn state(
    settings: Settings,
    sources: Sources,
    place: Place,
    Migrated(db): Migrated,
    shares: Shares,
    examined: &Config,
) -> Result<AppState, StartError> {
    let first = first_account(&db, &place, &settings.config.view.sql).await?;
    let support_packets = SupportPackets::new(ProcessEnvironment::of(&sources));
    let (variable, purpose) = (sources.license(), sources.purpose());
    // Another node may change everything that is read below; the messages about it have later positions.
    let bus = cluster::Bus::of(&db, &examined.view).await?;
    let (facts, config) = facts(settings, sources, &place, &db, purpose).await?;
    let license = license::loaded(&facts.verification_key, variable, &facts.started_with, &db).await?;
    let sending = Sending::new();
    let outside = outside(&facts.options, &sending)?;
    let trail = Trail {
        audit: AuditHandle::start(Arc::new(db.clone())),
        unauthenticated: Refusals::of_unauthenticated(),
        refusals: Refusals::of_users(),
        verification: Verification::new(),
    };
    let roles = RolesHandle::new(db.ready_roles().await?);
    let hub = hub(&facts.options, &shares, &roles);
    let cluster = bus.join(&facts, &config).await?;
    if cluster.is_shared() {
        hub.publish_over(Arc::new(cluster.clone()));
    }
    let sessions = SessionsHandle::start(Arc::new(db.clone()), config.clone(), hub.clone(), cluster.trust());
    let actors = actors(&facts, &db, &outside.outbound, &trail.audit, (config, license, hub, cluster)).await?;
    let (passwords, attempts) = (Passwords::new(&facts.options), Attempts::new(NameKey::of(&facts.fingerprint_key)));
    let limits = Limits {
        limiter: Limiter::new(actors.config.clone(), &facts.fingerprint_key, db.is_shared()),
        connections: Connections::new(&facts.options, &shares),
        bodies: BodyBudget::new(facts.options.body_bytes),
        sending,
        traffic: Arc::new(Traffic::default()),
    };
    let tools =
        Tools { log_reader: LogReader::new(), support_packets, ai_bridge: AiBridge::default(), restart: Notify::new() };
    let installation = installation(&db, purpose).await?;
    Ok(AppState {
        prepared: PreparedAnswers::new(installation, facts.started_with.clone(), actors.license.clone()),
        metrics: Metrics::new()?,
        accounts: Accounts { db: db.clone(), sessions, roles, passwords, attempts, first },
        db,
        actors,
        trail,
        facts,
        outside,
        limits,
        tools,
    })
}

/// Reads the stored configuration and starts its actor.
async fn facts(
    settings: Settings,
    sources: Sources,
    place: &Place,
    db: &Db,
    purpose: &'static str,
) -> Result<(Facts, ConfigHandle), StartError> {
    let fingerprint_key = fingerprint_key(db).await?;
    let defaults = defaults_of(db).await?;
    let opened = VersionStore::open(place, db, &settings.config.view.sql).await;
    let versions = opened.map_err(|cause| StartError::Configuration(cause.to_string()))?;
    let loaded =
        stored_configuration(settings.config.overrides.clone(), &versions, &sources, &fingerprint_key, defaults)
            .await?;
    mending::mend(&loaded);
    let recorded = Recorded { versions: versions.clone(), trail: Some(db.clone()), defaults };
    let config = ConfigHandle::start(loaded, Arc::new(sources), Arc::new(recorded));
    let started_with = config.current();
    let site_path = SitePath::of(&started_with.view.service.site_url);
    let web_application = super::steps::web_application(&settings, place, &started_with, &site_path)
        .map_err(StartError::Configuration)?;
    if let Some(application) = &web_application {
        application.announce();
    }
    let facts = Facts {
        site_path,
        web_application,
        started_with,
        versions,
        fingerprint_key,
        verification_key: VerificationKey::named(&settings.options, purpose).map_err(StartError::Configuration)?,
        run_id: new_id(),
        hostname: hostname(),
        listening: OnceLock::new(),
        options: settings.options,
    };
    Ok((facts, config))
}

fn outside(options: &Options, sending: &Sending) -> Result<Outside, StartError> {
    let outbound = Arc::new(Outbound::new()?);
    Ok(Outside {
        push: PushProxy::new(outbound.clone()),
        links: Links::new(),
        images: Images::new(options.image_proxy_bytes, sending.budget.clone()),
        releases: Releases::new(options.latest_version_url()),
        mailer: Mailer::new(),
        trials: Trials::new(outbound.clone()),
        outbound,
    })
}

/// Starts the hub. Its limit on sockets is at most the number of files that the process may open for them.
fn hub(options: &Options, shares: &Shares, roles: &RolesHandle) -> HubHandle {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let limits = options.sockets.clone();
    let limits = SocketLimits { sockets: limits.sockets.min(shares.sockets), ..limits };
    HubHandle::start(cores, limits, roles, &Clock::new(wall_ms, Uptime::now))
}

/// Starts the other actors, and runs every health check once.
async fn actors(
    facts: &Facts,
    db: &Db,
    outbound: &Arc<Outbound>,
    audit: &AuditHandle,
    (config, license, hub, cluster): (ConfigHandle, (Option<License>, String), HubHandle, ClusterHandle),
) -> Result<Actors, StartError> {
    let store = || Arc::new(db.clone());
    let clock = Clock::new(wall_ms, Uptime::now);
    // Messages of other servers about both are applied while requests hold all connections.
    let urgent = || Arc::new(db.urgent());
    let busy = BusyHandle::start(urgent(), clock.clone()).await?;
    let audience = Arc::new(Statuses(hub.clone()));
    let statuses = Arc::new(db.presence(cluster.own().id.clone()));
    let sockets = SocketsHandle::new(hub.clone(), &cluster, Arc::new(db.sockets(cluster.own().id.clone())));
    let presence = PresenceHandle::start(statuses, config.clone(), busy.clone(), audience, clock);
    let license = LicenseHandle::start(urgent(), Arc::new(facts.verification_key.clone()), license);
    let source = upgrade::Source::named(&facts.options).map_err(StartError::Configuration)?;
    let upgrades = upgrade::Upgrades::new(source, outbound.clone(), config.clone(), audit.clone(), db.clone());
    let feed = WebFeed::new(outbound.clone(), config.clone());
    let notices = NoticesHandle::start(config.clone(), Arc::new(feed), store());
    let files = FileProbeHandle::start(config.clone(), Arc::new(Stores::default()));
    let (age, limit) = (facts.options.analytics_age, facts.options.analytics_timeout);
    let statistics = Statistics::new(db.clone(), config.clone(), license.clone(), limit);
    let health = HealthHandle::start(checks::all(db, &config, &files, &cluster));
    health.check().await.or_fail("app.health.check.app_error")?;
    Ok(Actors {
        analytics: AnalyticsHandle::start(Arc::new(statistics), age),
        upgrade: UpgradeHandle::start(Arc::new(upgrades)),
        config,
        license,
        busy,
        health,
        files,
        notices,
        presence,
        hub,
        cluster,
        sockets,
    })
}

/// Reads the identity of this installation from the database. The first start creates it.
async fn installation(db: &Db, purpose: &'static str) -> Result<Installation, StoreError> {
    let installed_at = db.ready_system("InstallationDate", &wall_ms().to_string()).await?;
    Ok(Installation {
        diagnostic_id: db.ready_system("DiagnosticId", &new_id()).await?,
        installed_at: installed_at.parse().ok(),
        purpose,
        signing_key: SigningKey::of_installation(db).await?,
        schema_version: db.schema_versions().await?.first().map(|(version, _)| *version),
        has_accounts: AtomicBool::new(db.user_count().await? > 0),
    })
}
