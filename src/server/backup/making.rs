//! Creates a backup: all tables from one snapshot, in a file that exists only when it is complete.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Result as IoResult, Write};
use std::path::{Path, PathBuf};

use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::provenance::VARIABLE;
use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::secret::Secret;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::draft::Draft;
use super::files::{self, Added};
use super::format::{
    CONFIG, CUSTOM_DEFAULTS, KEYS, LICENSE, MANIFEST, MAX_ROW_BYTES, Manifest, Migration, Part, SETTINGS, VERSIONS,
    table_part,
};
use super::seal::Sealing;
use super::{BackupError, rows};
use crate::domain::audit::key_file;
use crate::domain::license::MAX_FILE_BYTES;
use crate::domain::support_packet::{Archive, Content};
use crate::domain::version_store::Place;
use crate::server::StartError;
use crate::server::starting_config::{place, with_stored};
use crate::settings::named_file::contents;
use crate::settings::{Settings, Sources};
use crate::store::{Db, Snapshot, StoreError, Table, embedded_files};

/// The migration that creates the first tables.
const FIRST_MIGRATION: &str = "V1__accounts";

/// The tables of the configuration, which `MM_CONFIG` may keep in a database of their own.
const CONFIG_TABLES: [&str; 4] = ["configurations", CONFIG_FILES, "qd_configconfirmation", "qd_configversions"];

/// The table of files that belong to the configuration. A database of the configuration that an earlier version made
/// lacks it.
const CONFIG_FILES: &str = "configurationfiles";

/// The options of the operator.
pub(crate) struct Wanted<'a> {
    pub(crate) file: &'a Path,
    pub(crate) passphrase: Option<Secret>,
    pub(crate) with_keys: bool,
    pub(crate) with_files: bool,
}

/// The result of a backup.
pub(crate) struct BackupResult {
    pub(crate) manifest: Manifest,
    /// The number of files left out of the store because they are links or not regular files.
    pub(crate) left_out: u64,
    /// The reason why a licence that the settings name is missing from the backup.
    pub(crate) unread_license: Option<String>,
}

enum Output {
    Plain(BufWriter<File>),
    Sealed(Box<Sealing<BufWriter<File>>>),
}

