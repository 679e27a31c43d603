//! Reload, and the list of pinned settings.

use serde_json::json;

use super::{EXPIRED, FORBIDDEN};
use crate::support::configuration::at;
use crate::support::{LocalServer, TestServer};

const RELOAD_FAILED: &str = "api.config.reload_config.app_error";

#[actix_web::test]
async fn a_reload_takes_a_permission_that_managers_have() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server.client().post("/config/reload", json!({})).await.expect_refusal(401, EXPIRED);
    for (name, role) in [("rita", "system_read_only_admin"), ("suzy", "system_user_manager")] {
        let staff = server.staff(&admin, name, role).await;
        staff.post("/config/reload", json!({})).await.expect_refusal(403, FORBIDDEN);
    }
    let manager = server.staff(&admin, "mona", "system_manager").await;
    manager.post("/config/reload", json!({})).await.expect_ok();
}

#[actix_web::test]
async fn a_reload_puts_in_force_what_another_server_stored() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.set("TeamSettings.SiteName", "one name").await.expect(200);
    server.execute(&store("replace(value, '\"one name\"', '\"two name\"')")).await;
    assert_eq!(admin.setting("TeamSettings.SiteName").await, "one name");
    admin.post("/config/reload", json!({})).await.expect_ok();
    assert_eq!(admin.setting("TeamSettings.SiteName").await, "two name");
    assert_eq!(admin.get("/config/client").await.json()["SiteName"], "two name");
}

#[actix_web::test]
async fn a_reload_of_a_broken_version_changes_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.set("TeamSettings.SiteName", "one name").await.expect(200);
    let before = admin.get("/config").await;
    server.execute("CREATE TABLE kept AS SELECT value FROM configurations WHERE active = TRUE").await;
    let long = format!("replace(value, '\"one name\"', '\"{}\"')", "x".repeat(40));
    let number = "replace(value, '\"one name\"', '7')";
    for broken in ["''", "'{}'", "'null'", "substr(value, 1, 1000)", long.as_str(), number] {
        server.execute(&store("(SELECT value FROM kept)")).await;
        server.execute(&store(broken)).await;
        admin.post("/config/reload", json!({})).await.expect_refusal(500, RELOAD_FAILED);
        let after = admin.get("/config").await;
        assert_eq!((after.text(), after.header("etag")), (before.text(), before.header("etag")), "{broken}");
    }
    // A change is based on the configuration in force, so it repairs the stored one.
    admin.set("TeamSettings.SiteName", "mended").await.expect(200);
    admin.post("/config/reload", json!({})).await.expect_ok();
    assert_eq!(admin.setting("TeamSettings.SiteName").await, "mended");
}

#[actix_web::test]
async fn administrators_see_which_settings_are_pinned_as_far_as_they_may_read_them() {
    let settings = "[TeamSettings]\nSiteName = \"pinned\"\n[PasswordSettings]\nMinimumLength = 9\n";
    let server = TestServer::start_with(settings).await;
    server.client().get("/config/environment").await.expect_refusal(401, EXPIRED);
    let admin = server.admin().await;
    let reply = admin.get("/config/environment").await;
    let pinned = reply.expect(200);
    assert_eq!(pinned["TeamSettings"], json!({ "SiteName": true }));
    assert_eq!(*at(&pinned, "PasswordSettings.MinimumLength"), true);
    assert_eq!(*at(&pinned, "SqlSettings.DataSource"), true);
    assert_eq!(reply.header("cache-control"), "no-cache, no-store, must-revalidate");

    let manager = server.staff(&admin, "mona", "system_manager").await;
    let seen = manager.get("/config/environment").await.expect(200);
    assert_eq!(*at(&seen, "TeamSettings.SiteName"), true);
    assert_eq!(*at(&seen, "ServiceSettings.ListenAddress"), *at(&pinned, "ServiceSettings.ListenAddress"));
    let supporter = server.staff(&admin, "suzy", "system_user_manager").await;
    let seen = supporter.get("/config/environment").await.expect(200);
    assert_eq!(seen, json!({ "PasswordSettings": { "MinimumLength": true } }));
    let bert = server.user(&admin, "bert").await;
    assert_eq!(bert.get("/config/environment").await.text(), "null");
}

#[actix_web::test]
async fn what_fits_a_pinned_value_is_not_stored() {
    let path = "LocalizationSettings.AvailableLocales";
    let server = TestServer::start_with("[LocalizationSettings]\nDefaultClientLocale = \"fr\"\n").await;
    let admin = server.admin().await;
    admin.set(path, "de,en").await.expect(200);
    assert_eq!(admin.setting(path).await, "de,en,fr", "the default locale is offered");
    admin.set("TeamSettings.SiteName", "one").await.expect(200);
    let whole = admin.config().await;
    admin.put("/config", whole).await.expect(200);
    for version in admin.versions().await {
        let shown = admin.get(&format!("/config/versions/{}", version["id"].as_str().unwrap())).await.expect(200);
        assert_eq!(*at(&shown["config"], path), "de,en");
        assert_eq!(*at(&shown["config"], "LocalizationSettings.DefaultClientLocale"), "en");
    }
}

#[actix_web::test]
async fn the_states_of_plugins_in_a_variable_are_used_as_they_are_and_not_stored() {
    let states = json!({ "com.example": { "Enable": true } });
    let variable = ("MM_PLUGINSETTINGS_PLUGINSTATES".to_owned(), states.to_string());
    let server = TestServer::start_in("", &|_| vec![variable.clone()]).await;
    let admin = server.admin().await;
    let path = "PluginSettings.PluginStates";
    assert_eq!(admin.setting(path).await, states, "no plugin of the defaults is added");
    admin.set("TeamSettings.SiteName", "one").await.expect(200);
    let whole = admin.config().await;
    assert_eq!(*at(&whole, path), states);
    admin.put("/config", whole).await.expect(200);
    let versions = admin.versions().await;
    let shown = admin.get(&format!("/config/versions/{}", versions[0]["id"].as_str().unwrap())).await.expect(200);
    let stored = at(&shown["config"], path);
    assert!(stored.get("com.example").is_none() && stored.get("playbooks").is_some(), "{stored}");
}

#[actix_web::test]
async fn the_local_socket_reloads() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    admin.set("TeamSettings.SiteName", "one name").await.expect(200);
    server.execute(&store("replace(value, '\"one name\"', '\"two name\"')")).await;
    local.post("/config/reload", json!({})).await.expect_ok();
    assert_eq!(local.setting("TeamSettings.SiteName").await, "two name");
}

/// Returns a statement that replaces the text of the active version, without the server.
fn store(value: &str) -> String {
    format!("UPDATE configurations SET value = {value} WHERE active = TRUE")
}
