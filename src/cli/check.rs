//! `quarterdeck check`: shows the settings and the database that a start would use, and tests them.

mod attached;

use std::path::PathBuf;
use std::process::ExitCode;

use quarterdeck_actors::config::document::given;
use quarterdeck_actors::config::shown::may_contain_password;
use quarterdeck_actors::config::table;
use quarterdeck_actors::config::{Config, Override};
use serde_json::Value;

use super::options::Common;
use super::output::{failure, say};
use crate::base::site_path::SitePath;
use crate::domain::accounts::{FirstAccount, SETUP_CODE};
use crate::domain::audit::key_file;
use crate::domain::upgrade::Source;
use crate::server::StartError;
use crate::server::claimed::unavailable;
use crate::server::database::{Choice, Other, choose, first_account};
use crate::server::starting_config::{place, with_file};
use crate::server::steps::{Attempts, Examined, examine};
use crate::server::unconfirmed::{End, Foreseen, foresee};
use crate::settings::{Settings, Sources};
use crate::store::{Db, is_on_redis, probe_redis};

/// The settings that name folders. They may be relative to the folder in which the server starts.
const FOLDERS: [&str; 5] = [
    "FileSettings.Directory",
    "FileSettings.ExportDirectory",
    "LogSettings.FileLocation",
    "ImportSettings.Directory",
    "ExportSettings.Directory",
];

pub(super) const AFTER_HELP: &str = "\
The command prints the database in use, the setting that names it, and how the first administrator can be created. It
connects to the database and prints pending schema migrations, but writes nothing there. It reads the whole database
file of the embedded engine to find damage. If servers are to use Redis, it tries the commands that they need on a key
that it deletes.
Passwords and keys are not shown. If the server could not start, the exit code is 1, and the reason is on standard
error.";

pub(super) fn run(common: &Common) -> ExitCode {
    let sources = common.sources();
    let settings = match Common::starting(&sources) {
        Ok(settings) => settings,
        Err(refusal) => return failure(refusal),
    };
    match actix_web::rt::System::new().block_on(look(settings, &sources)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failure(reason),
    }
}

/// Takes the steps of a start and prints their findings. Prints the settings also if a start would be refused.
async fn look(settings: Settings, sources: &Sources) -> Result<(), StartError> {
    let foreseen = Box::pin(foresee(&settings, sources)).await;
    let sources = &match &foreseen {
        Ok(Some(Foreseen { end: End::Over(Some(stored)), .. })) => sources.clone().with_foreseen((**stored).clone()),
        Ok(_) | Err(_) => sources.clone(),
    };
    let chosen = choice_of(settings.clone(), sources).await;
    if let Ok((settings, choice)) = &chosen {
        show(settings, choice);
        if let Ok(db) = Db::new(&settings.config.view.sql) {
            say(format_args!("database engine: {}", db.engine_name()));
        }
    }
    if let Some(file) = sources.unnamed_file() {
        say(format_args!("warning: {}", file.notice()));
    }
    show_unconfirmed(&foreseen);
    let examined = Box::pin(examine(settings, sources, Attempts::Once)).await;
    // A start that is refused has no configuration; the pinned settings are known all the same.
    match (&examined, &chosen) {
        (Ok(examined), _) => show_places(&examined.config),
        (Err(_), Ok((settings, _))) => show_places(&settings.config),
        (Err(_), Err(_)) => {}
    }
    let examined = examined?;
    if let Err(cause) = &foreseen {
        say(format_args!(
            "warning: a change that waits for its confirmation could not be read, or could not be taken back: {cause}"
        ));
    }
    for (id, key, place) in examined.config.overrides.pinned_plugin_settings(&examined.config.document) {
        say(format_args!("pinned: PluginSettings.Plugins.{id}.{key} = (not shown), by {place}"));
    }
    let site_path = SitePath::of(&examined.config.view.service.site_url);
    if !site_path.is_root() {
        say(format_args!(
            "site path: {}, the path of ServiceSettings.SiteURL; a change of it takes effect after a restart",
            site_path.as_str()
        ));
    }
    for notice in examined.config.overrides.unknown_plugins(&examined.config.document) {
        say(format_args!("warning: {notice}"));
    }
    for notice in examined.config.notices() {
        say(format_args!("warning: {notice}"));
    }
    if let Ok(Some(source)) = Source::named(&examined.settings.options) {
        say(format_args!("releases: from {}", source.host()));
    }
    let unavailable = unavailable(&examined.config);
    for text in unavailable.taken {
        say(format_args!(
            "warning: {text}: a start beside the server or the program that uses it is refused; the running server of this \
             installation may be the one"
        ));
    }
    // The database is looked at before the refusal, which is the last output.
    for text in &unavailable.impossible {
        say(format_args!("warning: {text}: the server cannot start with this address"));
    }
    warn_of_redis(&examined).await;
    look_at_database(&examined, sources).await?;
    match unavailable.impossible.into_iter().next() {
        Some(text) => Err(StartError::Listen(text)),
        None => Ok(()),
    }
}

