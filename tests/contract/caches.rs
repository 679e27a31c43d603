//! `/caches/invalidate`.

use serde_json::json;

use crate::support::web_peer::WebPeer;
use crate::support::websocket::WebSocket;
use crate::support::{LocalServer, TestServer, backdoor, database};

const PATH: &str = "/caches/invalidate";
const FORBIDDEN: &str = "api.context.permissions.app_error";

#[actix_web::test]
async fn what_changed_in_the_database_counts_once_the_caches_are_empty() {
    let server = TestServer::start_with("[ServiceSettings]\nSessionCacheInMinutes = 60\n").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    assert_eq!(bert.get("/users/me").await.status, 200);
    let gone = "DELETE FROM sessions WHERE userid = (SELECT id FROM users WHERE username = 'bert')";
    backdoor::execute(&server, gone).await;
    if database::base().is_none() {
        // A PostgreSQL tells its servers of deleted sessions.
        assert_eq!(bert.get("/users/me/sessions").await.status, 200);
    }
    let done = admin.post(PATH, json!({})).await;
    done.expect_ok();
    assert_eq!(done.header("cache-control"), "no-cache, no-store, must-revalidate");
    bert.get("/users/me/sessions").await.expect_refusal(401, "api.context.session_expired.app_error");
    assert_eq!(admin.get("/users/me").await.status, 200);
}

#[actix_web::test]
async fn what_other_servers_said_is_asked_again() {
    let allowed = "[ServiceSettings]\nAllowedUntrustedInternalConnections = \"127.0.0.1\"\n";
    let (server, peer) = (TestServer::start_with(allowed).await, WebPeer::start().await);
    let admin = server.admin().await;
    let path = format!("/redirect_location?url={}", peer.url());
    peer.redirect("https://a.example/");
    assert_eq!(admin.get(&path).await.json()["location"], "https://a.example/");
    peer.redirect("https://b.example/");
    admin.post(PATH, json!({})).await.expect_ok();
    assert_eq!(admin.get(&path).await.json()["location"], "https://b.example/");
}

#[actix_web::test]
async fn clients_are_told_of_the_licence_once_more() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (mut socket, _) = WebSocket::greeted(&admin).await;
    admin.post(PATH, json!({})).await.expect_ok();
    assert_eq!(socket.event_named("license_changed").await["data"], json!({ "license": { "IsLicensed": "false" } }));
}

#[actix_web::test]
async fn only_those_who_may_and_never_the_local_socket() {
    let server = TestServer::start_with("[ExperimentalSettings]\nRestrictSystemAdmin = true\n").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    server.client().post(PATH, json!({})).await.expect_refusal(401, "api.context.session_expired.app_error");
    bert.post(PATH, json!({})).await.expect_refusal(403, FORBIDDEN);
    admin.post(PATH, json!({})).await.expect_refusal(403, FORBIDDEN);
    let local = LocalServer::start().await;
    assert_eq!(local.local.post(PATH, json!({})).await.status, 404);
}
