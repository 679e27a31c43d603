//! Every version is kept, and can be read and restored.

use serde_json::{Value, json};

use super::{EXPIRED, FORBIDDEN, PLACEHOLDER};
use crate::support::config_place::version_of;
use crate::support::configuration::{at, named};
use crate::support::{Client, LocalServer, Reply, TestServer};

const MISSING: &str = "app.config.version.missing.app_error";
const NOBODYS: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaa";

#[actix_web::test]
async fn versions_are_for_system_administrators() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let [first, second] = two_versions(&admin).await;
    let bert = server.user(&admin, "bert").await;
    let manager = server.staff(&admin, "mona", "system_manager").await;
    for path in [String::new(), format!("/{first}"), format!("/{first}/difference/{second}")] {
        let path = format!("/config/versions{path}");
        server.client().get(&path).await.expect_refusal(401, EXPIRED);
        bert.get(&path).await.expect_refusal(403, FORBIDDEN);
        manager.get(&path).await.expect_refusal(403, FORBIDDEN);
        admin.get(&path).await.expect(200);
    }
    roll_back(&server.client(), &first).await.expect_refusal(401, EXPIRED);
    for client in [&bert, &manager] {
        roll_back(client, &first).await.expect_refusal(403, FORBIDDEN);
        // Without the permission the response does not show which versions exist.
        roll_back(client, NOBODYS).await.expect_refusal(403, FORBIDDEN);
    }
    assert_eq!(admin.setting("TeamSettings.SiteName").await, "two");
}

#[actix_web::test]
async fn a_version_that_does_not_exist_is_not_found() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let [first, _] = two_versions(&admin).await;
    let differences = [format!("{first}/difference/{NOBODYS}"), format!("{NOBODYS}/difference/{first}")];
    for path in [NOBODYS.to_owned()].iter().chain(&differences) {
        admin.get(&format!("/config/versions/{path}")).await.expect_refusal(404, MISSING);
    }
    roll_back(&admin, NOBODYS).await.expect_refusal(404, MISSING);
    admin.get("/config/versions/x").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    roll_back(&admin, "x").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
}

#[actix_web::test]
async fn the_list_tells_who_changed_what_and_when() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    assert_eq!(admin.versions().await, Vec::<Value>::new());
    let patch = json!({ "TeamSettings": { "SiteName": "one" } });
    admin.put("/config/patch?comment=new%20name", patch).await.expect(200);
    local.set("TeamSettings.SiteName", "two").await.expect(200);
    let versions = admin.versions().await;
    let [newest, oldest] = &versions[..] else { panic!("{versions:?}") };
    assert_eq!(
        (&newest["source"], &newest["user_id"], &newest["session_id"]),
        (&json!("local"), &json!(""), &json!(""))
    );
    assert_eq!((&newest["is_active"], &oldest["is_active"]), (&json!(true), &json!(false)));
    assert_eq!((&oldest["source"], &oldest["comment"]), (&json!("api"), &json!("new name")));
    assert_eq!(oldest["user_id"], admin.user_id.as_str());
    let sessions = admin.get("/users/me/sessions").await.expect(200);
    assert_eq!(oldest["session_id"], sessions[0]["id"]);
    assert_eq!(oldest["ip_address"], "127.0.0.1");
    assert!(oldest["create_at"].as_i64() < newest["create_at"].as_i64());
    let change = json!({ "path": "TeamSettings.SiteName", "before": "one", "after": "two" });
    assert_eq!(newest["changes"], json!([change]));
    let page = admin.get("/config/versions?page=1&per_page=1").await.expect(200);
    assert_eq!(page, json!([oldest]));
}

