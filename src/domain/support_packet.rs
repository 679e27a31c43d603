//! The support packet: files that help to find a fault, without secrets.
//!
//! Small files are gathered first, each with a timeout. Then one thread writes the archive at the speed of the client.

mod archive;
mod logs;
mod manifest;
mod outlet;
mod parts;
mod scrub;
mod secrets;
mod tokens;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use futures_util::Stream;
use quarterdeck_actors::background;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::shown::shown;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::license::document::License;
use quarterdeck_actors::secret::Secret;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::warn;

use crate::base::traffic::InFlight;
use crate::settings::Sources;
use crate::store::{Db, StoreError};
use crate::telemetry::logging;
pub(crate) use archive::{Archive, Content};
use manifest::Notes;
use outlet::outlet;
use scrub::Scrubber;

/// The number of packets that are made at the same time.
const MAX_PACKETS_AT_ONCE: usize = 2;

/// The timeout of one small file. A file that takes longer is left out.
const PART_TIMEOUT: Duration = Duration::from_secs(15);

/// The time limit for copying the log. The rest is left out.
const LOG_COPY_TIMEOUT: Duration = Duration::from_mins(10);

/// The number of requested plugins that are noted, and the length of each name in characters.
const MAX_PLUGINS: usize = 100;
const MAX_PLUGIN_CHARACTERS: usize = 190;

/// The length of the licence's company in the file name, in characters.
const MAX_COMPANY_CHARACTERS: usize = 100;

/// Makes support packets, at most [`MAX_PACKETS_AT_ONCE`] at a time.
pub(crate) struct SupportPackets {
    turns: Arc<Semaphore>,
    environment: ProcessEnvironment,
}

/// The data that packets take from the environment of the process.
#[derive(Clone)]
pub(crate) struct ProcessEnvironment {
    secrets: Vec<Secret>,
    installation: String,
}

/// The data that a packet is made from.
pub(crate) struct Source {
    pub(crate) config: Arc<Config>,
    pub(crate) db: Db,
    /// True if a server created the tables of the database.
    pub(crate) has_tables: bool,
    pub(crate) license: Option<Arc<License>>,
    /// The place of the configuration, unless it is in the database.
    pub(crate) store: Option<String>,
    pub(crate) hostname: Option<String>,
    pub(crate) installation: String,
    /// The secrets to remove, beside those of the configuration.
    pub(crate) secrets: Vec<Secret>,
    /// The data that only a running server has.
    pub(crate) live: Option<Live>,
}

/// The data that only a running server has.
pub(crate) struct Live {
    pub(crate) sockets: usize,
    pub(crate) database_connections: usize,
    pub(crate) file_problem: Option<String>,
}

/// The contents that the caller asks for.
pub(crate) struct Wanted {
    pub(crate) with_logs: bool,
    pub(crate) plugins: Vec<String>,
}

/// A packet whose small files are gathered, while the log is still to be read.
pub(crate) struct Packet {
    files: Vec<(&'static str, String)>,
    log: Option<PathBuf>,
    scrubber: Scrubber,
    notes: Notes,
}

impl ProcessEnvironment {
    /// Reads the environment variables.
    pub(crate) fn of(sources: &Sources) -> Self {
        let variables = sources.variables();
        let installation = variables.into_iter().find(|(name, _)| name == "MM_INSTALL_TYPE").map(|(_, value)| value);
        let is_word =
            |text: &String| !text.is_empty() && text.len() <= 32 && text.bytes().all(|one| one.is_ascii_alphanumeric());
        let installation = installation.filter(is_word).unwrap_or_else(|| "unknown".to_owned());
        Self { secrets: secrets::of_environment(sources), installation }
    }

    /// Returns the secrets in the environment.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        self.secrets.clone()
    }

    /// Returns how the server was installed, as `MM_INSTALL_TYPE` says; `unknown` without it.
    pub(crate) fn installation(&self) -> String {
        self.installation.clone()
    }
}

