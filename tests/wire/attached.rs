//! A start on a database that a Mattermost made: what `check` tells of it, and what refuses the start before anything is
//! changed.

mod apart;
mod belongings;
mod detached;
mod earlier;
mod elsewhere;
mod exported;
mod followed;
mod interrupted;
mod later;
mod people;
mod refused;
mod schemes;
mod trail;
mod untouched;

use crate::support::original::Original;
use crate::support::process::{Workplace, lines};

/// The words about what may be out of date beside another server.
const STALE: &str = "each of the two keeps sessions, roles, memberships and settings in memory, so a change by one of them, \
     also the end of a session, may have no effect on the other for up to 10 minutes";

/// Runs a check that must pass, and returns its output.
async fn checked(place: &Workplace) -> String {
    let check = place.run(&["check"], "").await;
    assert!(check.status.success(), "{check:?}");
    String::from_utf8(check.stdout).unwrap()
}

#[actix_web::test]
async fn a_check_tells_the_contents_what_is_added_and_what_has_no_effect_and_changes_nothing() {
    let Some(original) = Original::start().await else { return };
    original.add_person("bert", "system_guest").await;
    let document = r#"{"PluginSettings": {"Enable": true}, "SqlSettings": {"DataSourceReplicas": ["postgres://r/c"]},
        "LdapSettings": {"EnableSync": true}, "ClusterSettings": {"Enable": true}, "ServiceSettings": {"UseLetsEncrypt": true},
        "LogSettings": {"AdvancedLoggingJSON": {"out": {"type": "console", "format": "json"}}}}"#;
    original
        .execute(&format!(
            "UPDATE users SET authservice = 'ldap', authdata = 'b' WHERE username = 'bert';
             INSERT INTO posts (id, createat, userid, channelid, message) VALUES ('p', 1, 'u', 'c', 'm');
             INSERT INTO schemes (id, deleteat) VALUES ('s', 0), ('t', 0), ('gone', 1);
             INSERT INTO pluginkeyvaluestore (pluginid, pkey) VALUES ('p', 'a'), ('p', 'b'), ('p', 'c');
             INSERT INTO fileinfo (id, deleteat) VALUES ('f', 0), ('g', 1); UPDATE users SET lastpictureupdate = 5;
             INSERT INTO configurations (id, value, createat, active) VALUES ('{}', '{document}', 1, true);
             INSERT INTO licenses VALUES ('{}', 1, 'bWFkZS11cA==');
             INSERT INTO systems VALUES ('ActiveLicenseId', '{}')",
            "c".repeat(26),
            "l".repeat(26),
            "l".repeat(26)
        ))
        .await;
    let before = original.state().await;
    let place = original.workplace().await;
    let told = checked(&place).await;
    for line in [
        "database of: Mattermost, schema 167, 2 accounts, 0 teams, 0 memberships of teams, 0 roles, 0 sessions, 0 access \
         tokens",
        "there, not or only in part served, and left as it is: 1 account of a login service, 1 guest, 2 schemes, \
         3 values of plugins, 1 OAuth app, 1 file, 1 post",
        " names, is empty or missing, and the database knows 1 file of a message, 2 pictures of accounts: ",
        "settings without effect on this server: ClusterSettings.Enable, LdapSettings.EnableSync, \
         LogSettings.AdvancedLoggingJSON, PluginSettings.Enable, ",
        "ServiceSettings.UseLetsEncrypt, SqlSettings.DataSourceReplicas",
        "warning: the stored licence cannot be used: ",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let added = told.lines().find(|line| line.starts_with("will be added: ")).unwrap();
    assert!(added.contains("qd_audits") && added.contains("idx_qd_audits_newest on audits"), "{added}");
    assert!(added.contains("triggers on ") && !added.contains("tables users"), "{added}");
    assert_eq!(original.state().await, before, "the check changed something");
}

