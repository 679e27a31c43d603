//! Adds the files of a local store to a backup.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use quarterdeck_actors::config::Config;

use super::BackupError;
use super::format::FILES;
use crate::domain::support_packet::Archive;

/// The driver name of a store in a local folder.
const LOCAL: &str = "local";

/// The number of files that were added, and of those left out because they are links or not regular files.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Added {
    pub(super) files: u64,
    pub(super) left_out: u64,
}

/// Adds every file of the store except `except`, which are files of the server itself.
pub(super) fn add<W: Write>(
    archive: &mut Archive<W>,
    config: &Config,
    except: &[PathBuf],
) -> Result<Added, BackupError> {
    let store = &config.view.file.files;
    if store.driver_name != LOCAL {
        let driver = &store.driver_name;
        return Err(BackupError::Refused(format!("the files are in {driver}, not in a folder: back them up there")));
    }
    let root = PathBuf::from(&store.directory);
    let except: Vec<PathBuf> = except.iter().filter_map(|path| std::fs::canonicalize(path).ok()).collect();
    let mut added = Added::default();
    let mut folders = if root.exists() { vec![root.clone()] } else { Vec::new() };
    while let Some(folder) = folders.pop() {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(BackupError::at(&folder))? {
            paths.push(entry.map_err(BackupError::at(&folder))?.path());
        }
        paths.sort();
        for path in paths {
            if std::fs::canonicalize(&path).is_ok_and(|path| except.contains(&path)) {
                continue;
            }
            match std::fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() => folders.push(path),
                Ok(found) if found.is_file() => added.files += u64::from(add_one(archive, &root, &path)?),
                Ok(_) => added.left_out += 1,
                // The file was deleted meanwhile.
                Err(_) => {}
            }
        }
    }
    Ok(added)
}

/// Adds one file. Returns false if it was deleted meanwhile.
fn add_one<W: Write>(archive: &mut Archive<W>, root: &Path, path: &Path) -> Result<bool, BackupError> {
    let inner = path.strip_prefix(root).ok().and_then(Path::to_str);
    let inner = inner.filter(|inner| super::format::inner_path(inner).is_some());
    let Some(inner) = inner else {
        return Err(BackupError::Refused(format!("{}: a backup cannot contain a file with this name", path.display())));
    };
    let Ok(mut file) = File::open(path) else { return Ok(false) };
    let mut entry = archive.begin(&format!("{FILES}{inner}")).map_err(BackupError::at(path))?;
    std::io::copy(&mut file, &mut entry).map_err(BackupError::at(path))?;
    entry.end();
    Ok(true)
}
