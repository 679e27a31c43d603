//! Takes away what this server added to a database of Mattermost, so that its schema is the one of before.

use std::fs::{File, remove_file};
use std::io::{Error, Write};
use std::path::{Path, PathBuf};

use super::MoveError;
use crate::domain::audit::key_file::{known_keys, ready_keys};
use crate::files::private;
use crate::server::starting_config::with_file;
use crate::settings::{Settings, Sources};
use crate::store::mattermost::problem;
use crate::store::{Db, Detachable, Mark, StoreError, described};

/// The choice of the operator.
#[derive(Debug, Clone)]
pub(crate) enum Trail {
    /// Nothing is changed.
    DryRun,
    /// The audit trail is written to a new file before it goes.
    Saved(PathBuf),
    /// The audit trail goes.
    Dropped,
}

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
    /// The servers that keep the objects from being taken away.
    pub(crate) servers: Vec<String>,
    /// The number of versions of the configuration, if their table goes.
    pub(crate) versions: i64,
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
            "{} is no database of Mattermost that this server can find in its search path",
            described(&source)
        )));
    };
    let found = db.detachable().await.map_err(failed)?;
    let has_nodes = found.has_table("qd_nodes");
    let servers =
        if has_nodes && found.has_function("qd_now()") { db.living_nodes().await.map_err(failed)? } else { Vec::new() };
    let goes = found.has_table("configurations");
    let versions = if goes { db.versions_found().await.map_err(failed)? } else { 0 };
    let mut report = Detached { place: described(&source), schema, found, exported: None, servers, versions };
    db.close().await.map_err(failed)?;
    if matches!(trail, Trail::DryRun) || report.found.is_empty() {
        return Ok(report);
    }
    let locking = open()?;
    let detaching = locking.begin_detaching(has_nodes).await.map_err(failed)?;
    // A server may have started between the first look and the lock.
    let db = open()?;
    report.found = db.detachable().await.map_err(failed)?;
    report.found.refuse_without_rights().map_err(failed)?;
    let file = match trail {
        Trail::Saved(path) => Some(TrailFile::new(path)?),
        Trail::DryRun | Trail::Dropped => None,
    };
    if let Some(file) = &file {
        let has_trail = report.found.has_table("qd_audits") && report.found.has_table("qd_audits_open");
        let db = db.clone().with_audit_keys(if has_trail { ready_keys(&settings) } else { known_keys(&settings) });
        report.exported = Some(if has_trail { file.write(&db).await? } else { (0, Mark::default()) });
    }
    db.close().await.map_err(failed)?;
    let end = report.exported.as_ref().map(|(_, end)| end).filter(|_| report.found.has_table("qd_audits"));
    detaching.finish(&report.found, end, &source).await.map_err(failed)?;
    if let Some(file) = file {
        file.keep();
    }
    Ok(report)
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

    /// Writes the trail, as it was verified, to the disk. Returns the number of its records and the last one.
    async fn write(&self, db: &Db) -> Result<(u64, Mark), MoveError> {
        let failed =
            |cause: StoreError| MoveError::Refused(format!("the audit trail cannot be read: {}", problem(&cause)));
        // Drafts of servers that ended early get their places, because no server is left to add them.
        db.close_drafts(i64::MAX).await.map_err(failed)?;
        let mut findings = 0_u64;
        let verified = db.verify_audits(&mut |_| findings += 1).await.map_err(failed)?;
        if findings > 0 {
            return Err(MoveError::Refused(format!(
                "the audit trail was changed ({findings} findings, which `quarterdeck audit verify` lists): keep it with \
                 `quarterdeck backup`, and name --without-trail"
            )));
        }
        let (mut count, mut end) = (0, Mark::default());
        loop {
            let lines = db.audit_lines(end.number).await.map_err(failed)?;
            let Some((last, _)) = lines.last() else { break };
            end = last.clone();
            for (_, line) in &lines {
                writeln!(&self.file, "{line}").map_err(|cause| unwritten(&self.path, &cause))?;
            }
            count += u64::try_from(lines.len()).unwrap_or_default();
        }
        let is_whole = count == verified.count && (count == 0 || end == verified.end);
        if !is_whole {
            return Err(MoveError::Refused("the audit trail changed while it was exported: try again".to_owned()));
        }
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = self.file.sync_all().and_then(|()| File::open(folder)?.sync_all());
        synced.map_err(|cause| unwritten(&self.path, &cause))?;
        Ok((count, end))
    }

    fn keep(mut self) {
        self.is_kept = true;
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
