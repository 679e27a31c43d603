//! `GET /metrics` on its own address.

use crate::support::{Client, TestServer};

const METRICS: &str = "[MetricsSettings]\nEnable = true\nListenAddress = \"127.0.0.1:0\"\n";

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
    let has = |name: &str| text.lines().any(|line| line.starts_with(name));
    assert!(has(r#"quarterdeck_health_check_age_seconds{check="filestore"} "#), "{text}");
    assert!(has("quarterdeck_database_connections ") && has("process_resident_memory_bytes "), "{text}");
    assert_eq!(server.client().get("//metrics").await.status, 404);
    server.server.stop().await;
    assert!(reqwest::get(format!("{base}/metrics")).await.is_err());
}

#[actix_web::test]
async fn metrics_are_off_unless_asked_for() {
    assert_eq!(TestServer::start().await.server.metrics_address(), None);
}
