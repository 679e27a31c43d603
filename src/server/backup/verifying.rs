//! Verifies a backup: restores it into a temporary database, and checks the chain of the audit trail there.

use std::path::{Path, PathBuf};

use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::id::new_id;

use super::format::KEYS;
use super::restoring::fill;
use super::{Backup, BackupError};
use crate::files::private;
use crate::store::{AuditKeys, Finding, Mark, Unfinished};

/// The result of a verification.
pub(crate) struct Verification {
    /// The faults of the audit trail; empty if it is intact.
    pub(crate) findings: Vec<Finding>,
    pub(crate) trail_rows: u64,
    pub(crate) trail_end: Mark,
}

/// A folder that is deleted on drop.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Reads every part, restores every row into a database below `scratch`, and verifies the audit trail with `keys` and
/// with the keys in the backup.
pub(crate) async fn verify(
    backup: &mut Backup,
    sql: &SqlSettings,
    mut keys: AuditKeys,
    scratch: &Path,
) -> Result<Verification, BackupError> {
    backup.check()?;
    if let Some(text) = backup.small(KEYS)? {
        let found = String::from_utf8(text).ok().and_then(|text| AuditKeys::parse(&text));
        keys.extend_before(found.ok_or_else(|| BackupError::bad(format!("{KEYS} contains no keys")))?);
    }
    let scratch = Scratch(scratch.join(format!("quarterdeck-verify-{}", new_id())));
    private::new_folder(&scratch.0).map_err(BackupError::at(&scratch.0))?;
    let data_source = scratch.0.join("backup.db").display().to_string();
    let sql = SqlSettings { driver_name: "sqlite".to_owned(), data_source, ..sql.clone() };
    let mut restored = Unfinished::lock(&sql).await?;
    restored.mark().await?;
    restored.set_audit_keys(keys);
    let load = restored.begin_load(backup.manifest.schema_version()).await?;
    fill(backup, load, true).await?;
    let mut findings = Vec::new();
    let verified = restored.db().verify_audits(&mut |finding| findings.push(finding)).await?;
    restored.db().close().await?;
    drop((restored, scratch));
    Ok(Verification { findings, trail_rows: verified.count, trail_end: verified.end })
}
