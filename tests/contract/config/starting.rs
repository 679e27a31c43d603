//! The stored configurations with which a server starts.

use quarterdeck::server::Server;
use quarterdeck::settings::Sources;
use serde_json::json;

use crate::support::config_place::version_of;
use crate::support::configuration::at;
use crate::support::{Client, TestServer};

#[actix_web::test]
async fn what_was_stored_is_in_force_after_a_restart() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.set("TeamSettings.SiteName", "one").await.expect(200);
    let before = admin.get("/config").await;
    let second = start(&server).await.unwrap();
    let base = format!("{}://{}", second.scheme(), second.addresses()[0]);
    let after = Client::new(&base).log_in("admin").await.get("/config").await;
    assert_eq!(after.header("etag"), before.header("etag"));
    assert_eq!(*at(&after.json(), "TeamSettings.SiteName"), "one");
}

#[actix_web::test]
async fn a_version_that_cannot_be_read_stops_the_start_and_is_named() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.set("TeamSettings.SiteName", "one").await.expect(200);
    let version = admin.versions().await[0]["id"].as_str().unwrap().to_owned();
    let broken = [
        ("''", "line 1 column 0"),
        ("'{}'", "it is empty"),
        ("'null'", "line 1 column 4"),
        ("'[]'", "line 1 column 0"),
        ("substr(value, 1, length(value) / 2)", " column "),
    ];
    for (value, problem) in broken {
        let stored = "SELECT value FROM kept";
        server.execute("CREATE TABLE IF NOT EXISTS kept (value text)").await;
        server.execute("INSERT INTO kept SELECT value FROM configurations WHERE active = TRUE").await;
        server.execute(&format!("UPDATE configurations SET value = {value} WHERE active = TRUE")).await;
        let refusal = start(&server).await.err().unwrap();
        assert!(refusal.contains(&version) && refusal.contains(problem), "{value}: {refusal}");
        server.execute(&format!("UPDATE configurations SET value = ({stored}) WHERE active = TRUE")).await;
        server.execute("DROP TABLE kept").await;
    }
    start(&server).await.unwrap();
}

#[actix_web::test]
async fn a_version_that_breaks_rules_stops_the_start_and_each_setting_is_named() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let patch = json!({ "PasswordSettings": { "MinimumLength": 13 }, "TeamSettings": { "MaxUsersPerTeam": 77_777 } });
    let good = version_of(&admin.set("TeamSettings.SiteName", "one").await);
    admin.put("/config/patch", patch).await.expect(200);
    let version = admin.versions().await[0]["id"].as_str().unwrap().to_owned();
    let length = r#"replace(value, '"MinimumLength": 13', '"MinimumLength": 1')"#;
    let broken = format!(r#"replace({length}, '"MaxUsersPerTeam": 77777', '"MaxUsersPerTeam": 0')"#);
    server.execute(&format!("UPDATE configurations SET value = {broken} WHERE active = TRUE")).await;
    let refusal = start(&server).await.err().unwrap();
    let cure = format!("quarterdeck config rollback {good} --config ");
    for part in [version.as_str(), "PasswordSettings.MinimumLength", "TeamSettings.MaxUsersPerTeam", cure.as_str()] {
        assert!(refusal.contains(part), "{part}: {refusal}");
    }
}

/// Versions without an active one are not a new installation: defaults would replace the lost configuration.
#[actix_web::test]
async fn versions_without_an_active_one_stop_the_start_and_a_reload() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let version = version_of(&admin.set("TeamSettings.SiteName", "one").await);
    server.execute("UPDATE configurations SET active = NULL WHERE active = TRUE").await;
    let refusal = start(&server).await.err().unwrap();
    let cure = format!("quarterdeck config rollback {version} --config ");
    for part in ["stored versions of the configuration is active", cure.as_str(), "--new"] {
        assert!(refusal.contains(part), "{part}: {refusal}");
    }
    // A running server keeps the configuration in force.
    server.server.reload().await.unwrap_err();
    assert_eq!(admin.setting("TeamSettings.SiteName").await, "one");
}

/// Starts another server on the same database. Returns the error if it does not start.
pub(super) async fn start(server: &TestServer) -> Result<Server, String> {
    let sources = Sources::isolated(Some(server.folder().join("config.toml")), Vec::new());
    Server::start(sources.load().unwrap(), sources).await.map_err(|error| error.to_string())
}