#[actix_web::test]
async fn versions_are_listed_in_the_order_of_writing_whatever_the_clock_says() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let mut written = Vec::new();
    for number in 0..6 {
        let reply = admin.set("TeamSettings.SiteName", format!("number {number}")).await;
        reply.expect(200);
        written.insert(0, version_of(&reply));
        if number == 2 {
            // All rows have the same time, an hour from now.
            let at = "createat = (SELECT MAX(createat) FROM configurations) + 3600000";
            server.execute(&format!("UPDATE configurations SET {at} WHERE active = TRUE")).await;
            server.execute(&format!("UPDATE configurations SET {}", at.replace(" + 3600000", ""))).await;
        }
    }
    let versions = admin.versions().await;
    assert_eq!(named(&json!(versions), "id")[..3], written[..3]);
    let times: Vec<i64> = versions.iter().map(|version| version["create_at"].as_i64().unwrap()).collect();
    assert!(times[..4].is_sorted_by(|later, earlier| later > earlier), "{times:?}");
    for (page, version) in versions.iter().enumerate() {
        let found = admin.get(&format!("/config/versions?page={page}&per_page=1")).await.expect(200);
        assert_eq!(found, json!([version]));
    }
    assert_eq!(versions.iter().position(|version| version["is_active"] == true), Some(0));
}

#[actix_web::test]
async fn a_version_is_shown_with_its_document_and_what_is_remembered() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let [first, second] = two_versions(&admin).await;
    let versions = admin.versions().await;
    for (id, record, name) in [(&first, &versions[1], "one"), (&second, &versions[0], "two")] {
        let shown = admin.get(&format!("/config/versions/{id}")).await.expect(200);
        assert_eq!(shown["version"], *record);
        assert_eq!(*at(&shown, "config.TeamSettings.SiteName"), name);
    }
}

#[actix_web::test]
async fn the_difference_goes_both_ways_and_is_nothing_with_itself() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let [first, second] = two_versions(&admin).await;
    // No schema says if a setting of a plugin is a secret.
    let size = difference(&admin, &first, &second).await[0]["after"]["size"].clone();
    assert!(size.as_str().unwrap().starts_with("fingerprint "), "{size}");
    let expected = |before: &str, after: &str| {
        let change =
            |path: &str, before: Value, after: Value| json!({ "path": path, "before": before, "after": after });
        let plugin = |name: &str| if name == "two" { json!({ "size": size }) } else { Value::Null };
        json!([
            change("PluginSettings.Plugins.late", plugin(before), plugin(after)),
            change("TeamSettings.SiteName", json!(before), json!(after)),
        ])
    };
    assert_eq!(difference(&admin, &first, &second).await, expected("one", "two"));
    assert_eq!(difference(&admin, &second, &first).await, expected("two", "one"));
    assert_eq!(difference(&admin, &first, &first).await, json!([]));
}

#[actix_web::test]
async fn a_rollback_is_a_new_version_equal_to_the_old_one() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let [first, second] = two_versions(&admin).await;
    let history = [show(&admin, &first).await["config"].clone(), show(&admin, &second).await["config"].clone()];
    let reply = admin.post(&format!("/config/versions/{first}/rollback?comment=oops"), json!({})).await;
    assert_eq!(*at(&reply.expect(200), "TeamSettings.SiteName"), "one");
    let versions = admin.versions().await;
    assert_eq!(versions.len(), 3);
    let third = versions[0]["id"].as_str().unwrap();
    assert_eq!(reply.header("etag"), format!("\"{third}\""));
    assert_eq!((&versions[0]["source"], &versions[0]["comment"]), (&json!("rollback"), &json!("oops")));
    assert_eq!(named(&versions[0]["changes"], "path"), ["PluginSettings.Plugins.late", "TeamSettings.SiteName"]);
    assert_eq!(difference(&admin, &first, third).await, json!([]), "what came later is gone");
    assert_eq!([show(&admin, &first).await["config"].clone(), show(&admin, &second).await["config"].clone()], history);
    // The rollback goes forward again, and to the version in force.
    roll_back(&admin, &second).await.expect(200);
    assert_eq!(admin.setting("TeamSettings.SiteName").await, "two");
    roll_back(&admin, &second).await.expect(200);
    assert_eq!(admin.versions().await.len(), 4);
}

