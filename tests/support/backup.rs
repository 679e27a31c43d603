//! Backups as an operator makes and restores them.

use std::process::Output;

use super::process::{Process, Workplace};
use super::server::account;
use super::{Client, configuration::nested};

pub const QUIET: &str =
    "[LogSettings]\nEnableConsole = false\nEnableFile = false\n[FileSettings]\nDirectory = \"files\"\n";

/// A place with a running server that has an administrator, an ordinary account and a stored setting.
pub async fn inhabited(settings: &str) -> (Workplace, Process, Client) {
    let place = Workplace::new(settings).await;
    let (server, admin) = inhabit(&place).await;
    (place, server, admin)
}

/// Starts a server with an administrator in a place that is there already.
pub async fn inhabit(place: &Workplace) -> (Process, Client) {
    let server = place.serve().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    admin.post("/users", account("anna")).await.expect(201);
    admin.put("/config/patch", nested("TeamSettings.SiteName", "Ünïted")).await.expect(200);
    (server, admin)
}

/// Standard output of a command that went well.
pub fn good(ended: Output) -> String {
    assert!(ended.status.success(), "{ended:?}");
    String::from_utf8(ended.stdout).unwrap()
}

/// Standard error of a command that failed.
pub fn bad(ended: Output) -> String {
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    String::from_utf8(ended.stderr).unwrap()
}

/// The names of everything in the folder of a place.
pub fn names(place: &Workplace) -> Vec<String> {
    let entries = std::fs::read_dir(place.path("")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
