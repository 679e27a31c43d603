//! When a stored secret may be used in the place of a submitted placeholder, to try settings that are not in force.
//!
//! A secret goes only where it goes already: whoever may try settings could otherwise have it sent to a server of their own.

use serde_json::Value;

use super::document::{Document, given};
use super::secrets::PLACEHOLDER;

/// Secrets, each with its companions: the settings that say to whom it is shown, and how.
const COMPANIONS: [(&str, &[&str]); 5] = [
    (
        "EmailSettings.SMTPPassword",
        &[
            "EmailSettings.SMTPServer",
            "EmailSettings.SMTPPort",
            "EmailSettings.ConnectionSecurity",
            "EmailSettings.SMTPUsername",
            "EmailSettings.SkipServerCertificateVerification",
        ],
    ),
    (
        "FileSettings.AmazonS3SecretAccessKey",
        &[
            "FileSettings.DriverName",
            "FileSettings.AmazonS3Endpoint",
            "FileSettings.AmazonS3Region",
            "FileSettings.AmazonS3Bucket",
            "FileSettings.AmazonS3SSL",
            "FileSettings.AmazonS3SignV2",
            "FileSettings.AmazonS3AccessKeyId",
        ],
    ),
    (
        "FileSettings.AzureAccessKey",
        &[
            "FileSettings.DriverName",
            "FileSettings.AzureStorageAccount",
            "FileSettings.AzureContainer",
            "FileSettings.AzureEndpoint",
            "FileSettings.AzureCloud",
            "FileSettings.AzureSSL",
            "FileSettings.AzureAuthMode",
        ],
    ),
    (
        "FileSettings.ExportAmazonS3SecretAccessKey",
        &[
            "FileSettings.ExportDriverName",
            "FileSettings.ExportAmazonS3Endpoint",
            "FileSettings.ExportAmazonS3Region",
            "FileSettings.ExportAmazonS3Bucket",
            "FileSettings.ExportAmazonS3SSL",
            "FileSettings.ExportAmazonS3SignV2",
            "FileSettings.ExportAmazonS3AccessKeyId",
        ],
    ),
    (
        "FileSettings.ExportAzureAccessKey",
        &[
            "FileSettings.ExportDriverName",
            "FileSettings.ExportAzureStorageAccount",
            "FileSettings.ExportAzureContainer",
            "FileSettings.ExportAzureEndpoint",
            "FileSettings.ExportAzureCloud",
            "FileSettings.ExportAzureSSL",
            "FileSettings.ExportAzureAuthMode",
        ],
    ),
];

/// Whether the running secret at `secret_path` may stand in for a placeholder in `submitted`.
///
/// There must be one, and each of its companions must be submitted as it is in force. A secret without a row may never.
pub fn reusable(secret_path: &str, submitted: &Document, running: &Document) -> bool {
    let secret = given(running, secret_path).and_then(Value::as_str);
    let is_there = secret.is_some_and(|secret| !secret.is_empty() && secret != PLACEHOLDER);
    is_there && goes_where_it_goes(secret_path, submitted, running)
}

/// Whether the secret would go to whom it goes already: each of its companions is submitted as it is in force.
pub fn goes_where_it_goes(secret_path: &str, submitted: &Document, running: &Document) -> bool {
    let row = COMPANIONS.iter().find(|(secret, _)| *secret == secret_path);
    let is_as_in_force = |path: &&str| given(submitted, path).is_some_and(|value| given(running, path) == Some(value));
    row.is_some_and(|(_, companions)| companions.iter().all(is_as_in_force))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::document::{found, insert, remove};
    use super::super::secrets::masked;
    use super::super::table::{Mode, defaults, settings};
    use super::*;

    const PASSWORD: &str = "EmailSettings.SMTPPassword";

    fn running(password: &str) -> Document {
        let mut running = defaults(Mode::Update);
        insert(&mut running, PASSWORD, json!(password));
        running
    }

    #[test]
    fn the_table_names_secrets_and_settings_that_are_none() {
        for (secret, companions) in COMPANIONS {
            assert!(settings()[secret].mask.is_some(), "{secret}");
            assert!(companions.iter().all(|path| settings()[*path].mask.is_none()), "{secret}");
        }
    }

    #[test]
    fn a_secret_is_reused_where_every_companion_is_as_in_force() {
        let running = running("hunter2");
        assert!(reusable(PASSWORD, &masked(&running), &running));
        let mut submitted = masked(&running);
        insert(&mut submitted, "EmailSettings.FeedbackName", json!("Another"));
        assert!(reusable(PASSWORD, &submitted, &running), "what is no companion may differ");
    }

    #[test]
    fn a_companion_that_differs_or_is_missing_asks_for_the_secret() {
        for (secret, companions) in COMPANIONS {
            let mut running = defaults(Mode::Update);
            insert(&mut running, secret, json!("hunter2"));
            assert!(reusable(secret, &masked(&running), &running), "{secret}");
            for path in companions {
                let mut changed = masked(&running);
                let value = found(&mut changed, path).unwrap();
                *value = if value.is_boolean() { json!(value != &json!(true)) } else { json!("other") };
                assert!(!reusable(secret, &changed, &running), "{path} changed");
                let mut lacking = masked(&running);
                remove(&mut lacking, path);
                assert!(!reusable(secret, &lacking, &running), "{path} missing");
            }
        }
    }

    #[test]
    fn what_is_not_there_and_what_has_no_row_is_not_reused() {
        let with_none = running("");
        assert!(!reusable(PASSWORD, &with_none, &with_none));
        let other = running("hunter2");
        assert!(!reusable("FileSettings.PublicLinkSalt", &other, &other));
    }
}
