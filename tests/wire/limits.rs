//! Limits of sizes and durations.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use crate::support::raw::{connect, exchange, read_to_end};
use crate::support::server::account;
use crate::support::{Reply, TestServer};

#[actix_web::test]
async fn an_address_beyond_its_limit_is_414_without_standard_headers() {
    let server = TestServer::start_with("[ServiceSettings]\nMaximumURLLength = 60\n").await;
    let reply = server.client().get(&format!("/system/ping?x={}", "y".repeat(60))).await;
    reply.expect_refusal(414, "basic_security_check.url.too_long_error");
    assert_eq!(reply.json()["request_id"].as_str().unwrap().len(), 26);
    assert_eq!(reply.header("x-request-id"), "");
    assert_eq!(server.client().get("/system/ping?x=yyyyy").await.status, 200);
}

#[actix_web::test]
async fn a_body_beyond_its_limit_is_413_where_it_matters_and_empty_where_bodies_are_lenient() {
    let server = TestServer::start_with("[ServiceSettings]\nMaximumPayloadSizeBytes = 1000\n").await;
    let client = server.client();
    let mut large = account("anna");
    large["nickname"] = json!("x".repeat(2000));
    client.post("/users", large).await.expect_refusal(413, "api.context.request_body_too_large.app_error");
    let lenient = client.post("/users/login", json!({ "login_id": "anna", "password": "x".repeat(2000) })).await;
    lenient.expect_refusal(400, "api.user.login.blank_pwd.app_error");
    let mut fitting = account("anna");
    fitting["props"] = json!({ "filler": "x".repeat(1200) });
    client.post("/users", fitting).await.expect(201);
}

#[actix_web::test]
async fn headers_beyond_their_limit_are_431() {
    let server = TestServer::start().await;
    let long = "x".repeat(70_000);
    let reply: Reply = server.client().send(reqwest::Method::GET, "/system/ping", None, &[("X-Long", &long)]).await;
    reply.expect_refusal(431, "api.context.request_headers_too_large.app_error");
}

#[actix_web::test]
async fn a_client_that_does_not_finish_its_request_is_let_go() {
    let server = TestServer::start_with("[ServiceSettings]\nReadTimeout = 1\n").await;
    let mut connection = connect(&server.base).await;
    connection.write_all(b"GET /api/v4/system/ping HTTP/1.1\r\nHost:").await.unwrap();
    let started = Instant::now();
    let answer = read_to_end(&mut connection).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(10));

    let unfinished = "POST /api/v4/users HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100\r\n\r\n{";
    let answer = exchange(&server.base, unfinished).await;
    assert!(answer.contains("api.context.request_body_timeout.app_error"), "{answer}");
}

#[actix_web::test]
async fn a_connection_without_requests_is_closed() {
    let server = TestServer::start_with("[ServiceSettings]\nIdleTimeout = 1\n").await;
    let request = "GET /api/v4/system/ping HTTP/1.1\r\nHost: x\r\n\r\n";
    let answer = exchange(&server.base, request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}
