//! Restores a backup into an empty place. The database comes last: without it, the other files are no installation.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quarterdeck_actors::audit::{AuditRecord, Status};
use quarterdeck_actors::config::view::SqlSettings;
use serde_json::json;

use super::draft::refuse_existing;
use super::format::{CONFIG, CUSTOM_DEFAULTS, FILES, KEYS, LICENSE, Part, SETTINGS, VERSIONS, inner_path};
use super::making::versions_folder;
use super::{Backup, BackupError};
use crate::domain::audit::key_file;
use crate::domain::version_store::Place;
use crate::files::private;
use crate::server::starting_config::place;
use crate::settings::{Settings, Sources};
use crate::store::{Db, Load, Unfinished, own_record};

/// The table of sessions.
const SESSIONS: &str = "sessions";

/// The name of the audit event of a restore.
const EVENT: &str = "restoreBackup";

/// The options of the operator.
pub(crate) struct Restoring<'a> {
    /// The database to fill.
    pub(crate) sql: &'a SqlSettings,
    pub(crate) keep_sessions: bool,
    /// The folder for the files of the store.
    pub(crate) files: Option<&'a Path>,
    /// The folder for `config.toml`, for custom defaults, and for a licence from outside the database.
    pub(crate) settings: Option<&'a Path>,
}

/// The files and folders that the restore created. They are deleted unless the restore completes.
#[derive(Default)]
struct CreatedFiles {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    is_complete: bool,
}

impl Drop for CreatedFiles {
    fn drop(&mut self) {
        if !self.is_complete {
            for file in self.files.iter().rev() {
                let _ = std::fs::remove_file(file);
            }
            // Folders that also contain other files stay.
            for folder in self.folders.iter().rev() {
                let _ = std::fs::remove_dir(folder);
            }
        }
    }
}

/// Restores a backup into an empty database. `settings` name the file for the keys of the audit trail.
pub(crate) async fn restore(
    backup: &mut Backup,
    settings: &Settings,
    sources: &Sources,
    wanted: &Restoring<'_>,
) -> Result<(), BackupError> {
    let sql = wanted.sql;
    let place = place(sources)?.seen_from(sql);
    refuse_other_place(backup, &place)?;
    let mut unfinished = Unfinished::lock(sql).await?;
    let configuration = place.file().map(|file| file.path().to_owned());
    let beside = configuration.iter().flat_map(|file| [file.clone(), versions_folder(file)]);
    let folders = [wanted.files, wanted.settings].into_iter().flatten().map(Path::to_owned);
    refuse_placed(beside.chain(folders), unfinished.was_cut_off())?;
    refuse_other_keys(backup, settings)?;
    // The whole backup is verified before anything is created.
    backup.check()?;
    // The mark is set first, so that no server starts on a partial restore.
    unfinished.mark().await?;
    let mut placed = CreatedFiles::default();
    let restored: Result<(), BackupError> = async {
        place_parts(backup, wanted, configuration.as_deref(), &mut placed)?;
        place_keys(backup, settings, &mut placed)?;
        unfinished.set_audit_keys(key_file::ready_keys(settings));
        let load = unfinished.begin_load(backup.manifest.schema_version()).await?;
        fill(backup, load, wanted.keep_sessions).await?;
        record(backup, unfinished.db(), wanted.keep_sessions).await?;
        // From here on the files stay, because the mark may be removed even if the last response of the database is
        // lost.
        placed.is_complete = true;
        Ok(unfinished.complete().await?)
    }
    .await;
    drop(placed);
    if restored.is_err() {
        unfinished.discard().await;
    }
    restored
}

/// Refuses paths that exist. After an interrupted restore, the error lists all of them at once.
fn refuse_placed(paths: impl Iterator<Item = PathBuf>, was_cut_off: bool) -> Result<(), BackupError> {
    if !was_cut_off {
        return paths.into_iter().try_for_each(|path| refuse_existing(&path));
    }
    let is_there = |path: &PathBuf| std::fs::symlink_metadata(path).is_ok();
    let left: Vec<String> = paths.filter(is_there).map(|path| path.display().to_string()).collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(BackupError::Refused(format!(
        "a restore was cut off here, and files are left: {}\ndelete them, if that restore made them, and restore again",
        left.join(", ")
    )))
}

