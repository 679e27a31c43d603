//! `kill -9` during `quarterdeck restore`: the place is complete or unusable, and a repeated restore completes it.

use std::process::Output;

use rustix::process::Signal;

use crate::support::backup::{
    Moment, QUIET, bad, bring, content, filled, good, inhabit, kill_at, kills, moments, names, on_sqlite, signal,
};
use crate::support::configuration::nested;
use crate::support::database;
use crate::support::process::Workplace;
use crate::support::server::account;
use crate::support::waiting::until;

const RESTORE: [&str; 5] = ["restore", "one.qdbackup", "--keep-sessions", "--files", "files"];

/// The engine of the target; `Own` is the engine of this run.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Engine {
    Own,
    Sqlite,
}

/// A stopped place with a backup.
struct Source {
    place: Workplace,
    rows: Vec<Vec<String>>,
    bytes: u64,
}

impl Source {
    async fn new(engine: Engine) -> Self {
        let place = Workplace::new(QUIET).await;
        if engine == Engine::Sqlite {
            on_sqlite(&place, "test.db");
        }
        let (server, _) = inhabit(&place).await;
        assert!(server.stop().await.success());
        let bytes = filled(&place);
        good(place.run(&["backup", "one.qdbackup", "--with-files", "--with-keys"], "").await);
        let rows = content(&place).await;
        Self { place, rows, bytes }
    }

    /// Creates a new place with the backup in it.
    async fn target(&self) -> Workplace {
        let target = Workplace::new(QUIET).await;
        bring(&self.place, &target, "one.qdbackup");
        target
    }
}

fn arguments(engine: Engine) -> Vec<&'static str> {
    match engine {
        Engine::Own => RESTORE.to_vec(),
        Engine::Sqlite => [&RESTORE[..], &["--into", "other.db"]].concat(),
    }
}

/// Returns the bytes of the files that were written; `None` before the mark exists.
fn placed(place: &Workplace) -> Option<u64> {
    let files = std::fs::read_dir(place.path("files")).ok()?;
    Some(files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum())
}

/// Returns true if another command refuses the place as incomplete.
async fn is_unfinished(place: &Workplace) -> bool {
    let ended = place.run(&["check"], "").await;
    let said = String::from_utf8(ended.stderr).unwrap();
    let is_unfinished = said.contains("a restore was cut off");
    assert!(ended.status.success() || is_unfinished, "{said}");
    is_unfinished
}

#[actix_web::test]
async fn a_killed_restore_is_whole_or_no_installation_and_can_be_repeated() {
    rounds(Engine::Own, Engine::Own, kills()).await;
}

#[actix_web::test]
async fn a_killed_restore_into_the_other_engine_can_be_repeated_as_well() {
    if database::base().is_some() {
        rounds(Engine::Own, Engine::Sqlite, kills().div_ceil(2)).await;
        rounds(Engine::Sqlite, Engine::Own, kills().div_ceil(2)).await;
    } else {
        rounds(Engine::Own, Engine::Sqlite, kills().div_ceil(2)).await;
    }
}

async fn rounds(from: Engine, to: Engine, kills: usize) {
    let source = Source::new(from).await;
    let mut cut_off = 0;
    for moment in moments(kills, source.bytes) {
        let target = source.target().await;
        kill_at(&target, &arguments(to), moment, placed).await;
        if to == Engine::Sqlite {
            on_sqlite(&target, "other.db");
        }
        if is_unfinished(&target).await {
            cut_off += 1;
            let refused = bad(target.run(&["serve"], "").await);
            assert!(refused.contains("run `quarterdeck restore` again"), "{refused}");
        }
        repeat(&target, to).await;
        assert_eq!(content(&target).await, source.rows, "{moment:?}");
        assert_eq!(placed(&target), Some(source.bytes), "{moment:?}");
        good(target.run(&["audit", "verify"], "").await);
        assert!(!names(&target).iter().any(|name| name.contains("-restore")), "{:?}", names(&target));
        let server = target.serve().await;
        server.client().log_in("anna").await;
        assert!(server.stop().await.success());
    }
    assert!(cut_off > 0, "no round was in the middle");
    println!("{cut_off} of {kills} restores from {from:?} to {to:?} were cut off");
}

