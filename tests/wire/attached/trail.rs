//! `quarterdeck detach` and what must not be lost: the audit trail, the configuration, and objects of other programs.

use serde_json::json;

use crate::support::original::Original;
use crate::support::process::{Workplace, read};

/// Serves the database once.
async fn served(place: &Workplace) {
    let server = place.serve().await;
    let anna = server.client().log_in("anna").await;
    anna.put("/config/patch", json!({ "TeamSettings": { "SiteName": "Harbour" } })).await.expect(200);
    assert!(server.stop().await.success());
}

/// Runs the command with an exit status. Returns its standard output and its standard error.
async fn ended(place: &Workplace, arguments: &[&str], status: i32) -> [String; 2] {
    let output = place.run(arguments, "").await;
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap())
}

const SAVED: [&str; 4] = ["detach", "--yes", "--trail", "trail.jsonl"];
const DROP_ALL: [&str; 3] = ["detach", "--yes", "--without-trail"];

#[actix_web::test]
async fn a_trail_that_cannot_be_verified_stays_as_it_is() {
    let Some(original) = Original::start().await else { return };
    let before = original.schema().await;
    let place = original.workplace().await;
    served(&place).await;
    let trail = async || {
        let rows = "SELECT number || hash FROM qd_audits ORDER BY number";
        (original.texts(rows).await, original.state().await)
    };
    let there = trail().await;
    std::fs::rename(place.path("audit.key"), place.path("of_server.key")).unwrap();
    let [_, why] = ended(&place, &SAVED, 1).await;
    assert!(why.contains("the audit trail cannot be verified here: key ") && why.contains("--key-file"), "{why}");
    assert!(!place.path("audit.key").exists() && !place.path("trail.jsonl").exists(), "a key or a file was made");
    let with_key = [&SAVED[..], &["--key-file", "of_server.key"]].concat();
    // A draft that cannot be read would be lost.
    original.execute("INSERT INTO qd_audits_open (id, createat, record) VALUES ('d', 1, '{}')").await;
    let [_, why] = ended(&place, &with_key, 1).await;
    assert!(why.contains("1 drafts of audit records cannot be read"), "{why}");
    assert_eq!(trail().await, there, "a refused command changed something");
    original.execute("DELETE FROM qd_audits_open").await;
    let [told, _] = ended(&place, &with_key, 0).await;
    assert!(told.contains(&format!("the audit trail: {} records written", there.0.len())), "{told}");
    assert_eq!(read(&place.path("trail.jsonl")).lines().count(), there.0.len());
    assert_eq!(original.schema().await, before);
}

/// A Mattermost that keeps its configuration in the database uses the tables that this server made.
#[actix_web::test]
async fn tables_of_the_configuration_that_a_mattermost_uses_stay() {
    let Some(original) = Original::start().await else { return };
    original.execute("DROP TABLE configurations; DROP TABLE configurationfiles").await;
    let place = original.workplace().await;
    served(&place).await;
    original
        .execute(
            "INSERT INTO configurationfiles (name, data, createat, updateat) VALUES ('saml.crt', 'x', 1, 1);
             CREATE TABLE db_config_migrations (version bigint PRIMARY KEY, name text)",
        )
        .await;
    let [told, _] = ended(&place, &["detach", "--dry-run"], 0).await;
    assert!(told.contains("would go: the tables qd_answers") && !told.contains("which goes too"), "{told}");
    original.execute("ALTER TABLE db_config_migrations RENAME TO other").await;
    let [told, _] = ended(&place, &["detach", "--dry-run"], 0).await;
    assert!(told.contains("would go: the tables configurationfiles, configurations, qd_answers"), "{told}");
    assert!(told.contains("own table configurationfiles, which goes too: 1 (saml.crt)"), "{told}");
    original.execute("ALTER TABLE other RENAME TO db_config_migrations").await;
    ended(&place, &DROP_ALL, 0).await;
    assert_eq!(original.texts("SELECT name FROM configurationfiles").await, ["saml.crt"]);
    let name = "SELECT value::json #>> '{TeamSettings,SiteName}' FROM configurations WHERE active";
    assert_eq!(original.texts(name).await, ["Harbour"]);
    assert!(original.texts("SELECT tablename FROM pg_tables WHERE tablename LIKE 'qd%'").await.is_empty());
}

#[actix_web::test]
async fn tables_that_a_command_made_for_the_configuration_go() {
    let Some(original) = Original::start().await else { return };
    original.execute("DROP TABLE configurations; DROP TABLE configurationfiles").await;
    let before = original.schema().await;
    // The command of a server whose accounts are elsewhere.
    let other = Workplace::new("").await;
    std::fs::write(other.path("config.json"), "{}").unwrap();
    let address = format!("{}?sslmode=disable", original.cluster.address());
    ended(&other, &["config", "migrate", "config.json", &address], 0).await;
    let place = original.workplace().await;
    assert_ne!(original.schema().await, before);
    let [told, _] = ended(&place, &DROP_ALL, 0).await;
    assert!(told.contains("gone: the tables configurationfiles, configurations, qd_config"), "{told}");
    assert_eq!(original.schema().await, before);
    assert!(original.texts("SELECT name FROM systems WHERE name LIKE 'Quarterdeck%'").await.is_empty());
}

#[actix_web::test]
async fn objects_of_other_programs_are_never_dropped() {
    let Some(original) = Original::start().await else { return };
    original.execute("CREATE AGGREGATE qd_sum (int) (sfunc = int4pl, stype = int)").await;
    let before = original.schema().await;
    let place = original.workplace().await;
    served(&place).await;
    original.execute("CREATE TABLE qd_notes (id text); CREATE INDEX idx_qd_notes ON posts (userid)").await;
    let state = original.state().await;
    let [told, _] = ended(&place, &["detach", "--dry-run"], 0).await;
    assert!(
        told.contains("in the way until it is renamed: the index idx_qd_notes on posts, the table qd_notes"),
        "{told}"
    );
    let [_, why] = ended(&place, &DROP_ALL, 1).await;
    assert!(why.contains("this version does not make the index idx_qd_notes on posts, the table qd_notes"), "{why}");
    assert_eq!(original.state().await, state, "a refused command changed something");
    original.execute("DROP TABLE qd_notes; DROP INDEX idx_qd_notes").await;
    ended(&place, &DROP_ALL, 0).await;
    assert_eq!(original.schema().await, before);
}