/// Fills an empty database with the rows of a backup, and migrates it to the current schema.
pub(super) async fn fill(backup: &mut Backup, mut load: Load, keep_sessions: bool) -> Result<(), BackupError> {
    let tables = backup.tables.clone();
    for table in tables.iter().filter(|table| keep_sessions || table.name != SESSIONS) {
        let mut rows = backup.rows(table)?;
        let mut count = 0_u64;
        loop {
            let batch = rows.batch(Load::batch(table))?;
            if batch.is_empty() {
                break;
            }
            count += u64::try_from(batch.len()).unwrap_or_default();
            let added = load.insert(table, batch).await;
            added.map_err(|cause| {
                BackupError::bad(format!(
                    "the database refused a row among the first {count} of {}: {cause}",
                    table.name
                ))
            })?;
        }
        rows.end()?;
        if load.count(table).await? != i64::try_from(count).unwrap_or(i64::MAX) {
            return Err(BackupError::bad(format!("the rows of {} differ from the restored rows", table.name)));
        }
    }
    Ok(load.finish().await?)
}

/// Refuses a restore unless the configuration is restored to its origin: the file named by `MM_CONFIG`, or the
/// database.
fn refuse_other_place(backup: &Backup, place: &Place) -> Result<(), BackupError> {
    let is_in_file = backup.manifest.configuration == "file";
    let advice = match place {
        Place::File(_) if !is_in_file => "it is in the database there: restore without MM_CONFIG",
        Place::Database | Place::Sqlite if is_in_file => {
            "it is in a config.json there: name a file that is not there yet with MM_CONFIG"
        }
        Place::Postgres(_) => "MM_CONFIG names another database here: restore without it",
        Place::File(_) | Place::Database | Place::Sqlite => return Ok(()),
    };
    Err(BackupError::Refused(format!(
        "the configuration of the backup does not go where MM_CONFIG says: {advice}\n\
         afterwards `quarterdeck config migrate` moves it"
    )))
}

fn refuse_other_keys(backup: &mut Backup, settings: &Settings) -> Result<(), BackupError> {
    let (Some(file), Some(keys)) = (key_file::found(settings), backup.small(KEYS)?) else { return Ok(()) };
    if std::fs::read(&file).is_ok_and(|found| found == keys) {
        return Ok(());
    }
    let file = file.display();
    Err(BackupError::Refused(format!(
        "{file} is there already with other keys than the backup has\n\
         move it away; add its lines to the restored file afterwards if they prove rows of another trail"
    )))
}

fn place_parts(
    backup: &mut Backup,
    wanted: &Restoring<'_>,
    configuration: Option<&Path>,
    placed: &mut CreatedFiles,
) -> Result<(), BackupError> {
    let parts: Vec<Part> = backup.manifest.parts.iter().filter(|part| part.rows.is_none()).cloned().collect();
    for part in parts {
        let target = match part.name.as_str() {
            SETTINGS => wanted.settings.map(|folder| folder.join("config.toml")),
            CUSTOM_DEFAULTS => wanted.settings.map(|folder| folder.join("custom-defaults.json")),
            LICENSE => wanted.settings.map(|folder| folder.join("license.txt")),
            CONFIG => configuration.map(Path::to_owned),
            name => {
                let file = name.strip_prefix(FILES).and_then(inner_path);
                let version = name.strip_prefix(VERSIONS).and_then(inner_path);
                let file = wanted.files.zip(file).map(|(folder, inner)| folder.join(inner));
                let version = configuration.zip(version).map(|(file, inner)| versions_folder(file).join(inner));
                file.or(version)
            }
        };
        if let Some(target) = target {
            write(backup, &part, &target, placed)?;
        }
    }
    Ok(())
}

fn place_keys(backup: &mut Backup, settings: &Settings, placed: &mut CreatedFiles) -> Result<(), BackupError> {
    let Some(part) = backup.manifest.part(KEYS).cloned() else { return Ok(()) };
    match key_file::place_for_new(settings) {
        Some(target) if key_file::found(settings).is_none() => write(backup, &part, &target, placed),
        _ => Ok(()),
    }
}

fn write(backup: &mut Backup, part: &Part, target: &Path, placed: &mut CreatedFiles) -> Result<(), BackupError> {
    if let Some(folder) = target.parent() {
        let missing = folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let missing: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        placed.folders.extend(missing.into_iter().rev());
        private::folder(folder).map_err(BackupError::at(folder))?;
    }
    let mut file = private::create(target).map_err(BackupError::at(target))?;
    placed.files.push(target.to_owned());
    backup.copy(part, &mut file)?;
    file.flush().and_then(|()| file.sync_all()).map_err(BackupError::at(target))
}

/// Writes the restore, and a change of the audit key, to the audit trail.
async fn record(backup: &Backup, db: &Db, keeps_sessions: bool) -> Result<(), BackupError> {
    db.note_audit_key().await?;
    let parameters = json!({
        "backup": backup.manifest.id,
        "taken_at": backup.manifest.taken_at,
        "program": backup.manifest.program,
        "sessions_kept": keeps_sessions,
    });
    let record = AuditRecord { source: "cli", ..own_record(EVENT, Status::Success, parameters) };
    Ok(db.add_audits(&[Arc::new(record)]).await?)
}
