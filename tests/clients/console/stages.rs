//! The test of a store while it runs.

use serde_json::{Value, json};

use super::play;
use crate::support::{TestServer, needs};

#[actix_web::test]
async fn the_steps_of_a_test_appear_as_they_end_and_a_test_can_be_cancelled() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let server = TestServer::start().await;
    server.admin().await;
    let steps = play("stages.mjs", [browser, console], &server.base, "").await;
    let step = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();

    let failure = step("failure");
    let seen: Vec<String> = failure["seen"].as_array().unwrap().iter().map(text).collect();
    assert_eq!(seen[..4], ["settings passed", "resolve passed", "connect passed", "tls running"], "{failure}");
    assert!(seen[4..].iter().all(|stage| stage.ends_with(" waiting")), "{seen:?}");
    assert!(failure["times"].as_array().unwrap().iter().all(|time| text(time).ends_with(" ms")), "{failure}");
    assert_eq!(failure["found"], json!([]));
    assert!(text(&failure["verdict"]).starts_with("Connection unsuccessful:"), "{failure}");
    assert!(failure["stages"].as_array().unwrap().contains(&json!("tls failed")), "{failure}");
    assert!(text(&failure["mending"]).contains("Remedy"), "{failure}");
    assert_eq!(step("cancel"), &json!({ "step": "cancel", "is_enabled": true, "verdicts": 0 }));
    assert_eq!(step("stale")["stale"], 1);
    assert!(text(&step("broken")["verdict"]).contains("ended before the result came"), "{}", step("broken"));
    assert_eq!(step("whole")["stages"], json!(["settings passed"]));
}
