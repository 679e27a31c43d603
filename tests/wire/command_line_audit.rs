//! `quarterdeck audit` finds manual changes of the trail.

use std::path::{Path, PathBuf};
use std::process::Output;

use futures_util::future::join_all;
use quarterdeck_actors::clock::{DAY_MS, wall_ms};
use serde_json::json;

use crate::support::backdoor::{execute_in, texts_in};
use crate::support::process::{Process, Workplace};
use crate::support::server::account;
use crate::support::trail::{events_in, newest_in};
use crate::support::waiting::until;
use crate::support::{Client, configuration::nested};

const QUIET: &str = "[LogSettings]\nEnableConsole = false\nEnableFile = false\n[FileSettings]\nDirectory = \"files\"\n";

/// Manual changes, and the findings for each.
const DEEDS: [(&str, &[&str]); 8] = [
    ("UPDATE qd_audits SET userid = 'nobody' WHERE number = 3", &["row 3 (#) was changed"]),
    ("UPDATE qd_audits SET after = '{}' WHERE number IN (4, 7)", &["row 4 (#) was changed", "row 7 (#) was changed"]),
    ("DELETE FROM qd_audits WHERE number IN (4, 5)", &["rows 4 to 5 are missing"]),
    ("DELETE FROM qd_audits WHERE number = 1", &["row 1 is missing"]),
    ("DELETE FROM qd_audits WHERE number = 10", &["row 10 is missing"]),
    (
        "UPDATE qd_audits SET number = 99 WHERE number = 5; UPDATE qd_audits SET number = 5 WHERE number = 6; \
         UPDATE qd_audits SET number = 6 WHERE number = 99",
        &[
            "row 5 (#) is out of place: it was written after what is now row 6",
            "row 6 (#) is out of place: it was written after what is now row 4",
            "row 7 (#) is out of place: it was written after what is now row 5",
        ],
    ),
    (
        "DELETE FROM qd_audits WHERE number = 5; UPDATE qd_audits SET number = 5 WHERE number = 6; \
         UPDATE qd_audits SET number = 6 WHERE number = 7",
        &["row 5 (#) is out of place: the row it was written after was removed or replaced", "row 7 is missing"],
    ),
    (
        "UPDATE audits SET extrainfo = '' WHERE action LIKE '%/login'",
        &["row 2 (#): the part that GET audits shows was changed or removed"],
    ),
];

#[actix_web::test]
async fn what_was_done_to_the_trail_by_hand_is_named_row_by_row() {
    let place = place_with_ten_rows().await;
    let folder = folder(&place);
    let said = good(verify(&place, &[]).await);
    assert!(said.contains("\nrows: 10; the end is 10:"), "{said}");
    execute_in(&folder, "CREATE TABLE own AS SELECT * FROM qd_audits; CREATE TABLE classic AS SELECT * FROM audits")
        .await;
    for (sql, expected) in DEEDS {
        execute_in(&folder, sql).await;
        assert_eq!(findings(&bad(verify(&place, &[]).await)), *expected, "{sql}");
        let restore = "DELETE FROM qd_audits; INSERT INTO qd_audits SELECT * FROM own; \
                       DELETE FROM audits; INSERT INTO audits SELECT * FROM classic";
        execute_in(&folder, restore).await;
    }
    good(verify(&place, &[]).await);
}

#[actix_web::test]
async fn an_end_that_was_taken_away_is_named_also_after_new_rows() {
    let place = place_with_ten_rows().await;
    let folder = folder(&place);
    execute_in(
        &folder,
        "DELETE FROM systems WHERE name = 'QuarterdeckAuditHead'; DELETE FROM qd_audits WHERE number > 8",
    )
    .await;
    assert_eq!(findings(&bad(verify(&place, &[]).await)), ["the end mark is missing: rows after 8 may be missing"]);
    let server = place.serve().await;
    server.client().log_in("admin").await;
    assert!(server.stop().await.success());
    let repaired = "row 9: the end of the trail was unknown when it was written; rows before it may be missing";
    assert_eq!(findings(&bad(verify(&place, &[]).await)), [repaired]);
}

#[actix_web::test]
async fn a_trail_that_was_written_anew_is_found_by_an_end_that_was_noted() {
    let place = place_with_ten_rows().await;
    let end = end_of(&good(verify(&place, &[]).await));
    let server = place.serve().await;
    server.client().log_in("admin").await;
    // The trail is verified while a server writes.
    good(verify(&place, &["--noted", &end]).await);
    assert!(server.stop().await.success());
    good(verify(&place, &["--noted", &end]).await);
    let other = format!("10:{}", "0".repeat(64));
    assert_eq!(findings(&bad(verify(&place, &["--noted", &other]).await)), ["row 10, given with --noted, is missing"]);
    assert_eq!(verify(&place, &["--noted", "ten"]).await.status.code(), Some(2));
}

