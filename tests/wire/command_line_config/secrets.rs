//! Secrets are shown only on request.

use super::{config, piped, refused, with_store_and_server};
use crate::support::process::read;

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
