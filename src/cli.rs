//! The command line: one file a subcommand.

mod check;
mod serve;
mod user;
mod version;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::settings::{Settings, SettingsError, Sources};

/// A server for the system area of the Mattermost REST API v4.
#[derive(Debug, Parser)]
#[command(name = "quarterdeck", version = crate::version::VERSION, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "\
Without a subcommand the server starts. Without a configuration file it keeps its data in ./data and listens on port 8065.

Settings are read from config.toml (or --config) and from MM_<SECTION>_<KEY> variables, which win:
  MM_SERVICESETTINGS_LISTENADDRESS=127.0.0.1:9000 quarterdeck";

#[derive(Debug, Clone, Args)]
struct Common {
    /// The file with the pinned settings [default: config.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the server; this is the default
    Serve,
    /// Says which settings would be used and tests the database; fails with the reason
    Check,
    /// Manages accounts
    #[command(subcommand)]
    User(user::UserCommand),
    /// Prints the version of the server and of the API it speaks
    Version,
}

impl Cli {
    /// Runs the subcommand.
    pub fn run(self) -> ExitCode {
        match self.command.unwrap_or(Command::Serve) {
            Command::Serve => serve::run(&self.common),
            Command::Check => check::run(&self.common),
            Command::User(command) => user::run(&self.common, command),
            Command::Version => version::run(),
        }
    }
}

impl Common {
    fn settings(&self) -> Result<(Settings, Sources), SettingsError> {
        let sources = Sources::new(self.config.clone());
        Ok((sources.load()?, sources))
    }
}

/// Ends with the reason on standard error.
#[expect(clippy::print_stderr, reason = "this is where a command line tells its user what went wrong")]
fn failure(reason: impl std::fmt::Display) -> ExitCode {
    eprintln!("quarterdeck: {reason}");
    ExitCode::FAILURE
}

/// Tells the user something on standard output.
fn say(text: impl std::fmt::Display) {
    // Whoever closed the other end does not want to know.
    let _ = writeln!(std::io::stdout(), "{text}");
}