impl Wanted {
    /// Returns the requested plugins, limited in number and in the length of their names.
    pub(crate) fn noted_plugins(&self) -> Vec<String> {
        let plugins = self.plugins.iter().take(MAX_PLUGINS);
        plugins.map(|id| id.chars().take(MAX_PLUGIN_CHARACTERS).collect()).collect()
    }
}

impl SupportPackets {
    pub(crate) fn new(environment: ProcessEnvironment) -> Self {
        Self { turns: Arc::new(Semaphore::new(MAX_PACKETS_AT_ONCE)), environment }
    }

    /// Returns the data from the environment.
    pub(crate) fn environment(&self) -> &ProcessEnvironment {
        &self.environment
    }

    /// Takes a permit to make a packet, or returns an error if all are taken.
    pub(crate) fn turn(&self) -> Result<OwnedSemaphorePermit, AppError> {
        let turn = self.turns.clone().try_acquire_owned();
        turn.map_err(|_| {
            AppError::new("api.context.server_busy.app_error").because("too many support packets are being created")
        })
    }
}

/// Returns the file name of a packet, with the company of the licence and the time in UTC.
pub(crate) fn file_name(license: Option<&License>, at: OffsetDateTime) -> String {
    let company = license.map(|license| license.customer.company.as_str()).unwrap_or_default();
    let company = company.trim_matches(['.', ' ']).replace('.', "");
    let is_kept = |one: char| one.is_ascii_alphanumeric() || matches!(one, '_' | '-');
    let company: String =
        company.chars().map(|one| if is_kept(one) { one } else { '_' }).take(MAX_COMPANY_CHARACTERS).collect();
    let time = at.format(format_description!("[year]-[month]-[day]T[hour]-[minute]")).unwrap_or_default();
    let parts = ["mm_support_packet", &company, &time];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{}.zip", parts.join("_"))
}

/// Gathers the small files. A file that fails is left out, and the packet reports why.
pub(crate) async fn gather(source: Source, wanted: Wanted) -> Packet {
    let mut known = secrets::of_config(&source.config);
    known.extend(source.secrets.iter().cloned());
    let (config, hidden) = shown(&source.config.document);
    let notes = Notes {
        at: wall_ms(),
        is_live: source.live.is_some(),
        with_logs: wanted.with_logs,
        plugins: wanted.noted_plugins(),
        hidden,
        ..Notes::default()
    };
    let mut packet = Packet { files: Vec::new(), log: None, scrubber: Scrubber::new(&known), notes };
    let now = packet.notes.at;
    packet.add_json("sanitized_config.json", Value::Object(config));
    packet.add_json("plugins.json", json!({ "enabled": [], "disabled": [] }));
    packet.add_yaml("metadata.yaml", async { source.metadata(now).await.map(Some) }).await;
    packet.add_yaml("diagnostics.yaml", async { source.diagnostics().await.map(Some) }).await;
    if source.has_tables {
        packet.add_yaml("stats.yaml", async { source.db.figures(now).await.map(Some) }).await;
        packet.add_yaml("permissions.yaml", async { source.permissions().await.map(Some) }).await;
        packet.add_yaml("database_schema.yaml", async { source.db.described_schema().await.map(Some) }).await;
        packet.add_yaml("jobs.yaml", source.jobs()).await;
    } else {
        packet.miss("database_schema.yaml, jobs.yaml, permissions.yaml, stats.yaml", "the database has no tables yet");
    }
    if source.live.is_none() {
        packet.miss(
            "diagnostics.yaml: websocket, file_status, master_connections",
            "available from a running server only",
        );
    }
    if wanted.with_logs {
        packet.log = Some(logging::file_path(&source.config.view.log));
    } else {
        packet.miss("mattermost.log", "it was not requested");
    }
    packet
}

