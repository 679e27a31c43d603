//! Statuses of users who connect and leave, and the events about them.

use serde_json::json;

use crate::support::websocket::WebSocket;
use crate::support::{Client, TestServer, waiting};

#[actix_rt::test]
async fn who_connects_is_online_and_who_leaves_with_the_last_socket_is_offline() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let (mut to_admin, _) = WebSocket::greeted(&admin).await;
    let change = to_admin.event_named("status_change").await;
    assert_eq!(change["data"], json!({ "status": "online", "user_id": admin.user_id }));
    assert_eq!(change["broadcast"]["user_id"], admin.user_id.as_str());
    assert_eq!(
        to_admin.reply(1, "get_statuses", json!(null)).await["data"],
        json!({ admin.user_id.as_str(): "online" })
    );

    let (one, _) = WebSocket::greeted(&bert).await;
    let (mut other, _) = WebSocket::greeted(&bert).await;
    waiting::until("bert is online", async || seen(&bert, &admin).await == "online").await;
    one.cut();
    other.reply(1, "user_update_active_status", json!({ "user_is_active": true })).await;
    assert_eq!(seen(&bert, &admin).await, "online");
    other.ask(2, "user_update_active_status", json!({ "user_is_active": false, "manual": true })).await;
    // The announcement that bert is online may still be on its way.
    waiting::until("bert is told to be away", async || {
        other.event_named("status_change").await["data"]["status"] == "away"
    })
    .await;
    other.reply(3, "user_update_active_status", json!({ "user_is_active": true, "manual": true })).await;
    other.cut();
    waiting::until("bert is offline", async || seen(&bert, &admin).await == "offline").await;

    let ids = json!({ "user_ids": [bert.user_id, "junk", 7] });
    let statuses = to_admin.reply(2, "get_statuses_by_ids", ids).await;
    assert_eq!(statuses["data"], json!({ bert.user_id.as_str(): "offline", "junk": "offline" }));
    for data in [json!({}), json!({ "user_ids": [] }), json!({ "user_ids": [7, null] }), json!({ "user_ids": "junk" })]
    {
        let refused = to_admin.reply(3, "get_statuses_by_ids", data).await;
        assert_eq!(refused["error"]["id"], "api.websocket_handler.invalid_param.app_error");
    }
    let refused = to_admin.reply(4, "user_update_active_status", json!({ "user_is_active": "yes" })).await;
    assert_eq!(refused["error"]["status_code"], 400);
}

#[actix_rt::test]
async fn a_status_is_announced_to_its_user_again_if_it_is_set_again() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let (mut to_bert, _) = WebSocket::greeted(&bert).await;
    let (mut to_admin, _) = WebSocket::greeted(&admin).await;
    for socket in [&mut to_bert, &mut to_admin] {
        assert_eq!(socket.event_named("status_change").await["data"]["status"], "online");
    }
    for status in ["away", "away", "online", "online", "dnd", "dnd", "away"] {
        let wanted = json!({ "user_id": bert.user_id, "status": status });
        bert.put("/users/me/status", wanted.clone()).await.expect(200);
        let told = to_bert.event().await;
        assert_eq!((&told["event"], &told["data"]), (&json!("status_change"), &wanted));
        assert_eq!(told["broadcast"]["user_id"], json!(bert.user_id));
    }
    to_bert.ask(1, "user_update_active_status", json!({ "user_is_active": false })).await;
    // The reply does not wait for the event.
    let both = [to_bert.event().await, to_bert.event().await];
    let again = both.iter().find(|told| told["event"] == "status_change").unwrap();
    assert_eq!(again["data"], json!({ "status": "away", "user_id": bert.user_id }));
    server.server.busy().mark(i64::MAX).await.unwrap();
    bert.put("/users/me/status", json!({ "user_id": bert.user_id, "status": "online" })).await.expect(200);
    assert!(to_bert.is_silent().await, "nothing is announced while the server is busy");
    assert!(to_admin.is_silent().await, "a status is announced to its user only");
}

/// Returns the status of `client` that `viewer` sees.
async fn seen(client: &Client, viewer: &Client) -> String {
    let status = viewer.get(&format!("/users/{}/status", client.user_id)).await.expect(200);
    status["status"].as_str().unwrap().to_owned()
}