/// Creates a backup of the database that `settings` name, and of the files beside it.
pub(crate) async fn make(
    settings: &Settings,
    sources: &Sources,
    wanted: &Wanted<'_>,
) -> Result<BackupResult, BackupError> {
    // The lock of the draft is taken first, so another backup of this name is refused for any state of the database.
    let (draft, file) = Draft::beside(wanted.file)?;
    let sql = &settings.config.view.sql;
    let db = Db::new(sql)?;
    if db.pending_migrations().await?.iter().any(|pending| pending == FIRST_MIGRATION) {
        return Err(BackupError::Refused("there is no database to back up".to_owned()));
    }
    let place = place(sources)?.seen_from(sql);
    let now = OffsetDateTime::now_utc();
    let taken_at = wall_ms();
    let mut snapshot = db.snapshot().await?;
    let schema = snapshot.schema().await?.into_iter().map(|(version, name)| Migration { version, name }).collect();
    let now = now.replace_millisecond(now.millisecond()).unwrap_or(now);
    let mut manifest = Manifest::new(schema, db.engine_name(), taken_at, now.format(&Rfc3339).unwrap_or_default());
    manifest.pinned_by_variables = pinned_by_variables(settings);
    let tables = manifest.tables()?;
    let mut elsewhere = match &place {
        Place::Postgres(address) => {
            let other = SqlSettings { driver_name: "postgres".to_owned(), data_source: address.clone(), ..sql.clone() };
            let other = Db::new(&other)?;
            let mut other = other.snapshot().await?;
            other.fix_moment().await?;
            Some(other)
        }
        Place::Database | Place::Sqlite | Place::File(_) => None,
    };
    let broken = BackupError::at(wanted.file);
    let output = Output::begin(file, wanted.passphrase.as_ref()).map_err(broken)?;
    let mut archive = Archive::new(output, now).with_large_entries();
    let mut counts = BTreeMap::new();
    for table in &tables {
        let is_of_configuration = CONFIG_TABLES.contains(&table.name.as_str());
        let source = elsewhere.as_mut().filter(|_| is_of_configuration).unwrap_or(&mut snapshot);
        let is_missing = is_of_configuration && !source.has(table).await?;
        let count =
            if is_missing { add_empty(&mut archive, table)? } else { add_table(&mut archive, source, table).await? };
        counts.insert(table_part(&table.name), count);
    }
    drop((snapshot, elsewhere));
    add_settings(&mut archive, settings, sources)?;
    if let Place::File(file) = &place {
        "file".clone_into(&mut manifest.configuration);
        add_configuration(&mut archive, file)?;
    }
    let config = with_stored(settings.clone(), sources).await;
    let license = license(sources, config.as_ref());
    if let Ok(Some(text)) = &license {
        archive.add(LICENSE, text).map_err(BackupError::at(wanted.file))?;
    }
    if wanted.with_keys {
        add_keys(&mut archive, settings)?;
    }
    let mut added = Added::default();
    if wanted.with_files {
        added = files::add(&mut archive, &config?, &own_files(settings, sources, &place, wanted.file))?;
    }
    let part = |content: &Content| Part {
        name: content.name.clone(),
        bytes: content.bytes,
        sha256: content.sha256.clone(),
        rows: counts.get(&content.name).copied(),
    };
    manifest.parts = archive.contents().iter().map(part).collect();
    let finished = finish(archive, &manifest).map_err(BackupError::at(wanted.file))?;
    draft.finish(&finished)?;
    Ok(BackupResult { manifest, left_out: added.left_out, unread_license: license.err() })
}

fn finish(mut archive: Archive<Output>, manifest: &Manifest) -> IoResult<File> {
    let text = serde_json::to_vec_pretty(manifest)?;
    archive.add(MANIFEST, &text)?;
    archive.finish()?.finish()
}

async fn add_table(archive: &mut Archive<Output>, snapshot: &mut Snapshot, table: &Table) -> Result<u64, BackupError> {
    let mut entry = archive.begin(&table_part(&table.name)).map_err(StoreError::File)?;
    let mut count = 0_u64;
    let taking = &mut |row: Vec<_>| {
        let name = &table.name;
        let line = rows::line(table, row);
        let line = line.map_err(|column| StoreError::Column(format!("{name}.{column} in row {}", count + 1)))?;
        if u64::try_from(line.len()).is_ok_and(|length| length > MAX_ROW_BYTES) {
            return Err(StoreError::Column(format!("row {} of {name} is too large for a backup", count + 1)));
        }
        count += 1;
        Ok(entry.write_all(line.as_bytes())?)
    };
    snapshot.rows(table, taking).await?;
    entry.end();
    Ok(count)
}

/// Adds a table without rows. Returns their number.
fn add_empty(archive: &mut Archive<Output>, table: &Table) -> Result<u64, BackupError> {
    archive.begin(&table_part(&table.name)).map_err(StoreError::File)?.end();
    Ok(0)
}

/// Adds `config.toml` and the file with custom defaults, as far as there are such files.
fn add_settings(archive: &mut Archive<Output>, settings: &Settings, sources: &Sources) -> Result<(), BackupError> {
    if let Some(file) = sources.file() {
        add_file(archive, SETTINGS, file)?;
    }
    settings.custom_defaults.as_deref().map_or(Ok(()), |file| add_file(archive, CUSTOM_DEFAULTS, file))
}

