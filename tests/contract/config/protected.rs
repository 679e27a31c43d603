//! Settings that need more than a permission to write.

use serde_json::{Value, json};

use super::FORBIDDEN;
use super::ineffective::HEADER;
use crate::support::config_place::version_of;
use crate::support::configuration::{at, named, nested, put_at};
use crate::support::{LocalServer, TestServer};

type Make = fn() -> Value;

const NOT_ALLOWED: &str = "api.config.update_config.not_allowed_security.app_error";

/// Settings that no request over the network may change, each with another value.
const PROTECTED: [(&str, Make); 4] = [
    ("ImportSettings.Directory", || json!("./elsewhere")),
    ("PluginSettings.EnableUploads", || json!(true)),
    ("PluginSettings.MarketplaceURL", || json!("https://market.example")),
    ("PluginSettings.SignaturePublicKeyFiles", || json!(["own.key"])),
];

#[actix_web::test]
async fn a_manager_writes_the_environment_and_nothing_of_authentication() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let manager = server.staff(&admin, "mona", "system_manager").await;
    let patch = json!({
        "ServiceSettings": { "ReadTimeout": 301, "WebsocketURL": "wss://chat.example" },
        "TeamSettings": { "SiteName": "one" },
        "PasswordSettings": { "MinimumLength": 20 },
    });
    let answer = manager.put("/config/patch", patch).await.expect(200);
    assert_eq!(*at(&answer, "ServiceSettings.ReadTimeout"), 301);
    assert_eq!(*at(&answer, "PasswordSettings.MinimumLength"), 8, "kept, and no error");
    assert_eq!(*at(&answer, "ServiceSettings.WebsocketURL"), Value::Null, "an answer is filtered as well");
    let before = admin.config().await;
    assert_eq!(*at(&before, "ServiceSettings.WebsocketURL"), "");

    // A manager who sends the whole document sends null for the settings that are hidden from the manager.
    let mut whole = manager.config().await;
    whole["ServiceSettings"]["ReadTimeout"] = json!(302);
    whole["PasswordSettings"]["MinimumLength"] = json!(21);
    manager.put("/config", whole).await.expect(200);
    let mut expected = before;
    expected["ServiceSettings"]["ReadTimeout"] = json!(302);
    assert_eq!(admin.config().await, expected);
}

#[actix_web::test]
async fn a_replacement_by_a_manager_resets_only_what_the_manager_may_write() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let manager = server.staff(&admin, "mona", "system_manager").await;
    let set = json!({ "TeamSettings": { "SiteName": "one" }, "PasswordSettings": { "MinimumLength": 12 } });
    admin.put("/config/patch", set).await.expect(200);
    manager.put("/config", json!({})).await.expect(200);
    let after = admin.config().await;
    assert_eq!(*at(&after, "TeamSettings.SiteName"), "Mattermost");
    assert_eq!(*at(&after, "PasswordSettings.MinimumLength"), 12);
}

#[actix_web::test]
async fn a_restricted_administrator_leaves_restrictable_settings_alone() {
    let server = TestServer::start_with("[ExperimentalSettings]\nRestrictSystemAdmin = true\n").await;
    let admin = server.admin().await;
    let patch = json!({
        "ServiceSettings": { "SiteURL": "https://chat.example" },
        "ExperimentalSettings": { "RestrictSystemAdmin": false },
        "ImportSettings": { "Directory": "./import" },
        "TeamSettings": { "SiteName": "one" },
    });
    let answer = admin.put("/config/patch", patch).await.expect(200);
    assert_eq!(*at(&answer, "TeamSettings.SiteName"), "one");
    assert_eq!(*at(&answer, "ServiceSettings.SiteURL"), "");
    assert_eq!(*at(&answer, "ExperimentalSettings.RestrictSystemAdmin"), true);
    let version = admin.versions().await[0]["id"].as_str().unwrap().to_owned();
    let back = admin.post(&format!("/config/versions/{version}/rollback"), json!({})).await;
    back.expect_refusal(403, FORBIDDEN);
}

