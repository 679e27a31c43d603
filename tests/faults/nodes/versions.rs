//! Servers of two versions of the program on one database, as during an upgrade of one server after the other.

use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::REASON;
use crate::support::release::NEWER;
use crate::support::waiting::{until, within};
use crate::support::websocket::{Frame, WebSocket};
use crate::support::{TestServer, database, needs};

const QUIET: &str = "[ServiceSettings]\nEnableUserStatuses = false\n[LogSettings]\nEnableFile = false\n";

#[actix_web::test]
async fn a_newer_server_and_an_older_one_tell_each_other_what_changes() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let Some(folder) = needs::peer("newer") else { return };
    let older = TestServer::start_with(QUIET).await;
    let admin = older.admin().await;
    let place = tempfile::tempdir().unwrap();
    std::fs::copy(older.folder().join("config.toml"), place.path().join("config.toml")).unwrap();
    let mut command = Command::new(folder.join("quarterdeck"));
    command.arg("serve").current_dir(place.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut newer = command.env_clear().kill_on_drop(true).spawn().unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(newer.stdout.take().unwrap());
    within("the newer server listens", output.read_line(&mut line)).await.unwrap();
    let base = line.trim_end().strip_prefix("Quarterdeck listens on ").unwrap();

    let there = admin.at(base);
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