#[actix_web::test]
async fn a_rollback_brings_back_secrets_and_lists() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    let secrets = json!({
        "EmailSettings": { "SMTPPassword": "open-sesame" },
        "SqlSettings": { "DataSourceReplicas": ["postgres://one"] },
        "PluginSettings": { "Plugins": { "one": { "Token": "abc" } } },
    });
    admin.put("/config/patch", secrets).await.expect(200);
    let (first, before) = (admin.versions().await[0]["id"].clone(), local.config().await);
    let other = json!({
        "EmailSettings": { "SMTPPassword": "" },
        "SqlSettings": { "DataSourceReplicas": [] },
        "PluginSettings": { "Plugins": { "one": { "Token": "other", "more": 1 }, "two": { "Key": "k" } } },
    });
    admin.put("/config/patch", other).await.expect(200);
    roll_back(&admin, first.as_str().unwrap()).await.expect(200);
    assert_eq!(local.config().await, before);
}

#[actix_web::test]
async fn what_is_no_setting_stays_in_every_version_and_its_secrets_stay_hidden() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    let without = version_of(&admin.set("TeamSettings.SiteName", "one").await);
    admin.set("TeamSettings.SiteName", "two").await.expect(200);
    let newer = "\"NewerSettings\": {\"ApiToken\": \"canary\", \"On\": true}, \"TeamSettings\": {";
    let value = format!("replace(value, '\"TeamSettings\": {{', '{newer}')");
    server.execute(&format!("UPDATE configurations SET value = {value} WHERE active = TRUE")).await;
    admin.post("/config/reload", json!({})).await.expect_ok();
    let with = version_of(&admin.set("TeamSettings.SiteName", "three").await);
    let whole = admin.config().await;
    assert_eq!(whole.get("NewerSettings"), None);
    let replaced = version_of(&admin.put("/config", whole).await);
    assert_eq!(replaced, with, "a document that says nothing else changes nothing");
    let hidden = json!({ "ApiToken": PLACEHOLDER, "On": true });
    assert_eq!(show(&admin, &with).await["config"]["NewerSettings"], hidden);
    roll_back(&admin, &without).await.expect(200);
    roll_back(&admin, &with).await.expect(200);
    let text = admin.get("/config/versions").await.text() + &difference(&admin, &without, &with).await.to_string();
    assert!(!text.contains("canary") && text.contains("NewerSettings"), "{text}");
    assert_eq!(local.get("/config?unknown=true").await.expect(200)["NewerSettings"]["ApiToken"], "canary");
    for (client, path) in [(local, "/config"), (&admin, "/config?unknown=true")] {
        assert_eq!(client.get(path).await.expect(200).get("NewerSettings"), None);
    }
}

#[actix_web::test]
async fn history_cannot_be_changed() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let [first, _] = two_versions(&admin).await;
    let path = format!("/config/versions/{first}");
    let before = admin.get(&path).await.text();
    let replies = [admin.delete(&path).await, admin.put(&path, json!({})).await, admin.post(&path, json!({})).await];
    for reply in replies {
        assert!(matches!(reply.status, 404 | 405), "{}", reply.text());
    }
    assert_eq!(admin.get(&path).await.text(), before);
}

async fn two_versions(admin: &Client) -> [String; 2] {
    let patches = [
        json!({ "TeamSettings": { "SiteName": "one" } }),
        json!({ "TeamSettings": { "SiteName": "two" }, "PluginSettings": { "Plugins": { "late": { "size": 1 } } } }),
    ];
    for patch in patches {
        admin.put("/config/patch", patch).await.expect(200);
    }
    let versions = admin.versions().await;
    [1, 0].map(|position: usize| versions[position]["id"].as_str().unwrap().to_owned())
}

async fn show(admin: &Client, id: &str) -> Value {
    admin.get(&format!("/config/versions/{id}")).await.expect(200)
}

async fn difference(admin: &Client, before: &str, after: &str) -> Value {
    admin.get(&format!("/config/versions/{before}/difference/{after}")).await.expect(200)
}

async fn roll_back(client: &Client, id: &str) -> Reply {
    client.post(&format!("/config/versions/{id}/rollback"), json!({})).await
}
