//! `/users/{user_id}/status/custom` and the list of the last custom statuses.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::trail::newest_in;
use crate::support::websocket::{WebSocket, quiet};
use crate::support::{Client, Reply, TestServer};

const RECENT: &str = "/users/me/preferences/custom_status/name/recent_custom_statuses";
const NEVER: &str = "0001-01-01T00:00:00Z";

async fn set(client: &Client, status: Value) -> Reply {
    client.put("/users/me/status/custom", status).await
}

async fn shown(client: &Client, of: &Client) -> Value {
    let user = client.get(&format!("/users/{}", of.user_id)).await.expect(200);
    let text = user["props"]["customStatus"].as_str().unwrap_or_default().to_owned();
    if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
}

async fn recent(client: &Client) -> Value {
    let preference = client.get(RECENT).await.expect(200);
    serde_json::from_str(preference["value"].as_str().unwrap()).unwrap()
}

#[actix_web::test]
async fn a_custom_status_is_seen_by_others_told_to_clients_and_removed() {
    let server = quiet("").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let mut socket = WebSocket::of(&bert, "").await;
    set(&bert, json!({ "emoji": "palm_tree", "text": "away" })).await.expect_ok();
    let stored = json!({ "emoji": "palm_tree", "text": "away", "duration": "", "expires_at": NEVER });
    assert_eq!(shown(&admin, &bert).await, stored);
    let event = socket.event_named("user_updated").await;
    assert!(event["data"]["user"]["props"]["customStatus"].as_str().unwrap().contains("palm_tree"), "{event}");
    let event = socket.event_named("preferences_changed").await;
    assert!(event["data"]["preferences"].as_str().unwrap().contains("recent_custom_statuses"), "{event}");
    assert_eq!(recent(&bert).await, json!([stored]));
    bert.delete("/users/me/status/custom").await.expect_ok();
    assert_eq!(shown(&admin, &bert).await, Value::Null);
    assert_eq!(recent(&bert).await, json!([stored]), "the list stays");
    admin.audits().await;
    let record = newest_in(server.folder(), "removeUserCustomStatus").await;
    assert!(record["before"]["custom_status"].as_str().unwrap().contains("palm_tree"), "{record}");
}

#[actix_web::test]
async fn a_status_without_content_and_one_that_ended_are_refused() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for status in [
        json!({}),
        json!({ "emoji": "", "text": "" }),
        json!({ "text": "late", "duration": "one_hour", "expires_at": "2020-01-01T00:00:00Z" }),
        json!({ "text": "untimed", "duration": "one_hour" }),
        json!({ "text": "a", "duration": "forever", "expires_at": "2999-01-01T00:00:00Z" }),
        json!({ "text": "a", "expires_at": "tomorrow" }),
        json!({ "text": 7 }),
        json!(null),
    ] {
        let refused = set(&admin, status.clone()).await;
        refused.expect_refusal(400, "api.context.invalid_body_param.app_error");
        assert!(refused.text().contains("custom_status"), "{status}: {}", refused.text());
    }
    let timed = json!({ "text": "a", "duration": "today", "expires_at": "2999-01-01T00:00:00.000Z" });
    set(&admin, timed).await.expect_ok();
    assert_eq!(shown(&admin, &admin).await["expires_at"], "2999-01-01T00:00:00Z");
}

#[actix_web::test]
async fn the_list_has_the_last_five_and_loses_one_on_request() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for text in ["a", "b", "c", "b", "d", "e", "f"] {
        set(&admin, json!({ "text": text })).await.expect_ok();
    }
    let texts = |list: &Value| list.as_array().unwrap().iter().map(|one| one["text"].clone()).collect::<Vec<_>>();
    let list = recent(&admin).await;
    assert_eq!(texts(&list), ["f", "e", "d", "b", "c"]);
    let body = Some(list[1].to_string());
    admin.send(Method::DELETE, "/users/me/status/custom/recent", body, &[]).await.expect_ok();
    admin.post("/users/me/status/custom/recent/delete", list[4].clone()).await.expect_ok();
    assert_eq!(texts(&recent(&admin).await), ["f", "d", "b"]);
    for gone in [list[4].clone(), json!({ "text": "never" })] {
        let refused = admin.post("/users/me/status/custom/recent/delete", gone).await;
        refused.expect_refusal(400, "api.custom_status.recent_custom_statuses.delete.app_error");
    }
    let refused = admin.post("/users/me/status/custom/recent/delete", json!({ "expires_at": "never" })).await;
    refused.expect_refusal(400, "api.context.invalid_body_param.app_error");
}

#[actix_web::test]
async fn two_statuses_at_once_are_both_in_the_list() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let both = [json!({ "text": "a" }), json!({ "text": "b" })].map(|status| set(&admin, status));
    for reply in futures_util::future::join_all(both).await {
        reply.expect_ok();
    }
    assert_eq!(recent(&admin).await.as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn only_the_owner_and_those_who_edit_users_set_it_and_a_setting_turns_it_off() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let path = format!("/users/{}/status/custom", admin.user_id);
    let status = json!({ "text": "away" });
    for (method, path) in [
        (Method::PUT, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::DELETE, format!("{path}/recent")),
        (Method::POST, format!("{path}/recent/delete")),
    ] {
        let refused = bert.send(method, &path, Some(status.to_string()), &[]).await;
        refused.expect_refusal(403, "api.context.permissions.app_error");
    }
    admin.put(&format!("/users/{}/status/custom", bert.user_id), status.clone()).await.expect_ok();
    assert_eq!(shown(&bert, &bert).await["text"], "away");
    server.client().put(&path, status.clone()).await.expect_refusal(401, "api.context.session_expired.app_error");
    let off = json!({ "TeamSettings": { "EnableCustomUserStatuses": false } });
    admin.put("/config/patch", off).await.expect(200);
    for (method, path) in [
        (Method::PUT, "/users/me/status/custom"),
        (Method::DELETE, "/users/me/status/custom"),
        (Method::DELETE, "/users/me/status/custom/recent"),
        (Method::POST, "/users/me/status/custom/recent/delete"),
    ] {
        let refused = bert.send(method, path, Some(status.to_string()), &[]).await;
        refused.expect_refusal(501, "api.custom_status.disabled");
    }
}
