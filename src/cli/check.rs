//! `quarterdeck check`: shows the settings and the database that a start would use, and tests them.

use std::process::ExitCode;

use quarterdeck_actors::config::Override;
use quarterdeck_actors::config::table;
use serde_json::Value;

use super::options::Common;
use super::output::{failure, say};
use crate::base::site_path::SitePath;
use crate::domain::accounts::{FirstAccount, SETUP_CODE};
use crate::domain::audit::key_file::known_keys;
use crate::domain::upgrade::Source;
use crate::domain::version_store::Place;
use crate::server::StartError;
use crate::server::database::{Choice, Other, choose, first_account, refuse_beside_unnamed};
use crate::server::starting_config::{place, with_file};
use crate::settings::{Settings, Sources};
use crate::store::Db;
use crate::telemetry::logging;

pub(super) const AFTER_HELP: &str = "\
The command prints the database in use, the setting that names it, and how the first administrator can be created. It
connects to the database and prints pending schema migrations, but writes nothing. It reads the whole database file of
the embedded engine to find damage.
Passwords and keys are not shown. If the server could not start, the exit code is 1, and the reason is on standard
error.";

pub(super) fn run(common: &Common) -> ExitCode {
    let (settings, sources) = match common.settings() {
        Ok(read) => read,
        Err(refusal) => return failure(refusal),
    };
    let found = actix_web::rt::System::new().block_on(in_use(settings, &sources));
    let (settings, place, choice) = match found {
        Ok(found) => found,
        Err(refusal) => return failure(refusal),
    };
    show(&settings, &choice);
    if let Some(file) = sources.unnamed_file() {
        say(format_args!("warning: {}", file.notice()));
    }
    if let Err(refusal) = logging::check(&settings.config.view.log) {
        return failure(refusal);
    }
    match Source::named(&settings.options) {
        Ok(Some(source)) => say(format_args!("releases: from {}", source.host())),
        Ok(None) => {}
        Err(refusal) => return failure(refusal),
    }
    match actix_web::rt::System::new().block_on(look_at_database(&settings, &sources, &place)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failure(reason),
    }
}

/// Returns the settings merged with the configuration file, the place of the configuration, and the database that they
/// choose.
async fn in_use(settings: Settings, sources: &Sources) -> Result<(Settings, Place, Choice), StartError> {
    let settings = with_file(settings, sources).await?;
    let place = place(sources)?.seen_from(&settings.config.view.sql);
    let choice = choose(&settings.config, &place)?;
    Ok((settings, place, choice))
}

fn show(settings: &Settings, choice: &Choice) {
    let service = &settings.config.view.service;
    say(format_args!("listen address: {}", service.listen_address));
    let site_path = SitePath::of(&service.site_url);
    if !site_path.is_root() {
        say(format_args!(
            "site path: {}, the path of ServiceSettings.SiteURL; a change of it takes effect after a restart",
            site_path.as_str()
        ));
    }
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
    let keys = known_keys(settings);
    if keys.in_use().is_empty() {
        say("audit key: none yet, the first start creates it");
    } else {
        say(format_args!("audit key: {}", keys.in_use()));
    }
    for notice in &settings.unknown {
        say(format_args!("warning: {notice}"));
    }
}

/// Returns the value of a setting, unless it is a secret or may hold one.
fn shown(settings: &Settings, path: &str) -> Option<String> {
    let setting = table::settings().get(path)?;
    let mut parts = path.split('.');
    let section = settings.config.document.get(parts.next()?)?;
    let value = parts.try_fold(section, |value, key| value.get(key))?;
    let is_free_form = value.is_object() || value.as_array().is_some_and(|items| items.iter().any(Value::is_object));
    (setting.mask.is_none() && !is_free_form).then(|| value.to_string())
}

async fn look_at_database(settings: &Settings, sources: &Sources, place: &Place) -> Result<(), StartError> {
    let sql = &settings.config.view.sql;
    let db = Db::new(sql)?;
    let engine = db.engine_name();
    say(format_args!("database engine: {engine}"));
    let pending = db.pending_migrations().await?;
    db.check().await?;
    refuse_beside_unnamed(sources, sql, async || db.accounts_found().await).await?;
    if pending.is_empty() {
        say(format_args!("database: {engine} answers, its schema is up to date"));
    } else {
        let pending = pending.join(", ");
        say(format_args!("database: {engine} can be used, the next start applies these migrations: {pending}"));
    }
    show_first(&first_account(&db, place, sql).await?);
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
