//! Push notifications: what a phone gets through the push proxy.

use std::collections::BTreeSet;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};

use crate::support::waiting::until;
use crate::support::web_peer::WebPeer;
use crate::support::{Client, TestServer, backdoor};

/// The members of a notification, each of which a phone reads.
const MEMBERS: [&str; 25] = [
    "ack_id",
    "badge",
    "category",
    "channel_id",
    "channel_name",
    "cont_ava",
    "device_id",
    "from_webhook",
    "is_crt_enabled",
    "is_id_loaded",
    "message",
    "override_icon_url",
    "override_username",
    "platform",
    "post_id",
    "root_id",
    "sender_id",
    "sender_name",
    "server_id",
    "signature",
    "sound",
    "sub_type",
    "team_id",
    "type",
    "version",
];

fn settings(proxy: &WebPeer, more: &str) -> String {
    format!(
        "{more}[EmailSettings]\nSendPushNotifications = true\nPushNotificationServer = \"{}\"\n\
         PushNotificationContents = \"full\"\n",
        proxy.url()
    )
}

async fn attach(client: &Client, device: &str) {
    client.put("/users/sessions/device", json!({ "device_id": device })).await.expect_ok();
}

/// Has the caller sent a test message, and returns the notification of it.
async fn pushed(client: &Client, proxy: &WebPeer) -> Value {
    client.post("/notifications/test", Value::Null).await.expect_ok();
    until("the device is told", async || proxy.count() > 0).await;
    let (line, push) = proxy.one();
    assert_eq!(line, "POST /api/v1/send_push HTTP/1.1");
    push
}

/// Verifies a JWT with the key that clients are told, and returns its header and its claims.
#[track_caller]
fn verified(token: &str, public: &str) -> (Value, Value) {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { panic!("{token}") };
    let decoded = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).unwrap();
    let der = BASE64.decode(public.as_bytes()).unwrap();
    // The key is a point with both coordinates, which ends the DER.
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &der[der.len() - 65..]);
    key.verify(format!("{header}.{claims}").as_bytes(), &decoded(signature)).unwrap();
    let json = |part| serde_json::from_slice(&decoded(part)).unwrap();
    (json(header), json(claims))
}

#[actix_web::test]
async fn a_phone_gets_every_member_and_a_signature_that_it_can_verify() {
    let proxy = WebPeer::start().await;
    let server = TestServer::start_with(&settings(&proxy, "")).await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    proxy.answer(200, r#"{"status":"OK"}"#);
    attach(&admin, "android_rn:9").await;
    attach(&bert, "apple_rn:a:b").await;
    let push = pushed(&bert, &proxy).await;
    let told = bert.get("/config/client").await.expect(200);
    let members: BTreeSet<&str> = push.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, BTreeSet::from(MEMBERS));
    let bot = admin.get("/users/username/system-bot").await.expect(200);
    let channel = backdoor::texts_in(server.folder(), "SELECT channelid FROM posts").await;
    let expected = json!({
        "ack_id": push["ack_id"], "platform": "apple_rn", "server_id": told["DiagnosticId"], "device_id": "a:b",
        "post_id": push["post_id"], "category": "CAN_REPLY", "sound": "", "message": push["message"], "badge": 1,
        "cont_ava": 0, "team_id": "", "channel_id": channel[0], "root_id": "", "channel_name": "@system-bot",
        "type": "message", "sub_type": "", "sender_id": bot["id"], "sender_name": "@system-bot",
        "override_username": "", "override_icon_url": "", "from_webhook": "", "version": "v2",
        "is_crt_enabled": true, "is_id_loaded": false, "signature": push["signature"],
    });
    assert_eq!(push, expected);
    assert!(push["message"].as_str().unwrap().starts_with("This is the test notification"), "{push}");
    let public = told["AsymmetricSigningPublicKey"].as_str().unwrap();
    let (header, claims) = verified(push["signature"].as_str().unwrap(), public);
    assert_eq!(header, json!({ "alg": "ES256", "typ": "JWT" }));
    assert_eq!(claims, json!({ "ack_id": push["ack_id"], "device_id": "a:b" }));

    let next = pushed(&bert, &proxy).await;
    assert_ne!((&next["ack_id"], &next["signature"]), (&push["ack_id"], &push["signature"]));
    assert_eq!(next["badge"], 2, "the messages that were not read");
}

