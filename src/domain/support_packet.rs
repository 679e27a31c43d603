//! The support packet: files that help to find a fault, without secrets.
//!
//! Small files are gathered first, each with a timeout. Then one thread writes the archive at the speed of the client.

mod archive;
mod logs;
mod manifest;
mod outlet;
mod parts;
mod scrub;
pub(crate) mod secrets;
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

/// The log in a packet, and the reason why it is left out if the stored settings cannot be read.
const LOG: &str = "mattermost.log";
const SECRETS_ARE_UNKNOWN: &str = "it is left out, because the stored settings cannot be read: secrets in them are \
                                   unknown and could not be removed from the log";

/// The parts of a packet that are read from the database.
pub(crate) const OF_DATABASE: &str = "database_schema.yaml, jobs.yaml, permissions.yaml, stats.yaml";

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
    pub(crate) database: Database,
    /// The data that cannot be read.
    pub(crate) faults: Vec<Fault>,
    /// True if the stored settings could be read. Only then the log is part of the packet, because secrets of stored
    /// settings are removed from it.
    pub(crate) secrets_are_known: bool,
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

/// The database, as far as it can be read.
pub(crate) enum Database {
    /// A server created its tables.
    Ready(Box<Db>),
    /// It has no tables yet.
    Empty,
    /// It cannot be read. A [`Fault`] has the reason.
    Unreadable,
}

/// Data that is missing in a packet because it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The parts of the packet that are missing.
    pub(crate) name: &'static str,
    /// The reason.
    pub(crate) why: String,
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
    /// The log, and beside it that of single requests.
    logs: Vec<PathBuf>,
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
    if source.config.view.sql.driver_name == "sqlite" {
        // The path of a database file is no secret, and errors name it.
        let path = Secret::new(source.config.view.sql.data_source.as_str());
        known.retain(|secret| *secret != path);
    }
    let (config, hidden) = shown(&source.config.document);
    let notes = Notes {
        at: wall_ms(),
        is_live: source.live.is_some(),
        with_logs: wanted.with_logs,
        plugins: wanted.noted_plugins(),
        hidden,
        ..Notes::default()
    };
    let mut packet = Packet { files: Vec::new(), logs: Vec::new(), scrubber: Scrubber::new(&known), notes };
    let now = packet.notes.at;
    packet.add_json("sanitized_config.json", Value::Object(config));
    packet.add_json("plugins.json", json!({ "enabled": [], "disabled": [] }));
    let mut identity = parts::Identity::default();
    if let Database::Ready(db) = &source.database {
        identity.server_id = packet.read("metadata.yaml: server_id", db.system("DiagnosticId")).await.flatten();
        identity.engine_version = packet.read("diagnostics.yaml: version", db.engine_version()).await;
        identity.schema_version = packet.read("diagnostics.yaml: schema_version", db.schema_version()).await;
    }
    packet.add_yaml("metadata.yaml", source.metadata(now, &identity));
    packet.add_yaml("diagnostics.yaml", source.diagnostics(&identity));
    match &source.database {
        Database::Ready(db) => {
            packet.read_yaml("stats.yaml", async { db.figures(now).await.map(Some) }).await;
            packet.read_yaml("permissions.yaml", async { parts::permissions(db).await.map(Some) }).await;
            packet.read_yaml("database_schema.yaml", async { db.described_schema().await.map(Some) }).await;
            packet.read_yaml("jobs.yaml", parts::jobs(db)).await;
        }
        Database::Empty => packet.miss(OF_DATABASE, "the database has no tables yet"),
        Database::Unreadable => {}
    }
    for fault in &source.faults {
        packet.fault(fault);
    }
    if source.live.is_none() {
        packet.miss(
            "diagnostics.yaml: websocket, file_status, master_connections",
            "available from a running server only",
        );
    }
    if !wanted.with_logs {
        packet.miss(LOG, "it was not requested");
    } else if source.secrets_are_known {
        let settings = &source.config.view.log;
        packet.logs = vec![logging::file_path(settings), logging::requests_path(settings)];
    } else {
        packet.fault(&Fault { name: LOG, why: SECRETS_ARE_UNKNOWN.to_owned() });
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
            let written = self.write(outlet).and_then(|(outlet, _)| outlet.close());
            if let Err(cause) = written {
                warn!(%cause, "a support packet could not be sent completely");
            }
            drop((turn, in_flight));
        });
        stream
    }

    /// Writes the archive from front to back. Returns the errors too, each as one line, because of which data is missing.
    pub(crate) fn write<W: Write>(mut self, out: W) -> std::io::Result<(W, Vec<String>)> {
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
        Ok((archive.finish()?, self.notes.warnings))
    }

    fn add_logs<W: Write>(&mut self, archive: &mut Archive<W>) -> std::io::Result<()> {
        let deadline = Instant::now() + LOG_COPY_TIMEOUT;
        let paths = std::mem::take(&mut self.logs);
        let opened = paths.iter().map(|path| logs::files(path, logging::MAX_ROTATED_FILES, logs::MAX_LOG_BYTES));
        let (files, problems): (Vec<_>, Vec<_>) = opened.unzip();
        if !paths.is_empty() && files.iter().all(Vec::is_empty) {
            self.miss(LOG, "there is no readable log file");
        }
        for problem in problems.into_iter().flatten() {
            self.warn(&problem);
        }
        for mut file in files.into_iter().flatten() {
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

    fn add_yaml(&mut self, name: &'static str, mut value: Value) {
        self.scrubber.value(&mut value, &mut self.notes.tally);
        match yaml_serde::to_string(&value) {
            Ok(text) => self.files.push((name, text)),
            Err(cause) => self.warn(&format!("{name}: {cause}")),
        }
    }

    /// Adds a file from the database. `None` means that the database has no table for it.
    async fn read_yaml(&mut self, name: &'static str, part: impl Future<Output = Result<Option<Value>, StoreError>>) {
        match self.read(name, part).await {
            Some(Some(value)) => self.add_yaml(name, value),
            Some(None) => self.miss(name, "the database has no table for it"),
            None => {}
        }
    }

    /// Returns a value from the database, or `None` if it cannot be read within [`PART_TIMEOUT`].
    async fn read<T>(&mut self, name: &str, part: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        match timeout(PART_TIMEOUT, part).await {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(cause)) => self.warn(&format!("{name}: {cause}")),
            Err(_) => self.warn(&format!("{name}: it took longer than {} s", PART_TIMEOUT.as_secs())),
        }
        None
    }

    /// Reports data that cannot be read, without known secrets. Ids of versions in the reason are kept.
    fn fault(&mut self, fault: &Fault) {
        let why: Vec<&str> = fault.why.lines().collect();
        let why = self.scrubber.without_known(&why.join("; "), &mut self.notes.tally).into_owned();
        self.miss(fault.name, &why);
        self.notes.warnings.push(format!("{}: {why}", fault.name));
    }

    fn miss(&mut self, name: &str, why: &str) {
        self.notes.missing.push((name.to_owned(), why.to_owned()));
    }

    fn warn(&mut self, problem: &str) {
        let problem: Vec<&str> = problem.lines().collect();
        let problem = self.scrubber.text(&problem.join("; "), &mut self.notes.tally).into_owned();
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