/// Prints why servers would not use Redis. A server starts without it, because the database does its work.
async fn warn_of_redis(Examined { db, config, .. }: &Examined) {
    if is_on_redis(db, &config.view)
        && let Err(cause) = probe_redis(&config.view).await
    {
        say(format_args!("warning: Redis cannot be used, so the database gets the events: {cause}"));
    }
}

/// Prints the outcome of the next start for a change that waits for its confirmation.
fn show_unconfirmed(foreseen: &Result<Option<Foreseen>, String>) {
    match foreseen {
        // Without a configuration to read, the steps of the start say why.
        Ok(None) | Err(_) => {}
        Ok(Some(Foreseen { version, end: End::Over(_), .. })) => say(format_args!(
            "unconfirmed change: version {version} was not confirmed in time; the next start takes it back, and is checked \
             without it"
        )),
        Ok(Some(Foreseen { version, end: End::In(left), .. })) => say(format_args!(
            "unconfirmed change: version {version} is taken back unless it is confirmed within {} s of the next start",
            left.as_secs()
        )),
    }
}

/// Returns the settings merged with the configuration file, and the database that they choose.
async fn choice_of(settings: Settings, sources: &Sources) -> Result<(Settings, Choice), StartError> {
    let settings = with_file(settings, sources).await?;
    let place = place(sources)?.seen_from(&settings.config.view.sql);
    let choice = choose(&settings.config, &place)?;
    Ok((settings, choice))
}

fn show(settings: &Settings, choice: &Choice) {
    say(format_args!("database in use: {}, by {}", choice.name, choice.by));
    if let Some(Other { name, by }) = &choice.other {
        say(format_args!("not used for accounts: {name}, by {by}"));
    }
    for (path, Override { place, .. }) in &settings.config.overrides {
        let value = shown(settings, path).unwrap_or_else(|| "(not shown)".to_owned());
        say(format_args!("pinned: {path} = {value}, by {place}"));
    }
    if let Some(days) = settings.options.audit_retention_days {
        say(format_args!("audit trail: kept for {days} days"));
    }
    match key_file::found(settings).map(|file| (key_file::read(&file), file)) {
        None => say("audit key: none yet, the first start creates it"),
        Some((Ok(keys), _)) => say(format_args!("audit key: {}", keys.in_use())),
        Some((Err(problem), file)) => say(format_args!(
            "warning: {}: {problem}; with this file, audit rows are chained without a key",
            file.display()
        )),
    }
    for notice in &settings.unknown {
        say(format_args!("warning: {notice}"));
    }
}

/// Prints the address and the folders that the configuration names.
fn show_places(config: &Config) {
    say(format_args!("listen address: {}", config.view.service.listen_address));
    for path in FOLDERS {
        if let Some(folder) = folder(config, path) {
            say(format_args!("folder: {path} is {folder}"));
        }
    }
}

/// Returns the folder of a setting with the folder in which the server starts, unless the setting is empty.
fn folder(config: &Config, path: &str) -> Option<String> {
    let named = given(&config.document, path)?.as_str().filter(|named| !named.is_empty())?;
    let absolute = std::path::absolute(named).ok()?;
    // Steps such as `./` are left out, so that the folder can be compared with another one.
    let plain: PathBuf = absolute.components().collect();
    Some(plain.display().to_string())
}

/// Returns the value of a setting, unless it is a secret or may hold one.
fn shown(settings: &Settings, path: &str) -> Option<String> {
    let setting = table::settings().get(path)?;
    let mut parts = path.split('.');
    let section = settings.config.document.get(parts.next()?)?;
    let value = parts.try_fold(section, |value, key| value.get(key))?;
    let is_free_form = value.is_object() || value.as_array().is_some_and(|items| items.iter().any(Value::is_object));
    (setting.mask.is_none() && !is_free_form && !may_contain_password(value)).then(|| value.to_string())
}

async fn look_at_database(examined: &Examined, sources: &Sources) -> Result<(), StartError> {
    let Examined { settings, place, db, pending, .. } = examined;
    let engine = db.engine_name();
    db.check().await?;
    if pending.is_empty() {
        say(format_args!("database: {engine} answers, its schema is up to date"));
    } else {
        let pending = pending.join(", ");
        say(format_args!("database: {engine} can be used, the next start applies these migrations: {pending}"));
    }
    attached::look(examined, sources).await;
    show_first(&first_account(db, place, &settings.config.view.sql).await?);
    Ok(())
}

/// Prints who may become the first administrator.
fn show_first(first: &FirstAccount) {
    if first.accounts() > 0 {
        say(format_args!("accounts: {}", first.accounts()));
        return;
    }
    say("accounts: none; the first one becomes the system administrator");
    match first.why_offline() {
        Some(why) => {
            say(format_args!("first administrator: created with `quarterdeck user create` only, because {why}"));
        }
        None => say(format_args!(
            "first administrator: created with `quarterdeck user create`, or by a sign-up with the one-time code that \
             the start prints ({SETUP_CODE}); from this machine itself also without the code, unless \
             ServiceSettings.SiteURL names another one"
        )),
    }
}