/// Restores again, unless the killed restore was complete.
async fn repeat(target: &Workplace, to: Engine) {
    let is_complete = !is_unfinished(target).await && !content_is_missing(target).await;
    let ended = target.run(&arguments(to), "").await;
    if is_complete {
        bad(ended);
        return;
    }
    if !ended.status.success() {
        let refused = bad(ended);
        assert!(refused.contains("a restore was cut off here, and files are left: files"), "{refused}");
        std::fs::remove_dir_all(target.path("files")).unwrap();
        good(target.run(&arguments(to), "").await);
    }
}

/// Returns true if no table has been created.
async fn content_is_missing(target: &Workplace) -> bool {
    let said = good(target.run(&["check"], "").await);
    said.contains("V1__accounts")
}

#[actix_web::test]
async fn every_command_refuses_what_a_killed_restore_left_and_says_what_to_do() {
    let source = Source::new(Engine::Own).await;
    let target = source.target().await;
    kill_at(&target, &RESTORE, Moment::Written(0), placed).await;
    assert!(is_unfinished(&target).await);
    let before = names(&target);
    let commands: [&[&str]; 15] = [
        &["serve"],
        &["serve", "--new"],
        &["check"],
        &["audit", "verify"],
        &["audit", "prune", "--days", "1"],
        &["backup", "two.qdbackup"],
        &["config", "get"],
        &["config", "set", "TeamSettings.SiteName", "x"],
        &["config", "history"],
        &["config", "rollback", "--last-good"],
        &["config", "export"],
        &["config", "migrate", "sqlite", "config.json"],
        &["license", "show"],
        &["support-packet", "--output", "packet.zip"],
        &["user", "create", "--username", "mallory", "--email", "mallory@chat.example", "--system-admin"],
    ];
    for command in commands {
        let refused = bad(target.run(command, "Correct-Horse-1").await);
        assert!(refused.contains("a restore was cut off"), "{command:?}: {refused}");
        assert!(refused.contains("run `quarterdeck restore` again"), "{command:?}: {refused}");
    }
    assert_eq!(names(&target), before);
    // A file of another program with the name of the mark is never deleted.
    if database::base().is_none() {
        std::fs::write(target.path("test.db-restore"), "mine").unwrap();
        std::fs::remove_dir_all(target.path("files")).unwrap();
        let refused = bad(target.run(&RESTORE, "").await);
        assert!(refused.contains("was not made by a restore of this program"), "{refused}");
        assert_eq!(std::fs::read(target.path("test.db-restore")).unwrap(), b"mine");
    }
}

/// Runs a command in a place whose configuration is in a `config.json`.
async fn run_with_file(place: &Workplace, arguments: &[&str]) -> Output {
    place.run_with(&IN_FILE, arguments, "").await
}

const IN_FILE: [(&str, &str); 1] = [("MM_CONFIG", "config.json")];

