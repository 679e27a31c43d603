//! Takes away what this server added to a database of Mattermost, so that its schema is the one of before.

use std::collections::BTreeSet;
use std::fs::{File, remove_file};
use std::io::{Error, Write};
use std::path::{Path, PathBuf};

use super::MoveError;
use crate::domain::audit::key_file::{known_keys, read};
use crate::domain::version_store::Place;
use crate::files::private;
use crate::server::starting_config::{place, with_file};
use crate::settings::{Settings, Sources};
use crate::store::mattermost::problem;
use crate::store::{AuditKeys, Db, Detachable, Finding, Mark, StoreError, described};

/// The choice of the operator.
#[derive(Debug, Clone)]
pub(crate) enum Trail {
    /// Nothing is changed.
    DryRun,
    /// The audit trail is written to a new file before it goes. Further key files prove its records.
    Saved { file: PathBuf, keys: Vec<PathBuf> },
    /// The audit trail goes.
    Dropped,
}

/// The maximum number of findings in the output.
const MAX_TOLD: usize = 10;

/// The objects that were taken away, or would be.
#[derive(Debug)]
pub(crate) struct Detached {
    /// The database, without the password.
    pub(crate) place: String,
    /// The number of the newest migration of the Mattermost.
    pub(crate) schema: i64,
    pub(crate) found: Detachable,
    /// The number of the records that were written to the file, and the last one.
    pub(crate) exported: Option<(u64, Mark)>,
    /// Places of the trail where a server found the end mark wrong and went on.
    pub(crate) repaired: Vec<String>,
    /// The servers that keep the objects from being taken away.
    pub(crate) servers: Vec<String>,
    /// The number of versions of the configuration, if their table goes.
    pub(crate) versions: i64,
    /// The number of files of the configuration, if their table goes, and the names of the first.
    pub(crate) files: (i64, Vec<String>),
    /// The database with the configuration, if it is another one. It stays as it is.
    pub(crate) elsewhere: Option<String>,
}

/// Takes the objects away, in one transaction. Refuses a database of another program before anything else, and one that
/// is in use.
pub(crate) async fn detach(settings: Settings, sources: &Sources, trail: &Trail) -> Result<Detached, MoveError> {
    let settings = with_file(settings, sources).await?;
    let source = settings.config.view.sql.data_source.clone();
    let failed = |cause| refusal(&source, cause);
    let open = || Db::new(&settings.config.view.sql).map_err(failed);
    let db = open()?;
    let Some(schema) = db.mattermost_schema().await.map_err(failed)? else {
        return Err(MoveError::Refused(format!(
            "{} is not a database of Mattermost that this server can find in its search path",
            described(&source)
        )));
    };
    let found = db.detachable().await.map_err(failed)?;
    let has_nodes = found.has_table("qd_nodes");
    let servers =
        if has_nodes && found.has_function("qd_now()") { db.living_nodes().await.map_err(failed)? } else { Vec::new() };
    let goes = found.has_table("configurations");
    let versions = if goes { db.versions_found().await.map_err(failed)? } else { 0 };
    let goes = found.has_table("configurationfiles");
    let files = if goes { db.configuration_files_found().await.map_err(failed)? } else { (0, Vec::new()) };
    let elsewhere = match place(sources)?.seen_from(&settings.config.view.sql) {
        Place::Postgres(address) => Some(described(&address)),
        Place::Database | Place::Sqlite | Place::File(_) => None,
    };
    let (place, repaired) = (described(&source), Vec::new());
    let mut report = Detached { place, schema, found, exported: None, repaired, servers, versions, files, elsewhere };
    db.close().await.map_err(failed)?;
    if matches!(trail, Trail::DryRun) || report.found.is_empty() {
        return Ok(report);
    }
    let (file, keys) = match trail {
        Trail::Saved { file, keys } => (Some(file), keys_of(&settings, keys)?),
        Trail::DryRun | Trail::Dropped => (None, AuditKeys::default()),
    };
    let locking = open()?;
    let detaching = locking.begin_detaching(has_nodes).await.map_err(failed)?;
    // A server may have started between the first look and the lock.
    let db = open()?;
    report.found = db.detachable().await.map_err(failed)?;
    report.found.refuse_unknown().map_err(failed)?;
    report.found.refuse_without_rights().map_err(failed)?;
    let file = file.map(|path| TrailFile::new(path)).transpose()?;
    if let Some(file) = &file {
        let has_trail = report.found.has_table("qd_audits") && report.found.has_table("qd_audits_open");
        report.exported = Some((0, Mark::default()));
        if has_trail {
            let verified = closed_and_verified(&db, keys).await?;
            file.write(&db, &verified).await?;
            report.exported = Some((verified.count, verified.end));
            report.repaired = verified.repaired;
        }
    }
    db.close().await.map_err(failed)?;
    let end = report.exported.as_ref().map(|(_, end)| end).filter(|_| report.found.has_table("qd_audits"));
    detaching.prepare(&report.found, end, &source).await.map_err(failed)?;
    // From here on the file may be the only place of the trail: the answer to COMMIT can be lost.
    let kept = file.map(TrailFile::keep);
    let unknown = |cause: StoreError| {
        let kept = kept.map(|path| format!("; the audit trail is in {}", path.display())).unwrap_or_default();
        MoveError::Unknown(format!(
            "it is unknown if the objects are gone, because the end of the transaction has no answer ({}): look with \
             `quarterdeck detach --dry-run`{kept}",
            problem(&cause)
        ))
    };
    detaching.commit().await.map_err(unknown)?;
    Ok(report)
}

