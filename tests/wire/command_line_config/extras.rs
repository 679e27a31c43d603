//! Stored keys that are not settings, such as those of a newer server: they are kept and shown, and have no effect.

use serde_json::{Value, json};

use super::{as_json, config, with_store_and_server};
use crate::support::backdoor::execute_in;
use crate::support::process::Workplace;

/// Keys that a newer server might have stored.
const NEWER: &str = r#""NewerSettings": {"ApiToken": "canary", "On": true}, "TeamSettings": {"Newer": 1,"#;

#[actix_web::test]
async fn keys_that_are_no_settings_outlive_every_change() {
    with_store_and_server(async |place| {
        config(place, &["set", "TeamSettings.SiteName", "one"]).await;
        add_newer_keys(place).await;
        config(place, &["set", "TeamSettings.SiteName", "two"]).await;
        config(place, &["export", "all.json"]).await;
        config(place, &["set", "TeamSettings.SiteName", "three"]).await;
        config(place, &["import", "all.json"]).await;
        let shown: Value = serde_json::from_str(&config(place, &["export", "--show-secrets"]).await).unwrap();
        assert_eq!(shown["NewerSettings"], json!({ "ApiToken": "canary", "On": true }));
        assert_eq!((&shown["TeamSettings"]["Newer"], &shown["TeamSettings"]["SiteName"]), (&json!(1), &json!("two")));
        let hidden: Value = serde_json::from_str(&config(place, &["export"]).await).unwrap();
        assert_eq!(hidden["NewerSettings"], json!({ "ApiToken": "*".repeat(32), "On": true }));
    })
    .await;
}

#[actix_web::test]
async fn keys_that_are_no_settings_are_named_by_validate_and_shown_as_no_setting() {
    with_store_and_server(async |place| {
        config(place, &["set", "TeamSettings.SiteName", "one"]).await;
        add_newer_keys(place).await;
        let ended = place.run(&["config", "validate"], "").await;
        let remarks = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success() && remarks.contains("NewerSettings: not a setting"), "{remarks}");
        assert!(remarks.contains("TeamSettings.Newer: not a setting"), "{remarks}");
        let document = as_json(place, &["get"]).await;
        assert_eq!((document.get("NewerSettings"), document["TeamSettings"].get("Newer")), (None, None));
    })
    .await;
}

/// Adds keys to the active version in the store. A running server reads them.
async fn add_newer_keys(place: &Workplace) {
    let value = format!("replace(value, '\"TeamSettings\": {{', '{NEWER}')");
    execute_in(&place.path(""), &format!("UPDATE configurations SET value = {value} WHERE active = TRUE")).await;
    if place.path("qd.socket").exists() {
        crate::support::Client::on_socket(&place.path("qd.socket")).post("/config/reload", json!({})).await.expect_ok();
    }
}
