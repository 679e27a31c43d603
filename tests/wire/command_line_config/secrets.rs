//! Secrets are shown only on request.

use super::{LOCAL, QUIET, config, piped, refused, with_store_and_server};
use crate::support::process::{Workplace, read};

#[actix_web::test]
async fn secrets_are_shown_on_request_only() {
    const PATH: &str = "EmailSettings.SMTPPassword";
    with_store_and_server(async |place| {
        let mut said = Vec::new();
        said.push(config(place, &["set", "TeamSettings.SiteName", "Bridge"]).await);
        said.push(piped(place, &["set", PATH, "--json"], "canary-mail\n").await);
        said.push(piped(place, &["set", "PluginSettings.Plugins"], r#"{"one":{"Token":"canary-token"}}"#).await);
        said.push(config(place, &["get"]).await);
        said.push(config(place, &["export"]).await);
        said.push(config(place, &["history", "--json"]).await);
        said.push(config(place, &["diff"]).await);
        said.push(refused(place, &["set", "SqlSettings.DataSourceReplicas", "canary"]).await);
        assert!(said.iter().all(|said| !said.contains("canary")), "{said:#?}");
        assert_eq!(config(place, &["get", PATH]).await, format!("\"{}\"\n", "*".repeat(32)));
        assert_eq!(config(place, &["get", PATH, "--show-secrets"]).await, "\"canary-mail\"\n");
        config(place, &["export", "clear.json", "--show-secrets"]).await;
        assert!(read(&place.path("clear.json")).contains("\"canary-mail\""));
        assert!(refused(place, &["set", PATH, &"*".repeat(32)]).await.contains("the placeholder of a hidden secret"));
        config(place, &["export", "masked.json"]).await;
        assert_eq!(config(place, &["import", "masked.json"]).await, "no changes\n");
    })
    .await;
}

/// The value of a variable is hidden whatever its key is called, as the API hides it.
#[actix_web::test]
async fn a_setting_of_a_plugin_that_a_variable_sets_is_hidden() {
    let variable = [("MM_PLUGINSETTINGS_PLUGINS_ONE_WEBHOOK", "canary-hook")];
    for settings in [QUIET.to_owned(), format!("{QUIET}{LOCAL}")] {
        let place = Workplace::new(&settings).await;
        let plugin = r#"{"one": {"webhook": "stored", "place": "shown", "on": true}}"#;
        let set = place.run(&["config", "set", "PluginSettings.Plugins", plugin], "").await;
        assert!(set.status.success(), "{set:?}");
        let server = if settings == QUIET { None } else { Some(place.serve_with(&variable, &["serve"]).await) };
        // The variables of the server are those of the command only if there is no server.
        let own = if server.is_none() { &variable[..] } else { &[] };
        for command in [&["config", "get", "PluginSettings.Plugins"][..], &["config", "export"], &["config", "get"]] {
            let ended = place.run_with(own, command, "").await;
            let said = String::from_utf8(ended.stdout).unwrap();
            assert!(ended.status.success() && said.contains("\"place\": \"shown\""), "{said}");
            assert!(said.contains(&format!("\"webhook\": \"{}\"", "*".repeat(32))), "{said}");
            let clear = place.run_with(own, &[command, &["--show-secrets"]].concat(), "").await;
            assert!(String::from_utf8(clear.stdout).unwrap().contains("canary-hook"), "{command:?}");
        }
    }
}

#[actix_web::test]
async fn a_secret_that_changed_is_a_fingerprint_in_the_difference() {
    with_store_and_server(async |place| {
        let changed = piped(place, &["set", "EmailSettings.SMTPPassword"], "first").await;
        assert!(changed.contains("EmailSettings.SMTPPassword: \"\" -> \"fingerprint "), "{changed}");
        piped(place, &["set", "EmailSettings.SMTPPassword"], "second").await;
        let difference = config(place, &["diff"]).await;
        assert!(difference.starts_with("EmailSettings.SMTPPassword: \"fingerprint "), "{difference}");
        assert_eq!(difference.matches("fingerprint").count(), 2);
    })
    .await;
}
