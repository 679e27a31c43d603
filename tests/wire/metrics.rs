//! `GET /metrics` on a separate address, and with a token on the address of the API.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::str::FromStr;

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::license::{Seller, upload};
use crate::support::raw::{connect, read_to_end};
use crate::support::waiting::until;
use crate::support::websocket::WebSocket;
use crate::support::{Client, Reply, TestServer, database};

const METRICS: &str = "[MetricsSettings]\nEnable = true\nListenAddress = \"127.0.0.1:0\"\n";
const TOKEN: &str = "0123456789abcdef-metrics";
const GUARDED: &str = "[Quarterdeck]\nMetricsToken = \"0123456789abcdef-metrics\"\n";

async fn scraped(server: &TestServer, headers: &[(&str, &str)]) -> Reply {
    server.client().send(Method::GET, "//metrics", None, headers).await
}

async fn text_of(server: &TestServer) -> String {
    let reply = scraped(server, &[("Authorization", &format!("Bearer {TOKEN}"))]).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.text()
}

/// Returns the value of one series, by the text before the blank.
fn value<N: FromStr<Err: Debug>>(text: &str, series: &str) -> N {
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("{series} is not in {text}")).parse().unwrap()
}

fn count(text: &str, series: &str) -> u64 {
    value(text, series)
}

