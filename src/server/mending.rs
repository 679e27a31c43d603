//! Makes files and folders private at the start that earlier versions of the server created readable for all users.

use std::path::{Path, PathBuf};

use quarterdeck_actors::config::Config;

use crate::domain::audit::key_file::DEFAULT_NAME;
use crate::files::private;
use crate::store;
use crate::telemetry::logging::{MAX_ROTATED_FILES, file_path, log_files, requests_path};

/// Makes the files private that these settings name and an earlier version created: the embedded database, the log,
/// the key of the audit trail, and the folders of these and of local stores.
pub(super) fn mend(config: &Config) {
    let (files, folders) = own(config);
    private::mend(&files, &folders);
}

/// Returns the paths of the files and folders that a server with this configuration creates.
fn own(config: &Config) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let view = &config.view;
    let logs = [file_path(&view.log), requests_path(&view.log)];
    let mut files: Vec<PathBuf> = logs.iter().flat_map(|log| log_files(log, MAX_ROTATED_FILES)).collect();
    if view.sql.driver_name == "sqlite" {
        files.extend(store::embedded_files(Path::new(&view.sql.data_source)));
    }
    let mut folders: Vec<PathBuf> = files.iter().filter_map(|file| file.parent()).map(Path::to_owned).collect();
    let stores = view.stores().into_iter().map(|which| view.store(which));
    let local = stores.filter(|store| store.driver_name == "local" && !store.directory.is_empty());
    folders.extend(local.map(|store| PathBuf::from(store.directory)));
    if view.service.enable_local_mode {
        // The folder of the socket belongs to the operator: the server does not create it.
        files.push(PathBuf::from(&view.service.local_mode_socket_location));
    }
    files.push(Path::new(&view.file.files.directory).join(DEFAULT_NAME));
    (files, folders)
}
