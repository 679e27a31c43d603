//! Refusals of callers without a session are counted, so that such callers cannot flood the trail.

use reqwest::Method;
use serde_json::json;

use super::EXPIRED;
use crate::support::TestServer;
use crate::support::trail::{events_in, newest_in};

#[actix_web::test]
async fn refusals_for_want_of_a_session_are_put_together_into_one_record() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for _ in 0..50 {
        server.client().get("/config").await.expect_refusal(401, EXPIRED);
        server.client().put("/config", json!({})).await.expect_refusal(401, EXPIRED);
        server.client().with_token("nobodys").post("/config/reload", json!({})).await.expect_refusal(401, EXPIRED);
    }
    assert_eq!(admin.audits().await.len(), 2);
    let TestServer { server, folder, .. } = server;
    server.stop().await.unwrap();
    let record = newest_in(folder.path(), "refuseStrangers").await;
    let events = json!({ "configReload": 50, "getConfig": 50, "updateConfig": 50 });
    assert_eq!(record["parameters"], json!({ "count": 150, "addresses": { "127.0.0.1": 150 }, "events": events }));
    assert_eq!((&record["source"], &record["status"]), (&json!("server"), &json!("fail")));
}

#[actix_web::test]
async fn failed_logins_without_end_are_recorded_up_to_a_number_and_counted_beyond_it() {
    let server = TestServer::start().await;
    server.admin().await;
    for _ in 0..70 {
        // Without a password no hash is computed, so this is the fastest failure.
        server.client().post("/users/login", json!({ "login_id": "admin" })).await.expect(400);
    }
    let TestServer { server, folder, .. } = server;
    server.stop().await.unwrap();
    let events = events_in(folder.path()).await;
    assert_eq!(events.iter().filter(|event| *event == "login fail").count(), 60);
    let record = newest_in(folder.path(), "refuseStrangers").await;
    assert_eq!(record["parameters"]["count"], 10);
}

#[actix_web::test]
async fn strangers_with_many_addresses_share_one_budget() {
    let server = TestServer::start_with("[ServiceSettings]\nTrustedProxyIPHeader = [\"X-Forwarded-For\"]\n").await;
    server.admin().await;
    for number in 0..400 {
        let body = Some(json!({ "login_id": "admin" }).to_string());
        let address = format!("192.0.{}.{}", number / 200, number % 200 + 1);
        let headers = [("X-Forwarded-For", address.as_str())];
        server.client().send(Method::POST, "/users/login", body, &headers).await.expect(400);
    }
    let TestServer { server, folder, .. } = server;
    server.stop().await.unwrap();
    let events = events_in(folder.path()).await;
    assert_eq!(events.iter().filter(|event| *event == "login fail").count(), 300);
    assert_eq!(newest_in(folder.path(), "refuseStrangers").await["parameters"]["count"], 100);
}

#[actix_web::test]
async fn a_logout_of_nobody_leaves_no_record() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server.client().post("/users/logout", json!({})).await.expect_ok();
    assert_eq!(admin.audits().await.len(), 2);
}
