//! `GET /config/schema`.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::configuration::rows;
use crate::support::{Client, TestServer};

async fn schema(client: &Client) -> Value {
    client.get("/config/schema").await.expect(200)
}

fn row<'a>(schema: &'a Value, path: &str) -> Option<&'a Value> {
    schema["settings"].as_array().unwrap().iter().find(|row| row["path"] == path)
}

fn texts(rows: &Value, key: &str) -> HashSet<String> {
    rows.as_array().unwrap().iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn an_administrator_gets_every_setting_and_every_page_without_values() {
    let settings = "[TeamSettings]\nSiteName = \"canary-1\"\n[EmailSettings]\nSMTPPassword = \"canary-2\"\n";
    let server = TestServer::start_with(settings).await;
    let admin = server.admin().await;
    server.client().get("/config/schema").await.expect_refusal(401, "api.context.session_expired.app_error");
    let bert = server.user(&admin, "bert").await;
    bert.get("/config/schema").await.expect_refusal(403, "api.context.permissions.app_error");

    let reply = admin.get("/config/schema").await;
    assert!(!reply.text().contains("canary"));
    assert_eq!(reply.header("cache-control"), "no-cache, no-store, must-revalidate");
    let schema = reply.expect(200);
    assert_eq!(schema["settings"].as_array().unwrap().len(), rows().len());
    assert_eq!(texts(&schema["settings"], "page"), texts(&schema["pages"], "address"));
    let first = json!({ "address": "environment/file_storage", "category": "Environment", "label": "File storage" });
    assert!(schema["pages"].as_array().unwrap().contains(&first));

    let name = row(&schema, "TeamSettings.SiteName").unwrap();
    assert!(name["pinned_by"].as_str().unwrap().contains("config.toml:"), "{name}");
    assert_eq!((&name["writable"], &name["default"]), (&json!(false), &json!("Mattermost")));
    let key = row(&schema, "FileSettings.AzureAccessKey").unwrap();
    assert_eq!((&key["secret"], &key["writable"], &key["acted_on"]), (&json!(true), &json!(true), &json!(true)));
    assert!(key["companions"].as_array().unwrap().contains(&json!("FileSettings.AzureEndpoint")), "{key}");
    assert_eq!(
        key["shown_when"],
        json!([
            { "path": "FileSettings.DriverName", "value": "azureblob" },
            { "path": "FileSettings.AzureAuthMode", "value": "shared_key" }
        ])
    );
    let driver = row(&schema, "FileSettings.DriverName").unwrap();
    assert_eq!(driver["choices"], json!(["local", "amazons3", "azureblob"]));
    let timeout = row(&schema, "ServiceSettings.ReadTimeout").unwrap();
    let expected = json!(["int", "s", 1, "restart"]);
    assert_eq!(json!([timeout["type"], timeout["unit"], timeout["minimum"], timeout["applies"]]), expected);
    assert_eq!(timeout.get("maximum"), None);
}

#[actix_web::test]
async fn a_delegated_administrator_gets_only_readable_settings() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let manager = server.staff(&admin, "mona", "system_manager").await;
    let seen = schema(&manager).await;
    assert_eq!(row(&seen, "FileSettings.DriverName").unwrap()["writable"], true);
    assert_eq!(row(&seen, "PasswordSettings.MinimumLength").unwrap()["writable"], false);
    assert_eq!(row(&seen, "PluginSettings.Plugins"), None);
    assert_eq!(texts(&seen["settings"], "page"), texts(&seen["pages"], "address"));

    let supporter = server.staff(&admin, "suzy", "system_user_manager").await;
    let seen = schema(&supporter).await;
    assert_eq!(row(&seen, "FileSettings.DriverName"), None);
    assert_eq!(texts(&seen["settings"], "page"), texts(&seen["pages"], "address"));
}
