//! Files and folders that earlier versions of the server made for everybody are made private at its start.

use std::path::{Path, PathBuf};

use quarterdeck_actors::config::Config;

use crate::domain::audit::key_file::DEFAULT_NAME;
use crate::files::private;
use crate::store;
use crate::telemetry::logging::{FILES_KEPT, file_path};

/// Makes private what these settings name and an earlier version made: the database of the embedded engine, the log,
/// the key of the audit trail, and the folders of these and of local stores.
pub(super) fn mend(config: &Config) {
    let (files, folders) = own(config);
    private::mend(&files, &folders);
}

/// The files and the folders that a server with this configuration makes, by name.
fn own(config: &Config) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let view = &config.view;
    let log = file_path(&view.log);
    let aside = (1..=FILES_KEPT).map(|number| PathBuf::from(format!("{}.{number}", log.display())));
    let mut files: Vec<PathBuf> = aside.collect();
    files.push(log);
    if view.sql.driver_name == "sqlite" {
        files.extend(store::embedded_files(Path::new(&view.sql.data_source)));
    }
    let mut folders: Vec<PathBuf> = files.iter().filter_map(|file| file.parent()).map(Path::to_owned).collect();
    let stores = view.stores().into_iter().map(|which| view.store(which));
    let local = stores.filter(|store| store.driver_name == "local" && !store.directory.is_empty());
    folders.extend(local.map(|store| PathBuf::from(store.directory)));
    if view.service.enable_local_mode {
        // Its folder is the operator's: the server makes none for it.
        files.push(PathBuf::from(&view.service.local_mode_socket_location));
    }
    files.push(Path::new(&view.file.files.directory).join(DEFAULT_NAME));
    (files, folders)
}
