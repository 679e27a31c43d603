//! The complete record: the request, and the values before and after.

use std::path::Path;

use serde_json::{Value, json};

use super::{EXPIRED, FORBIDDEN};
use crate::support::trail::newest_in;
use crate::support::{LocalServer, TestServer};

/// Returns the values before and after in the newest record of an event.
async fn change(folder: &Path, event: &str) -> (Value, Value) {
    let record = newest_in(folder, event).await;
    (record["before"].clone(), record["after"].clone())
}

#[actix_web::test]
async fn a_record_names_the_request_and_its_answer() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let reply = admin.put("/users/me/patch", json!({ "nickname": "Skipper" })).await;
    admin.audits().await;
    let record = newest_in(server.folder(), "patchUser").await;
    let expected = json!({
        "status": "success", "userid": admin.user_id, "sessionid": record["sessionid"], "address": "127.0.0.1",
        "source": "api", "requestid": reply.header("x-request-id"), "method": "PUT", "path": "/api/v4/users/me/patch",
        "code": 200, "errorid": "", "parameters": { "user_id": "me" },
        "before": { "nickname": "" }, "after": { "nickname": "Skipper" },
    });
    assert_eq!(record, expected);
}

#[actix_web::test]
async fn a_record_is_shown_whole_to_who_manages_the_system() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.put("/users/me/patch", json!({ "nickname": "Skipper" })).await.expect(200);
    let path = format!("/audits/{}", admin.audits().await[0]["id"].as_str().unwrap());
    server.client().get(&path).await.expect_refusal(401, EXPIRED);
    // The permission to read the trail does not include every value.
    let reader = server.staff(&admin, "clara", "system_read_only_admin").await;
    reader.get(&path).await.expect_refusal(403, FORBIDDEN);
    admin.get("/audits/x").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    let nobodys = format!("/audits/{}", "a".repeat(26));
    admin.get(&nobodys).await.expect_refusal(404, "app.audit.get.missing.app_error");
    let shown = admin.get(&path).await.expect(200);
    assert_eq!(
        (&shown["event"], &shown["number"], &shown["status"]),
        (&json!("patchUser"), &json!(3), &json!("success"))
    );
    assert_eq!((&shown["before"], &shown["after"]), (&json!({ "nickname": "" }), &json!({ "nickname": "Skipper" })));
    assert_eq!((&shown["user_id"], &shown["parameters"]), (&json!(admin.user_id), &json!({ "user_id": "me" })));
    assert_eq!(shown["hash"].as_str().unwrap().len(), 64);
}

#[actix_web::test]
async fn a_change_of_an_account_is_recorded_with_both_sides() {
    let server = TestServer::start_with("[ServiceSettings]\nEnableAPIUserDeletion = true\n").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let path = |rest: &str| format!("/users/{}{rest}", bert.user_id);
    admin.put(&path("/roles"), json!({ "roles": "system_user system_admin" })).await.expect(200);
    admin.put(&path("/active"), json!({ "active": false })).await.expect(200);
    admin.put(&path("/patch"), json!({ "email": "new@chat.example", "props": { "a": "canary" } })).await.expect(200);
    admin.delete(&path("?permanent=true")).await.expect(200);
    admin.audits().await;
    let folder = server.folder();
    let roles = (json!({ "roles": "system_user" }), json!({ "roles": "system_user system_admin" }));
    assert_eq!(change(folder, "updateUserRoles").await, roles);
    let active = (json!({ "active": true }), json!({ "active": false }));
    assert_eq!(change(folder, "updateUserActive").await, active);
    let (before, after) = change(folder, "patchUser").await;
    assert_eq!((&before["email"], &after["email"]), (&json!("bert@chat.example"), &json!("new@chat.example")));
    assert!(!after.to_string().contains("canary"));
    let (before, after) = change(folder, "deleteUser").await;
    assert_eq!((&before["username"], &after), (&json!("bert"), &json!({})));
    let made = newest_in(folder, "createUser").await["after"].clone();
    assert_eq!((&made["id"], &made["roles"]), (&json!(bert.user_id), &json!("system_user")));
}

#[actix_web::test]
async fn a_change_of_the_configuration_is_recorded_setting_by_setting() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    let folder = server.folder();
    // The first version also contains generated keys.
    admin.set("TeamSettings.MaxUsersPerTeam", 60).await.expect(200);
    admin.set("TeamSettings.SiteName", "one").await.expect(200);
    admin.audits().await;
    let first = newest_in(folder, "patchConfig").await;
    let site_name = |name: &str| json!({ "TeamSettings.SiteName": name });
    assert_eq!((&first["before"], &first["after"]), (&site_name("Mattermost"), &site_name("one")));
    let version = admin.versions().await[0]["id"].clone();
    assert_eq!(first["parameters"], json!({ "dry_run": false, "version": version }));

    local.set("TeamSettings.SiteName", "two").await.expect(200);
    admin.audits().await;
    let second = newest_in(folder, "patchConfig").await;
    assert_eq!((&second["source"], &second["userid"], &second["address"]), (&json!("local"), &json!(""), &json!("")));

    let rollback = format!("/config/versions/{}/rollback", version.as_str().unwrap());
    admin.post(&rollback, json!({})).await.expect(200);
    let mut document = admin.config().await;
    document["TeamSettings"]["SiteName"] = json!("three");
    admin.put("/config", document.clone()).await.expect(200);
    document["TeamSettings"]["SiteName"] = json!("four");
    admin.put("/config?dry_run=true", document).await.expect(200);
    admin.audits().await;
    assert_eq!(change(folder, "rollbackConfig").await, (site_name("two"), site_name("one")));
    let dry = newest_in(folder, "updateConfig").await;
    assert_eq!((&dry["after"], &dry["parameters"]), (&Value::Null, &json!({ "dry_run": true })));

    let file = folder.join("config.toml");
    let pinned = std::fs::read_to_string(&file).unwrap() + "[TeamSettings]\nSiteName = \"five\"\n";
    std::fs::write(&file, pinned).unwrap();
    server.server.reload().await.unwrap();
    admin.audits().await;
    let reload = newest_in(folder, "configReload").await;
    assert_eq!((&reload["before"], &reload["after"]), (&site_name("three"), &site_name("five")));
    assert_eq!(reload["source"], "server");
}

#[actix_web::test]
async fn a_refused_change_of_the_configuration_changed_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.set("PasswordSettings.MinimumLength", 1).await.expect(400);
    admin.audits().await;
    let record = newest_in(server.folder(), "patchConfig").await;
    assert_eq!((&record["status"], &record["code"]), (&json!("fail"), &json!(400)));
    assert_eq!(record["errorid"], "model.config.is_valid.password_length.app_error");
    assert_eq!((&record["before"], &record["after"]), (&Value::Null, &Value::Null));
}