#[actix_web::test]
async fn what_is_left_after_old_rows_were_deleted_can_be_verified() {
    let place = place_with_ten_rows().await;
    let folder = folder(&place);
    let old = format!("INSERT INTO audits (id, createat, action) VALUES ('{}', 1, 'of Mattermost')", "o".repeat(26));
    execute_in(&folder, &old).await;
    assert_eq!(prune(&place, "1").await, "rows deleted: 0\n");
    assert_eq!(prune(&place, "0").await, "rows deleted: 10\n");
    assert_eq!(end_number(&good(verify(&place, &[]).await)), 11);
    let server = place.serve().await;
    let rows = server.client().log_in("admin").await.audits().await;
    let actions: Vec<&str> = rows.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["/api/v4/users/login", "", "of Mattermost"]);
    assert!(rows[1]["extra_info"].as_str().unwrap().starts_with("pruneAudits success "), "{}", rows[1]);
    assert!(server.stop().await.success());
    good(verify(&place, &[]).await);

    // A beginning that was removed by hand is distinguished from a pruned one.
    let mark = "SELECT number || ':' || hash FROM qd_audits WHERE number = 11";
    let mark = texts_in(&folder, mark).await.remove(0);
    execute_in(&folder, "DELETE FROM qd_audits WHERE number = 11").await;
    execute_in(&folder, &format!("UPDATE systems SET value = '{mark}' WHERE name = 'QuarterdeckAuditAnchor'")).await;
    let told = ["rows up to 11 are missing, and no record says that they were pruned"];
    assert_eq!(findings(&bad(verify(&place, &[]).await)), told);
}

#[actix_web::test]
async fn a_server_deletes_the_rows_that_are_older_than_the_settings_say_and_no_others() {
    let place = place_with_ten_rows().await;
    let folder = folder(&place);
    place.configure(&format!("{QUIET}[Quarterdeck]\nAuditRetentionDays = 1\n"));
    let checked = place.run(&["check"], "").await;
    assert!(String::from_utf8(checked.stdout).unwrap().contains("audit trail: kept for 1 days\n"));
    let server = place.serve().await;
    assert!(server.stop().await.success());
    assert_eq!(events_in(&folder).await.len(), 10, "none is old enough");

    let two_days_ago = wall_ms() - 2 * DAY_MS;
    execute_in(&folder, &format!("UPDATE qd_audits SET createat = {two_days_ago} WHERE number <= 6")).await;
    let server = place.serve().await;
    until("the old rows are gone", async || numbers_in(&folder).await.starts_with(&["7".to_owned()])).await;
    assert!(server.stop().await.success());
    assert_eq!(numbers_in(&folder).await, ["7", "8", "9", "10", "11"]);
    assert_eq!(newest_in(&folder, "pruneAudits").await["parameters"]["number"], 6);
    good(verify(&place, &[]).await);
    assert_eq!(texts_in(&folder, "SELECT id FROM audits").await.len(), 5, "what GET audits shows of them is gone too");
}

#[actix_web::test]
async fn a_server_without_the_setting_keeps_all_rows_and_deletes_old_attempts_at_unknown_names() {
    let place = place_with_ten_rows().await;
    let folder = folder(&place);
    let (recent, two_days_ago) = (wall_ms(), wall_ms() - 2 * DAY_MS);
    let attempts = format!("(1, 'old', 3, {two_days_ago}), (2, 'recent', 3, {recent})");
    let insert = format!("INSERT INTO qd_unknown_names (place, hash, failures, lastat) VALUES {attempts}");
    execute_in(&folder, &format!("UPDATE qd_audits SET createat = 1; {insert}")).await;
    let server = place.serve().await;
    let names = async || texts_in(&folder, "SELECT hash FROM qd_unknown_names").await;
    until("the old attempts are gone", async || names().await == ["recent"]).await;
    assert!(server.stop().await.success());
    assert_eq!(events_in(&folder).await.len(), 10);
}

async fn numbers_in(folder: &Path) -> Vec<String> {
    texts_in(folder, "SELECT number || '' FROM qd_audits ORDER BY number").await
}