/// Returns the keys of this server with those of further files. Creates none.
fn keys_of(settings: &Settings, files: &[PathBuf]) -> Result<AuditKeys, MoveError> {
    let mut keys = known_keys(settings);
    for file in files {
        let others = read(file).map_err(|problem| MoveError::Refused(format!("{}: {problem}", file.display())))?;
        keys.extend_before(others);
    }
    Ok(keys)
}

/// A trail without findings.
struct Verified {
    count: u64,
    end: Mark,
    /// The ids of the keys of its records.
    keys: BTreeSet<String>,
    repaired: Vec<String>,
}

/// Verifies the trail, and gives drafts of servers that ended early their places in it, because no server is left to add
/// them. A trail that is refused stays as it is.
async fn closed_and_verified(db: &Db, keys: AuditKeys) -> Result<Verified, MoveError> {
    let in_use = keys.in_use().to_owned();
    let db = db.clone().with_audit_keys(keys);
    let found = verified(&db).await?;
    let drafts = db.drafts_found().await.map_err(|cause| unread(&cause))?;
    if drafts == 0 {
        return Ok(found);
    }
    // A record under another key would be a finding, and so would the end mark.
    if found.count > 0 && !found.keys.contains(&in_use) {
        return Err(MoveError::Refused(format!(
            "{drafts} records are not in the audit trail yet, and the key in use here is not one of the trail: start the \
             server once, which adds them, and stop it"
        )));
    }
    db.close_drafts(i64::MAX).await.map_err(|cause| unread(&cause))?;
    let left = db.drafts_found().await.map_err(|cause| unread(&cause))?;
    if left > 0 {
        return Err(MoveError::Refused(format!(
            "{left} drafts of audit records cannot be read: keep them with `quarterdeck backup`, and name --without-trail"
        )));
    }
    verified(&db).await
}

/// Verifies the trail, and refuses it with any finding but an end mark that a server has repaired.
async fn verified(db: &Db) -> Result<Verified, MoveError> {
    let (mut findings, mut missing, mut repaired) = (0_u64, Vec::new(), Vec::new());
    let mut report = |finding: Finding| {
        let told = if matches!(finding, Finding::Repaired { .. }) {
            &mut repaired
        } else if finding.missing_key().is_some() {
            &mut missing
        } else {
            findings += 1;
            return;
        };
        if told.len() < MAX_TOLD {
            told.push(finding.to_string());
        }
    };
    let verified = db.verify_audits(&mut report).await.map_err(|cause| unread(&cause))?;
    // Without its key a record proves nothing, so this comes first.
    if !missing.is_empty() {
        return Err(MoveError::Refused(format!("the audit trail cannot be verified here: {}", missing.join("; "))));
    }
    if findings > 0 {
        return Err(MoveError::Refused(format!(
            "the audit trail was changed ({findings} findings, which `quarterdeck audit verify` lists): keep it with \
             `quarterdeck backup`, and name --without-trail"
        )));
    }
    let keys = verified.keys.into_keys().collect();
    let end = if verified.count == 0 { Mark::default() } else { verified.end };
    Ok(Verified { count: verified.count, end, keys, repaired })
}

fn unread(cause: &StoreError) -> MoveError {
    MoveError::Refused(format!("the audit trail cannot be read: {}", problem(cause)))
}

fn refusal(source: &str, cause: StoreError) -> MoveError {
    if let StoreError::Setting(text) = cause {
        return MoveError::Refused(text);
    }
    MoveError::Target { place: described(source), problem: problem(&cause) }
}

/// The file with the audit trail. It is removed if the objects are not taken away.
struct TrailFile {
    path: PathBuf,
    file: File,
    is_kept: bool,
}

impl TrailFile {
    fn new(path: &Path) -> Result<Self, MoveError> {
        let file = private::create(path).map_err(|cause| unwritten(path, &cause))?;
        Ok(Self { path: path.to_owned(), file, is_kept: false })
    }

    /// Writes the trail, as it was verified, to the disk.
    async fn write(&self, db: &Db, verified: &Verified) -> Result<(), MoveError> {
        let (mut count, mut end) = (0, Mark::default());
        loop {
            let lines = db.audit_lines(end.number).await.map_err(|cause| unread(&cause))?;
            let Some((last, _)) = lines.last() else { break };
            end = last.clone();
            for (_, line) in &lines {
                writeln!(&self.file, "{line}").map_err(|cause| unwritten(&self.path, &cause))?;
            }
            count += u64::try_from(lines.len()).unwrap_or_default();
        }
        if (count, &end) != (verified.count, &verified.end) {
            return Err(MoveError::Refused("the audit trail changed while it was exported: try again".to_owned()));
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = self.file.sync_all().and_then(|()| File::open(folder)?.sync_all());
        synced.map_err(|cause| unwritten(&self.path, &cause))
    }

    /// Keeps the file, and returns its path.
    fn keep(mut self) -> PathBuf {
        self.is_kept = true;
        self.path.clone()
    }
}

impl Drop for TrailFile {
    fn drop(&mut self) {
        if !self.is_kept {
            // An error is ignored: the next run refuses the file and names it.
            let _ = remove_file(&self.path);
        }
    }
}

fn unwritten(path: &Path, cause: &Error) -> MoveError {
    MoveError::Refused(format!("the audit trail cannot be written to {}: {cause}", path.display()))
}
