//! The steps that decide if a server can start, in one list. A start takes them before it changes anything;
//! `quarterdeck check` takes the same ones and ends there. So a start refuses what a check refuses, in the same words.
//!
//! The steps open no listener and write nothing. The addresses are bound after them: a check releases them again.

use std::path::{Path, PathBuf};

use quarterdeck_actors::config::Config;
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;

use super::StartError;
use super::database::{refuse_beside_unnamed, refuse_named_elsewhere};
use super::installation::made_with;
use super::listeners;
use super::starting_config::{also_broken, place, read_configuration, refuse_broken, with_file};
use crate::base::site_path::SitePath;
use crate::domain::license::VerificationKey;
use crate::domain::upgrade;
use crate::domain::version_store::{Place, VersionStore};
use crate::settings::descriptors::Shares;
use crate::settings::{Settings, Sources};
use crate::store::{Db, StoreError, check_file, is_first, when_ready};
use crate::web::web_application::WebApplication;

/// A step that looks at the settings only. All of them are taken, so that all problems are reported at once.
type Step = fn(&Subject<'_>) -> Result<(), String>;

/// The settings that the steps look at.
struct Subject<'a> {
    config: &'a Config,
    settings: &'a Settings,
    purpose: &'static str,
    place: Place,
}

const STEPS: [Step; 9] = [
    |_| Shares::check_process(),
    |subject| upgrade::Source::named(&subject.settings.options).map(drop),
    |subject| VerificationKey::named(&subject.settings.options, subject.purpose).map(drop),
    |subject| check_file(&subject.config.view.sql),
    |subject| web_application(subject.settings, &subject.place, subject.config, &SitePath::default()).map(drop),
    |subject| listeners::check_tls(&subject.config.view.service),
    |subject| {
        listeners::targets("ServiceSettings.ListenAddress", &subject.config.view.service.listen_address).map(drop)
    },
    |subject| match &subject.config.view.metrics {
        metrics if metrics.enable => listeners::check_metrics(&subject.config.view.service, metrics),
        _ => Ok(()),
    },
    |subject| match &subject.config.view.service {
        service if service.enable_local_mode => listeners::check_socket(Path::new(&service.local_mode_socket_location)),
        _ => Ok(()),
    },
];

/// Opens the folder with the web application, if the options name one. Refuses a folder with files of the server.
pub(super) fn web_application(
    settings: &Settings,
    place: &Place,
    config: &Config,
    site_path: &SitePath,
) -> Result<Option<WebApplication>, String> {
    let Settings { options, custom_defaults, .. } = settings;
    let config_file = place.file().map(|file| file.path().to_owned());
    let named = [&options.audit_key_file, custom_defaults].into_iter().flatten().cloned();
    let others: Vec<PathBuf> = named.chain(config_file).collect();
    WebApplication::open(options.web_client_directory.as_deref(), &others, config, site_path)
}

/// The attempts to reach a database that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempts {
    /// Repeats until the database answers, as a start does.
    UntilReady,
    /// A single one.
    Once,
}

/// The findings of the steps, with which a start goes on.
pub(crate) struct Examined {
    /// The settings, with those of a configuration file beneath them.
    pub(crate) settings: Settings,
    /// The files that the process may open.
    pub(crate) shares: Shares,
    /// The place of the configuration.
    pub(crate) place: Place,
    /// The database. Its schema may be of an earlier version.
    pub(crate) db: Db,
    /// The migrations that the start applies.
    pub(crate) pending: Vec<String>,
    /// The configuration with which the server starts.
    pub(crate) config: Config,
    /// The store of its versions; `None` if there are none yet.
    versions: Option<VersionStore>,
}

impl Attempts {
    async fn wait<T>(self, attempt: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
        match self {
            Self::UntilReady => when_ready(attempt).await,
            Self::Once => attempt().await,
        }
    }
}

/// Takes all steps. The error lists every problem that was found.
pub(crate) async fn examine(settings: Settings, sources: &Sources, attempts: Attempts) -> Result<Examined, StartError> {
    let refusal = match Box::pin(found(settings.clone(), sources, attempts)).await {
        Ok(found) => {
            let problems = problems(&found.config, &settings, sources);
            let key = Secret::new(new_id());
            match refuse_broken(&found.config, found.versions.as_ref(), sources, &key).await {
                Ok(()) if problems.is_empty() => return Ok(found),
                broken => return Err(StartError::all(broken.err().into_iter().chain(problems).collect())),
            }
        }
        Err(refusal) => refusal,
    };
    Err(with_others(refusal, &settings, sources))
}

/// Returns the error of a start that is refused before its configuration is known, with every problem that can be found
/// all the same.
pub(crate) fn with_others(refusal: StartError, settings: &Settings, sources: &Sources) -> StartError {
    let (config, broken) = also_broken(settings, sources);
    let refusal = refusal.with_lines(broken);
    StartError::all([refusal].into_iter().chain(problems(&config, settings, sources)).collect())
}

/// Takes the steps that look at the settings only.
fn problems(config: &Config, settings: &Settings, sources: &Sources) -> Vec<StartError> {
    // The name of an unusable place is reported by `found`.
    let place = place(sources).map_or(Place::Database, |place| place.seen_from(&settings.config.view.sql));
    let subject = Subject { config, settings, purpose: sources.purpose(), place };
    STEPS.iter().filter_map(|step| step(&subject).err()).map(StartError::Settings).collect()
}

/// Finds the database and reads the configuration in it or in its file.
async fn found(settings: Settings, sources: &Sources, attempts: Attempts) -> Result<Examined, StartError> {
    let settings = with_file(settings, sources).await?;
    let sql = &settings.config.view.sql;
    let place = place(sources)?.seen_from(sql);
    let shares = Shares::of_process();
    let db = Db::new(&shares.within(sql))?.beside(sources.is_beside());
    let pending = attempts.wait(async || db.pending_migrations().await).await?;
    attempts.wait(async || db.refuse_fixed_schema().await).await?;
    attempts.wait(async || db.refuse_unfit(&pending).await).await?;
    attempts.wait(async || db.refuse_beside_others(&pending).await).await?;
    let accounts = async || attempts.wait(async || db.accounts_found().await).await;
    refuse_beside_unnamed(sources, sql, accounts).await?;
    let elsewhere = VersionStore::refuse_unmade(&place, &db, sql).await;
    elsewhere.map_err(|cause| StartError::Configuration(cause.to_string()))?;
    let versions = VersionStore::existing(&place, &db, sql).await;
    let versions = versions.map_err(|cause| StartError::Configuration(cause.to_string()))?;
    let defaults = made_with(&db).await?;
    let config = read_configuration(&settings, versions.as_ref(), sources, defaults).await?;
    if is_first(&pending) && !sources.is_new() {
        attempts.wait(async || refuse_named_elsewhere(&db, &config, &place).await).await?;
    }
    Ok(Examined { settings, shares, place, db, pending, config, versions })
}
