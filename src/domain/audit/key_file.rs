//! The file with the keys of the audit trail. The first start creates it.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use data_encoding::HEXLOWER;
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;
use tracing::{error, info, warn};

use crate::files::private;
use crate::settings::Settings;
use crate::settings::named_file::{MAX_KEY_BYTES, text};
use crate::store::AuditKeys;

/// The name of the file, if no option names another.
pub(crate) const DEFAULT_NAME: &str = "audit.key";

const COMMENT: &str = "\
# The key of the audit trail, one of 64 hexadecimal digits a line. The last one is used for new rows.
# Earlier ones prove older rows: keep them. Keep a copy of this file where the database is not.
";

/// Reads the keys, and creates the file if there is none.
///
/// If the file is unusable, the server starts anyway: then rows are chained without a key, and the log warns of it.
pub(crate) fn ready_keys(settings: &Settings) -> AuditKeys {
    let places = places(settings);
    if let Some(found) = places.iter().find(|file| file.exists()) {
        let is_made_by_server = settings.options.audit_key_file.is_none();
        if is_made_by_server {
            // A restored copy may be readable for other users.
            private::mend(std::slice::from_ref(found), &[]);
        }
        return read_or_report(found);
    }
    for file in &places {
        match make(file) {
            Ok(()) => return read_or_report(file),
            Err(cause) => warn!(file = %file.display(), %cause, "the audit key cannot be stored at this path"),
        }
    }
    error!("no audit key could be created: audit rows are chained without a key");
    AuditKeys::default()
}

/// Reads the keys, if the file exists. Creates nothing.
pub(crate) fn known_keys(settings: &Settings) -> AuditKeys {
    places(settings).iter().find(|file| file.exists()).map_or_else(AuditKeys::default, |file| read_or_report(file))
}

/// Returns the path of the existing key file, if there is one.
pub(crate) fn found(settings: &Settings) -> Option<PathBuf> {
    places(settings).into_iter().find(|file| file.exists())
}

/// Returns the preferred path for a new key file.
pub(crate) fn place_for_new(settings: &Settings) -> Option<PathBuf> {
    places(settings).into_iter().next()
}

/// Reads a key file.
pub(crate) fn read(file: &Path) -> Result<AuditKeys, String> {
    let text = text(file, MAX_KEY_BYTES).map(Secret::new).map_err(|cause| cause.to_string())?;
    AuditKeys::parse(text.expose())
        .ok_or_else(|| "the file must contain one key of 64 hexadecimal digits per line".to_owned())
}

/// Returns the possible paths of the file, the preferred one first.
fn places(settings: &Settings) -> Vec<PathBuf> {
    if let Some(named) = &settings.options.audit_key_file {
        return vec![named.clone()];
    }
    let beside_settings = settings.folder.as_ref().map(|folder| folder.join(DEFAULT_NAME));
    let data = Path::new(&settings.config.view.file.files.directory).join(DEFAULT_NAME);
    beside_settings.into_iter().chain([data]).collect()
}

fn read_or_report(file: &Path) -> AuditKeys {
    read(file).unwrap_or_else(|problem| {
        error!(
            file = %file.display(),
            problem,
            "the audit key file cannot be read: audit rows are chained without a key"
        );
        AuditKeys::default()
    })
}

/// Creates the complete file or none. If another server creates it first, that file stays.
fn make(file: &Path) -> std::io::Result<()> {
    let mut key = [0; 32];
    rand::fill(&mut key).map_err(|_| std::io::Error::other("no random numbers"))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    private::folder(folder)?;
    let draft = folder.join(format!(".{DEFAULT_NAME}.{}", new_id()));
    let written = write(&draft, &Secret::new(format!("{COMMENT}{}\n", HEXLOWER.encode(&key))));
    let linked = written.and_then(|()| std::fs::hard_link(&draft, file));
    let _ = std::fs::remove_file(&draft);
    match linked {
        Ok(()) => info!(file = %file.display(), "audit key created; keep a copy of the file"),
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {}
        Err(cause) => return Err(cause),
    }
    // Syncs the folder, so that the file's name survives a power loss.
    std::fs::File::open(folder)?.sync_all()
}

fn write(file: &Path, text: &Secret) -> std::io::Result<()> {
    let mut file = private::create(file)?;
    file.write_all(text.expose().as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn servers_that_start_at_once_agree_on_one_key_that_only_its_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/audit.key");
        let ids: Vec<String> = std::thread::scope(|scope| {
            let start = || {
                make(&file).unwrap();
                read(&file).unwrap().in_use().to_owned()
            };
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0] && id.len() == 16), "{ids:?}");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no draft is left");
    }
}