#[actix_web::test]
async fn a_patch_of_a_protected_setting_is_refused_and_named() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for (path, value) in PROTECTED.into_iter().take(2) {
        let reply = admin.set(path, value()).await;
        reply.expect_refusal(403, NOT_ALLOWED);
        assert!(reply.json()["message"].as_str().unwrap().contains(path));
        let same = admin.setting(path).await;
        admin.set(path, same).await.expect(200);
    }
    let market = "https://market.example";
    let closed = json!({ "PluginSettings": { "EnableUploads": false, "MarketplaceURL": market } });
    admin.put("/config/patch", closed).await.expect_refusal(403, NOT_ALLOWED);
    admin.set("PluginSettings.MarketplaceURL", market).await.expect(200);
    assert_eq!(admin.setting("PluginSettings.MarketplaceURL").await, market);
}

#[actix_web::test]
async fn a_replacement_passes_over_protected_settings() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let before = admin.config().await;
    let mut body = before.clone();
    for (path, value) in PROTECTED {
        let (section, key) = path.split_once('.').unwrap();
        body[section][key] = value();
    }
    body["TeamSettings"]["SiteName"] = json!("one");
    let mut expected = before;
    expected["TeamSettings"]["SiteName"] = json!("one");
    admin.put("/config", body).await.expect(200);
    assert_eq!(admin.config().await, expected);
    // A document without the setting does not change it either.
    admin.put("/config", json!({})).await.expect(200);
    for (path, _) in PROTECTED {
        assert_eq!(admin.setting(path).await, *at(&expected, path), "{path}");
    }
}

#[actix_web::test]
async fn a_rollback_over_the_network_passes_over_protected_settings() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    for (path, value) in PROTECTED {
        local.put("/config/patch", nested(path, value())).await.expect(200);
    }
    let earlier = version_of(&admin.set("TeamSettings.SiteName", "one").await);
    let mut whole = local.config().await;
    for (path, _) in PROTECTED {
        put_at(&mut whole, path, at(&defaults(), path).clone());
    }
    whole["TeamSettings"]["SiteName"] = json!("two");
    local.put("/config", whole).await.expect(200);

    let back = format!("/config/versions/{earlier}/rollback");
    let reply = admin.post(&back, json!({})).await;
    let answer = reply.expect(200);
    assert_eq!(reply.header(HEADER), PROTECTED.map(|(path, _)| format!("{path};protected")).join(" "));
    assert_eq!(*at(&answer, "TeamSettings.SiteName"), "one");
    for (path, _) in PROTECTED {
        assert_eq!(at(&answer, path), at(&defaults(), path), "{path}");
    }
    assert_eq!(named(&admin.versions().await[0]["changes"], "path"), ["TeamSettings.SiteName"]);
    let reply = local.post(&back, json!({})).await;
    reply.expect(200);
    assert_eq!(reply.header(HEADER), "");
    for (path, value) in PROTECTED {
        assert_eq!(admin.setting(path).await, value(), "{path}");
    }
}

#[actix_web::test]
async fn a_rollback_over_the_network_does_not_clear_the_address_of_the_site() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    let without = version_of(&admin.set("TeamSettings.SiteName", "one").await);
    admin.set("ServiceSettings.SiteURL", "https://chat.example").await.expect(200);
    let text = "value = replace(value, '\"SiteURL\": \"\",', '')";
    server.execute(&format!("UPDATE configurations SET {text} WHERE id = '{without}'")).await;
    let back = format!("/config/versions/{without}/rollback");
    let refusal = admin.post(&back, json!({})).await;
    refusal.expect_refusal(400, "api.config.update_config.clear_siteurl.app_error");
    local.post(&back, json!({})).await.expect(200);
    assert_eq!(admin.setting("ServiceSettings.SiteURL").await, "");
}

