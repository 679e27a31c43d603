//! `PUT /users/{user_id}/roles`.

use serde_json::json;

use super::server_with_bert;
use crate::support::license::{Seller, upload};
use crate::support::trail::{events_in, newest_in};
use crate::support::waiting::until;

#[actix_web::test]
async fn new_roles_count_at_once_in_open_sessions() {
    let (_server, admin, bert) = server_with_bert("").await;
    let path = format!("/users/{}/roles", bert.user_id);
    let of_admin = format!("/users/{}/roles", admin.user_id);
    bert.get("/users/me").await.expect(200);
    admin.put(&path, json!({ "roles": " system_user  system_admin" })).await.expect_ok();
    assert_eq!(bert.get("/users/me").await.expect(200)["roles"], "system_user system_admin");
    bert.put(&of_admin, json!({ "roles": "system_user" })).await.expect_ok();
    let refusal = admin.put(&path, json!({ "roles": "system_user" })).await;
    refusal.expect_refusal(403, "api.context.permissions.app_error");
}

#[actix_web::test]
async fn roles_that_were_changed_meanwhile_are_not_replaced() {
    let (server, admin, bert) = server_with_bert("").await;
    let path = format!("/users/{}/roles", bert.user_id);
    let change = |before: &str, roles: &str| json!({ "roles": roles, "roles_before": before });
    admin.put(&path, change("system_user ", "system_user system_admin")).await.expect_ok();
    let refusal = admin.put(&path, change("system_user", "system_user")).await;
    refusal.expect_refusal(409, "api.user.update_user_roles.conflict.app_error");
    let unreadable = json!({ "roles": "system_user", "roles_before": ["system_user"] });
    admin.put(&path, unreadable).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    assert_eq!(bert.get("/users/me").await.expect(200)["roles"], "system_user system_admin");
    admin.put(&path, change("system_user system_admin", "system_user")).await.expect_ok();
    let stored = async || events_in(server.folder()).await;
    let is_stored = |event: &String| event == "updateUserRoles success";
    until("the records are stored", async || stored().await.iter().filter(|event| is_stored(event)).count() == 2).await;
    let record = newest_in(server.folder(), "updateUserRoles").await;
    assert_eq!(record["before"], json!({ "roles": "system_user system_admin" }), "{record}");
}

#[actix_web::test]
async fn roles_are_refused_in_the_order_of_text_licence_permission_account_name() {
    let (_server, admin, bert) = server_with_bert("").await;
    let unknown = "/users/yyyyyyyyyyyyyyyyyyyyyyyyyy/roles";
    for roles in [json!("system_admin"), json!("No-Role"), json!(""), json!(null)] {
        let refusal = bert.put("/users/me/roles", json!({ "roles": roles })).await;
        refusal.expect_refusal(400, "api.context.invalid_body_param.app_error");
    }
    for sold in [
        "system_manager",
        "system_user_manager",
        "system_read_only_admin",
        "shared_channel_manager",
        "secure_connection_manager",
    ] {
        let refusal = bert.put("/users/me/roles", json!({ "roles": format!("system_user {sold}") })).await;
        refusal.expect_refusal(400, "api.user.update_user_roles.license.app_error");
    }
    let refusal = bert.put("/users/me/roles", json!({ "roles": "system_user nobody" })).await;
    refusal.expect_refusal(403, "api.context.permissions.app_error");
    let refusal = admin.put(unknown, json!({ "roles": "system_user nobody" })).await;
    refusal.expect_refusal(404, "app.user.missing_account.const");
    let refusal = admin.put("/users/me/roles", json!({ "roles": "nobody" })).await;
    refusal.expect_refusal(400, "app.role.check_roles_exist.role_not_found");
    let refusal = admin.put("/users/me/roles", json!({ "roles": "system_user ".repeat(30) })).await;
    refusal.expect_refusal(400, "model.user.is_valid.roles_limit.app_error");
}

#[actix_web::test]
async fn the_last_administrator_stays_one() {
    let (_server, admin, bert) = server_with_bert("").await;
    let refusal = admin.put("/users/me/roles", json!({ "roles": "system_user" })).await;
    refusal.expect_refusal(400, "app.user.update.lastAdmin.app_error");
    let both = json!({ "roles": "system_admin system_user" });
    admin.put(&format!("/users/{}/roles", bert.user_id), both).await.expect_ok();
    admin.put(&format!("/users/{}/active", bert.user_id), json!({ "active": false })).await.expect_ok();
    // A deactivated administrator does not count.
    let refusal = admin.put("/users/me/roles", json!({ "roles": "system_user" })).await;
    refusal.expect_refusal(400, "app.user.update.lastAdmin.app_error");
    admin.put(&format!("/users/{}/active", bert.user_id), json!({ "active": true })).await.expect_ok();
    admin.put("/users/me/roles", json!({ "roles": "system_user" })).await.expect_ok();
}

#[actix_web::test]
async fn a_licence_for_them_allows_delegated_roles_as_long_as_it_is_in_force() {
    let seller = Seller::new().await;
    let server = seller.server("").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let path = format!("/users/{}/roles", bert.user_id);
    let delegated = json!({ "roles": "system_user system_manager" });
    upload(&admin, &seller.license(&["--feature", "ldap"]).await).await.expect(201);
    let refusal = "api.user.update_user_roles.license.app_error";
    admin.put(&path, delegated.clone()).await.expect_refusal(400, refusal);
    bert.get("/config").await.expect_refusal(403, "api.context.permissions.app_error");
    upload(&admin, &seller.license(&["--feature", "custom_permissions_schemes"]).await).await.expect(201);
    admin.put(&path, delegated.clone()).await.expect_ok();
    bert.get("/config").await.expect(200);
    assert_eq!(bert.get("/users/me").await.expect(200)["roles"], "system_user system_manager");
    admin.delete("/license").await.expect_ok();
    admin.put(&path, delegated).await.expect_refusal(400, refusal);
    admin.put(&path, json!({ "roles": "system_user" })).await.expect_ok();
}
