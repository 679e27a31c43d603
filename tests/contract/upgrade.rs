//! `/upgrade_to_enterprise` and `/restart` without a source of releases; `faults/upgrade.rs` tests the rest.

use reqwest::Method;
use serde_json::json;

use crate::support::trail::newest_in;
use crate::support::{LocalServer, TestServer};

const UPGRADE: &str = "/upgrade_to_enterprise";
const STATUS: &str = "/upgrade_to_enterprise/status";
const ALLOWED: &str = "/upgrade_to_enterprise/allowed";
const RESTART: &str = "/restart";
const GENERIC: &str = "api.upgrade_to_enterprise.generic_error.app_error";

#[actix_web::test]
async fn only_system_administrators_may() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let manager = server.staff(&admin, "carla", "system_manager").await;
    let requests = [(Method::POST, UPGRADE), (Method::GET, STATUS), (Method::GET, ALLOWED), (Method::POST, RESTART)];
    for (method, path) in requests {
        let anonymous = server.client().send(method.clone(), path, None, &[]).await;
        anonymous.expect_refusal(401, "api.context.session_expired.app_error");
        for client in [&bert, &manager] {
            let refused = client.send(method.clone(), path, None, &[]).await;
            refused.expect_refusal(403, "api.context.permissions.app_error");
        }
    }
}

#[actix_web::test]
async fn without_a_source_there_is_no_upgrade_and_it_is_told_what_is_missing() {
    let server = TestServer::start_with("[ExperimentalSettings]\nRestrictSystemAdmin = true\n").await;
    let admin = server.admin().await;
    for refused in [admin.get(ALLOWED).await, admin.post(UPGRADE, json!({})).await] {
        refused.expect_refusal(403, GENERIC);
        assert!(refused.text().contains("set ReleaseURL and ReleasePublicKeyFile"), "{}", refused.text());
    }
    let status = admin.get(STATUS).await;
    assert_eq!((status.status, status.text().as_str()), (200, r#"{"error":null,"percentage":0}"#));
    admin.audits().await;
    let record = newest_in(server.folder(), "upgradeToEnterprise").await;
    assert_eq!(
        (&record["status"], &record["code"], &record["errorid"]),
        (&json!("fail"), &json!(403), &json!(GENERIC))
    );
}

#[actix_web::test]
async fn a_restart_without_an_upgrade_is_answered_and_does_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.post(RESTART, json!({})).await.expect_ok();
    let restart = server.server.restart_wanted();
    let waiting = tokio::time::timeout(std::time::Duration::ZERO, restart).await;
    assert!(waiting.is_err(), "the server would restart");
    admin.audits().await;
    let record = newest_in(server.folder(), "restartServer").await;
    assert_eq!((&record["status"], &record["parameters"]), (&json!("success"), &json!({})));
}

#[actix_web::test]
async fn nothing_of_it_is_on_the_local_socket() {
    let LocalServer { local, .. } = &LocalServer::start().await;
    for path in [STATUS, ALLOWED] {
        local.get(path).await.expect_refusal(404, "api.context.404.app_error");
    }
    local.post(UPGRADE, json!({})).await.expect_refusal(404, "api.context.404.app_error");
    local.post(RESTART, json!({})).await.expect_refusal(404, "api.context.404.app_error");
}
