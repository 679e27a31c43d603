//! `PUT /users/{user_id}/active`, `DELETE /users/{user_id}`, `POST /users/{user_id}/email/verify/member`.

use serde_json::json;

use super::server_with_bert;
use crate::support::server::PASSWORD;

const UNKNOWN: &str = "/users/yyyyyyyyyyyyyyyyyyyyyyyyyy";

#[actix_web::test]
async fn whoever_is_deactivated_is_logged_out_and_stays_out_until_activated() {
    let (server, admin, bert) = server_with_bert("").await;
    let path = format!("/users/{}/active", bert.user_id);
    admin.put(&path, json!({ "active": false })).await.expect_ok();
    bert.get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
    assert_ne!(admin.get(&format!("/users/{}", bert.user_id)).await.expect(200)["delete_at"], 0);
    let refusal = server.client().post("/users/login", json!({ "login_id": "bert", "password": PASSWORD })).await;
    refusal.expect_refusal(401, "api.user.login.inactive.app_error");
    admin.put(&path, json!({ "active": true })).await.expect_ok();
    server.login("bert").await.get("/users/me").await.expect(200);
}

#[actix_web::test]
async fn activity_is_refused_in_the_order_of_body_permission_account() {
    let (_server, admin, bert) = server_with_bert("").await;
    let other = format!("/users/{}/active", admin.user_id);
    for body in [json!({}), json!({ "active": "true" }), json!([])] {
        bert.put(&other, body).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    }
    let refusal = bert.put(&other, json!({ "active": false })).await;
    refusal.expect_refusal(403, "api.user.update_active.permissions.app_error");
    let refusal = bert.put("/users/me/active", json!({ "active": true })).await;
    refusal.expect_refusal(403, "api.user.update_active.permissions.app_error");
    let refusal = bert.put("/users/me/active", json!({ "active": false })).await;
    refusal.expect_refusal(401, "api.user.update_active.not_enable.app_error");
    let unknown = admin.put(&format!("{UNKNOWN}/active"), json!({ "active": true })).await;
    unknown.expect_refusal(404, "app.user.missing_account.const");
}

#[actix_web::test]
async fn people_may_leave_where_the_settings_let_them() {
    let (server, admin, bert) = server_with_bert("[TeamSettings]\nEnableUserDeactivation = true\n").await;
    bert.put("/users/me/active", json!({ "active": false })).await.expect_ok();
    let carl = server.user(&admin, "carl").await;
    carl.delete("/users/me").await.expect_ok();
    for left in [bert, carl] {
        left.get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
    }
}

#[actix_web::test]
async fn the_last_administrator_who_can_log_in_is_neither_deactivated_nor_deleted() {
    let (server, admin, carla) = server_with_bert(
        "[ServiceSettings]\nEnableAPIUserDeletion = true\n[TeamSettings]\nEnableUserDeactivation = true\n",
    )
    .await;
    let roles = json!({ "roles": "system_user system_admin" });
    admin.put(&format!("/users/{}/roles", carla.user_id), roles).await.expect(200);
    // Its password is at a login service, which this server does not ask.
    server
        .execute(&format!("UPDATE users SET authservice = 'saml', authdata = 'c' WHERE id = '{}'", carla.user_id))
        .await;
    let last = "app.user.update.lastAdmin.app_error";
    let (path, off) = (format!("/users/{}", admin.user_id), json!({ "active": false }));
    for client in [&admin, &carla] {
        client.put(&format!("{path}/active"), off.clone()).await.expect_refusal(400, last);
        client.delete(&path).await.expect_refusal(400, last);
        client.delete(&format!("{path}?permanent=true")).await.expect_refusal(400, last);
        client.put(&format!("{path}/roles"), json!({ "roles": "system_user" })).await.expect_refusal(400, last);
    }
    assert_eq!(admin.get("/users/me").await.expect(200)["delete_at"], 0);
    server.execute(&format!("UPDATE users SET authservice = '', authdata = NULL WHERE id = '{}'", carla.user_id)).await;
    // Of two administrators who deactivate each other at once, one remains.
    let (other, own) = (format!("/users/{}/active", carla.user_id), format!("{path}/active"));
    let (one, two) = tokio::join!(admin.put(&other, off.clone()), carla.put(&own, off));
    assert_eq!([one.status, two.status].iter().filter(|status| **status == 200).count(), 1);
}

#[actix_web::test]
async fn removing_deactivates() {
    let (_server, admin, bert) = server_with_bert("").await;
    admin.delete(&format!("/users/{}", bert.user_id)).await.expect_ok();
    assert_ne!(admin.get(&format!("/users/{}", bert.user_id)).await.expect(200)["delete_at"], 0);
    bert.get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
}

#[actix_web::test]
async fn removing_is_refused_in_the_order_of_permission_setting_account() {
    let (_server, admin, bert) = server_with_bert("").await;
    bert.delete("/users/short").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    let refusal = bert.delete(&format!("/users/{}?permanent=true", admin.user_id)).await;
    refusal.expect_refusal(403, "api.context.permissions.app_error");
    let refusal = bert.delete("/users/me?permanent=true").await;
    refusal.expect_refusal(401, "api.user.update_active.not_enable.app_error");
    admin.delete(UNKNOWN).await.expect_refusal(404, "app.user.missing_account.const");
    let refusal = admin.delete(&format!("/users/{}?permanent=true", bert.user_id)).await;
    refusal.expect_refusal(401, "api.user.delete_user.not_enabled.for_admin.app_error");
}

#[actix_web::test]
async fn only_administrators_learn_how_deletion_is_switched_on() {
    let (_server, _admin, bert) = server_with_bert("[TeamSettings]\nEnableUserDeactivation = true\n").await;
    let refusal = bert.delete("/users/me?permanent=true").await;
    refusal.expect_refusal(401, "api.user.delete_user.not_enabled.app_error");
}

#[actix_web::test]
async fn an_account_is_deleted_for_good_where_the_settings_allow_it() {
    let (server, admin, bert) = server_with_bert("[ServiceSettings]\nEnableAPIUserDeletion = true\n").await;
    let path = format!("/users/{}", bert.user_id);
    admin.delete(&format!("{path}?permanent=true")).await.expect_ok();
    admin.get(&path).await.expect_refusal(404, "app.user.missing_account.const");
    bert.get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
    server.user(&admin, "bert").await;
}

#[actix_web::test]
async fn an_address_is_verified_on_the_word_of_an_administrator() {
    let (server, admin, bert) = server_with_bert("").await;
    let path = format!("/users/{}/email/verify/member", bert.user_id);
    bert.post(&path, json!({})).await.expect_refusal(403, "api.context.permissions.app_error");
    let verified = admin.post(&path, json!({})).await.expect(200);
    assert_eq!((verified["id"].as_str(), verified["email_verified"].as_bool()), (Some(&*bert.user_id), Some(true)));
    assert_eq!(server.login("bert").await.get("/users/me").await.expect(200)["email_verified"], true);
    let unknown = admin.post(&format!("{UNKNOWN}/email/verify/member"), json!({})).await;
    unknown.expect_refusal(404, "app.user.missing_account.const");
}
