//! The command line: one file for each subcommand.

mod audit;
mod backup;
mod check;
mod config;
mod license;
mod options;
mod output;
mod restore;
mod serve;
mod storage;
mod support_packet;
mod user;
mod version;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use quarterdeck_actors::supervisor::wait_for_threads;

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
Without a subcommand the server starts. Without a configuration file it keeps its data in ./data
and listens on port 8065 of every address.

MM_CONFIG names where the configuration is kept: a config.json, or postgres://... for a database, which then holds the
accounts as well. SqlSettings.DataSource in config.toml or MM_SQLSETTINGS_DATASOURCE names the database otherwise.

Settings are read from config.toml (or the file named with --config) and from environment variables,
which win. They have the names of the Mattermost API, MM_<SECTION>_<KEY> as variables:
  MM_SERVICESETTINGS_LISTENADDRESS=127.0.0.1:9000 quarterdeck

Signals: SIGTERM and SIGINT stop the server once the requests under way are answered (within 30 s);
SIGHUP reads the settings again.

Exit code: 0 when all went well, 1 when it did not (the reason is on standard error), 2 for a wrong command line.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the server; this is what happens without a subcommand
    Serve,
    /// Shows which settings are used and tests whether the server could start; changes nothing
    #[command(after_help = check::AFTER_HELP)]
    Check,
    /// Verifies the audit trail, and deletes its old rows
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Writes everything that the server keeps into one file, also while it runs; verifies such a file
    #[command(after_help = backup::AFTER_HELP)]
    Backup(backup::Backup),
    /// Reads, changes and restores the configuration, also while the server runs
    #[command(subcommand, after_help = config::AFTER_HELP)]
    Config(config::ConfigCommand),
    /// Makes keys and licences, checks them, and shows what is in force
    #[command(subcommand, after_help = license::AFTER_HELP)]
    License(license::LicenseCommand),
    /// Puts a backup into an empty place, on either engine
    #[command(after_help = restore::AFTER_HELP)]
    Restore(restore::Restore),
    /// Tests where files are kept
    #[command(subcommand)]
    Storage(storage::StorageCommand),
    /// Writes what helps to find a fault into a file, without secrets
    #[command(after_help = support_packet::AFTER_HELP)]
    SupportPacket(support_packet::SupportPacket),
    /// Manages accounts, also while the server runs
    #[command(subcommand)]
    User(user::UserCommand),
    /// Prints the version of the server and of the API that it speaks
    Version,
}

impl Cli {
    /// Runs the subcommand.
    pub fn run(self) -> ExitCode {
        let code = match self.command.unwrap_or(Command::Serve) {
            Command::Serve => serve::run(&self.common),
            Command::Audit(command) => audit::run(&self.common, &command),
            Command::Backup(command) => backup::run(&self.common, &command),
            Command::Check => check::run(&self.common),
            Command::Config(command) => config::run(&self.common, command),
            Command::License(command) => license::run(&self.common, command),
            Command::Restore(command) => restore::run(&self.common, &command),
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
