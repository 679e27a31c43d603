//! Imports whose values follow others, or are not applied.

use serde_json::json;

use super::{LOCAL, QUIET, as_json, config, with_store_and_server};
use crate::support::process::Workplace;

const FLAG: &str = "FeatureFlags.TestBoolFeature";

#[actix_web::test]
async fn a_default_that_follows_another_setting_follows_it_in_an_import() {
    with_store_and_server(async |place| {
        std::fs::write(place.path("config.json"), r#"{"ServiceSettings": {"SessionLengthWebInDays": 7}}"#).unwrap();
        config(place, &["import", "config.json"]).await;
        assert_eq!(config(place, &["get", "ServiceSettings.SessionLengthWebInHours"]).await, "168\n");
    })
    .await;
}

#[actix_web::test]
async fn an_import_names_each_value_that_it_does_not_apply() {
    let pinned = "[TeamSettings]\nSiteName = \"Pinned\"\n";
    // The settings of the local socket are in `config.toml`, so an import does not reset them.
    for settings in [format!("{QUIET}{pinned}"), format!("{QUIET}{pinned}{LOCAL}")] {
        let place = Workplace::new(&settings).await;
        let server = if settings.contains(LOCAL) { Some(place.serve().await) } else { None };
        config(&place, &["set", "PluginSettings.Plugins", r#"{"com.example.one":{"url":"a","size":1}}"#]).await;
        let flag = as_json(&place, &["get", FLAG]).await.as_bool().unwrap();
        let document = json!({
            "FeatureFlags": { "TestBoolFeature": !flag },
            "PluginSettings": { "Plugins": { "com.example.one": { "size": 1 } } },
            "TeamSettings": { "SiteName": "Bridge" },
        });
        std::fs::write(place.path("config.json"), document.to_string()).unwrap();
        let line = std::fs::read_to_string(place.path("config.toml")).unwrap();
        let line = line.lines().position(|line| line.starts_with("SiteName")).unwrap() + 1;
        let place_of_pin = format!("config.toml:{line} and keeps that value; change it there");
        let remarks = [
            "quarterdeck: PluginSettings.Plugins.com.example.one.url: is not set: the change leaves it out, "
                .to_owned(),
            format!("quarterdeck: {FLAG}: is not changed, because it is never stored"),
            format!("quarterdeck: TeamSettings.SiteName: is pinned by {place_of_pin}"),
        ];
        for more in [&["--dry-run"][..], &[]] {
            let imported = place.run(&[&["config", "import", "config.json"], more].concat(), "").await;
            let said = String::from_utf8(imported.stderr).unwrap();
            assert!(imported.status.success(), "{more:?}: {said}");
            for remark in &remarks {
                assert!(said.lines().any(|line| line.starts_with(remark.as_str())), "{more:?}: {remark}: {said}");
            }
            assert_eq!(said.lines().count(), remarks.len(), "{more:?}: {said}");
        }
        assert_eq!(config(&place, &["get", "TeamSettings.SiteName"]).await, "\"Pinned\"\n");
        assert_eq!(as_json(&place, &["get", FLAG]).await, json!(flag));
        if let Some(server) = server {
            assert!(server.stop().await.success());
        }
    }
}
