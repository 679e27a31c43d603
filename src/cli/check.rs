//! `quarterdeck check`: what would be used, and whether it can be.

use std::process::ExitCode;

use super::{Common, failure, say};
use crate::settings::Settings;
use crate::store::{Db, StoreError};

/// Settings whose values hold a password.
const SECRETS: [&str; 1] = ["SqlSettings.DataSource"];

pub(super) fn run(common: &Common) -> ExitCode {
    let settings = match common.settings() {
        Ok((settings, _)) => settings,
        Err(refusal) => return failure(refusal),
    };
    show(&settings);
    let tested = actix_web::rt::System::new().block_on(test_database(&settings));
    match tested {
        Ok(engine) => {
            say(format_args!("database: {engine} answers, its schema is up to date"));
            ExitCode::SUCCESS
        }
        Err(reason) => failure(format_args!("database: {reason}")),
    }
}

fn show(settings: &Settings) {
    let service = &settings.config.view.service;
    say(format_args!("listen address: {}", service.listen_address));
    say(format_args!("database engine: {}", settings.config.view.sql.driver_name));
    for (path, place) in &settings.pinned {
        let is_secret = SECRETS.contains(&path.as_str());
        let value = value_of(settings, path).filter(|_| !is_secret).unwrap_or_else(|| "(not shown)".to_owned());
        say(format_args!("pinned: {path} = {value}, by {place}"));
    }
    for notice in &settings.unknown {
        say(format_args!("warning: {notice}"));
    }
}

fn value_of(settings: &Settings, path: &str) -> Option<String> {
    let mut parts = path.split('.');
    let section = settings.config.document.get(parts.next()?)?;
    parts.try_fold(section, |value, key| value.get(key)).map(ToString::to_string)
}

async fn test_database(settings: &Settings) -> Result<&'static str, StoreError> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let db = Db::new(&settings.config.view.sql)?;
    db.migrate().await?;
    Ok(db.engine_name())
}
