//! `/database/recycle`, `/system/schema/version` and `/integrity`.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{LocalServer, TestServer, backdoor};

const RECYCLE: &str = "/database/recycle";
const VERSION: &str = "/system/schema/version";
const FORBIDDEN: &str = "api.context.permissions.app_error";
const NO_SESSION: &str = "api.context.session_expired.app_error";

#[actix_web::test]
async fn connections_are_made_anew_and_no_request_fails_for_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let reading = join_all((0..4).map(|_| async {
        for _ in 0..25 {
            assert_eq!(bert.get("/users/me/sessions").await.status, 200);
        }
    }));
    let recycling = async {
        for _ in 0..10 {
            admin.post(RECYCLE, json!({})).await.expect_ok();
        }
    };
    futures_util::future::join(reading, recycling).await;
}

#[actix_web::test]
async fn only_those_who_may_have_connections_made_anew() {
    let server = TestServer::start_with("[ExperimentalSettings]\nRestrictSystemAdmin = true\n").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    server.client().post(RECYCLE, json!({})).await.expect_refusal(401, NO_SESSION);
    bert.post(RECYCLE, json!({})).await.expect_refusal(403, FORBIDDEN);
    admin.post(RECYCLE, json!({})).await.expect_refusal(403, FORBIDDEN);
    let local = LocalServer::start().await;
    assert_eq!(local.local.post(RECYCLE, json!({})).await.status, 404);
}

#[actix_web::test]
async fn the_schema_is_told_change_by_change_the_newest_first() {
    let server = LocalServer::start().await;
    let reply = server.local.get(VERSION).await;
    assert_eq!(reply.status, 200);
    let told = reply.json();
    let versions: Vec<_> = told.as_array().unwrap().iter().map(|row| row["version"].as_i64().unwrap()).collect();
    assert!(versions.len() >= 5 && versions.is_sorted_by(|newer, older| newer > older), "{versions:?}");
    assert_eq!(told[versions.len() - 1], json!({ "version": 1, "name": "accounts" }));
}

#[actix_web::test]
async fn the_schema_is_told_to_whoever_reads_anything_of_the_console() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    server.client().get(VERSION).await.expect_refusal(401, NO_SESSION);
    bert.get(VERSION).await.expect_refusal(403, FORBIDDEN);
    assert_eq!(admin.get(VERSION).await.status, 200);
}

fn result<'a>(results: &'a Value, parent: &str, child: &str, attribute: &str) -> &'a Value {
    let results = results.as_array().unwrap();
    let is_wanted = |data: &Value| {
        data["parent_name"] == parent && data["child_name"] == child && data["parent_id_attr"] == attribute
    };
    &results.iter().find(|result| is_wanted(&result["data"])).unwrap()["data"]
}

#[actix_web::test]
async fn rows_without_a_parent_are_found_and_all_else_is_clean() {
    let server = LocalServer::start().await;
    let clean = server.local.post("/integrity", json!({})).await.json();
    assert_eq!(clean.as_array().unwrap().len(), 41);
    for result in clean.as_array().unwrap() {
        assert_eq!((&result["data"]["records"], &result["err"]), (&json!([]), &Value::Null), "{result}");
    }
    for sql in [
        "INSERT INTO preferences (userid, category, name, value) VALUES ('gone', 'a', 'b', 'c')",
        "INSERT INTO teammembers (teamid, userid) VALUES ('noteam', 'gone')",
        "INSERT INTO channels (id, teamid, type, creatorid, name) VALUES ('direct', '', 'D', '', 'direct')",
        "INSERT INTO channels (id, teamid, type, creatorid, name) VALUES ('open', '', 'O', 'gone', 'open')",
        "INSERT INTO channels (id, teamid, type, creatorid, name) VALUES ('lost', 'noteam', 'D', '', 'lost')",
        "INSERT INTO posts (id, channelid, userid, rootid) VALUES ('post', 'direct', 'gone', '')",
        "INSERT INTO posts (id, channelid, userid, rootid) VALUES ('reply', 'direct', 'gone', 'noroot')",
        "INSERT INTO sessions (id, userid) VALUES ('session', NULL)",
    ] {
        backdoor::execute_in(server.server.folder(), sql).await;
    }
    let found = server.local.post("/integrity", json!({})).await.json();
    let records =
        |parent: &str, child: &str, attribute: &str| result(&found, parent, child, attribute)["records"].clone();
    let orphan = |parent: &str, child: Option<&str>| json!({ "parent_id": parent, "child_id": child });
    assert_eq!(records("Users", "Preferences", "UserId"), json!([orphan("gone", None)]));
    assert_eq!(records("Users", "TeamMembers", "UserId"), json!([orphan("gone", None)]));
    assert_eq!(records("Teams", "TeamMembers", "TeamId"), json!([orphan("noteam", None)]));
    assert_eq!(
        records("Teams", "Channels", "TeamId"),
        json!([orphan("", Some("open")), orphan("noteam", Some("lost"))])
    );
    assert_eq!(records("Users", "Channels", "CreatorId"), json!([orphan("gone", Some("open"))]));
    assert_eq!(records("Posts", "Posts", "RootId"), json!([orphan("noroot", Some("reply"))]));
    assert_eq!(records("Users", "Posts", "UserId").as_array().unwrap().len(), 2);
    assert_eq!(records("Users", "Sessions", "UserId"), json!([{ "parent_id": null, "child_id": "session" }]));
    assert_eq!(records("Channels", "Posts", "ChannelId"), json!([]));
}

#[actix_web::test]
async fn whether_rows_fit_together_is_told_on_the_local_socket_only() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    assert_eq!(admin.post("/integrity", json!({})).await.status, 404);
}
