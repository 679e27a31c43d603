//! A real Prometheus reads the metrics with the token, and parses the dashboard and the alerts.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::support::waiting::until;
use crate::support::websocket::WebSocket;
use crate::support::{TestServer, needs};

const TIMEOUT: Duration = Duration::from_mins(1);
const GUARDED: &str = "[Quarterdeck]\nMetricsToken = \"0123456789abcdef-metrics\"\n";
const DASHBOARD: &str = include_str!("../../docs/grafana-dashboard.json");
const ALERTS: &str = include_str!("../../docs/alerts.yml");

#[actix_web::test]
async fn every_alert_fires_on_what_it_is_for_and_is_quiet_otherwise() {
    let Some(programs) = needs::peer("prometheus") else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("alerts.yml"), ALERTS).unwrap();
    std::fs::write(folder.path().join("test.yml"), include_str!("prometheus/alerts.test.yml")).unwrap();
    let mut command = Command::new(programs.join("promtool"));
    command.args(["test", "rules", "test.yml"]).current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(TIMEOUT, command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    for name in alerts().iter().map(|alert| alert["alert"].as_str().unwrap()) {
        let tested = format!("- name: {name} fires\n");
        assert!(include_str!("prometheus/alerts.test.yml").contains(&tested), "{name} is not tested");
    }
}

fn alerts() -> Vec<Value> {
    let document: Value = yaml_serde::from_str(ALERTS).unwrap();
    document["groups"][0]["rules"].as_array().unwrap().clone()
}

/// Returns the queries of the dashboard, with values for their variables.
fn questions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let annotations = dashboard["annotations"]["list"].as_array().unwrap().iter();
    let expressions = targets.chain(annotations).map(|target| target["expr"].as_str().unwrap());
    expressions.map(|expression| expression.replace("$__rate_interval", "1m").replace("$instance", ".*")).collect()
}

#[actix_web::test]
async fn prometheus_reads_the_metrics_and_answers_what_dashboard_and_alerts_ask() {
    let Some(programs) = needs::peer("prometheus") else { return };
    let server = TestServer::start_with(GUARDED).await;
    let admin = server.admin().await;
    let back = "?connection_id=abcdefghijklmnopqrstuvwxyz&sequence_number=1&disconnect_err_code=1006";
    WebSocket::of(&admin, back).await.event().await;
    let folder = tempfile::tempdir().unwrap();
    let (mut prometheus, base) = started(&programs, folder.path(), &server).await;
    let ask = async |expression: &str| {
        let url = reqwest::Url::parse_with_params(&format!("{base}/api/v1/query"), [("query", expression)]).unwrap();
        let answer: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    };
    // A rate needs two readings.
    let is_read = async || !ask("rate(mattermost_http_requests_total[1m])").await.is_empty();
    until("the metrics were read twice", is_read).await;
    assert_eq!(ask("up").await[0]["value"][1], json!("1"));
    for question in questions() {
        // Queries for problems have no result.
        let is_quiet = [" > 0", " == 0", "5.."].iter().any(|end| question.contains(end));
        assert!(is_quiet || !ask(&question).await.is_empty(), "{question} finds nothing");
        ask(&question).await;
    }
    for alert in alerts() {
        assert!(ask(alert["expr"].as_str().unwrap()).await.is_empty(), "{alert} fires on a server that is well");
    }
    prometheus.kill().await.unwrap();
}

async fn started(programs: &Path, folder: &Path, server: &TestServer) -> (tokio::process::Child, String) {
    let target = server.base.strip_prefix("http://").unwrap();
    let config = json!({
        "global": { "scrape_interval": "1s" },
        "rule_files": ["alerts.yml"],
        "scrape_configs": [{
            "job_name": "quarterdeck",
            "authorization": { "credentials": "0123456789abcdef-metrics" },
            "static_configs": [{ "targets": [target] }],
        }],
    });
    std::fs::write(folder.join("prometheus.yml"), config.to_string()).unwrap();
    std::fs::write(folder.join("alerts.yml"), ALERTS).unwrap();
    // Prometheus does not print its port, so the test chooses a free one.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let mut command = Command::new(programs.join("prometheus"));
    command.arg(format!("--web.listen-address={address}")).args(["--config.file=prometheus.yml", "--log.level=error"]);
    command.arg("--storage.tsdb.path=data").current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    let child = command.spawn().unwrap();
    let base = format!("http://{address}");
    let is_ready =
        async || reqwest::get(format!("{base}/-/ready")).await.is_ok_and(|answer| answer.status().is_success());
    until("Prometheus is ready", is_ready).await;
    (child, base)
}
