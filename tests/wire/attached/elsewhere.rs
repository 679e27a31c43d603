//! A configuration in another database than the accounts: commands that read make nothing there, and tables are made in one
//! of Mattermost's only while no other program uses it.

use serde_json::Value;
use tokio_postgres::NoTls;

use super::STALE;
use crate::support::backup::{QUIET, bad, good, on_sqlite};
use crate::support::database;
use crate::support::original::Original;
use crate::support::process::{Workplace, read};

/// The tables that a Mattermost makes for its configuration.
const TABLES: &str = "CREATE TABLE configurations (id varchar(26) PRIMARY KEY, value text NOT NULL, createat bigint NOT NULL, \
     active boolean UNIQUE, sha char(64) DEFAULT ''); \
     CREATE TABLE configurationfiles (name varchar(64) PRIMARY KEY, data text NOT NULL, createat bigint NOT NULL, \
     updateat bigint NOT NULL); \
     CREATE TABLE db_config_migrations (version bigint PRIMARY KEY, name varchar NOT NULL)";

/// Makes a database beside that of the accounts. Returns its address.
async fn beside(original: &Original, name: &str) -> String {
    original.execute(&format!("CREATE DATABASE {name}")).await;
    let address = original.cluster.address();
    format!("{}/{name}", address.rsplit_once('/').unwrap().0)
}

#[actix_web::test]
async fn commands_that_read_make_no_tables_in_the_database_of_the_configuration() {
    let Some(original) = Original::start().await else { return };
    let place = original.workplace().await;
    assert!(place.serve().await.stop().await.success());
    let accounts = original.schema().await;
    let document = r#"{"TeamSettings": {"SiteName": "Harbour"}, "FileSettings": {"Directory": "files"}}"#;
    let version = format!("('{}', '{document}', 1, true)", "c".repeat(26));
    for (name, tables, site_name) in [("empty", "", "Mattermost"), ("used", TABLES, "Harbour")] {
        let settings = beside(&original, name).await;
        database::execute(&settings, tables).await;
        if !tables.is_empty() {
            let sql = format!("INSERT INTO configurations (id, value, createat, active) VALUES {version}");
            database::execute(&settings, &sql).await;
        }
        let before = original.schema_of(&settings).await;
        let address = format!("{settings}?sslmode=disable");
        let named = [("MM_CONFIG", address.as_str())];
        for command in [
            &["config", "get", "TeamSettings.SiteName"][..],
            &["config", "history"],
            &["config", "validate"],
            &["config", "export"],
            &["config", "export", "--show-secrets", "--for-mattermost"],
            &["config", "set", "TeamSettings.SiteName", "Bridge", "--dry-run"],
            &["user", "list"],
            &["license", "show"],
            &["storage", "test"],
            &["check"],
        ] {
            let output = place.run_with(&named, command, "").await;
            assert!(output.status.success(), "{name} {command:?}: {output:?}");
            assert_eq!(original.schema_of(&settings).await, before, "{name} {command:?}");
            if command.contains(&"get") {
                assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), format!("\"{site_name}\""), "{name}");
            }
        }
        assert_eq!(original.schema().await, accounts);
        good(place.run_with(&named, &["config", "set", "TeamSettings.SiteName", "Bridge"], "").await);
        let records = database::texts(&settings, "SELECT source FROM qd_configversions").await;
        assert_eq!(records, ["cli"], "{name}: a change makes the tables");
    }
}

#[actix_web::test]
async fn the_configuration_is_not_copied_into_the_database_of_a_mattermost_that_runs() {
    let Some(original) = Original::start().await else { return };
    let before = original.dump().await;
    let place = Workplace::new(QUIET).await;
    on_sqlite(&place, "test.db");
    std::fs::write(place.path("from.json"), r#"{"TeamSettings": {"SiteName": "Harbour"}}"#).unwrap();
    let address = format!("{}?sslmode=disable", original.cluster.address());
    let (mattermost, work) = tokio_postgres::connect(&original.cluster.address(), NoTls).await.unwrap();
    let work = tokio::spawn(work);
    let copy = ["config", "migrate", "from.json", &address];
    let others = "other programs are connected to the database of Mattermost: a program without a name as the role qd";
    let why = bad(place.run(&copy, "").await);
    assert!(why.contains(others) && why.contains("nothing was changed") && why.contains(STALE), "{why}");
    for command in ["check", "serve"] {
        // The accounts of this server are elsewhere.
        let why = bad(place.run_with(&[("MM_CONFIG", &address)], &[command], "").await);
        assert!(why.contains(others), "{command}: {why}");
    }
    let named = [("MM_CONFIG", address.as_str())];
    let import = ["import", "--from", "from.json"];
    let why = bad(place.run_with(&named, &import, "").await);
    assert!(why.contains(others), "{why}");
    assert_eq!(original.dump().await, before, "a refused command changed something");
    let imported = good(place.run_with(&named, &[&import[..], &["--beside"]].concat(), "").await);
    assert_eq!(imported, "from.json: 1 read, 1 new: stored\n");
    good(place.run(&[&copy[..], &["--beside"]].concat(), "").await);
    // Nothing is added any more.
    let output = place.run(&copy, "").await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains(others) && said.contains(STALE), "{said}");
    drop(mattermost);
    work.await.unwrap().unwrap();
    let output = place.run(&copy, "").await;
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let active = original.texts("SELECT value FROM configurations WHERE active").await;
    let active: Value = serde_json::from_str(&active[0]).unwrap();
    assert_eq!(active["TeamSettings"]["SiteName"], "Harbour");
    assert!(read(&place.path("from.json")).contains("Harbour"));
}
