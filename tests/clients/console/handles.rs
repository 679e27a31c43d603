//! The handles by which scripts for Mattermost's System Console find its elements.

use serde_json::{Value, json};

use super::{logs, play};
use crate::support::{TestServer, needs};

/// The addresses of pages of Mattermost's System Console that this one has too.
const ADDRESSES: [&str; 51] = [
    "about/license",
    "reporting/system_analytics",
    "reporting/server_logs",
    "user_management/users",
    "user_management/permissions",
    "environment/web_server",
    "environment/database",
    "environment/elasticsearch",
    "environment/file_storage",
    "environment/export_storage",
    "environment/image_proxy",
    "environment/smtp",
    "environment/push_notification_server",
    "environment/high_availability",
    "environment/cache_settings",
    "environment/rate_limiting",
    "environment/logging",
    "environment/session_lengths",
    "environment/performance_monitoring",
    "environment/developer",
    "environment/mobile_security",
    "environment/notifications",
    "site_config/customization",
    "site_config/localization",
    "site_config/users_and_teams",
    "site_config/announcement_banner",
    "site_config/emoji",
    "site_config/posts",
    "site_config/file_sharing_downloads",
    "site_config/public_links",
    "site_config/notices",
    "authentication/signup",
    "authentication/email",
    "authentication/password",
    "authentication/mfa",
    "authentication/ldap",
    "authentication/saml",
    "authentication/openid",
    "authentication/guest_access",
    "plugins/plugin_management",
    "integrations/integration_management",
    "integrations/bot_accounts",
    "integrations/gif",
    "integrations/cors",
    "integrations/embedding",
    "compliance/data_retention_settings",
    "compliance/export",
    "compliance/monitoring",
    "compliance/custom_terms_of_service",
    "compliance/audit_logging",
    "experimental/features",
];

/// The test ids of the categories.
const CATEGORIES: [&str; 10] = [
    "about",
    "reporting",
    "user_management",
    "environment",
    "site",
    "authentication",
    "plugins",
    "integrations",
    "compliance",
    "experimental",
];

#[actix_web::test]
async fn scripts_find_the_handles_that_they_know() {
    let Some(browser) = needs::peer("browser") else { return };
    let Some(console) = needs::peer("console") else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start_with(&logs::settings_with_log(folder.path())).await;
    server.admin().await;
    let steps = play("handles.mjs", [browser, console], &server.base, "").await;
    let step = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap();

    let shell = step("shell");
    assert_eq!((&shell["focus"], &shell["placeholder"]), (&json!("adminSidebarFilter"), &json!("Find settings")));
    assert_eq!((&shell["wrapper"], &shell["sidebar"]), (&json!(true), &json!(true)));
    let categories = shell["categories"].as_array().unwrap();
    let links = shell["links"].as_array().unwrap();
    let lost: Vec<&&str> = CATEGORIES.iter().filter(|name| !categories.contains(&json!(name))).collect();
    assert!(lost.is_empty(), "{lost:?} in {categories:?}");
    let lost: Vec<&&str> = ADDRESSES.iter().filter(|name| !links.iter().any(|link| link[0] == **name)).collect();
    assert!(lost.is_empty(), "{lost:?} in {links:?}");
    let is_own = |link: &Value| link[1] == format!("/admin_console/{}", link[0].as_str().unwrap());
    assert!(links.iter().all(is_own), "{links:?}");

    let rows = step("rows");
    assert_eq!(rows["missing"], json!([]));
    assert!(rows["count"].as_u64().unwrap() > 500, "{rows}");
    let save = step("save");
    assert_eq!(save["before"], json!({ "text": "Save", "is_disabled": true }));
    assert_eq!((&save["question"], &save["buttons"]), (&json!("Discard Changes?"), &json!(["Yes, Discard", true])));
    let fields = step("fields");
    assert_eq!(fields["locked"], json!({ "alert": 1, "is_disabled": true }));
    assert_eq!((&fields["secret"], &fields["size"]), (&json!("FileSettings.AmazonS3SecretAccessKey"), &json!("100")));
    let test = step("test");
    assert_eq!(
        (&test["label"], &test["outcome"]),
        (&json!("Test Connection"), &json!("Connection was successful")),
        "{test}"
    );
}
