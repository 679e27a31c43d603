//! Reading the configuration: its parts, for each kind of caller, and their form.

use serde_json::{Value, json};

use super::{EXPIRED, FORBIDDEN, PLACEHOLDER};
use crate::support::configuration::{at, nested, rows};
use crate::support::{LocalServer, TestServer};

#[actix_web::test]
async fn reading_takes_a_session_and_some_part_of_the_console() {
    let server = TestServer::start().await;
    server.client().get("/config").await.expect_refusal(401, EXPIRED);
    let admin = server.admin().await;
    server.user(&admin, "bert").await.get("/config").await.expect_refusal(403, FORBIDDEN);
    admin.get("/config").await.expect(200);
}

#[actix_web::test]
async fn each_role_reads_what_its_permissions_name() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let everything = admin.config().await;
    let all_roles = admin.get("/roles").await.expect(200);
    for role in ["system_manager", "system_read_only_admin", "system_user_manager"] {
        let permissions = permissions_of(&all_roles, role);
        let staff = server.staff(&admin, &role.replace('_', ""), role).await;
        let seen = staff.config().await;
        let (mut shown, mut hidden) = (0, 0);
        for row in rows() {
            let path = row["json_path"].as_str().unwrap();
            // Access to deeper settings is decided for their nested section.
            if path.matches('.').count() > 1 || path.starts_with("FeatureFlags.") {
                continue;
            }
            // The settings of plugins are only for callers who may read all settings.
            let is_of_plugins = row["mask"] == "keys";
            if is_readable(&row, &permissions) && !is_of_plugins {
                shown += 1;
                assert_eq!(at(&seen, path), at(&everything, path), "{role}: {path}");
            } else {
                hidden += 1;
                assert_eq!(*at(&seen, path), empty(&row), "{role}: {path}");
            }
        }
        assert!(shown > 20 && hidden > 20, "{role}: {shown} shown, {hidden} hidden");
    }
}

#[actix_web::test]
async fn what_a_role_may_not_read_is_null_or_empty_in_its_place() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let manager = server.staff(&admin, "mona", "system_manager").await.config().await;
    // Only an administrator reads settings that belong to no area.
    assert_eq!(*at(&manager, "ServiceSettings.WebsocketURL"), Value::Null);
    assert!(manager["ServiceSettings"].as_object().unwrap().contains_key("WebsocketURL"));
    assert_eq!(*at(&manager, "TeamSettings.SiteName"), "Mattermost");
    assert!(manager["FeatureFlags"].is_object(), "every reader sees the flags");
    let supporter = server.staff(&admin, "suzy", "system_user_manager").await.config().await;
    assert_eq!(*at(&supporter, "TeamSettings.SiteName"), Value::Null);
    assert_eq!(*at(&supporter, "PasswordSettings.MinimumLength"), 8);
    assert_eq!(*at(&supporter, "ClientRequirements.AndroidLatestVersion"), "");
    assert_eq!(supporter["FeatureFlags"], manager["FeatureFlags"]);
}

#[actix_web::test]
async fn keys_are_sorted_and_nothing_of_it_is_cached() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.set("TeamSettings.CustomBrandText", "a <b> & c").await.expect(200);
    for reply in [admin.get("/config").await, admin.put("/config/patch", json!({})).await] {
        assert_eq!(reply.header("cache-control"), "no-cache, no-store, must-revalidate");
        assert_eq!(reply.header("content-type"), "application/json");
        // The keys of a parsed document are sorted.
        let sorted = reply.json().to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
        assert_eq!(reply.text(), sorted + "\n");
    }
}

#[actix_web::test]
async fn the_tag_is_the_version_in_force() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    assert_eq!(admin.get("/config").await.header("etag"), "\"default\"");
    let written = admin.set("TeamSettings.SiteName", "one").await;
    let version = admin.versions().await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(written.header("etag"), format!("\"{version}\""));
    assert_eq!(admin.get("/config").await.header("etag"), written.header("etag"));
}

#[actix_web::test]
async fn defaults_and_masked_values_are_left_out_on_request() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.set("TeamSettings.SiteName", "one").await.expect(200);
    admin.set("SqlSettings.DataSourceReplicas", json!(["postgres://replica"])).await.expect(200);
    let whole = admin.get("/config").await.text();

    let differing = admin.get("/config?remove_defaults=true").await.expect(200);
    assert_eq!(differing["TeamSettings"], json!({ "SiteName": "one" }));
    assert_eq!(*at(&differing, "SqlSettings.DataSource"), PLACEHOLDER);
    assert_eq!(differing.get("GitLabSettings"), None);
    assert_no_emptiness(&differing);

    let shown = admin.get("/config?remove_masked=true").await.expect(200);
    assert_eq!(*at(&shown, "SqlSettings.DataSource"), Value::Null);
    assert_eq!(*at(&shown, "SqlSettings.DataSourceReplicas"), json!([PLACEHOLDER]), "lists stay");
    assert_no_emptiness(&shown);

    let both = admin.get("/config?remove_masked=true&remove_defaults=true").await.expect(200);
    assert_eq!((&both["TeamSettings"]["SiteName"], at(&both, "SqlSettings.DataSource")), (&json!("one"), &Value::Null));

    for option in ["remove_defaults", "remove_masked"] {
        let on = admin.get(&format!("/config?{option}=true")).await.text();
        for form in ["1", "t", "T", "TRUE", "True"] {
            assert_eq!(admin.get(&format!("/config?{option}={form}")).await.text(), on, "{option}={form}");
        }
        for form in ["0", "f", "F", "FALSE", "false", "False", "", "yes", "tRUE", "2"] {
            assert_eq!(admin.get(&format!("/config?{option}={form}")).await.text(), whole, "{option}={form}");
        }
    }
}

#[actix_web::test]
async fn the_local_socket_sees_secrets_in_clear() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    let password = "EmailSettings.SMTPPassword";
    let written = local.put("/config/patch", nested(password, "open-sesame")).await.expect(200);
    assert_eq!(*at(&written, password), PLACEHOLDER, "an answer to a write hides secrets from everybody");
    assert_eq!(local.setting(password).await, "open-sesame");
    assert_eq!(admin.setting(password).await, PLACEHOLDER);
    let reply = local.get("/config?remove_defaults=1").await.expect(200);
    assert_eq!(*at(&reply, password), "open-sesame");
    assert!(!local.get("/config").await.text().contains(PLACEHOLDER));
}

fn permissions_of(all_roles: &Value, role: &str) -> Vec<String> {
    let role = all_roles.as_array().unwrap().iter().find(|known| known["name"] == role).unwrap();
    let names = role["permissions"].as_array().unwrap().iter();
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn is_readable(row: &Value, permissions: &[String]) -> bool {
    let tags = row["access"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap());
    tags.clone().any(|tag| tag == "*_read")
        || tags.map(|tag| format!("sysconsole_read_{tag}")).any(|permission| permissions.contains(&permission))
}

fn empty(row: &Value) -> Value {
    match (row["nullable"].as_bool().unwrap(), row["type"].as_str().unwrap()) {
        (false, "string") => json!(""),
        (false, "bool") => json!(false),
        _ => Value::Null,
    }
}

#[track_caller]
fn assert_no_emptiness(value: &Value) {
    assert!(!value.is_null() && *value != json!({}) && *value != json!([]), "{value}");
    if let Value::Object(section) = value {
        section.values().for_each(assert_no_emptiness);
    }
}
