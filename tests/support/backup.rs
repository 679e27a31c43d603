//! Backups as an operator makes and restores them.

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

/// Every table that a restore leaves as it was, by a text that says all of its rows.
const SAME: [&str; 6] = [
    "SELECT id || username || email || password || roles || CAST(createat AS varchar) FROM users ORDER BY id",
    "SELECT userid || category || name || value FROM preferences ORDER BY userid, category, name",
    "SELECT id || name || permissions FROM roles ORDER BY id",
    "SELECT id || sha || value FROM configurations ORDER BY id",
    "SELECT id || changes FROM qd_configversions ORDER BY id",
    "SELECT name || value FROM systems WHERE name NOT LIKE 'QuarterdeckAudit%' AND name NOT LIKE 'QuarterdeckOpen%' \
     AND name NOT LIKE 'health%' ORDER BY name",
];

/// The rows of those tables.
pub async fn content(place: &Workplace) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for sql in SAME {
        all.push(texts_in(&place.path(""), sql).await);
    }
    all
}

/// From now on a place is on a file of the embedded engine, whatever this run is about.
pub fn on_sqlite(place: &Workplace, name: &str) {
    let file = place.path(name).display().to_string();
    place.configure(&format!("{QUIET}[SqlSettings]\nDriverName = \"sqlite\"\nDataSource = \"{file}\"\n"));
}

/// Copies a file into another place.
pub fn bring(from: &Workplace, to: &Workplace, name: &str) {
    std::fs::copy(from.path(name), to.path(name)).unwrap();
}

/// How often a command is killed; more in a night than in a coffee break.
pub fn kills() -> usize {
    std::env::var("QUARTERDECK_TEST_BACKUP_KILLS").map_or(6, |text| text.parse().unwrap())
}

/// The moment of a kill.
#[derive(Debug, Clone, Copy)]
pub enum Moment {
    /// Once so many bytes are written.
    Written(u64),
    /// After a share of the time that a command takes, in percent.
    Elapsed(u32),
}

/// Returns `count` moments, spread over the work of a command that writes `bytes`.
pub fn moments(count: usize, bytes: u64) -> Vec<Moment> {
    let half = count.div_ceil(2);
    let written = (0..half).map(|number| Moment::Written(bytes * as_u64(number) / as_u64(half)));
    let elapsed = (half..count).map(|_| Moment::Elapsed(rand::random_range(0..100)));
    written.chain(elapsed).collect()
}

fn as_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap()
}

/// Gives the store of a place files that cannot be compressed; gives how many bytes.
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

/// Runs a command and kills it at that moment, or lets it end before. `written` says how far it is.
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
        // A command takes about a second here; another time only makes another moment.
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
