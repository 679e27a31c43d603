//! The upgrade of the server in the tools of the System Console.

use serde_json::{Value, json};

use super::play;
use crate::support::{TestServer, needs};

#[actix_web::test]
async fn an_upgrade_shows_its_progress_and_the_page_comes_back_after_the_restart() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let server = TestServer::start().await;
    server.admin().await;
    let steps = play("upgrade.mjs", [browser, console], &server.base, "").await;
    let step = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let refused = step("refused");
    assert!(text(&refused["text"]).contains("The program belongs to root."), "{refused}");
    assert_eq!(refused["running"], 0);
    let failed = step("failed");
    assert!(text(&failed["text"]).contains("The signature does not match."), "{failed}");
    assert!(text(&failed["question"]).contains("Upgrade to the newest release"), "{failed}");
    assert_eq!(failed["sent"], json!([]), "a question that is cancelled sends nothing");
    let restarted = step("restarted");
    let (upgrade, restart) = ("POST /api/v4/upgrade_to_enterprise", "POST /api/v4/restart");
    assert_eq!(restarted["sent"], json!([upgrade, restart, restart, restart, restart, restart]));
    let stopped = step("stopped");
    for part in ["The restart stopped at chat-2: absent", "Restart the server"] {
        assert!(text(&stopped["text"]).contains(part), "{part}: {stopped}");
    }
    assert_eq!((&stopped["violations"], &step("again")["alerts"]), (&json!([]), &json!(0)));
    let abandoned = step("abandoned");
    assert!(text(&abandoned["text"]).contains("The restart stopped at chat-1: abandoned"), "{abandoned}");
    let last = step("last");
    for part in ["The restart stopped at chat-3: not_ready", "Upgrade to the newest release"] {
        assert!(text(&last["text"]).contains(part), "{part}: {last}");
    }
    let done = step("done");
    assert_eq!(done["alerts"], 0);
    assert!(!text(&done["text"]).contains("The server restarts"), "{done}");
    assert_eq!(restarted["violations"], json!([]));
}