#[actix_web::test]
async fn metrics_are_shown_on_their_own_address_while_the_server_runs() {
    let server = TestServer::start_with(METRICS).await;
    let base = format!("http://{}", server.server.metrics_address().unwrap());
    let reply = Client::new(&base).get("//metrics").await;
    assert_eq!((reply.status, reply.header("content-type").as_str()), (200, "text/plain; version=0.0.4"));
    let text = reply.text();
    for line in [
        "# TYPE quarterdeck_actor_restarts_total counter",
        r#"quarterdeck_actor_restarts_total{actor="config"} 0"#,
        r#"quarterdeck_actor_alive{actor="presence"} 1"#,
        r#"quarterdeck_actor_alive{actor="sessions"} 1"#,
        r#"quarterdeck_health_check_ok{check="database"} 1"#,
        r#"quarterdeck_storage_settings_in_service{store="files"} 1"#,
        "quarterdeck_requests_in_flight 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
    }
    assert!(value::<f64>(&text, r#"quarterdeck_health_check_seconds{check="filestore"}"#) > 0.0);
    assert!(count(&text, "mattermost_db_master_connections_total") >= 1);
    assert!(count(&text, "quarterdeck_database_connections_most") >= 2);
    assert!(count(&text, "mattermost_process_resident_memory_bytes") > 1_000_000);
    assert!(count(&text, "mattermost_process_max_fds") >= count(&text, "mattermost_process_open_fds"));
    assert_eq!(server.client().get("//metrics").await.status, 404);
    server.server.stop().await.unwrap();
    assert!(reqwest::get(format!("{base}/metrics")).await.is_err());
}

#[actix_web::test]
async fn the_address_of_the_metrics_has_limits_of_its_own() {
    const LIMIT: usize = 64;
    let times = "[ServiceSettings]\nIdleTimeout = 1\nReadTimeout = 1\n";
    let server = TestServer::start_with(&format!("{METRICS}{times}")).await;
    let base = format!("http://{}", server.server.metrics_address().unwrap());
    let mut held = Vec::new();
    for _ in 0..LIMIT {
        let mut connection = connect(&base).await;
        connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut status = [0; 12];
        connection.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        held.push(connection);
        if held.len() == LIMIT / 2 {
            // The API has separate connections.
            assert_eq!(server.client().get("/system/ping").await.status, 200);
        }
    }
    drop(held.split_off(LIMIT / 2));
    // Idle connections are closed, although their clients read nothing and do not disconnect.
    until("there is room", async || {
        let mut fresh = Vec::new();
        for _ in 0..LIMIT {
            let mut connection = connect(&base).await;
            let _ = connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
            let mut status = [0; 12];
            if connection.read_exact(&mut status).await.is_err() {
                return false;
            }
            fresh.push(connection);
        }
        true
    })
    .await;
    drop(held);
    // A request that does not end does not delay the stop.
    let mut endless = connect(&base).await;
    endless.write_all(b"GET /metrics HTTP/1.1\r\nHost:").await.unwrap();
    read_to_end(&mut endless).await;
}

#[actix_web::test]
async fn connections_to_the_address_of_the_metrics_beyond_the_limit_take_the_places_of_idle_ones() {
    const LIMIT: usize = 64;
    let server = TestServer::start_with(METRICS).await;
    let base = format!("http://{}", server.server.metrics_address().unwrap());
    let mut held = Vec::new();
    until("eight took the places of idle ones", async || {
        let mut connection = connect(&base).await;
        let _ = connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        // New connections are refused until the others have been idle for a second.
        if connection.read_exact(&mut [0; 12]).await.is_ok() {
            held.push(connection);
        }
        held.len() == LIMIT + 8
    })
    .await;
    // The oldest connections are closed.
    for connection in held.iter_mut().take(8) {
        let mut rest = Vec::new();
        let _ = connection.read_to_end(&mut rest).await;
    }
    assert_eq!(server.client().get("/system/ping").await.status, 200);
    drop(held);
    until("there is room", async || {
        reqwest::get(format!("{base}/metrics")).await.is_ok_and(|reply| reply.status() == 200)
    })
    .await;
    assert_eq!(Client::new(&base).get("//nothing").await.status, 404);
}

#[actix_web::test]
async fn metrics_are_off_unless_asked_for() {
    let server = TestServer::start().await;
    assert_eq!(server.server.metrics_address(), None);
    let admin = server.admin().await;
    admin.get("//metrics").await.expect_refusal(404, "api.context.404.app_error");
    scraped(&server, &[("Authorization", "Bearer ")]).await.expect_refusal(404, "api.context.404.app_error");
}

#[actix_web::test]
async fn where_everybody_is_served_they_take_the_token() {
    let server = TestServer::start_with(GUARDED).await;
    let admin = server.admin().await;
    let longer = format!("Bearer {TOKEN}x");
    for wrong in ["Bearer 0123456789abcdef-metricz", "Bearer 0123456789abcdef", &longer, "Bearer ", TOKEN, "Basic eDp5"]
    {
        let refused = scraped(&server, &[("Authorization", wrong)]).await;
        refused.expect_refusal(401, "app.metrics.token.app_error");
    }
    scraped(&server, &[]).await.expect_refusal(401, "app.metrics.token.app_error");
    admin.get("//metrics").await.expect_refusal(401, "app.metrics.token.app_error");
    admin.get(&format!("//metrics?access_token={TOKEN}")).await.expect_refusal(401, "app.metrics.token.app_error");
    let recorded = async || admin.get("/audits").await.text().contains("/metrics");
    until("the refusals are in the audit trail", recorded).await;
    assert!(text_of(&server).await.contains("quarterdeck_build_info"));
    let as_user = server.client().with_token(TOKEN).get("/users/me").await;
    assert_eq!(as_user.status, 401);
}

#[actix_web::test]
async fn what_happens_is_counted_where_it_belongs() {
    let server = TestServer::start_with(GUARDED).await;
    let admin = server.admin().await;
    let wrong = json!({ "login_id": "admin", "password": "wrong" });
    server.client().post("/users/login", wrong).await.expect(401);
    admin.get("/users/me").await.expect(200);
    admin.get("/users/nobody").await.expect(400);
    let before = text_of(&server).await;
    assert_eq!(count(&before, "mattermost_login_logins_total"), 1);
    assert_eq!(count(&before, "mattermost_login_logins_fail_total"), 1);
    let of_user = |status: &str| {
        format!(
            r#"mattermost_api_time_count{{handler="/api/v4/users/{{user_id}}",method="GET",status_code="{status}"}}"#
        )
    };
    assert_eq!((count(&before, &of_user("200")), count(&before, &of_user("400"))), (1, 1));
    let (errors, requests) =
        (count(&before, "mattermost_http_errors_total"), count(&before, "mattermost_http_requests_total"));
    admin.get("/users/nobody").await.expect(400);
    let (mut socket, _) = WebSocket::greeted(&admin).await;
    admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": "Harbour" } })).await.expect(200);
    socket.event_named("config_changed").await;
    let after = text_of(&server).await;
    assert_eq!(count(&after, "mattermost_http_errors_total"), errors + 1);
    // The difference is the scrape before, the refusal, the socket and the patch.
    assert_eq!(count(&after, "mattermost_http_requests_total"), requests + 4);
    assert_eq!(count(&after, &of_user("400")), 2);
    assert_eq!(count(&after, "mattermost_http_websockets_total"), 1);
    assert_eq!(count(&after, r#"mattermost_websocket_broadcasts_total{name="config_changed"}"#), 1);
    let messages = r#"quarterdeck_actor_message_seconds_count{actor="config"}"#;
    assert!(count(&after, messages) > count(&before, messages));
    assert!(value::<f64>(&after, r#"quarterdeck_actor_message_seconds_sum{actor="config"}"#) > 0.0);
    // A task of the server looks for a change that waits for its confirmation.
    let waiting = r#"quarterdeck_actor_mailbox_messages{actor="config"}"#;
    until("the mailbox is empty", async || count(&text_of(&server).await, waiting) == 0).await;
    assert!(!after.contains(r#"handler="/api/v4/websocket""#), "{after}");
}

#[actix_web::test]
async fn what_clients_make_up_makes_no_series() {
    let server = TestServer::start_with(GUARDED).await;
    let admin = server.admin().await;
    text_of(&server).await;
    for number in 0..1_000 {
        let path = format!("//made-up/{number}/{}", "x".repeat(number % 7));
        let method = Method::from_bytes(format!("GET{number}").as_bytes()).unwrap();
        assert_eq!(server.client().send(method, &path, None, &[]).await.status, 404);
        admin.get(&format!("/users/username/nobody-{number}")).await.expect(404);
    }
    let text = text_of(&server).await;
    let (of_anonymous, of_names) = (
        r#"mattermost_api_time_count{handler="other",method="other",status_code="404"}"#,
        r#"mattermost_api_time_count{handler="/api/v4/users/username/{username}",method="GET",status_code="404"}"#,
    );
    assert_eq!((count(&text, of_anonymous), count(&text, of_names)), (1_000, 1_000));
    assert!(!text.contains("made-up") && !text.contains("nobody-") && !text.contains("GET1"), "{text}");
    let series = text.lines().filter(|line| line.starts_with("mattermost_api_time_count")).count();
    assert!(series <= 8, "{text}");
}

#[actix_web::test]
async fn the_end_of_the_licence_is_shown_in_unix_seconds() {
    const SERIES: &str = "quarterdeck_license_expires_timestamp_seconds";
    let seller = Seller::new().await;
    let server = seller.server("MetricsToken = \"0123456789abcdef-metrics\"\n").await;
    let admin = server.admin().await;
    assert_eq!(count(&text_of(&server).await, SERIES), 0);
    let license = upload(&admin, &seller.license(&[]).await).await.expect(201);
    let expires_ms = license["expires_at"].as_u64().unwrap();
    assert_eq!(count(&text_of(&server).await, SERIES), expires_ms / 1000);
    admin.delete("/license").await.expect(200);
    assert_eq!(count(&text_of(&server).await, SERIES), 0);
}

#[actix_web::test]
async fn requests_that_wait_for_a_password_hash_are_shown_with_their_limit() {
    const SERIES: &str = "quarterdeck_password_queue_requests";
    let server = TestServer::start_with(&format!("{GUARDED}PasswordQueue = 77\n")).await;
    server.admin().await;
    let before = text_of(&server).await;
    assert_eq!((count(&before, SERIES), count(&before, "quarterdeck_password_queue_limit")), (0, 77));
    // Attempts at one name are hashed one after the other.
    let attempt = || async {
        let wrong = json!({ "login_id": "admin", "password": "wrong" });
        server.client().post("/users/login", wrong).await.expect(401);
    };
    let waiting = until("attempts wait", async || count(&text_of(&server).await, SERIES) > 1);
    join(join_all((0..8).map(|_| attempt())), waiting).await;
    until("the queue is empty", async || count(&text_of(&server).await, SERIES) == 0).await;
}

/// Returns the names in a text that begin like metrics.
fn names_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    words.filter(|word| word.starts_with("mattermost_") || word.starts_with("quarterdeck_")).collect()
}

#[actix_web::test]
async fn the_documents_name_what_is_told_and_nothing_else() {
    let redis = "[CacheSettings]\nCacheType = \"redis\"\nRedisAddress = \"127.0.0.1:1\"\nRedisDB = 0\n";
    let server = TestServer::start_with(&format!("{GUARDED}{redis}")).await;
    let admin = server.admin().await;
    let back = "?connection_id=abcdefghijklmnopqrstuvwxyz&sequence_number=1&disconnect_err_code=1006";
    WebSocket::of(&admin, back).await.event().await;
    // Only servers on PostgreSQL have figures of a cluster, the last one from the first heartbeat on.
    let is_shared = database::base().is_some();
    let lag = "quarterdeck_cluster_lag{";
    until("all are told", async || !is_shared || text_of(&server).await.contains(lag)).await;
    let text = text_of(&server).await;
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let told: BTreeSet<&str> = types.clone().map(|(name, _)| name).collect();
    let documented = names_in(include_str!("../../docs/metrics.md"));
    let is_of_cluster =
        |name: &str| ["quarterdeck_cluster_", "quarterdeck_redis_"].iter().any(|begin| name.starts_with(begin));
    let is_meant = |name: &&str| *name != "mattermost_" && (is_shared || !is_of_cluster(name));
    let documented: BTreeSet<&str> = documented.into_iter().filter(is_meant).collect();
    assert_eq!(documented, told);
    let histograms: Vec<&str> = types.filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name).collect();
    let of_histogram = |name: &str| {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        base.is_some_and(|base| histograms.contains(&base))
    };
    for used in [include_str!("../../docs/grafana-dashboard.json"), include_str!("../../docs/alerts.yml")] {
        let names = names_in(used);
        assert!(names.len() > 10, "{names:?}");
        for name in names.into_iter().filter(is_meant) {
            assert!(told.contains(name) || of_histogram(name), "{name} is told nowhere");
        }
    }
}
