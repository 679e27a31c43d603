//! `users/{id}/auth` and `users/migrate_auth`.

use serde_json::{Value, json};

use super::server_with_bert;
use crate::support::server::PASSWORD;
use crate::support::websocket::{Frame, WebSocket};

const PERMISSIONS: &str = "api.context.permissions.app_error";
const INVALID: &str = "api.context.invalid_body_param.app_error";

#[actix_web::test]
async fn an_account_of_a_login_service_has_no_password_and_no_session_any_more() {
    let (server, admin, bert) = server_with_bert("").await;
    let path = format!("/users/{}/auth", bert.user_id);
    let (mut socket, _) = WebSocket::greeted(&bert).await;
    let stored =
        admin.put(&path, json!({ "auth_data": "b-1", "auth_service": "saml", "password": "x" })).await.expect(200);
    assert_eq!(stored, json!({ "auth_data": "b-1", "auth_service": "saml" }));
    assert!(matches!(socket.end().await, Frame::Close(Some(1008), _)));
    bert.get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
    let account = admin.get(&format!("/users/{}", bert.user_id)).await.expect(200);
    assert_eq!((&account["auth_service"], &account["auth_data"]), (&json!("saml"), &json!("b-1")));
    let login = json!({ "login_id": "bert", "password": PASSWORD });
    assert_eq!(server.client().post("/users/login", login).await.status, 401);
}

#[actix_web::test]
async fn a_login_service_is_refused_in_the_order_of_the_contract() {
    let (server, admin, bert) = server_with_bert("").await;
    let path = format!("/users/{}/auth", bert.user_id);
    let whole = json!({ "auth_data": "b-1", "auth_service": "saml" });
    server.client().put(&path, whole.clone()).await.expect_refusal(401, "api.context.session_expired.app_error");
    bert.put(&path, json!([])).await.expect_refusal(403, PERMISSIONS);
    admin.put("/users/short/auth", whole.clone()).await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    admin.put(&path, json!([])).await.expect_refusal(400, INVALID);
    for body in [json!({}), json!({ "auth_data": "b-1" }), json!({ "auth_data": "", "auth_service": "saml" })] {
        admin.put(&path, body).await.expect_refusal(400, "api.user.update_user_auth.invalid_request");
    }
    for (body, id) in [
        (json!({ "auth_data": "x".repeat(129), "auth_service": "saml" }), "model.user.is_valid.auth_data.app_error"),
        (json!({ "auth_data": "x", "auth_service": "x".repeat(33) }), "model.user.is_valid.auth_data_type.app_error"),
    ] {
        admin.put(&path, body).await.expect_refusal(400, id);
    }
    let unknown = format!("/users/{}/auth", "x".repeat(26));
    admin.put(&unknown, whole.clone()).await.expect_refusal(404, "app.user.missing_account.const");
    admin.put("/users/me/auth", whole.clone()).await.expect_refusal(400, "app.user.update.lastAdmin.app_error");
    admin.put(&path, whole.clone()).await.expect(200);
    let carla = server.user(&admin, "carla").await;
    let taken = admin.put(&format!("/users/{}/auth", carla.user_id), whole).await;
    taken.expect_refusal(400, "app.user.update_auth_data.email_exists.app_error");
    carla.get("/users/me").await.expect(200);
}

#[actix_web::test]
async fn a_migration_is_refused_for_its_body_its_caller_or_because_there_is_no_such_service() {
    let (server, admin, bert) = server_with_bert("").await;
    let with = |body: &Value, name: &str, value: Value| {
        let mut changed = body.clone();
        changed[name] = value;
        changed
    };
    let ldap = json!({ "from": "email", "force": false, "match_field": "email" });
    let saml = json!({ "from": "ldap", "auto": true, "matches": { "a@chat.example": "a" } });
    for (service, body, same) in [("ldap", ldap, "ldap"), ("saml", saml, "saml")] {
        let path = format!("/users/migrate_auth/{service}");
        server.client().post(&path, body.clone()).await.expect_refusal(401, "api.context.session_expired.app_error");
        admin.post(&path, json!({})).await.expect_refusal(400, INVALID);
        admin.post(&path, with(&body, "from", json!(same))).await.expect_refusal(400, INVALID);
        for name in body.as_object().unwrap().keys() {
            admin.post(&path, with(&body, name, json!(7))).await.expect_refusal(400, INVALID);
        }
        bert.post(&path, body.clone()).await.expect_refusal(403, PERMISSIONS);
        let id = format!("api.admin.{service}.not_available.app_error");
        admin.post(&path, body).await.expect_refusal(501, &id);
    }
}
