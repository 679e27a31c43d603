//! `quarterdeck detach`: a database of Mattermost has the schema of before, or nothing has changed.

use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::support::original::Original;
use crate::support::process::{Workplace, read};
use crate::support::waiting::until;

/// Serves the database once, with a login and a changed configuration, so that the server leaves all it can.
async fn served(place: &Workplace) {
    let server = place.serve().await;
    let anna = server.client().log_in("anna").await;
    anna.post("/teams", json!({ "name": "crew", "display_name": "Crew", "type": "O" })).await.expect(201);
    anna.put("/config/patch", json!({ "TeamSettings": { "SiteName": "Harbour" } })).await.expect(200);
    assert!(server.stop().await.success());
}

/// Runs the command, which must pass, and returns its output.
async fn passes(place: &Workplace, arguments: &[&str]) -> String {
    let output = place.run(arguments, "").await;
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the command, which must be refused, and returns the reason.
async fn refused(place: &Workplace, arguments: &[&str]) -> String {
    let output = place.run(arguments, "").await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

const DROP_ALL: [&str; 3] = ["detach", "--yes", "--without-trail"];

#[actix_web::test]
async fn the_schema_is_that_of_before_and_the_trail_is_in_the_file() {
    let Some(original) = Original::start().await else { return };
    // The server adds a table and an index under names of Mattermost.
    original.execute("DROP TABLE configurations; DROP INDEX idx_audits_user_id").await;
    let before = original.schema().await;
    let place = original.workplace().await;
    served(&place).await;
    let attached = original.state().await;
    assert_ne!(attached.0, before);
    let told = passes(&place, &["detach", "--dry-run"]).await;
    for part in [
        "from Mattermost, schema 167, PostgreSQL at ",
        "would go: the tables configurations, qd_answers, qd_audits, ",
        "idx_audits_user_id on audits",
        "idx_qd_audits_newest on audits",
        "qd_roles_changed on roles",
        "qd_now()",
        "QuarterdeckAdded0",
        "versions of the configuration in this server's own table configurations, which goes too: 1",
        "a dry run, nothing was changed",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let tables = told.split("would go: the tables ").nth(1).unwrap().split(';').next().unwrap();
    assert!(!tables.split(", ").any(|name| ["users", "configurationfiles"].contains(&name)), "{told}");
    let why = refused(&place, &["detach", "--yes"]).await;
    assert!(why.contains("--trail FILE") && why.contains("--without-trail"), "{why}");
    std::fs::write(place.path("kept"), "kept").unwrap();
    let why = refused(&place, &["detach", "--yes", "--trail", "kept"]).await;
    assert!(why.contains("kept: File exists") && read(&place.path("kept")) == "kept", "{why}");
    assert_eq!(original.state().await, attached, "a refused command changed something");
    let records = original.texts("SELECT id FROM qd_audits ORDER BY number").await;
    let told = passes(&place, &["detach", "--yes", "--trail", "trail.jsonl"]).await;
    assert!(told.contains(&format!("the audit trail: {} records written, the end is ", records.len())), "{told}");
    let text = read(&place.path("trail.jsonl"));
    let written: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(written.iter().map(|record| record["id"].as_str().unwrap()).collect::<Vec<_>>(), records);
    assert!(written.iter().any(|record| record["event"] == "login"), "{text}");
    assert_eq!(original.schema().await, before);
    let own = "SELECT name FROM systems WHERE name LIKE 'Quarterdeck%'";
    assert!(original.texts(own).await.is_empty());
    assert_eq!(original.texts("SELECT name FROM teams").await, ["crew"], "what was made stays");
    for arguments in [&DROP_ALL[..], &["detach", "--dry-run"]] {
        let told = passes(&place, arguments).await;
        assert!(told.contains("nothing of this server is there: nothing was changed"), "{told}");
    }
    // It can be attached again.
    let server = place.serve().await;
    server.client().log_in("anna").await;
    assert!(server.stop().await.success());
}

#[actix_web::test]
async fn the_active_configuration_stays_and_names_the_database() {
    let Some(original) = Original::start().await else { return };
    let before = original.schema().await;
    let place = original.workplace().await;
    served(&place).await;
    let exported = passes(&place, &["config", "export", "--show-secrets", "--for-mattermost"]).await;
    let exported: Value = serde_json::from_str(&exported).unwrap();
    assert!(exported["SqlSettings"]["DataSource"].as_str().unwrap().starts_with("postgres://"), "{exported}");
    assert_eq!(exported["SqlSettings"]["DriverName"], "postgres");
    passes(&place, &DROP_ALL).await;
    assert_eq!(original.schema().await, before);
    let active = original.texts("SELECT value FROM configurations WHERE active").await;
    let document: Value = serde_json::from_str(&active[0]).unwrap();
    assert_eq!(document["TeamSettings"]["SiteName"], "Harbour");
    assert_eq!(document["SqlSettings"]["DriverName"], "postgres");
    assert!(document["SqlSettings"]["DataSource"].as_str().unwrap().starts_with("postgres://"), "{document}");
    assert_eq!(document.get("Quarterdeck"), None);
    let is_digest = "SELECT (sha = encode(sha256(value::bytea), 'hex'))::text FROM configurations WHERE active";
    assert_eq!(original.texts(is_digest).await, ["true"]);
}

#[actix_web::test]
async fn a_database_that_no_mattermost_made_is_refused_before_anything_else() {
    let place = Workplace::new("").await;
    for arguments in [&["detach", "--dry-run"][..], &DROP_ALL] {
        let why = refused(&place, arguments).await;
        assert!(why.contains("is not a database of Mattermost"), "{why}");
    }
}

#[actix_web::test]
async fn a_database_in_use_is_refused() {
    let Some(original) = Original::start().await else { return };
    original.execute("CREATE ROLE reader LOGIN").await;
    let place = original.workplace().await;
    let server = place.serve().await;
    let state = original.schema().await;
    let why = refused(&place, &DROP_ALL).await;
    assert!(why.contains("other programs are connected to the database: quarterdeck"), "{why}");
    let told = passes(&place, &["detach", "--dry-run"]).await;
    assert!(told.contains("servers run on the database ("), "{told}");
    assert!(server.stop().await.success());
    // A role without any right on the tables is a session as well.
    let address = original.cluster.address().replace("qd@", "reader@");
    let (client, work) = tokio_postgres::connect(&address, NoTls).await.unwrap();
    let work = tokio::spawn(work);
    let why = refused(&place, &DROP_ALL).await;
    assert!(why.contains("as the role reader"), "{why}");
    drop(client);
    work.await.unwrap().unwrap();
    // A server that lost its connections a moment ago.
    original
        .execute(
            "INSERT INTO qd_nodes (id, name, hostname, address, version, confighash, schemaversion, startat, heartbeatat, position)
             VALUES ('n', 'harbour-1', 'h', '', '', '', 1, 1, qd_now() + 60000, 0)",
        )
        .await;
    let why = refused(&place, &DROP_ALL).await;
    assert!(why.contains("servers run on the database (harbour-1)"), "{why}");
    assert_eq!(original.schema().await, state, "a refused command changed something");
    original.execute("UPDATE qd_nodes SET heartbeatat = qd_now() - 60000").await;
    passes(&place, &DROP_ALL).await;
}

#[actix_web::test]
async fn nothing_is_changed_without_the_rights_or_where_another_object_needs_a_table() {
    let Some(original) = Original::start().await else { return };
    original.execute("CREATE ROLE clerk LOGIN; CREATE ROLE mmuser").await;
    let place = original.workplace().await;
    served(&place).await;
    let own = original.texts("SELECT count(*)::text FROM qd_audits").await;
    original.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO clerk; ALTER TABLE roles OWNER TO mmuser").await;
    let state = original.schema().await;
    let clerk = Workplace::new(&original.settings_of("clerk")).await;
    let why = refused(&clerk, &["detach", "--yes", "--trail", "trail"]).await;
    assert!(
        why.contains("the role clerk may not drop the trigger qd_") && why.contains("the table qd_audits"),
        "{why}"
    );
    assert!(why.contains("GRANT mmuser TO clerk; GRANT qd TO clerk;"), "{why}");
    assert!(!clerk.path("trail").exists());
    original.execute("CREATE VIEW v AS SELECT id FROM qd_sockets").await;
    let why = refused(&place, &["detach", "--yes", "--trail", "trail"]).await;
    assert!(why.contains("cannot drop table qd_sockets because other objects depend on it"), "{why}");
    original.execute("DROP VIEW v").await;
    assert!(!place.path("trail").exists(), "the file of a refused command stays");
    assert_eq!(original.schema().await, state);
    assert_eq!(original.texts("SELECT count(*)::text FROM qd_audits").await, own);
}

/// The lock of a start, which the command takes as well.
const LOCK: &str = "SELECT pg_advisory_lock(8170767101628252161)";

/// A start waits while the command has the database, and begins anew if everything was taken away meanwhile. Here the
/// indexes stay, and with them their noted names.
#[actix_web::test]
async fn a_start_that_waited_for_the_command_attaches_again() {
    let Some(original) = Original::start().await else { return };
    let before = original.schema().await;
    let place = original.workplace().await;
    served(&place).await;
    let attached = original.schema().await;
    let (client, work) = tokio_postgres::connect(&original.cluster.address(), NoTls).await.unwrap();
    let work = tokio::spawn(work);
    client.batch_execute(LOCK).await.unwrap();
    let taking_away = async {
        let waiting = "SELECT pid::text FROM pg_stat_activity WHERE query LIKE 'SELECT pg_try_advisory_lock%'";
        until("a start waits", async || !original.texts(waiting).await.is_empty()).await;
        original
            .execute(
                "DO $$ DECLARE drops record; BEGIN FOR drops IN
                     SELECT format('DROP TABLE %I CASCADE', tablename) AS sql FROM pg_tables WHERE tablename LIKE 'qd@_%' ESCAPE '@'
                     UNION ALL SELECT format('DROP FUNCTION %s CASCADE', oid::regprocedure) FROM pg_proc WHERE proname LIKE 'qd@_%' ESCAPE '@'
                     LOOP EXECUTE drops.sql; END LOOP; END $$;
                 DELETE FROM systems WHERE name LIKE 'Quarterdeck%' AND name NOT LIKE 'QuarterdeckAdded%'",
            )
            .await;
        drop(client);
        work.await.unwrap().unwrap();
    };
    let (server, ()) = tokio::join!(place.serve(), taking_away);
    server.client().log_in("anna").await;
    assert_eq!(original.schema().await, attached);
    assert!(server.stop().await.success());
    passes(&place, &DROP_ALL).await;
    assert_eq!(original.schema().await, before);
    // Two first starts at once serve as nodes of one cluster.
    let other = original.workplace().await;
    let (one, two) = tokio::join!(place.serve(), other.serve());
    let anna = one.client().log_in("anna").await;
    let both = async || anna.get("/cluster/status").await.expect(200).as_array().is_some_and(|nodes| nodes.len() == 2);
    until("two nodes", both).await;
    assert!(one.stop().await.success() && two.stop().await.success());
    passes(&place, &DROP_ALL).await;
    assert_eq!(original.schema().await, before);
}
