//! `--confirm-within` and `confirm`.

use super::{QUIET, config, online, refused};
use crate::support::process::Workplace;

const SET: [&str; 5] = ["set", "TeamSettings.SiteName", "Bridge", "--confirm-within", "600"];

/// Returns the version that the output names.
fn version(output: &str) -> String {
    output.lines().last().unwrap().rsplit(' ').next().unwrap().to_owned()
}

#[actix_web::test]
async fn a_running_server_takes_the_confirmation_at_once() {
    let place = online().await;
    let server = place.serve().await;
    let output = config(&place, &SET).await;
    assert!(output.contains("taken back 600 s after it is in force, unless confirmed by: quarterdeck config confirm "));
    let version = version(&output);
    let again = refused(&place, &["set", "TeamSettings.SiteName", "Deck", "--confirm-within", "60"]).await;
    assert!(again.contains("Another change waits for its confirmation"), "{again}");
    assert_eq!(config(&place, &["confirm", &version]).await, "confirmed\n");
    for arguments in [&["confirm", &version][..], &["confirm", "--take-back", &version]] {
        let twice = refused(&place, arguments).await;
        assert!(twice.contains("does not wait for a confirmation"), "{twice}");
    }
    config(&place, &["set", "TeamSettings.SiteName", "Deck", "--confirm-within", "600"]).await;
    let history = config(&place, &["history", "--limit", "1", "--json"]).await;
    let history: serde_json::Value = serde_json::from_str(&history).unwrap();
    let output = config(&place, &["confirm", "--take-back", history[0]["id"].as_str().unwrap()]).await;
    assert!(output.starts_with("TeamSettings.SiteName: \"Deck\" -> \"Bridge\"\nactive as version "), "{output}");
    server.stop().await;
}

#[actix_web::test]
async fn without_a_server_the_time_begins_with_the_start() {
    let place = Workplace::new(QUIET).await;
    let version = version(&config(&place, &SET).await);
    let early = refused(&place, &["confirm", &version]).await;
    assert!(early.contains("comes into force at the next start"), "{early}");
    let server = place.serve().await;
    assert_eq!(config(&place, &["confirm", &version]).await, "confirmed\n");
    server.stop().await;
    assert_eq!(config(&place, &["get", "TeamSettings.SiteName"]).await, "\"Bridge\"\n");
    let changed = config(&place, &["set", "TeamSettings.SiteName", "Deck", "--confirm-within", "600"]).await;
    let output = config(&place, &["confirm", "--take-back", &self::version(&changed)]).await;
    assert!(output.starts_with("TeamSettings.SiteName: \"Deck\" -> \"Bridge\"\nstored as version "), "{output}");
    let events = crate::support::trail::events_in(&place.path("")).await;
    assert_eq!(events.last().unwrap(), "takeBackConfig success");
    for seconds in ["9", "3601", "x"] {
        let ended =
            place.run(&["config", "set", "TeamSettings.SiteName", "Deck", "--confirm-within", seconds], "").await;
        assert_eq!(ended.status.code(), Some(2), "{seconds}");
    }
}