#[actix_web::test]
async fn a_start_tells_the_contents_notes_its_additions_and_makes_whole_indexes() {
    let Some(original) = Original::start().await else { return };
    original.execute("DROP TABLE configurations; INSERT INTO schemes (id, deleteat) VALUES ('s', 0)").await;
    let place = original.workplace().await;
    let server = place.serve().await;
    let anna = server.client().log_in("anna").await;
    anna.get("/users/me").await.expect(200);
    assert!(server.stop().await.success());
    let logged = lines(&place.path("stderr"));
    for (beginning, end) in [
        ("database of: Mattermost, schema 167, 1 account, ", " 0 access tokens"),
        ("there, not or only in part served, and left as it is: 1 scheme, ", "1 OAuth app"),
        ("will be added: the tables ", " rows of systems whose names begin with Quarterdeck"),
        ("settings without effect on this server: ", "PluginSettings.PluginStates"),
    ] {
        let found: Vec<&str> = logged.iter().filter_map(|line| line["msg"].as_str()?.strip_prefix(beginning)).collect();
        assert!(found.len() == 1 && found[0].ends_with(end) && found[0].len() < 2048, "{beginning}: {found:?}");
    }
    let noted = original.texts("SELECT value FROM systems WHERE name = 'QuarterdeckAdded0'").await;
    assert!(noted[0].split(' ').any(|name| name == "configurations"), "{noted:?}");
    assert!(!noted[0].split(' ').any(|name| name == "configurationfiles"), "{noted:?}");
    let indexes = original
        .texts(
            "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             WHERE i.indrelid = 'audits'::regclass AND i.indisvalid AND c.relname LIKE 'idx\\_qd%' ORDER BY 1",
        )
        .await;
    assert_eq!(indexes, ["idx_qd_audits_newest", "idx_qd_audits_of_user"]);
    let told = checked(&place).await;
    assert!(told.contains("database of: Mattermost") && !told.contains("will be added"), "{told}");
}

/// A server that was killed while it made an index leaves one that no search uses.
#[actix_web::test]
async fn an_index_that_was_not_finished_is_made_anew() {
    let Some(original) = Original::start().await else { return };
    original
        .execute(
            "CREATE INDEX idx_qd_audits_newest ON audits (createat);
             UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = 'idx_qd_audits_newest'::regclass",
        )
        .await;
    let place = original.workplace().await;
    let server = place.serve().await;
    assert!(server.stop().await.success());
    let valid = original
        .texts("SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'idx_qd_audits_newest'::regclass")
        .await;
    assert_eq!(valid, ["true"]);
}

#[actix_web::test]
async fn an_index_that_cannot_be_made_concurrently_is_made_by_its_migration() {
    let Some(original) = Original::start().await else { return };
    original
        .execute(
            "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF current_query() LIKE '%CONCURRENTLY%' THEN RAISE EXCEPTION 'not beside writers'; END IF; END $$;
             CREATE EVENT TRIGGER refuses ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION refuse()",
        )
        .await;
    let place = original.workplace().await;
    let server = place.serve().await;
    server.client().log_in("anna").await;
    assert!(server.stop().await.success());
    let warned = |line: &serde_json::Value| {
        line["msg"] == "an index could not be made without a lock on its table"
            && line["db.index"] == "idx_qd_audits_newest"
            && line["cause"].to_string().contains("not beside writers")
    };
    assert!(lines(&place.path("stderr")).iter().any(warned));
    let valid = "SELECT indisvalid::text FROM pg_index WHERE indexrelid = 'idx_qd_audits_newest'::regclass";
    assert_eq!(original.texts(valid).await, ["true"]);
}

#[actix_web::test]
async fn other_programs_refuse_the_first_start_unless_it_is_to_run_beside_them() {
    let Some(original) = Original::start().await else { return };
    original
        .execute(
            "CREATE ROLE mmuser LOGIN; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO mmuser;
             CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
        )
        .await;
    let connect = async |role: &str| {
        let address = original.cluster.address().replace("qd@", &format!("{role}@"));
        let (client, connection) = tokio_postgres::connect(&address, tokio_postgres::NoTls).await.unwrap();
        let running = tokio::spawn(connection);
        (client, running)
    };
    let before = original.state().await;
    let place = original.workplace().await;
    let reading = connect("reader").await;
    checked(&place).await;
    let writing = connect("mmuser").await;
    for arguments in [&["check"][..], &["serve"], &["user", "create", "--email", "b@chat.example", "--username", "b"]] {
        let refused = place.run(arguments, "Kuestenweg-11\n").await;
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("as the role mmuser from 127.0.0.1 (1 connection)"), "{said}");
        assert!(!said.contains("reader") && said.contains("--beside"), "{said}");
        assert!(said.contains(STALE), "{said}");
    }
    assert_eq!(original.state().await, before, "a refused start changed something");
    let server = place.serve_with(&[], &["serve", "--beside"]).await;
    assert!(server.stop().await.success());
    // Later starts only warn.
    let server = place.serve().await;
    assert!(server.stop().await.success());
    let warned = lines(&place.path("stderr"));
    let is_warning = |line: &serde_json::Value| line["msg"].as_str().is_some_and(|text| text.contains("mmuser"));
    assert!(warned.iter().any(is_warning), "{warned:?}");
    let told = checked(&place).await;
    assert!(told.contains("warning: other programs are connected") && told.contains(STALE), "{told}");
    drop((reading, writing));
}