#[actix_web::test]
async fn every_file_that_a_killed_restore_left_is_named_before_the_next_one() {
    let source = Workplace::new(QUIET).await;
    let server = source.serve_with(&IN_FILE, &["serve"]).await;
    server.client().post("/users", account("admin")).await.expect(201);
    server
        .client()
        .log_in("admin")
        .await
        .put("/config/patch", nested("TeamSettings.SiteName", "One"))
        .await
        .expect(200);
    assert!(server.stop().await.success());
    filled(&source);
    good(run_with_file(&source, &["backup", "one.qdbackup", "--with-files", "--with-keys"]).await);
    let restore = ["restore", "one.qdbackup", "--files", "files", "--settings", "old"];
    let target = loop {
        let target = Workplace::new(QUIET).await;
        bring(&source, &target, "one.qdbackup");
        let mut child = target.begin_with(&IN_FILE, &restore);
        until("the first file is placed", async || {
            placed(&target).is_some_and(|bytes| bytes > 0) || child.try_wait().unwrap().is_some()
        })
        .await;
        child.kill().await.unwrap();
        let ended = run_with_file(&target, &["check"]).await;
        // Otherwise the restore was complete before the signal.
        if String::from_utf8_lossy(&ended.stderr).contains("a restore was cut off") {
            break target;
        }
    };
    let refused = bad(run_with_file(&target, &restore).await);
    let configuration = target.path("config.json").display().to_string();
    let left = [configuration.as_str(), &format!("{configuration}.versions"), "files", "old"];
    assert!(
        refused.contains(&format!("a restore was cut off here, and files are left: {}\n", left.join(", "))),
        "{refused}"
    );
    std::fs::remove_file(target.path("config.json")).unwrap();
    for folder in &left[1..] {
        std::fs::remove_dir_all(target.path(folder)).unwrap();
    }
    good(run_with_file(&target, &restore).await);
    for name in ["config.json", "audit.key"] {
        assert_eq!(std::fs::read(target.path(name)).unwrap(), std::fs::read(source.path(name)).unwrap(), "{name}");
    }
    assert_eq!(placed(&target), placed(&source));
    let server = target.serve_with(&IN_FILE, &["serve"]).await;
    server.client().log_in("admin").await;
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn a_restore_that_fails_leaves_an_empty_place() {
    let source = Source::new(Engine::Own).await;
    let target = source.target().await;
    // The files cannot be written, because a file is in the place of their folder.
    std::fs::write(target.path("blocked"), "").unwrap();
    let before = names(&target);
    let failing = ["restore", "one.qdbackup", "--settings", "deep/settings", "--files", "blocked/files"];
    bad(target.run(&failing, "").await);
    let left = names(&target).into_iter().filter(|name| !name.contains(".lock")).collect::<Vec<_>>();
    assert_eq!(left, before);
    good(target.run(&RESTORE, "").await);
    assert_eq!(content(&target).await, source.rows);
}

#[actix_web::test]
async fn of_two_restores_into_one_place_one_goes_on_and_the_other_is_refused() {
    let source = Source::new(Engine::Own).await;
    let target = source.target().await;
    let mut first = target.begin(&RESTORE);
    until("the first one places files", async || placed(&target).is_some()).await;
    signal(&first, Signal::STOP);
    let refused = bad(target.run(&RESTORE, "").await);
    assert!(refused.contains("another restore") && refused.contains("is in progress"), "{refused}");
    signal(&first, Signal::CONT);
    assert!(first.wait().await.unwrap().success());
    assert_eq!(content(&target).await, source.rows);
}

/// A restore into another schema of the search path was interrupted.
#[actix_web::test]
async fn a_mark_in_another_schema_of_the_search_path_says_nothing_about_this_one() {
    let Some(base) = database::only_postgres("only PostgreSQL has schemas") else { return };
    let (own, other) = (database::fresh_schema(&base).await, database::fresh_schema(&base).await);
    database::execute(&base, &format!("CREATE TABLE {other}.qd_restoring (startedat timestamptz)")).await;
    let place = Workplace::new(QUIET).await;
    place.configure(&format!("{QUIET}{}", database::settings_in(&base, &format!("{own}%2C{other}"))));
    let (server, _) = inhabit(&place).await;
    assert!(server.stop().await.success());
    good(place.run(&["backup", "one.qdbackup"], "").await);
    let before = content(&place).await;
    let refused = bad(place.run(&["restore", "one.qdbackup"], "").await);
    assert!(refused.contains("the database is not empty"), "{refused}");
    assert_eq!(content(&place).await, before);
}
