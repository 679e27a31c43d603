//! `/latest_version`.

use serde_json::json;

use crate::support::TestServer;
use crate::support::web_peer::WebPeer;

const PATH: &str = "/latest_version";
const FAILED: &str = "app.latest_version.app_error";

async fn asking(peer: &WebPeer) -> TestServer {
    TestServer::start_with(&format!("[Quarterdeck]\nLatestVersionURL = \"{}/latest\"\n", peer.url())).await
}

fn release() -> serde_json::Value {
    json!({
        "id": 7, "tag_name": "v11.7.0", "name": "11.7", "created_at": "2026-01-02T03:04:05Z",
        "published_at": "2026-01-03T03:04:05Z", "body": "notes", "html_url": "https://releases.example/11.7",
    })
}

#[actix_web::test]
async fn the_source_is_asked_once_and_told_without_what_nobody_needs() {
    let peer = WebPeer::start().await;
    let server = asking(&peer).await;
    let admin = server.admin().await;
    let mut answer = release();
    answer["author"] = json!({ "login": "somebody" });
    peer.answer(200, &answer.to_string());
    for _ in 0..2 {
        let reply = admin.get(PATH).await;
        assert_eq!((reply.status, reply.json()), (200, release()));
    }
    assert_eq!(peer.lines(), ["GET /latest HTTP/1.1"]);
    admin.post("/caches/invalidate", json!({})).await.expect_ok();
    assert_eq!(admin.get(PATH).await.json(), release());
    assert_eq!(peer.count(), 1);
}

#[actix_web::test]
async fn a_source_that_fails_is_told_and_not_asked_again_at_once() {
    let peer = WebPeer::start().await;
    let server = asking(&peer).await;
    let admin = server.admin().await;
    for (status, body) in [(403, "{}"), (200, "{}"), (200, "<html>"), (200, ""), (302, "")] {
        peer.answer(status, body);
        admin.get(PATH).await.expect_refusal(500, FAILED);
        admin.get(PATH).await.expect_refusal(500, FAILED);
        assert_eq!(peer.lines().len(), 1);
        admin.post("/caches/invalidate", json!({})).await.expect_ok();
    }
}

#[actix_web::test]
async fn only_unrestricted_administrators_may_ask() {
    let peer = WebPeer::start().await;
    let server = asking(&peer).await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    server.client().get(PATH).await.expect_refusal(401, "api.context.session_expired.app_error");
    bert.get(PATH).await.expect_refusal(403, "api.context.permissions.app_error");
    let restricted = json!({ "ExperimentalSettings": { "RestrictSystemAdmin": true } });
    assert_eq!(admin.put("/config/patch", restricted).await.status, 200);
    admin.get(PATH).await.expect_refusal(403, "api.context.permissions.app_error");
    assert_eq!(peer.count(), 0);
}
