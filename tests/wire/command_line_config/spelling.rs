//! Names of settings in another letter case than today's.

use serde_json::json;

use super::{as_json, config, refused, with_store_and_server};

#[actix_web::test]
async fn names_are_taken_in_any_letter_case_and_stored_in_todays() {
    with_store_and_server(async |place| {
        let changed = config(place, &["set", "emailsettings.SmtpServer", "mail.example"]).await;
        assert!(changed.contains("EmailSettings.SMTPServer"), "{changed}");
        config(place, &["set", "LogSettings.AdvancedLoggingJson", r#"{"File": {"Type": "console"}}"#]).await;
        let shown = as_json(place, &["get", "EMAILSETTINGS.smtpserver"]).await;
        assert_eq!(shown, json!("mail.example"));
        assert_eq!(
            as_json(place, &["get", "LogSettings.AdvancedLoggingJSON"]).await,
            json!({"File": {"type": "console"}})
        );
        config(place, &["unset", "emailSettings.smtpServer"]).await;
        assert_eq!(as_json(place, &["get", "EmailSettings.SMTPServer"]).await, json!("localhost"));
        std::fs::write(place.path("old.json"), r#"{"samlSettings": {"IdpUrl": "https://idp.example"}}"#).unwrap();
        config(place, &["validate", "old.json"]).await;
        config(place, &["import", "old.json"]).await;
        assert_eq!(as_json(place, &["get", "SamlSettings.IdpURL"]).await, json!("https://idp.example"));
    })
    .await;
}

#[actix_web::test]
async fn an_import_of_two_spellings_is_refused_with_both_and_validate_names_the_one_that_is_dropped() {
    with_store_and_server(async |place| {
        let file = r#"{"EmailSettings": {"SMTPPassword": "canary", "SmtpPassword": "canary"}}"#;
        std::fs::write(place.path("old.json"), file).unwrap();
        let complaint = refused(place, &["import", "old.json"]).await;
        let words = "EmailSettings.SMTPPassword: given twice, as SMTPPassword and as SmtpPassword";
        assert!(complaint.contains(words) && !complaint.contains("canary"), "{complaint}");
        let ended = place.run(&["config", "validate", "old.json"], "").await;
        let remarks = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success() && remarks.contains(words) && !remarks.contains("canary"), "{remarks}");
        let states = r#"{"one": {"enable": true, "Enable": false}}"#;
        let complaint = refused(place, &["set", "PluginSettings.PluginStates", states]).await;
        assert!(complaint.contains("given twice, as Enable and as enable"), "{complaint}");
        assert_eq!(config(place, &["history"]).await, "no version was ever stored\n");
    })
    .await;
}
