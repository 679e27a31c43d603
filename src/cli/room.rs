//! The command line: one file for each subcommand.

mod audit;
mod backup;
mod check;
mod config;
mod detach;
mod export;
mod import;
mod license;
mod options;
mod output;
mod restore;
mod serve;
mod sessions;
mod storage;
mod support_packet;
mod user;
mod version;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use quarterdeck_actors::supervisor::wait_for_threads;

use crate::base::trust::install_provider;
use crate::store::close_opened;
use options::Common;
use output::failure;

/// The longest time that the process waits for the threads of actors before it ends. Only a blocked actor takes any
/// time.
const THREADS_TIMEOUT: Duration = Duration::from_secs(2);

/// A server for the system area of the Mattermost REST API v4.
#[derive(Debug, Parser)]
#[command(name = "quarterdeck", version = crate::base::version::VERSION, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "\
Without a subcommand the server starts. Without settings it keeps its data in ./data and listens on port 8065 of all
addresses.

MM_CONFIG names the store of the configuration: a config.json, or postgres://... for a database, which then also holds
the accounts. Otherwise SqlSettings.DataSource in config.toml or MM_SQLSETTINGS_DATASOURCE names the database.

Settings are read from config.toml (or the file named with --config) and from environment variables. Environment
variables override config.toml. Settings have the names of the Mattermost API; the variables are MM_<SECTION>_<KEY>:
  MM_SERVICESETTINGS_LISTENADDRESS=127.0.0.1:9000 quarterdeck

Signals: SIGTERM and SIGINT stop the server after the requests in flight are answered (at most 30 s by default);
SIGHUP reloads the settings.

Exit code: 0 on success, 1 on failure (the reason is on standard error), 2 for an invalid command line.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the server; the default without a subcommand
    #[command(after_help = serve::AFTER_HELP)]
    Serve(serve::Serve),
    /// Shows the settings in use and tests if the server could start; changes nothing
    #[command(after_help = check::AFTER_HELP)]
    Check,
    /// Verifies the audit trail, and deletes its old rows
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Writes a backup of the server to one file, also while it runs; verifies a backup
    #[command(after_help = backup::AFTER_HELP)]
    Backup(backup::Backup),
    /// Reads, changes and restores the configuration, also while the server runs
    #[command(subcommand, after_help = config::AFTER_HELP)]
    Config(config::ConfigCommand),
    /// Takes away what this server added to a database of Mattermost
    #[command(after_help = detach::AFTER_HELP)]
    Detach(detach::Detach),
    /// Exports everything into a fresh database that a Mattermost made
    #[command(after_help = export::AFTER_HELP)]
    Export(export::Export),
    /// Imports the accounts, teams and configuration of a Mattermost
    #[command(after_help = import::AFTER_HELP)]
    Import(import::Import),
    /// Creates keys and licences, checks licences, and shows the active one
    #[command(subcommand, after_help = license::AFTER_HELP)]
    License(license::LicenseCommand),
    /// Restores a backup into an empty database of either engine
    #[command(after_help = restore::AFTER_HELP)]
    Restore(restore::Restore),
    /// Ends sessions, also while the server runs
    #[command(subcommand)]
    Sessions(sessions::SessionsCommand),
    /// Tests the file store
    #[command(subcommand)]
    Storage(storage::StorageCommand),
    /// Writes a support packet for troubleshooting, without secrets
    #[command(after_help = support_packet::AFTER_HELP)]
    SupportPacket(support_packet::SupportPacket),
    /// Manages accounts, also while the server runs
    #[command(subcommand)]
    User(user::UserCommand),
    /// Prints the version of the server and of its API
    Version,
}

impl Cli {
    /// Runs the subcommand.
    pub fn run(self) -> ExitCode {
        install_provider();
        // The folder of an ephemeral server, which is removed when this function has closed the database in it.
        let mut folder = None;
        let code = match self.command.unwrap_or_else(|| Command::Serve(serve::Serve::default())) {
            Command::Serve(options) => serve::run(&self.common, &options, &mut folder),
            Command::Audit(command) => audit::run(&self.common, &command),
            Command::Backup(command) => backup::run(&self.common, &command),
            Command::Check => check::run(&self.common),
            Command::Config(command) => config::run(&self.common, command),
            Command::Detach(command) => detach::run(&self.common, &command),
            Command::Export(command) => export::run(&self.common, &command),
            Command::Import(command) => import::run(&self.common, &command),
            Command::License(command) => license::run(&self.common, command),
            Command::Restore(command) => restore::run(&self.common, &command),
            Command::Sessions(command) => sessions::run(&self.common, &command),
            Command::Storage(command) => storage::run(&self.common, &command),
            Command::SupportPacket(command) => support_packet::run(&self.common, &command),
            Command::User(command) => user::run(&self.common, command),
            Command::Version => version::run(),
        };
        // The threads of actors hold connections to the database, so they end before it is closed.
        wait_for_threads(THREADS_TIMEOUT);
        // The database is closed even after a failed start. A database file with a log beside it looks empty when the
        // file is copied alone.
        match close_opened() {
            Ok(()) => code,
            Err(cause) => failure(cause),
        }
    }
}
