//! `GET /config` for callers who may read all settings. The response is created once for each version.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestServer;

#[actix_web::test]
async fn what_one_may_read_is_never_shown_to_another() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let roles = format!("/users/{}/roles", bert.user_id);
    assert_eq!(admin.get("/config").await.expect(200)["ServiceSettings"]["WebsocketURL"], "");
    bert.get("/config").await.expect_refusal(403, "api.context.permissions.app_error");
    admin.put(&roles, json!({ "roles": "system_user system_admin" })).await.expect_ok();
    assert_eq!(bert.get("/config").await.text(), admin.get("/config").await.text());
    admin.put(&roles, json!({ "roles": "system_user" })).await.expect_ok();
    bert.get("/config").await.expect_refusal(403, "api.context.permissions.app_error");
    server.execute("UPDATE users SET roles = 'system_user system_read_only_admin' WHERE username = 'bert'").await;
    let reader = server.login("bert").await;
    let shown = reader.get("/config").await.expect(200);
    assert_eq!(shown["ServiceSettings"]["WebsocketURL"], Value::Null);
    assert_eq!(shown["TeamSettings"]["SiteName"], "Mattermost");
}

#[actix_web::test]
async fn each_version_is_shown_with_its_own_tag_plain_and_packed() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let before = admin.get("/config").await;
    assert_eq!(before.header("etag"), "\"default\"");
    let patch = json!({ "TeamSettings": { "SiteName": "Bridge" }, "EmailSettings": { "SMTPPassword": "canary" } });
    let changed = admin.put("/config/patch", patch).await;
    changed.expect(200);
    let plain = admin.get("/config").await;
    let packed = admin.send(Method::GET, "/config", None, &[("Accept-Encoding", "gzip")]).await;
    assert_eq!((plain.header("etag"), packed.header("etag")), (changed.header("etag"), changed.header("etag")));
    assert_eq!(plain.text(), changed.text());
    assert!(!plain.text().contains("canary"));
    assert_eq!(packed.header("content-encoding"), "gzip");
    let mut unpacked = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed.body[..]), &mut unpacked).unwrap();
    assert_eq!(unpacked, plain.text());
    let without = admin.get("/config?remove_defaults=true&remove_masked=true").await.expect(200);
    assert_eq!(without["TeamSettings"]["SiteName"], "Bridge");
    assert_eq!(without.pointer("/EmailSettings/SMTPPassword"), None);
}

#[actix_web::test]
async fn the_version_header_changes_with_what_clients_see_and_with_nothing_else() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let version = async || admin.get("/system/ping").await.header("x-version-id");
    let patch = async |body: Value| {
        let reply = admin.put("/config/patch", body).await;
        reply.expect(200);
        reply.header("x-version-id")
    };
    // The first change also generates keys, which no client sees.
    let first = version().await;
    let unseen = patch(json!({ "ServiceSettings": { "MaximumLoginAttempts": 7 } })).await;
    assert_eq!((&unseen, &version().await), (&first, &first));
    let seen = patch(json!({ "TeamSettings": { "SiteName": "Bridge" } })).await;
    assert_ne!(seen, first);
    assert_eq!(version().await, seen);
    assert_eq!(patch(json!({ "TeamSettings": { "SiteName": "Mattermost" } })).await, first);
}

/// Mattermost makes the salts anew.
#[actix_web::test]
async fn a_document_without_masked_settings_that_is_sent_back_keeps_salts_and_secrets() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    // The first change makes the salts.
    admin.set("EmailSettings.SMTPPassword", "canary").await.expect(200);
    let used = || Value::Object(server.server.config().current().document.clone());
    let before = used();
    let mut shown = admin.get("/config?remove_masked=true").await.expect(200);
    shown["TeamSettings"]["SiteName"] = json!("Bridge");
    admin.put("/config", shown).await.expect(200);
    let after = used();
    assert_eq!(after["TeamSettings"]["SiteName"], "Bridge");
    for path in ["/FileSettings/PublicLinkSalt", "/SqlSettings/AtRestEncryptKey", "/EmailSettings/SMTPPassword"] {
        let salt = before.pointer(path).and_then(Value::as_str).unwrap();
        assert!(!salt.is_empty() && after.pointer(path).unwrap() == salt, "{path}");
    }
}

/// Mattermost resets both settings with every patch.
#[actix_web::test]
async fn a_patch_keeps_the_settings_that_it_does_not_name() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let kept = [("RateLimitSettings.VaryByHeader", "X-Real-Ip"), ("ClientRequirements.AndroidMinVersion", "2.0.0")];
    for (path, value) in kept {
        admin.set(path, value).await.expect(200);
    }
    admin.set("TeamSettings.SiteName", "Bridge").await.expect(200);
    for (path, value) in kept {
        assert_eq!(admin.setting(path).await, value, "{path}");
    }
}
