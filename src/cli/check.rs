//! `quarterdeck check`: what would be used, and whether it can be.

use std::process::ExitCode;

use quarterdeck_actors::config::Override;
use quarterdeck_actors::config::table;
use serde_json::Value;

use super::{Common, failure, say};
use crate::logging;
use crate::server::stored::with_file;
use crate::settings::Settings;
use crate::store::{Db, StoreError};
use crate::upgrade::Source;

pub(super) const AFTER_HELP: &str = "\
It connects to the database and says whether the next start would bring the schema up to date, but writes nothing.
Passwords and keys are not shown. The exit code is 1 when the server could not start, with the reason on standard error.";

pub(super) fn run(common: &Common) -> ExitCode {
    let settings = match common.settings() {
        Ok((settings, sources)) => actix_web::rt::System::new().block_on(with_file(settings, &sources)),
        Err(refusal) => return failure(refusal),
    };
    let settings = match settings {
        Ok(settings) => settings,
        Err(refusal) => return failure(refusal),
    };
    show(&settings);
    if let Err(refusal) = logging::check(&settings.config.view.log) {
        return failure(refusal);
    }
    match Source::named(&settings.options) {
        Ok(Some(source)) => say(format_args!("releases: from {}", source.host())),
        Ok(None) => {}
        Err(refusal) => return failure(refusal),
    }
    match actix_web::rt::System::new().block_on(look_at_database(&settings)) {
        Ok(finding) => {
            say(format_args!("database: {finding}"));
            ExitCode::SUCCESS
        }
        Err(reason) => failure(format_args!("database: {reason}")),
    }
}

fn show(settings: &Settings) {
    let service = &settings.config.view.service;
    say(format_args!("listen address: {}", service.listen_address));
    say(format_args!("database engine: {}", settings.config.view.sql.driver_name));
    for (path, Override { place, .. }) in &settings.config.overrides {
        let value = shown(settings, path).unwrap_or_else(|| "(not shown)".to_owned());
        say(format_args!("pinned: {path} = {value}, by {place}"));
    }
    if let Some(days) = settings.options.audit_retention_days() {
        say(format_args!("audit trail: kept for {days} days"));
    }
    for notice in &settings.unknown {
        say(format_args!("warning: {notice}"));
    }
}

/// The value of a setting, unless it is a secret or may hold one.
fn shown(settings: &Settings, path: &str) -> Option<String> {
    let setting = table::settings().get(path)?;
    let mut parts = path.split('.');
    let section = settings.config.document.get(parts.next()?)?;
    let value = parts.try_fold(section, |value, key| value.get(key))?;
    let is_free_form = value.is_object() || value.as_array().is_some_and(|items| items.iter().any(Value::is_object));
    (setting.mask.is_none() && !is_free_form).then(|| value.to_string())
}

async fn look_at_database(settings: &Settings) -> Result<String, StoreError> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let db = Db::new(&settings.config.view.sql)?;
    let pending = db.pending_migrations().await?;
    let engine = db.engine_name();
    Ok(if pending.is_empty() {
        format!("{engine} answers, its schema is up to date")
    } else {
        format!("{engine} can be used, the next start brings its schema up to date: {}", pending.join(", "))
    })
}
