//! Servers of two versions of the program on one database, as during an upgrade of one server after the other.

use std::path::Path;
use std::process::Stdio;

use quarterdeck::server::Server;
use quarterdeck::settings::Sources;
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::super::older_program::{LATER, NEEDED};
use super::REASON;
use super::resume::{resumed, stored};
use crate::support::release::NEWER;
use crate::support::server::account;
use crate::support::teams::open_team;
use crate::support::waiting::{until, within};
use crate::support::websocket::{Frame, WebSocket};
use crate::support::{Client, TestServer, database, needs};

const QUIET: &str = "[ServiceSettings]\nEnableUserStatuses = false\n[LogSettings]\nEnableFile = false\n";

/// Adds a column to each table.
const MORE_COLUMNS: &str = "DO $$ DECLARE name text; BEGIN \
     FOR name IN SELECT table_name FROM information_schema.tables \
     WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' LOOP \
     EXECUTE format('ALTER TABLE %I ADD COLUMN later bigint NOT NULL DEFAULT 1', name); END LOOP; END $$";

/// A server of the newer version.
struct Newer {
    base: String,
    _folder: TempDir,
    _process: Child,
}

impl Newer {
    /// Starts its program, which is in this folder, beside a server.
    async fn start(folder: &Path, older: &TestServer) -> Self {
        let place = tempfile::tempdir().unwrap();
        std::fs::copy(older.folder().join("config.toml"), place.path().join("config.toml")).unwrap();
        let mut command = Command::new(folder.join("quarterdeck"));
        command
            .arg("serve")
            .current_dir(place.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = command.env_clear().kill_on_drop(true).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        within("the newer server listens", output.read_line(&mut line)).await.unwrap();
        let base = line.trim_end().strip_prefix("Quarterdeck listens on ").unwrap().to_owned();
        Self { base, _folder: place, _process: process }
    }
}

#[actix_web::test]
async fn a_newer_server_and_an_older_one_tell_each_other_what_changes() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let Some(folder) = needs::peer("newer") else { return };
    let older = TestServer::start_with(QUIET).await;
    let admin = older.admin().await;
    let newer = Newer::start(&folder, &older).await;
    let there = admin.at(&newer.base);
    let versions = async || {
        let nodes = admin.get("/cluster/status").await.expect(200);
        let mut versions: Vec<String> =
            nodes.as_array().unwrap().iter().map(|node| node["version"].as_str().unwrap().to_owned()).collect();
        versions.sort();
        versions
    };
    until("both versions are listed", async || versions().await.len() == 2).await;
    assert!(versions().await.iter().any(|version| version.contains(NEWER)), "{:?}", versions().await);

    // A version that knows no questions between servers is named, and is not waited for.
    for here in [&admin, &there] {
        let look = here.post("/logs/query", json!({})).await;
        assert_eq!(look.expect(200), json!({}));
        let missing = look.header("X-Logs-Missing");
        assert!(missing.is_empty() || missing.ends_with("=silent") && !missing.contains(','), "{missing}");
    }

    // Events, a version of the configuration, and the end of a session cross in both directions.
    for (name, here, other) in [("of the older", &admin, &there), ("of the newer", &there, &admin)] {
        let (mut socket, _) = WebSocket::greeted(other).await;
        let preference = json!([{ "user_id": admin.user_id, "category": "c", "name": "n", "value": name }]);
        here.put("/users/me/preferences", preference).await.expect_ok();
        let event = socket.event_named("preferences_changed").await;
        assert!(event["data"]["preferences"].as_str().unwrap().contains(name), "{event}");
        here.put("/config/patch", json!({ "TeamSettings": { "SiteName": name } })).await.expect(200);
        let version = here.get("/config").await.header("etag");
        until("the version is in force", async || other.get("/config").await.header("etag") == version).await;
        let session = here.log_in("admin").await;
        let elsewhere = session.at(&other.base);
        let (mut socket, _) = WebSocket::greeted(&elsewhere).await;
        session.post("/users/logout", json!({})).await.expect_ok();
        assert_eq!(socket.end().await, Frame::Close(Some(1008), "the session ended".to_owned()));
        assert_eq!(elsewhere.get("/users/me").await.status, 401);
    }
}

#[actix_web::test]
async fn a_client_moves_between_an_older_server_and_a_newer_one_with_its_connection() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let Some(folder) = needs::peer("newer") else { return };
    let older = TestServer::start_with(QUIET).await;
    let admin = older.admin().await;
    let newer = Newer::start(&folder, &older).await;
    let (_old, id) = stored(&admin, &older).await;
    older.count_for_all(0..2).await;
    let mut there = resumed(&admin.at(&newer.base), &id, 1).await;
    assert_eq!(there.counts(0..2, 1).await, 3);
    older.count_for_all(2..4).await;
    assert_eq!(there.counts(2..4, 3).await, 5);
    there.cut();
    older.count_for_all(4..5).await;
    // It missed the last three.
    let mut back = resumed(&admin, &id, 3).await;
    assert_eq!(back.counts(2..5, 3).await, 6);
    older.count_for_all(5..6).await;
    back.counts(5..6, 6).await;
}