impl Packet {
    /// Returns the archive as a stream. A thread of its own writes it, until the client disconnects.
    pub(crate) fn stream(
        self,
        turn: OwnedSemaphorePermit,
        in_flight: InFlight,
    ) -> impl Stream<Item = std::io::Result<Bytes>> + use<> {
        let (outlet, stream) = outlet();
        background::compute(move || {
            let written = self.write(outlet).and_then(outlet::Outlet::close);
            if let Err(cause) = written {
                warn!(%cause, "a support packet could not be sent completely");
            }
            drop((turn, in_flight));
        });
        stream
    }

    /// Writes the archive from front to back.
    pub(crate) fn write<W: Write>(mut self, out: W) -> std::io::Result<W> {
        let mut archive = Archive::new(out, OffsetDateTime::now_utc());
        for (name, text) in &self.files {
            archive.add(name, text.as_bytes())?;
        }
        self.add_logs(&mut archive)?;
        if let Some(warning) = self.notes.warning() {
            archive.add("warning.txt", warning.as_bytes())?;
        }
        let manifest = indented(&self.notes.manifest(archive.contents()));
        archive.add("manifest.json", manifest.as_bytes())?;
        archive.finish()
    }

    fn add_logs<W: Write>(&mut self, archive: &mut Archive<W>) -> std::io::Result<()> {
        let Some(path) = self.log.take() else { return Ok(()) };
        let deadline = Instant::now() + LOG_COPY_TIMEOUT;
        let (files, problems) = logs::files(&path, logging::MAX_ROTATED_FILES, logs::MAX_LOG_BYTES);
        if files.is_empty() {
            self.miss("mattermost.log", "there is no readable log file");
        }
        for problem in problems {
            self.warn(&problem);
        }
        for mut file in files {
            let mut entry = archive.begin(&file.name)?;
            let copied = file.copy(&mut entry, &self.scrubber, &mut self.notes.tally, deadline)?;
            entry.end();
            if let logs::Copied::Partly(cause) = copied {
                self.warn(&format!("{}: only the first part is included: {cause}", file.name));
            }
            if file.is_cut {
                self.miss(&format!("{}: its beginning", file.name), "the file is too long");
            }
        }
        Ok(())
    }

    fn add_json(&mut self, name: &'static str, mut value: Value) {
        self.scrubber.value(&mut value, &mut self.notes.tally);
        self.files.push((name, indented(&value)));
    }

    /// Adds a file if it is ready within [`PART_TIMEOUT`]. `None` means that the database has no table for it.
    async fn add_yaml(&mut self, name: &'static str, part: impl Future<Output = Result<Option<Value>, StoreError>>) {
        match timeout(PART_TIMEOUT, part).await {
            Ok(Ok(Some(mut value))) => {
                self.scrubber.value(&mut value, &mut self.notes.tally);
                match yaml_serde::to_string(&value) {
                    Ok(text) => self.files.push((name, text)),
                    Err(cause) => self.warn(&format!("{name}: {cause}")),
                }
            }
            Ok(Ok(None)) => self.miss(name, "the database has no table for it"),
            Ok(Err(cause)) => self.warn(&format!("{name}: {cause}")),
            Err(_) => self.warn(&format!("{name}: it took longer than {} s", PART_TIMEOUT.as_secs())),
        }
    }

    fn miss(&mut self, name: &str, why: &str) {
        self.notes.missing.push((name.to_owned(), why.to_owned()));
    }

    fn warn(&mut self, problem: &str) {
        let problem = self.scrubber.text(problem, &mut self.notes.tally).into_owned();
        warn!(problem, "a part of a support packet is missing");
        self.notes.warnings.push(problem);
    }
}

/// Returns JSON with an indentation of 4 spaces, as packets contain it.
fn indented(value: &Value) -> String {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    // Serialisation fails only for maps with keys that are not text, and a `Value` has none.
    let _ = serde::Serialize::serialize(value, &mut serializer);
    text.push(b'\n');
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