#[actix_web::test]
async fn all_servers_of_a_database_sign_with_one_key() {
    let proxy = WebPeer::start().await;
    let first = TestServer::start_with(&settings(&proxy, "")).await;
    let admin = first.admin().await;
    proxy.answer(200, r#"{"status":"OK"}"#);
    attach(&admin, "apple_rn:1").await;
    let told = admin.get("/config/client").await.expect(200);
    let second = first.start_beside(&settings(&proxy, "")).await;
    let there = second.client().with_token(admin.token.as_deref().unwrap());
    for client in [&admin, &there] {
        let push = pushed(client, &proxy).await;
        assert_eq!(push["server_id"], told["DiagnosticId"]);
        let public = told["AsymmetricSigningPublicKey"].as_str().unwrap();
        verified(push["signature"].as_str().unwrap(), public);
    }
}

#[actix_web::test]
async fn the_text_of_a_message_passes_the_proxy_only_if_the_settings_say_so() {
    for (contents, has_text) in
        [("full", true), ("generic", false), ("generic_no_channel", false), ("id_loaded", false)]
    {
        let proxy = WebPeer::start().await;
        let settings = settings(&proxy, "").replace("\"full\"", &format!("\"{contents}\""));
        let server = TestServer::start_with(&settings).await;
        let admin = server.admin().await;
        let bert = server.user(&admin, "bert").await;
        proxy.answer(200, r#"{"status":"OK"}"#);
        attach(&admin, "android:9").await;
        attach(&bert, "apple:1").await;
        let push = pushed(&bert, &proxy).await;
        assert_eq!((&push["platform"], &push["device_id"]), (&json!("apple"), &json!("1")));
        let text = push["message"].as_str().unwrap();
        assert_eq!(text.contains("the test notification that you requested"), has_text, "{push}");
        assert!(has_text || text == "sent you a message.", "{push}");

        let by_id = json!({
            "id": push["ack_id"], "received_at": 1_700_000_000_000_i64, "platform": "ios", "type": "message",
            "is_id_loaded": true, "post_id": push["post_id"],
        });
        let receiver = bert.post("/notifications/ack", by_id.clone()).await;
        receiver.expect_refusal(302, "api.system.id_loaded.not_available.app_error");
        assert_eq!(receiver.header("location"), "");
        let other = admin.post("/notifications/ack", by_id).await;
        other.expect_refusal(403, "api.context.permissions.app_error");
    }
}

#[actix_web::test]
async fn threads_are_told_as_the_settings_and_the_user_choose() {
    for (choice, preference, expected) in [
        ("disabled", Some("on"), false),
        ("always_on", Some("off"), true),
        ("default_on", None, true),
        ("default_on", Some("off"), false),
        ("default_off", None, false),
        ("default_off", Some("on"), true),
    ] {
        let proxy = WebPeer::start().await;
        let threads = format!("[ServiceSettings]\nCollapsedThreads = \"{choice}\"\n");
        let server = TestServer::start_with(&settings(&proxy, &threads)).await;
        let admin = server.admin().await;
        proxy.answer(200, r#"{"status":"OK"}"#);
        attach(&admin, "apple_rn:1").await;
        if let Some(value) = preference {
            let preference = json!([{
                "user_id": admin.user_id, "category": "display_settings", "name": "collapsed_reply_threads",
                "value": value,
            }]);
            admin.put("/users/me/preferences", preference).await.expect_ok();
        }
        let push = pushed(&admin, &proxy).await;
        assert_eq!(push["is_crt_enabled"], expected, "{choice} {preference:?}");
    }
}

#[actix_web::test]
async fn a_device_that_no_longer_exists_gets_no_further_notification_until_another_one_comes() {
    let proxy = WebPeer::start().await;
    let server = TestServer::start_with(&settings(&proxy, "")).await;
    let admin = server.admin().await;
    attach(&admin, "apple_rn:old").await;
    proxy.answer(200, r#"{"status":"REMOVE"}"#);
    pushed(&admin, &proxy).await;
    let removed = async || {
        let sessions = admin.get("/users/me/sessions").await.expect(200);
        sessions[0]["props"]["last_removed_device_id"].clone()
    };
    until("the removal is stored", async || removed().await == "apple_rn:old").await;
    admin.post("/notifications/test", Value::Null).await.expect_ok();
    attach(&admin, "apple_rn:new").await;
    proxy.answer(200, r#"{"status":"OK"}"#);
    // The notification for the removed device would have been sent before this one.
    assert_eq!(pushed(&admin, &proxy).await["device_id"], "new");
    assert_eq!(removed().await, "apple_rn:old");
}
