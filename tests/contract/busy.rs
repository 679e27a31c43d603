//! `/server_busy`, and its effect on other routes.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::waiting::until;
use crate::support::{Client, LocalServer, Socket, TestServer};

const PATH: &str = "/server_busy";
const BUSY: &str = "api.context.server_busy.app_error";
const METHODS: [Method; 3] = [Method::POST, Method::GET, Method::DELETE];

#[actix_web::test]
async fn an_idle_server_reports_the_zero_time_and_can_be_cleared_again_and_again() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let idle = r#"{"busy":false,"expires":-62135596800,"expires_ts":"Mon Jan 1 00:00:00 +0000 UTC 0001"}"#;
    for _ in 0..2 {
        let reply = admin.get(PATH).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, idle));
        admin.delete(PATH).await.expect_ok();
    }
}

#[actix_web::test]
async fn the_flag_is_up_for_an_hour_or_as_asked_and_each_mark_replaces_the_one_before() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for (query, seconds) in [("", 3600), ("?seconds=", 3600), ("?seconds=86400", 86_400), ("?seconds=60", 60)] {
        let earliest = now_s() + seconds;
        mark(&admin, query).await;
        let latest = now_s() + seconds;
        let state = admin.get(PATH).await.expect(200);
        let expires = state["expires"].as_i64().unwrap();
        assert!(state["busy"] == true && (earliest..=latest).contains(&expires), "{query}: {state}");
        assert_eq!(state["expires_ts"], in_words(expires), "{query}");
    }
    admin.delete(PATH).await.expect_ok();
    assert_eq!(admin.get(PATH).await.expect(200)["busy"], false);
}

#[actix_web::test]
async fn seconds_outside_of_a_day_and_what_is_no_number_are_refused_and_change_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    mark(&admin, "?seconds=60").await;
    let before = admin.get(PATH).await.expect(200);
    for seconds in ["0", "-1", "86401", "99999999999999999999", "1.0", "1e2", "0x1", "ten", "%20", "1s", "1%00"] {
        let reply = post(&admin, &format!("?seconds={seconds}")).await;
        reply.expect_refusal(400, "api.context.invalid_url_param.app_error");
        let names_it = reply.text().contains("seconds must be 1 - 86400") || seconds.ends_with("%00");
        assert!(names_it, "{}", reply.text());
    }
    assert_eq!(admin.get(PATH).await.expect(200), before);
}

#[actix_web::test]
async fn only_system_administrators_may_and_that_is_decided_before_anything_is_read() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let manager = server.staff(&admin, "carla", "system_manager").await;
    for method in METHODS {
        let path = format!("{PATH}?seconds=0");
        let anonymous = server.client().send(method.clone(), &path, None, &[]).await;
        anonymous.expect_refusal(401, "api.context.session_expired.app_error");
        for client in [&bert, &manager] {
            let reply = client.send(method.clone(), &path, None, &[]).await;
            reply.expect_refusal(403, "api.context.permissions.app_error");
        }
    }
    assert_eq!(admin.get(PATH).await.expect(200)["busy"], false);
}

#[actix_web::test]
async fn restricted_administrators_may_as_well() {
    let server = TestServer::start_with("[ExperimentalSettings]\nRestrictSystemAdmin = true\n").await;
    let admin = server.admin().await;
    mark(&admin, "").await;
    assert_eq!(admin.get(PATH).await.expect(200)["busy"], true);
    admin.delete(PATH).await.expect_ok();
}

#[actix_web::test]
async fn what_can_wait_is_refused_while_the_flag_is_up_but_a_missing_session_first() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    mark(&admin, "").await;
    for client in [&admin, &bert] {
        search(client).await.expect_refusal(503, BUSY);
        client.post("/users/search", Value::Null).await.expect_refusal(503, BUSY);
        client.get("/users/me").await.expect(200);
        client.get("/users").await.expect(200);
    }
    search(&server.client()).await.expect_refusal(401, "api.context.session_expired.app_error");
    server.login("bert").await;
    admin.delete(PATH).await.expect_ok();
    search(&bert).await.expect(200);
}

#[actix_web::test]
async fn the_flag_comes_down_by_itself() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    mark(&admin, "?seconds=1").await;
    search(&admin).await.expect_refusal(503, BUSY);
    until("the flag is down", async || search(&admin).await.status != 503).await;
    search(&admin).await.expect(200);
    let idle = admin.get(PATH).await.expect(200);
    assert_eq!((&idle["busy"], &idle["expires"]), (&json!(false), &json!(-62_135_596_800_i64)));
}

#[actix_web::test]
async fn the_local_socket_serves_all_three_without_a_session() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    mark(local, "?seconds=30").await;
    let seen = local.get(PATH).await.expect(200);
    assert_eq!((&seen["busy"], &seen), (&json!(true), &admin.get(PATH).await.expect(200)));
    post(local, "?seconds=0").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    // mmctl sends an empty body without a content type.
    let mmctl = Socket::new(server.server.socket().unwrap());
    mmctl.send("DELETE", PATH, "").await.expect_ok();
    assert_eq!(mmctl.get(PATH).await.expect(200)["busy"], false);
    mmctl.send("POST", &format!("{PATH}?seconds=3600"), "").await.expect_ok();
    assert_eq!(admin.get(PATH).await.expect(200)["busy"], true);
}

async fn mark(client: &Client, query: &str) {
    post(client, query).await.expect_ok();
}

async fn post(client: &Client, query: &str) -> crate::support::Reply {
    client.send(Method::POST, &format!("{PATH}{query}"), None, &[]).await
}

async fn search(client: &Client) -> crate::support::Reply {
    client.post("/users/search", json!({ "term": "admin" })).await
}

fn now_s() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

/// Returns a time as clients display it.
fn in_words(unix_s: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(unix_s).unwrap();
    let (weekday, month) = (at.weekday().to_string(), at.month().to_string());
    let (hour, minute, second) = at.to_hms();
    let clock = format!("{hour:02}:{minute:02}:{second:02}");
    format!("{} {} {} {clock} +0000 UTC {}", &weekday[..3], &month[..3], at.day(), at.year())
}