#[actix_web::test]
async fn an_older_server_goes_on_with_tables_that_a_newer_one_has_changed_and_does_not_start_again() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("audit.key");
    let settings = format!("{QUIET}[Quarterdeck]\nAuditKeyFile = \"{}\"\n", key.display());
    let one = TestServer::start_with(&settings).await;
    let admin = one.admin().await;
    let other = one.start_beside(&settings).await;
    let there = admin.at(&other.base);
    let earlier = one.login("admin").await;
    works(&one, &admin, &there, "before").await;
    for sql in [LATER, NEEDED, MORE_COLUMNS] {
        one.execute(sql).await;
    }
    let changed = one.texts("SELECT qd_now()::text").await.concat();
    for (name, here, elsewhere) in [("after", &admin, &there), ("later", &there, &admin)] {
        works(&one, here, elsewhere, name).await;
    }
    // Sessions of both times end, and the servers stay members.
    earlier.post("/users/logout", json!({})).await.expect_ok();
    until("the session has ended", async || earlier.at(&other.base).get("/users/me").await.status == 401).await;
    let beats = format!("SELECT name FROM qd_nodes WHERE heartbeatat > {changed}");
    until("both send heartbeats", async || one.texts(&beats).await.len() == 2).await;
    admin.post("/audits/verification", json!({})).await.expect(202);
    let verified = async || admin.get("/audits/verification").await.expect(200);
    until("the trail is verified", async || verified().await["is_running"] == false).await;
    assert_eq!(verified().await["state"], "intact");

    let file = other.folder().join("config.toml");
    other.server.stop().await.unwrap();
    let sources = Sources::isolated(Some(file), Vec::new());
    let refused = Server::start(sources.load().unwrap(), sources).await.map(drop).unwrap_err().to_string();
    for part in ["V9000__later", "needs version 999.0.0 or later", "nothing was changed"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    works(&one, &admin, &admin, "last").await;
}

/// Fails unless changes of each kind are made at one server, and are in force at the other.
async fn works(server: &TestServer, here: &Client, elsewhere: &Client, name: &str) {
    let (mut socket, id) = WebSocket::greeted(elsewhere).await;
    let rows = format!("SELECT id FROM qd_sockets WHERE id = '{id}'");
    until("the connection is stored", async || server.texts(&rows).await.len() == 1).await;
    let preference = json!([{ "user_id": here.user_id, "category": "c", "name": "n", "value": name }]);
    here.put("/users/me/preferences", preference).await.expect_ok();
    let event = socket.event_named("preferences_changed").await;
    assert!(event["data"]["preferences"].as_str().unwrap().contains(name), "{event}");

    here.put("/config/patch", json!({ "TeamSettings": { "SiteName": name } })).await.expect(200);
    let version = here.get("/config").await.header("etag");
    until("the version is in force", async || elsewhere.get("/config").await.header("etag") == version).await;

    here.send(Method::POST, "/server_busy?seconds=600", None, &[]).await.expect_ok();
    let is_busy = async || elsewhere.get("/server_busy").await.expect(200)["busy"] == true;
    until("the other one is busy", &is_busy).await;
    here.delete("/server_busy").await.expect_ok();
    until("the other one is not busy any more", async || !is_busy().await).await;

    let role = here.get("/roles/name/system_user").await.expect(200);
    let mut permissions = role["permissions"].as_array().unwrap().clone();
    match permissions.iter().position(|permission| permission == "read_audits") {
        Some(at) => drop(permissions.remove(at)),
        None => permissions.push(json!("read_audits")),
    }
    let path = format!("/roles/{}/patch", role["id"].as_str().unwrap());
    here.put(&path, json!({ "permissions": permissions })).await.expect(200);
    let shown = async || elsewhere.get("/roles/name/system_user").await.expect(200)["permissions"].clone();
    until("the permissions are in force", async || shown().await == json!(permissions)).await;

    here.found(open_team(name)).await;
    here.post("/users", account(name)).await.expect(201);
    let user = elsewhere.log_in(name).await;
    let path = format!("/users/{}/active", user.user_id);
    user.at(&here.base).get("/users/me").await.expect(200);
    here.put(&path, json!({ "active": false })).await.expect_ok();
    until("its session has ended", async || user.get("/users/me").await.status == 401).await;
    let answers = async || {
        let logs = here.post("/logs/query", json!({})).await;
        logs.status == 200 && logs.header("X-Logs-Missing").is_empty()
    };
    until("each server answers questions", answers).await;
    let record = format!("SELECT event FROM qd_audits WHERE path LIKE '%{path}'");
    until("the change is in the audit trail", async || !server.texts(&record).await.is_empty()).await;
}
