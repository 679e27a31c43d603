//! `/notifications/ack`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::web_peer::WebPeer;
use crate::support::{Client, Reply, TestServer};

const PATH: &str = "/notifications/ack";
const BROKEN: &str = "api.push_notifications_ack.message.parse.app_error";
const DISABLED: &str = "api.push_notification.disabled.app_error";
const NOT_PASSED_ON: &str = "api.push_notifications_ack.forward.app_error";

async fn with_proxy() -> (TestServer, WebPeer) {
    let proxy = WebPeer::start().await;
    let settings =
        format!("[EmailSettings]\nSendPushNotifications = true\nPushNotificationServer = \"{}/\"\n", proxy.url());
    (TestServer::start_with(&settings).await, proxy)
}

fn ack() -> Value {
    json!({ "id": "a1", "received_at": 1_700_000_000_000_i64, "platform": "android", "type": "message", "post_id": "p1", "is_id_loaded": false })
}

async fn acknowledge(client: &Client, more: Value) -> Reply {
    let mut body = ack();
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.post(PATH, body).await
}

#[actix_web::test]
async fn it_asks_for_a_session() {
    let (server, proxy) = with_proxy().await;
    server.client().post(PATH, ack()).await.expect_refusal(401, "api.context.session_expired.app_error");
    assert!(proxy.lines().is_empty());
}

#[actix_web::test]
async fn a_body_that_is_no_receipt_is_refused_before_anything_else() {
    let server = TestServer::start_with("[EmailSettings]\nSendPushNotifications = false\n").await;
    let admin = server.admin().await;
    for body in [
        "",
        "{",
        "[]",
        "\"a1\"",
        r#"{"id":5}"#,
        r#"{"received_at":"1"}"#,
        r#"{"received_at":1.5}"#,
        r#"{"is_id_loaded":"true"}"#,
    ] {
        admin.send(Method::POST, PATH, Some(body.to_owned()), &[]).await.expect_refusal(400, BROKEN);
    }
    let large = format!(r#"{{"id":"{}"}}"#, "x".repeat(400_000));
    let large = admin.send(Method::POST, PATH, Some(large), &[]).await;
    large.expect_refusal(413, "api.context.request_body_too_large.app_error");
    for body in [ack(), json!({}), json!({ "id": null, "unknown": [] })] {
        admin.post(PATH, body).await.expect_refusal(501, DISABLED);
    }
}

#[actix_web::test]
async fn anybody_who_is_logged_in_has_a_receipt_passed_on_as_it_is() {
    let (server, proxy) = with_proxy().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    proxy.answer(200, "whatever it says");
    bert.post(PATH, ack()).await.expect_ok();
    assert_eq!(proxy.one(), ("POST /api/v1/ack HTTP/1.1".to_owned(), ack()));
    bert.post(PATH, json!({ "type": "clear", "post_id": null, "more": 1 })).await.expect_ok();
    let empty = json!({ "id": "", "received_at": 0, "platform": "", "type": "clear", "is_id_loaded": false });
    assert_eq!(proxy.one().1, empty);
}

#[actix_web::test]
async fn a_receipt_that_the_proxy_does_not_take_is_a_failure() {
    let (server, proxy) = with_proxy().await;
    let admin = server.admin().await;
    for status in [201, 204, 400, 500] {
        proxy.answer(status, "");
        admin.post(PATH, ack()).await.expect_refusal(500, NOT_PASSED_ON);
        assert_eq!(proxy.lines().len(), 1);
    }
    proxy.redirect("/api/v1/elsewhere");
    admin.post(PATH, ack()).await.expect_refusal(500, NOT_PASSED_ON);
    assert_eq!(proxy.lines().len(), 1, "a push message goes nowhere else");
    let settings = "[EmailSettings]\nSendPushNotifications = true\nPushNotificationServer = \"\"\n";
    let nowhere = TestServer::start_with(settings).await;
    nowhere.admin().await.post(PATH, ack()).await.expect_refusal(500, NOT_PASSED_ON);
}

#[actix_web::test]
async fn a_receipt_by_id_succeeds_without_the_proxy_and_gets_a_post_that_exists() {
    let (server, proxy) = with_proxy().await;
    let admin = server.admin().await;
    for status in [200, 500] {
        proxy.answer(status, "");
        for nothing_to_show in [json!({ "post_id": "" }), json!({ "post_id": null }), json!({ "type": "clear" })] {
            let mut body = nothing_to_show;
            body["is_id_loaded"] = true.into();
            let reply = acknowledge(&admin, body).await;
            assert_eq!((reply.status, reply.text().as_str()), (200, ""));
        }
        let unknown = acknowledge(&admin, json!({ "is_id_loaded": true })).await;
        unknown.expect_refusal(404, "app.post.get.app_error");
        assert_eq!(proxy.lines().len(), 4);
    }
}

#[actix_web::test]
async fn a_message_that_an_ios_device_shows_says_that_it_shows_messages() {
    let (server, _proxy) = with_proxy().await;
    let admin = server.admin().await;
    let off = json!({ "device_id": "apple:1", "device_notification_disabled": "true" });
    admin.put("/users/sessions/device", off).await.expect_ok();
    for other in [json!({ "platform": "android" }), json!({ "platform": "ios", "type": "clear" })] {
        acknowledge(&admin, other).await.expect_ok();
        assert_eq!(notifications_off(&admin).await, "true");
    }
    acknowledge(&admin, json!({ "platform": "ios" })).await.expect_ok();
    assert_eq!(notifications_off(&admin).await, "false");
    acknowledge(&admin, json!({ "platform": "ios" })).await.expect_ok();
    assert_eq!(notifications_off(&admin).await, "false");
}

#[actix_web::test]
async fn a_device_that_never_said_anything_about_notifications_stays_so() {
    let (server, _proxy) = with_proxy().await;
    let admin = server.admin().await;
    acknowledge(&admin, json!({ "platform": "ios" })).await.expect_ok();
    assert_eq!(notifications_off(&admin).await, Value::Null);
}

async fn notifications_off(client: &Client) -> Value {
    client.get("/users/me/sessions").await.expect(200)[0]["props"]["device_notification_disabled"].clone()
}
