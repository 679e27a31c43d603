//! The options that every command takes.

use std::path::PathBuf;

use clap::Args;

use crate::server::StartError;
use crate::server::steps::with_others;
use crate::settings::{Settings, SettingsError, Sources};

#[derive(Debug, Clone, Args)]
pub(super) struct Common {
    /// The file with the settings [default: config.toml in the working folder, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Starts with empty data although data seems to be missing: with an unused config.json in the working folder, with
    /// a database file that lost its content, or with stored versions of the configuration of which none is active
    #[arg(long, global = true)]
    pub(super) new: bool,
    /// Starts on a database of Mattermost although other programs use it. Neither server sees all changes of the other
    #[arg(long, global = true)]
    pub(super) beside: bool,
}

impl Common {
    /// Reads the settings from the file that the options name, and from the environment.
    pub(super) fn settings(&self) -> Result<(Settings, Sources), SettingsError> {
        let sources = self.sources();
        Ok((sources.load()?, sources))
    }

    /// Reads the settings for a start. The error names everything that such a start would refuse, as far as it can be
    /// found.
    pub(super) fn starting(sources: &Sources) -> Result<Settings, StartError> {
        match sources.load_usable() {
            Ok((settings, None)) => Ok(settings),
            Ok((settings, Some(refusal))) => {
                Err(with_others(StartError::Settings(refusal.to_string()), &settings, sources))
            }
            Err(refusal) => Err(StartError::Settings(refusal.to_string())),
        }
    }

    /// Returns the file that the options name, and the environment.
    pub(super) fn sources(&self) -> Sources {
        Sources::new(self.config.clone()).with_new_database(self.new).beside_others(self.beside)
    }
}