#[actix_web::test]
async fn a_server_that_is_killed_while_it_records_leaves_a_trail_that_is_whole() {
    let place = place_with_ten_rows().await;
    for _ in 0..3 {
        let server = place.serve().await;
        let admin = server.client().log_in("admin").await;
        let before = events_in(&folder(&place)).await.len();
        let some_are_recorded = async || events_in(&folder(&place)).await.len() > before + 20;
        tokio::select! {
            _ = join_all((0..4).map(|_| rename_for_ever(&admin))) => {}
            () = until("a few records", some_are_recorded) => {}
        }
        // The start prints no warning.
        drop(server);
        good(verify(&place, &[]).await);
    }
}

async fn rename_for_ever(client: &Client) {
    for number in 0.. {
        client.put("/users/me/patch", json!({ "nickname": format!("n{number}") })).await.expect(200);
    }
}

#[actix_web::test]
async fn before_anything_was_recorded_there_is_nothing_to_verify_and_nothing_is_made() {
    let place = Workplace::new(QUIET).await;
    assert_eq!(good(verify(&place, &[]).await), "the audit trail is empty\n");
    assert!(!place.path("test.db").exists());
}

#[actix_web::test]
async fn what_the_command_line_does_without_a_server_is_recorded() {
    let place = Workplace::new(QUIET).await;
    let folder = folder(&place);
    let create = ["user", "create", "--email", "a@chat.example", "--username", "anna"];
    good(place.run(&create, "correct-horse-1").await);
    good(place.run(&["config", "set", "TeamSettings.SiteName", "Bridge"], "").await);
    good(place.run(&["config", "set", "EmailSettings.SMTPPassword", "canary"], "").await);
    good(place.run(&["config", "rollback", "--last-good"], "").await);
    good(place.run(&["config", "export", "first.json"], "").await);
    good(place.run(&["config", "migrate", "first.json", "second.json"], "").await);
    let events = ["createUser success", "patchConfig success", "patchConfig success", "rollbackConfig success"];
    assert_eq!(events_in(&folder).await, [&events[..], &["migrateConfig success"]].concat());
    let record = newest_in(&folder, "patchConfig").await;
    assert_eq!((&record["source"], &record["userid"]), (&json!("cli"), &json!("")));
    let shown = record["after"]["EmailSettings.SMTPPassword"].as_str().unwrap();
    assert!(shown.starts_with("fingerprint "), "{shown}");
    let moved = newest_in(&folder, "migrateConfig").await["parameters"].clone();
    assert_eq!(moved, json!({ "from": "first.json", "to": "second.json", "files": [] }));
    good(verify(&place, &[]).await);
}

/// Creates a place with ten rows: an account, a login, and eight changes.
async fn place_with_ten_rows() -> Workplace {
    let place = Workplace::new(QUIET).await;
    let server = place.serve().await;
    let admin = first_account(&server).await;
    for number in 0..8 {
        let patch = nested("TeamSettings.SiteName", format!("n{number}"));
        admin.put("/config/patch", patch).await.expect(200);
    }
    assert!(server.stop().await.success());
    place
}

async fn first_account(server: &Process) -> Client {
    server.client().post("/users", account("admin")).await.expect(201);
    server.client().log_in("admin").await
}

fn folder(place: &Workplace) -> PathBuf {
    place.path("")
}

async fn verify(place: &Workplace, more: &[&str]) -> Output {
    place.run(&[&["audit", "verify"], more].concat(), "").await
}

async fn prune(place: &Workplace, days: &str) -> String {
    good(place.run(&["audit", "prune", "--days", days], "").await)
}

fn good(ended: Output) -> String {
    assert!(ended.status.success(), "{ended:?}");
    String::from_utf8(ended.stdout).unwrap()
}

fn bad(ended: Output) -> String {
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "quarterdeck: the audit trail was changed\n");
    String::from_utf8(ended.stdout).unwrap()
}

/// Returns the findings, with a placeholder for each id.
fn findings(said: &str) -> Vec<String> {
    // Separate lines list the keys of the rows.
    let is_finding =
        |line: &&str| !["rows: ", "with key ", "without a key: "].iter().any(|head| line.starts_with(head));
    let lines = said.lines().filter(is_finding);
    lines.map(without_id).collect()
}

fn without_id(line: &str) -> String {
    match line.split(['(', ')']).collect::<Vec<_>>()[..] {
        [before, _, after] => format!("{before}(#){after}"),
        _ => line.to_owned(),
    }
}

fn end_of(said: &str) -> String {
    said.trim_end().rsplit(' ').next().unwrap().to_owned()
}

fn end_number(said: &str) -> i64 {
    end_of(said).split(':').next().unwrap().parse().unwrap()
}
