//! `quarterdeck config`: reads and changes the configuration, in the store or through a running server.

mod migrate;
mod offline;
mod online;
mod paths;
mod reach;
mod read;
mod remark;
mod validate;
mod versions;
mod write;

use std::process::ExitCode;

use clap::Subcommand;

use super::options::Common;
use super::output::failure;
use crate::settings::Settings;
use reach::Reach;
use remark::remark;

pub(super) const AFTER_HELP: &str = "\
A server that runs with ServiceSettings.EnableLocalMode is asked through its local socket and takes a change at once.
Otherwise the store that the settings name is read and written: a server on that store takes the change at its next
start or reload. Either way a change is checked in full before it is stored, and every version is kept.

Settings have the names of the Mattermost API: Section.Key. Those of config.toml and of environment variables win over
what is stored and cannot be changed here.

  quarterdeck config get TeamSettings.SiteName
  quarterdeck config set TeamSettings.SiteName Bridge --comment 'new name'
  quarterdeck config history --limit 5
  quarterdeck config rollback --last-good";

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Prints settings or sections as JSON, or all of the configuration in force
    #[command(after_help = read::GET_HELP)]
    Get(read::Get),
    /// Changes one setting
    #[command(after_help = write::SET_HELP)]
    Set(write::Set),
    /// Puts one setting back to its default
    #[command(after_help = write::UNSET_HELP)]
    Unset(write::Unset),
    /// Shows what changed between two versions; secrets appear as fingerprints
    #[command(after_help = versions::DIFF_HELP)]
    Diff(versions::Diff),
    /// Lists the versions, the newest first
    History(versions::History),
    /// Puts an earlier version back in force, as a new version
    #[command(after_help = versions::ROLLBACK_HELP)]
    Rollback(versions::Rollback),
    /// Checks a config.json, or what is stored, and lists everything that is wrong
    #[command(after_help = validate::AFTER_HELP)]
    Validate(validate::Validate),
    /// Writes the configuration in force as a config.json
    #[command(after_help = read::EXPORT_HELP)]
    Export(read::Export),
    /// Copies the stored configuration from one store into another: `sqlite`, a PostgreSQL address, or a config.json
    #[command(after_help = migrate::AFTER_HELP)]
    Migrate(migrate::Migrate),
    /// Replaces the configuration with a config.json
    #[command(after_help = write::IMPORT_HELP)]
    Import(write::Import),
}

pub(super) fn run(common: &Common, command: ConfigCommand) -> ExitCode {
    let (settings, sources) = match common.settings() {
        Ok(read) => read,
        Err(refusal) => return failure(refusal),
    };
    // These commands receive the file as an argument, so they need no notice about it.
    let takes_file =
        matches!(command, ConfigCommand::Import(_) | ConfigCommand::Migrate(_) | ConfigCommand::Validate(_));
    if let Some(file) = sources.unnamed_file().filter(|_| !takes_file) {
        remark(file.notice());
    }
    let named = sources.store_name();
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match actix_web::rt::System::new().block_on(perform(&settings, named.as_deref(), command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failure(reason),
    }
}

async fn perform(settings: &Settings, named: Option<&str>, command: ConfigCommand) -> Result<(), String> {
    if let ConfigCommand::Validate(validate::Validate { file: Some(file), json }) = &command {
        return validate::file(settings, file, *json);
    }
    if let ConfigCommand::Migrate(migrate) = &command {
        return Box::pin(migrate::run(settings, named, migrate)).await;
    }
    let reach = Reach::open(settings, named).await?;
    match command {
        ConfigCommand::Get(get) => read::get(&reach, &get).await,
        ConfigCommand::Set(set) => write::set(settings, &reach, set).await,
        ConfigCommand::Unset(unset) => write::unset(settings, &reach, unset).await,
        ConfigCommand::Diff(diff) => versions::diff(&reach, diff).await,
        ConfigCommand::History(history) => versions::history(&reach, &history).await,
        ConfigCommand::Rollback(rollback) => versions::roll_back(&reach, rollback).await,
        ConfigCommand::Validate(validate) => validate::stored(settings, &reach, validate.json).await,
        ConfigCommand::Export(export) => read::export(&reach, &export).await,
        ConfigCommand::Import(import) => write::import(&reach, import).await,
        // `migrate` opens its two stores itself, above.
        ConfigCommand::Migrate(_) => Ok(()),
    }
}
