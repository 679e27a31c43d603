//! Backups as an operator creates and restores them.

use std::process::Output;
use std::time::{Duration, Instant};

use rand::Rng;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;

use super::backdoor::texts_in;
use super::process::{Process, Workplace};
use super::server::account;
use super::waiting::until;
use super::{Client, configuration::nested};

pub const QUIET: &str =
    "[LogSettings]\nEnableConsole = false\nEnableFile = false\n[FileSettings]\nDirectory = \"files\"\n";

/// Creates a place with a running server that has an administrator, an ordinary account and a stored setting.
pub async fn inhabited(settings: &str) -> (Workplace, Process, Client) {
    let place = Workplace::new(settings).await;
    let (server, admin) = inhabit(&place).await;
    (place, server, admin)
}

/// Starts a server with an administrator in an existing place.
pub async fn inhabit(place: &Workplace) -> (Process, Client) {
    let server = place.serve().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    admin.post("/users", account("anna")).await.expect(201);
    admin.put("/config/patch", nested("TeamSettings.SiteName", "Ünïted")).await.expect(200);
    (server, admin)
}

/// Returns the standard output of a command that must succeed.
pub fn good(ended: Output) -> String {
    assert!(ended.status.success(), "{ended:?}");
    String::from_utf8(ended.stdout).unwrap()
}

/// Returns the standard error of a command that must fail.
pub fn bad(ended: Output) -> String {
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    String::from_utf8(ended.stderr).unwrap()
}

/// Returns the names of all files in the folder of a place.
pub fn names(place: &Workplace) -> Vec<String> {
    let entries = std::fs::read_dir(place.path("")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Queries for the tables that a restore does not change; each returns all rows of its table as text.
const SAME: [&str; 7] = [
    "SELECT id || username || email || password || roles || CAST(createat AS varchar) FROM users ORDER BY id",
    "SELECT userid || category || name || value FROM preferences ORDER BY userid, category, name",
    "SELECT id || name || permissions FROM roles ORDER BY id",
    "SELECT id || sha || value FROM configurations ORDER BY id",
    "SELECT id || changes FROM qd_configversions ORDER BY id",
    "SELECT name || data FROM configurationfiles ORDER BY name",
    "SELECT name || value FROM systems WHERE name NOT LIKE 'QuarterdeckAudit%' AND name NOT LIKE 'QuarterdeckOpen%' \
     AND name NOT LIKE 'health%' ORDER BY name",
];

/// Returns the rows of those tables.
pub async fn content(place: &Workplace) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for sql in SAME {
        all.push(texts_in(&place.path(""), sql).await);
    }
    all
}

/// Makes a place use a file of the embedded engine, also in a run on PostgreSQL.
pub fn on_sqlite(place: &Workplace, name: &str) {
    let file = place.path(name).display().to_string();
    place.configure(&format!("{QUIET}[SqlSettings]\nDriverName = \"sqlite\"\nDataSource = \"{file}\"\n"));
}

/// Copies a file into another place.
pub fn bring(from: &Workplace, to: &Workplace, name: &str) {
    std::fs::copy(from.path(name), to.path(name)).unwrap();
}

/// Returns the number of times that a command is killed. Nightly runs set a higher number.
pub fn kills() -> usize {
    std::env::var("QUARTERDECK_TEST_BACKUP_KILLS").map_or(6, |text| text.parse().unwrap())
}

/// The time of a kill.
#[derive(Debug, Clone, Copy)]
pub enum Moment {
    /// After this many bytes are written.
    Written(u64),
    /// After this part of the command's duration, in percent.
    Elapsed(u32),
}

/// Returns `count` times of kills, spread over the work of a command that writes `bytes`.
pub fn moments(count: usize, bytes: u64) -> Vec<Moment> {
    let half = count.div_ceil(2);
    let written = (0..half).map(|number| Moment::Written(bytes * as_u64(number) / as_u64(half)));
    let elapsed = (half..count).map(|_| Moment::Elapsed(rand::random_range(0..100)));
    written.chain(elapsed).collect()
}

fn as_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap()
}

/// Creates files that cannot be compressed in the store of a place. Returns their total size in bytes.
pub fn filled(place: &Workplace) -> u64 {
    const FILES: usize = 24;
    const BYTES: usize = 128 * 1024;
    std::fs::create_dir_all(place.path("files")).unwrap();
    for number in 0..FILES {
        let mut bytes = vec![0; BYTES];
        rand::rng().fill_bytes(&mut bytes);
        std::fs::write(place.path(&format!("files/{number}")), bytes).unwrap();
    }
    as_u64(FILES * BYTES)
}

/// Runs a command and kills it at a given time, unless it ends before. `written` returns the progress of the command.
pub async fn kill_at(
    place: &Workplace,
    arguments: &[&str],
    moment: Moment,
    written: impl Fn(&Workplace) -> Option<u64>,
) {
    let began = Instant::now();
    let mut child = place.begin(arguments);
    let is_due = || match moment {
        Moment::Written(bytes) => written(place).is_some_and(|written| written >= bytes),
        // A command takes about a second here. With another duration the kill only comes at another point of its work.
        Moment::Elapsed(percent) => began.elapsed() >= Duration::from_millis(10) * percent,
    };
    until("the moment comes or the command ends", async || is_due() || child.try_wait().unwrap().is_some()).await;
    child.kill().await.unwrap();
}

/// Sends a signal to a command.
pub fn signal(child: &Child, signal: Signal) {
    let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).unwrap();
    kill_process(id, signal).unwrap();
}
