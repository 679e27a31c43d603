//! `quarterdeck config`: reads and changes the configuration, in the store or through a running server.

mod backend;
mod migrate;
mod moved;
mod offline;
mod online;
mod paths;
mod read;
mod remark;
mod validate;
mod versions;
mod write;

use std::process::ExitCode;

use clap::Subcommand;

use super::options::Common;
use super::output::{failure, remark};
use crate::settings::Settings;
use backend::ConfigBackend;
pub(super) use moved::import_file;

pub(super) const AFTER_HELP: &str = "\
If a server runs with ServiceSettings.EnableLocalMode, the command uses its local socket, and a change takes effect at
once. Otherwise the command reads and writes the configured store, and a server on that store uses the change after its
next start or reload. In both cases a change is validated before it is stored, and every version is kept.

Settings have the names of the Mattermost API: Section.Key. Settings in config.toml and in environment variables
override the stored configuration and cannot be changed here.

  quarterdeck config get TeamSettings.SiteName
  quarterdeck config set TeamSettings.SiteName Bridge --comment 'new name'
  quarterdeck config history --limit 5
  quarterdeck config rollback --last-good";

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Prints settings, sections or the whole current configuration as JSON
    #[command(after_help = read::GET_HELP)]
    Get(read::Get),
    /// Changes one setting
    #[command(after_help = write::SET_HELP)]
    Set(write::Set),
    /// Resets one setting to its default
    #[command(after_help = write::UNSET_HELP)]
    Unset(write::Unset),
    /// Shows the changes between two versions; secrets appear as fingerprints
    #[command(after_help = versions::DIFF_HELP)]
    Diff(versions::Diff),
    /// Lists the versions, the newest first
    History(versions::History),
    /// Restores an earlier version as a new version
    #[command(after_help = versions::ROLLBACK_HELP)]
    Rollback(versions::Rollback),
    /// Confirms a change that is taken back otherwise
    #[command(after_help = versions::CONFIRM_HELP)]
    Confirm(versions::Confirm),
    /// Validates a config.json or the stored configuration and lists all problems
    #[command(after_help = validate::AFTER_HELP)]
    Validate(validate::Validate),
    /// Writes the current configuration as a config.json
    #[command(after_help = read::EXPORT_HELP)]
    Export(read::Export),
    /// Copies the stored configuration from one store to another: `sqlite`, a PostgreSQL URL, or a config.json
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
    match actix_web::rt::System::new().block_on(perform(&settings, named.as_deref(), common.beside, command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failure(reason),
    }
}

async fn perform(
    settings: &Settings,
    named: Option<&str>,
    is_beside: bool,
    command: ConfigCommand,
) -> Result<(), String> {
    if let ConfigCommand::Validate(validate::Validate { file: Some(file), json }) = &command {
        return validate::file(settings, file, *json);
    }
    let backend = ConfigBackend::open(settings, named, is_beside).await?;
    match command {
        ConfigCommand::Get(get) => read::get(&backend, &get).await,
        ConfigCommand::Set(set) => write::set(settings, &backend, set).await,
        ConfigCommand::Unset(unset) => write::unset(settings, &backend, unset).await,
        ConfigCommand::Diff(diff) => versions::diff(&backend, diff).await,
        ConfigCommand::History(history) => versions::history(&backend, &history).await,
        ConfigCommand::Rollback(rollback) => versions::roll_back(&backend, rollback).await,
        ConfigCommand::Confirm(confirm) => versions::confirm(&backend, confirm).await,
        ConfigCommand::Validate(validate) => validate::stored(settings, &backend, validate.json).await,
        ConfigCommand::Export(export) => read::export(settings, &backend, &export).await,
        ConfigCommand::Import(import) => write::import(&backend, import).await,
        ConfigCommand::Migrate(migrate) => Box::pin(migrate::run(&backend, &migrate)).await,
    }
}
