//! Small routes that clients call beside the pages that need more: typing, unread counts, completed names, and lists for
//! administrators.

use serde_json::{Value, json};

use crate::support::backdoor::{execute, texts_in};
use crate::support::server::account;
use crate::support::teams::{meeting, newcomer, open_team};
use crate::support::waiting::until;
use crate::support::websocket::{WebSocket, quiet};
use crate::support::{Client, TestServer, database};

const FORBIDDEN: &str = "api.context.permissions.app_error";

fn names(users: &Value) -> Vec<&str> {
    users.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn typing_is_told_to_the_other_members_of_the_channel() {
    let server = quiet("").await;
    let (channel, anna, bert) = meeting(&server.client(), server.folder()).await;
    let mut socket = WebSocket::of(&anna, "").await;
    bert.post("/users/me/typing", json!({ "channel_id": channel })).await.expect_ok();
    let event = socket.event_named("typing").await;
    assert_eq!(event["data"], json!({ "parent_id": "", "user_id": bert.user_id }));
    assert_eq!(event["broadcast"]["channel_id"], channel.as_str());
    let mut theirs = WebSocket::of(&bert, "").await;
    // An administrator may say it for another user, whose roles count then.
    let path = format!("/users/{}/typing", anna.user_id);
    let parent = "p".repeat(26);
    anna.post(&path, json!({ "channel_id": channel, "parent_id": parent })).await.expect_ok();
    assert_eq!(theirs.event_named("typing").await["data"]["parent_id"], parent.as_str());
    bert.post(&path, json!({ "channel_id": channel })).await.expect_refusal(403, FORBIDDEN);
    anna.post(&format!("/users/{}/typing", bert.user_id), json!({ "channel_id": channel })).await.expect_ok();
    for unknown in ["", "short", &"x".repeat(26)] {
        bert.post("/users/me/typing", json!({ "channel_id": unknown })).await.expect_refusal(403, FORBIDDEN);
    }
    let refused = bert.post("/users/me/typing", json!([])).await;
    refused.expect_refusal(400, "api.context.invalid_body_param.app_error");
    anna.post("/server_busy?seconds=3600", json!({})).await.expect_ok();
    let busy = bert.post("/users/me/typing", json!({ "channel_id": channel })).await;
    busy.expect_refusal(503, "api.context.server_busy.app_error");
}

#[actix_web::test]
async fn unread_counts_of_one_team_are_seen_by_the_user_and_by_those_who_edit_users() {
    let server = TestServer::start().await;
    let (channel, anna, bert) = meeting(&server.client(), server.folder()).await;
    let team = texts_in(server.folder(), "SELECT id FROM teams").await.swap_remove(0);
    execute(&server, &format!("UPDATE channels SET totalmsgcount = 9 WHERE id = '{channel}'")).await;
    execute(
        &server,
        &format!("UPDATE channelmembers SET msgcount = 2, mentioncount = 3 WHERE channelid = '{channel}'"),
    )
    .await;
    for (client, id) in [(&bert, "me"), (&anna, &*bert.user_id)] {
        let unread = client.get(&format!("/users/{id}/teams/{team}/unread")).await.expect(200);
        assert_eq!((&unread["team_id"], &unread["msg_count"]), (&json!(team), &json!(7)));
        assert_eq!((&unread["mention_count"], &unread["thread_count"]), (&json!(3), &json!(0)));
        assert_eq!(client.get(&format!("/users/{id}/teams/unread")).await.expect(200)[0], unread);
    }
    bert.get(&format!("/users/{}/teams/{team}/unread", anna.user_id)).await.expect_refusal(403, FORBIDDEN);
    bert.get("/users/me/teams/short/unread").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    let clara = server.user(&anna, "clara").await;
    clara.get(&format!("/users/me/teams/{team}/unread")).await.expect_refusal(403, FORBIDDEN);
    let none = anna.get(&format!("/users/{}/teams/{team}/unread", clara.user_id)).await.expect(200);
    assert_eq!((&none["team_id"], &none["msg_count"]), (&json!(team), &json!(0)));
}

#[actix_web::test]
async fn names_are_completed_inside_a_channel_a_team_or_everywhere_and_never_by_address() {
    let server = TestServer::start().await;
    let (channel, anna, bert) = meeting(&server.client(), server.folder()).await;
    let team = texts_in(server.folder(), "SELECT id FROM teams").await.swap_remove(0);
    for name in ["berta", "bertil"] {
        server.user(&anna, name).await;
    }
    let berta: Client = server.login("berta").await;
    anna.post(&format!("/teams/{team}/members"), newcomer(&team, &berta)).await.expect(201);
    execute(&server, &format!("DELETE FROM channelmembers WHERE userid = '{}'", berta.user_id)).await;
    let find = async |query: &str| bert.get(&format!("/users/autocomplete?{query}")).await.expect(200);
    assert_eq!(names(&find("name=bert").await["users"]), ["bert", "berta", "bertil"]);
    assert_eq!(names(&find("name=bert&limit=1").await["users"]), ["bert"]);
    assert_eq!(names(&find(&format!("name=bert&in_team={team}")).await["users"]), ["bert", "berta"]);
    let found = find(&format!("name=bert&in_team={team}&in_channel={channel}")).await;
    assert_eq!((names(&found["users"]), names(&found["out_of_channel"])), (vec!["bert"], vec!["berta"]));
    let found = find(&format!("in_channel={channel}")).await;
    assert_eq!((names(&found["users"]), &found["out_of_channel"]), (vec!["anna", "bert"], &Value::Null));
    assert_eq!(find("name=chat.example").await, json!({ "users": [] }), "an address is no name");
    assert_eq!(find("name=nobody&limit=many").await, json!({ "users": [] }));
    let shown = &find("name=bertil").await["users"][0];
    assert!(shown.get("notify_props").is_none() && shown.get("roles").is_some(), "{shown}");
    let elsewhere = anna.found(open_team("elsewhere")).await;
    bert.get(&format!("/users/autocomplete?in_team={elsewhere}")).await.expect_refusal(403, FORBIDDEN);
    bert.get(&format!("/users/autocomplete?in_channel={}", "x".repeat(26))).await.expect_refusal(403, FORBIDDEN);
    server.client().get("/users/autocomplete").await.expect_refusal(401, "api.context.session_expired.app_error");
}

#[actix_web::test]
async fn accounts_with_addresses_of_other_domains_are_listed_for_administrators() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for (name, email) in
        [("bert", "bert@other.example"), ("clara", "clara@chat.example"), ("dora", "dora@sub.chat.example")]
    {
        let body = json!({ "username": name, "email": email, "password": crate::support::server::PASSWORD });
        admin.post("/users", body).await.expect(201);
    }
    admin.post("/users", account("emil")).await.expect(201);
    execute(&server, "UPDATE users SET deleteat = 1 WHERE username = 'emil'").await;
    assert_eq!(names(&admin.get("/users/invalid_emails").await.expect(200)), ["admin", "bert", "clara", "dora"]);
    let restricted = json!({ "TeamSettings": { "RestrictCreationToDomains": " @chat.example, mail_.example" } });
    admin.put("/config/patch", restricted).await.expect(200);
    assert_eq!(names(&admin.get("/users/invalid_emails").await.expect(200)), ["bert"]);
    assert!(names(&admin.get("/users/invalid_emails?page=1").await.expect(200)).is_empty());
    execute(&server, "UPDATE users SET authservice = 'saml', authdata = 'b' WHERE username = 'bert'").await;
    assert!(names(&admin.get("/users/invalid_emails").await.expect(200)).is_empty());
    server.login("clara").await.get("/users/invalid_emails").await.expect_refusal(403, FORBIDDEN);
    let open = json!({ "TeamSettings": { "EnableOpenServer": true } });
    admin.put("/config/patch", open).await.expect(200);
    let refused = admin.get("/users/invalid_emails").await;
    refused.expect_refusal(400, "api.users.invalid_emails.enable_open_server.app_error");
}