/// Adds the configuration file. It is read after the snapshot, so it contains every change acknowledged before that.
fn add_configuration(archive: &mut Archive<Output>, file: &Path) -> Result<(), BackupError> {
    if !file.exists() {
        return Ok(());
    }
    add_file(archive, CONFIG, file)?;
    let folder = versions_folder(file);
    let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(()) };
    let mut names: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.file_name()).collect();
    names.sort();
    for name in names.iter().filter_map(|name| name.to_str()) {
        if Path::new(name).extension().is_some_and(|ending| ending == "json") && !name.starts_with('.') {
            add_file(archive, &format!("{VERSIONS}{name}"), &folder.join(name))?;
        }
    }
    Ok(())
}

/// Returns the folder with the earlier versions of a `config.json`.
pub(super) fn versions_folder(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".versions");
    name.into()
}

fn add_file(archive: &mut Archive<Output>, name: &str, file: &Path) -> Result<(), BackupError> {
    let bytes = std::fs::read(file).map_err(BackupError::at(file))?;
    archive.add(name, &bytes).map_err(BackupError::at(file))
}

/// Returns the licence from the environment, or from the file that the settings name; `None` if there is neither.
///
/// An unreadable licence does not fail the backup: its error is reported beside the result.
fn license(sources: &Sources, config: Result<&Config, &StartError>) -> Result<Option<Vec<u8>>, String> {
    if let Some(text) = sources.license() {
        return Ok(Some(text.into_bytes()));
    }
    let config =
        config.map_err(|cause| format!("a licence in a file, because the settings cannot be read: {cause}"))?;
    let file = &config.view.service.license_file_location;
    if file.is_empty() {
        return Ok(None);
    }
    contents(Path::new(file), MAX_FILE_BYTES).map(Some).map_err(|cause| format!("the licence in {file}: {cause}"))
}

fn add_keys(archive: &mut Archive<Output>, settings: &Settings) -> Result<(), BackupError> {
    match key_file::found(settings) {
        Some(file) => add_file(archive, KEYS, &file),
        None => Err(BackupError::Refused("there is no audit key file".to_owned())),
    }
}

/// Returns the files of the server itself that may be in the folder of the store.
fn own_files(settings: &Settings, sources: &Sources, place: &Place, backup: &Path) -> Vec<PathBuf> {
    let sql = &settings.config.view.sql;
    let database = if sql.driver_name == "sqlite" { embedded_files(Path::new(&sql.data_source)) } else { Vec::new() };
    let configuration = place.file().map(|file| file.path().to_owned());
    let versions = configuration.as_deref().map(versions_folder);
    let folder = backup.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Also excludes other backups and the draft of this one.
    let beside = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let drafts = beside.filter(|path| path.extension().is_some_and(|ending| ending == "part" || ending == "qdbackup"));
    let (config_toml, custom_defaults) = (sources.file().map(Path::to_owned), settings.custom_defaults.clone());
    let named = [configuration, versions, key_file::found(settings), config_toml, custom_defaults];
    database.into_iter().chain(drafts).chain(named.into_iter().flatten()).collect()
}

fn pinned_by_variables(settings: &Settings) -> Vec<String> {
    let pinned = settings.config.overrides.iter().filter(|(_, pinned)| pinned.place.starts_with(VARIABLE));
    pinned.map(|(path, _)| path.clone()).collect()
}

impl Output {
    fn begin(file: File, passphrase: Option<&Secret>) -> IoResult<Self> {
        let out = BufWriter::new(file);
        Ok(match passphrase {
            None => Self::Plain(out),
            Some(passphrase) => Self::Sealed(Box::new(Sealing::begin(out, passphrase)?)),
        })
    }

    fn finish(self) -> IoResult<File> {
        let out = match self {
            Self::Plain(out) => out,
            Self::Sealed(sealing) => sealing.finish()?,
        };
        out.into_inner().map_err(std::io::IntoInnerError::into_error)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Sealed(sealing) => sealing.write(bytes),
        }
    }

    fn flush(&mut self) -> IoResult<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Sealed(sealing) => sealing.flush(),
        }
    }
}
