//! `PUT /users/{user_id}/password` and `POST /users/{user_id}/reset_failed_attempts`.

use serde_json::{Value, json};

use super::server_with_bert;
use crate::support::server::PASSWORD;
use crate::support::{Reply, TestServer};

const NEW: &str = "another-horse-2";

#[actix_web::test]
async fn a_new_password_logs_the_account_out_everywhere_else() {
    let (server, _admin, bert) = server_with_bert("").await;
    let elsewhere = server.login("bert").await;
    bert.put("/users/me/password", json!({ "current_password": PASSWORD, "new_password": NEW })).await.expect_ok();
    bert.get("/users/me").await.expect(200);
    elsewhere.get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
    login(&server, PASSWORD).await.expect_refusal(401, "api.user.login.invalid_credentials_email_username");
    login(&server, NEW).await.expect(200);
}

#[actix_web::test]
async fn the_settings_can_leave_other_sessions_alone() {
    let settings = "[ServiceSettings]\nTerminateSessionsOnPasswordChange = false\n";
    let (server, _admin, bert) = server_with_bert(settings).await;
    let elsewhere = server.login("bert").await;
    bert.put("/users/me/password", json!({ "current_password": PASSWORD, "new_password": NEW })).await.expect_ok();
    elsewhere.get("/users/me").await.expect(200);
}

#[actix_web::test]
async fn ones_own_password_is_changed_by_whoever_knows_it() {
    let (_server, admin, bert) = server_with_bert("").await;
    for client in [&admin, &bert] {
        let change = async |body: Value| client.put("/users/me/password", body).await;
        let missing = change(json!({ "new_password": NEW })).await;
        missing.expect_refusal(400, "api.context.invalid_body_param.app_error");
        let wrong = change(json!({ "current_password": "wrong", "new_password": "short" })).await;
        wrong.expect_refusal(400, "api.user.update_password.incorrect.app_error");
        let weak = change(json!({ "current_password": PASSWORD, "new_password": "short" })).await;
        weak.expect_refusal(400, "model.user.is_valid.pwd_min_length.app_error");
    }
}

#[actix_web::test]
async fn guessing_ones_own_password_locks_the_account() {
    let (_server, _admin, bert) = server_with_bert("[ServiceSettings]\nMaximumLoginAttempts = 2\n").await;
    for _ in 0..2 {
        let wrong = bert.put("/users/me/password", json!({ "current_password": "wrong", "new_password": NEW })).await;
        wrong.expect_refusal(400, "api.user.update_password.incorrect.app_error");
    }
    let locked = bert.put("/users/me/password", json!({ "current_password": PASSWORD, "new_password": NEW })).await;
    locked.expect_refusal(401, "api.user.check_user_login_attempts.too_many.app_error");
}

#[actix_web::test]
async fn the_password_of_others_is_set_by_administrators_only() {
    let (server, admin, bert) = server_with_bert("").await;
    let path = format!("/users/{}/password", bert.user_id);
    let of_admin = format!("/users/{}/password", admin.user_id);
    let refusal = bert.put(&of_admin, json!({ "new_password": "short" })).await;
    refusal.expect_refusal(403, "api.user.update_password.context.app_error");
    let weak = admin.put(&path, json!({ "current_password": "", "new_password": "short" })).await;
    weak.expect_refusal(400, "model.user.is_valid.pwd_min_length.app_error");
    admin.put(&path, json!({ "new_password": NEW })).await.expect_ok();
    bert.get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
    login(&server, NEW).await.expect(200);
    let unknown = admin.put("/users/yyyyyyyyyyyyyyyyyyyyyyyyyy/password", json!({ "new_password": NEW })).await;
    unknown.expect_refusal(404, "app.user.missing_account.const");
}

#[actix_web::test]
async fn a_hash_is_taken_from_administrators_only() {
    let (server, admin, bert) = server_with_bert("").await;
    let body = json!({ "already_hashed": "true", "new_password": bcrypt::hash(NEW, 4).unwrap() });
    let own = bert.put("/users/me/password", body.clone()).await;
    own.expect_refusal(401, "api.user.update_password.user_and_hashed.app_error");
    let other = bert.put(&format!("/users/{}/password", admin.user_id), body.clone()).await;
    other.expect_refusal(403, "api.user.update_password.context.app_error");
    let path = format!("/users/{}/password", bert.user_id);
    for hash in [json!(null), json!("x".repeat(129))] {
        let refusal = admin.put(&path, json!({ "already_hashed": "true", "new_password": hash })).await;
        refusal.expect_refusal(400, "api.context.invalid_body_param.app_error");
    }
    admin.put(&path, body).await.expect_ok();
    login(&server, NEW).await.expect(200);
}

#[actix_web::test]
async fn an_account_that_logs_in_elsewhere_keeps_its_password_there() {
    let (server, _admin, bert) = server_with_bert("").await;
    server.execute("UPDATE users SET authdata = 'x' WHERE username = 'bert'").await;
    let refusal = bert.put("/users/me/password", json!({ "current_password": "x", "new_password": NEW })).await;
    refusal.expect_refusal(400, "api.user.update_password.oauth.app_error");
}

#[actix_web::test]
async fn a_new_password_and_an_administrator_unlock_an_account() {
    let (server, admin, bert) = server_with_bert("[ServiceSettings]\nMaximumLoginAttempts = 1\n").await;
    let lock = async || {
        login(&server, "wrong").await;
        let locked = login(&server, PASSWORD).await;
        locked.expect_refusal(401, "api.user.check_user_login_attempts.too_many.app_error");
    };
    lock().await;
    admin.post(&format!("/users/{}/reset_failed_attempts", bert.user_id), json!({})).await.expect_ok();
    login(&server, PASSWORD).await.expect(200);
    lock().await;
    admin.put(&format!("/users/{}/password", bert.user_id), json!({ "new_password": PASSWORD })).await.expect_ok();
    login(&server, PASSWORD).await.expect(200);
    let refusal = bert.post("/users/me/reset_failed_attempts", json!({})).await;
    refusal.expect_refusal(401, "api.context.session_expired.app_error");
    let bert = server.login("bert").await;
    let refusal = bert.post("/users/me/reset_failed_attempts", json!({})).await;
    refusal.expect_refusal(403, "api.user.reset_password_failed_attempts.permissions.app_error");
    for (service, id) in [("ldap", None), ("saml", Some("ldap_and_email_only"))] {
        server.execute(&format!("UPDATE users SET authservice = '{service}' WHERE id = '{}'", bert.user_id)).await;
        let reply = admin.post(&format!("/users/{}/reset_failed_attempts", bert.user_id), json!({})).await;
        match id {
            None => reply.expect_ok(),
            Some(id) => {
                reply.expect_refusal(400, &format!("api.user.reset_password_failed_attempts.{id}.app_error"));
            }
        }
    }
    let unknown = admin.post("/users/yyyyyyyyyyyyyyyyyyyyyyyyyy/reset_failed_attempts", json!({})).await;
    unknown.expect_refusal(404, "app.user.missing_account.const");
}

async fn login(server: &TestServer, password: &str) -> Reply {
    server.client().post("/users/login", json!({ "login_id": "bert", "password": password })).await
}
