//! Changes that are taken back unless they are confirmed, and the history of the configuration.

use serde_json::{Value, json};

use super::play;
use crate::support::{TestServer, needs};

#[actix_web::test]
async fn a_change_that_can_lock_out_is_taken_back_unless_it_is_confirmed_and_the_history_undoes_it() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let steps = play("history.mjs", [browser, console], &server.base, "").await;
    let step = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let list = |value: &Value| value.as_array().unwrap().iter().map(text).collect::<Vec<_>>();

    let harmless = step("harmless");
    assert_eq!(harmless, &json!({ "step": "harmless", "is_on": false, "within": null, "banners": 0 }));

    let kept = step("kept");
    assert_eq!((&kept["is_on"], &kept["within"], &kept["value"]), (&json!(true), &json!("60"), &json!("12")));
    assert!(text(&kept["text"]).contains("Keep the change"), "{kept}");
    assert!(text(&kept["blocked"]["option"]).contains("Another change waits"), "{kept}");
    assert_eq!((&kept["blocked"]["is_disabled"], &kept["found"]), (&json!(true), &json!([])));

    let taken_back = step("taken_back");
    assert_eq!((&taken_back["chosen"], &taken_back["length"]), (&json!("300"), &json!("12")));
    let held = &taken_back["held"];
    assert!(text(&held["text"]).starts_with("A change was not confirmed in time and was taken back."), "{held}");
    assert_eq!(
        (&held["reload"], &held["typed"], &held["length"]),
        (&json!(0), &json!(true), &json!("14")),
        "a form with changes is not touched"
    );

    let history = step("history");
    let versions = list(&history["list"]);
    assert!(versions[0].contains("Taken back, not confirmed") && versions[0].contains("In force"), "{versions:?}");
    assert!(versions[1].contains("admin") && versions[1].contains("from 127.0.0.1"), "{versions:?}");
    assert!(versions.iter().any(|version| version.contains("a slow mail server")), "{versions:?}");
    assert_eq!(list(&history["own"]), ["Minimum password length\nPasswordSettings.MinimumLength\n\t14\t12"]);
    assert!(text(&history["difference"]).contains("PasswordSettings.MinimumLength"), "{history}");
    assert!(text(&history["preview"]).contains("\n\t12\t"), "{history}");
    assert_eq!((&history["is_preselected"], &history["found"]), (&json!(true), &json!([])));
    assert!(text(&history["overtaken"]).contains("Meanwhile"), "{history}");
    let after = text(&history["after"]);
    assert!(after.contains("Rolled back") && after.contains("In force"), "{after}");
    assert!(after.contains("back to short passwords") && !after.contains("Waits"), "{after}");

    let before_start = step("before_start");
    let waits = &before_start["waits"];
    assert!(text(&waits["text"]).contains("Confirm it after the restart, within 60 s"), "{waits}");
    assert_eq!(waits["buttons"], 0);
    assert!(text(&before_start["refusal"]).starts_with("Another change waits"), "{before_start}");
    assert_eq!(before_start["link"], "/admin_console/reporting/configuration_history");
    assert_eq!(before_start["typed"], "15", "a refused change stays on the page");
    let ended = step("taken_back_now");
    assert!(
        text(&ended["question"]).contains("Read timeout") || text(&ended["question"]).contains("ReadTimeout"),
        "{ended}"
    );
    assert_eq!((&ended["value"], &ended["found"]), (&json!("300"), &json!([])));
    let stored = admin.get("/config/versions").await.expect(200);
    let sources: Vec<&str> =
        stored.as_array().unwrap().iter().filter_map(|version| version["source"].as_str()).collect();
    assert!(sources.contains(&"unconfirmed") && sources.contains(&"rollback"), "{sources:?}");
}