/// Pinned settings stay in force after any rollback, and no rule that compares a version with them refuses it.
#[actix_web::test]
async fn pinned_settings_refuse_no_rollback_and_no_change() {
    let pinned = "[ServiceSettings]\nSiteURL = \"https://pinned.example\"\n\
         [PluginSettings]\nEnableUploads = false\nMarketplaceURL = \"https://market.example\"\n\
         [ImportSettings]\nDirectory = \"./pinned\"\n[ElasticsearchSettings]\nEnableAutocomplete = false\n";
    let server = TestServer::start_with(pinned).await;
    let admin = server.admin().await;
    let earlier = version_of(&admin.set("TeamSettings.SiteName", "one").await);
    admin.set("TeamSettings.SiteName", "two").await.expect(200);
    // The version is from a time without this pin.
    let directory = "replace(value, '\"Directory\": \"./import\"', '\"Directory\": \"./earlier\"')";
    server.execute(&format!("UPDATE configurations SET value = {directory} WHERE id = '{earlier}'")).await;
    let reply = admin.post(&format!("/config/versions/{earlier}/rollback"), json!({})).await;
    reply.expect(200);
    let lines = std::fs::read_to_string(server.folder().join("config.toml")).unwrap();
    let line = lines.lines().position(|line| line == "Directory = \"./pinned\"").unwrap() + 1;
    assert_eq!(reply.header(HEADER), format!("ImportSettings.Directory;pinned:config.toml:{line}"));
    assert_eq!(admin.setting("TeamSettings.SiteName").await, "one");
    let others = [
        ("ServiceSettings.SiteURL", json!("")),
        ("PluginSettings.MarketplaceURL", json!("https://other.example")),
        ("ImportSettings.Directory", json!("./other")),
        ("PluginSettings.EnableUploads", json!(true)),
        ("ElasticsearchSettings.EnableAutocomplete", json!(true)),
    ];
    for (path, value) in others {
        let before = admin.setting(path).await;
        admin.set(path, value).await.expect(200);
        assert_eq!(admin.setting(path).await, before, "{path}");
    }
    admin.put("/config", json!({})).await.expect(200);
    assert_eq!(admin.setting("ServiceSettings.SiteURL").await, "https://pinned.example");
}

#[actix_web::test]
async fn nothing_is_protected_on_the_local_socket() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    for (path, value) in PROTECTED {
        local.put("/config/patch", nested(path, value())).await.expect(200);
        assert_eq!(admin.setting(path).await, value(), "{path}");
    }
    admin.set("ServiceSettings.SiteURL", "https://chat.example").await.expect(200);
    local.set("ServiceSettings.SiteURL", "").await.expect(200);
    assert_eq!(admin.setting("ServiceSettings.SiteURL").await, "");
    let mut whole = local.config().await;
    whole["PluginSettings"]["EnableUploads"] = json!(false);
    local.put("/config", whole).await.expect(200);
    assert_eq!(admin.setting("PluginSettings.EnableUploads").await, false);
}

#[actix_web::test]
async fn an_export_that_is_switched_on_starts_now_and_ends_when_it_is_switched_off() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (switch, start) = ("MessageExportSettings.EnableExport", "MessageExportSettings.ExportFromTimestamp");
    for route in ["/config", "/config/patch"] {
        let before = now_ms();
        let mut whole = admin.config().await;
        whole["MessageExportSettings"]["EnableExport"] = json!(true);
        let on = if route == "/config" { whole } else { nested(switch, true) };
        let answer = admin.put(route, on).await.expect(200);
        let from = at(&answer, start).as_i64().unwrap();
        assert!((before..=now_ms()).contains(&from), "{from}");
        admin.set("TeamSettings.SiteName", format!("{}", from % 7)).await.expect(200);
        assert_eq!(admin.setting(start).await, from, "other changes leave it alone");
        let mut whole = admin.config().await;
        whole["MessageExportSettings"]["EnableExport"] = json!(false);
        let off = if route == "/config" { whole } else { nested(switch, false) };
        assert_eq!(*at(&admin.put(route, off).await.expect(200), start), 0);
    }
    let given = json!({ "MessageExportSettings": { "EnableExport": true, "ExportFromTimestamp": 1_000 } });
    assert_eq!(*at(&admin.put("/config/patch", given).await.expect(200), start), 1_000);
}

/// Returns the defaults of the protected settings.
fn defaults() -> Value {
    let market = "https://api.integrations.mattermost.com";
    let plugins = json!({ "EnableUploads": false, "MarketplaceURL": market, "SignaturePublicKeyFiles": [] });
    json!({ "ImportSettings": { "Directory": "./import" }, "PluginSettings": plugins })
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