#[actix_web::test]
async fn a_user_sees_the_records_of_their_own_deeds_and_an_administrator_those_of_others() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    bert.put("/users/me/patch", json!({ "nickname": "b" })).await.expect(200);
    let path = format!("/users/{}/audits", bert.user_id);
    // An administrator sees records at once; others, once they are stored.
    let shown = admin.get(&path).await.expect(200);
    let own = bert.get("/users/me/audits").await.expect(200);
    assert_eq!(own, shown);
    let actions: Vec<&str> = own.as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert!(actions[0].ends_with("/patch") && actions.contains(&"/api/v4/users/login"), "{actions:?}");
    assert!(own.as_array().unwrap().iter().all(|one| one["user_id"] == bert.user_id.as_str()), "{own}");
    assert_eq!(admin.get(&format!("{path}?per_page=1&page=1")).await.expect(200), json!([own[1]]));
    bert.get(&format!("/users/{}/audits", admin.user_id)).await.expect_refusal(403, FORBIDDEN);
}

#[actix_web::test]
async fn permissions_of_the_console_are_completed_in_their_order() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let wanted = json!(["sysconsole_write_environment_smtp", "unknown", "sysconsole_read_reporting_server_logs"]);
    let expected = json!([wanted[0], wanted[1], wanted[2], "test_email", "get_logs"]);
    for client in [&admin, &bert] {
        assert_eq!(client.post("/permissions/ancillary", wanted.clone()).await.expect(200), expected);
    }
    let invalid = "api.context.invalid_body_param.app_error";
    admin.post("/permissions/ancillary", json!([])).await.expect_refusal(400, invalid);
    admin.post("/permissions/ancillary", json!(vec!["a"; 1_001])).await.expect_refusal(400, invalid);
    admin.post("/permissions/ancillary", json!({})).await.expect_refusal(400, "api.payload.parse.error");
}

#[actix_web::test]
async fn the_cluster_is_listed_for_administrators_and_reports_about_speed_are_accepted() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let nodes = usize::from(database::base().is_some());
    until("the node is listed", async || {
        admin.get("/cluster/status").await.expect(200).as_array().unwrap().len() == nodes
    })
    .await;
    bert.get("/cluster/status").await.expect_refusal(403, FORBIDDEN);
    bert.post("/client_perf", json!({ "version": "0.1.0", "counters": [], "histograms": [] })).await.expect_ok();
    let anonymous = server.client().post("/client_perf", json!({})).await;
    anonymous.expect_refusal(401, "api.context.session_expired.app_error");
}
