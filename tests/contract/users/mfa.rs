//! `POST /users/{user_id}/mfa/generate` and `PUT /users/{user_id}/mfa`.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::server_with_bert;
use crate::support::one_time::{code_of, step};
use crate::support::server::PASSWORD;
use crate::support::{Client, Reply, TestServer, backdoor};

const ON: &str = "[ServiceSettings]\nEnableMultifactorAuthentication = true\nSiteURL = \"https://chat.example\"\n";
const BAD_CODE: &str = "mfa.activate.bad_token.app_error";
const ACTIVE: &str = "api.user.generate_mfa.active.app_error";

async fn set(client: &Client, id: &str, body: Value) -> Reply {
    client.put(&format!("/users/{id}/mfa"), body).await
}

/// Has a secret made for the caller, and returns it.
async fn secret(client: &Client) -> String {
    let made = client.post("/users/me/mfa/generate", json!({})).await.expect(200);
    made["secret"].as_str().unwrap().to_owned()
}

async fn login(server: &TestServer, token: &str) -> Reply {
    let body = json!({ "login_id": "bert", "password": PASSWORD, "token": token });
    server.client().post("/users/login", body).await
}

#[actix_web::test]
async fn codes_are_needed_once_one_was_shown_and_until_they_are_switched_off() {
    let (server, _admin, bert) = server_with_bert(ON).await;
    let made = bert.post("/users/me/mfa/generate", json!({})).await.expect(200);
    let picture = BASE64.decode(made["qr_code"].as_str().unwrap().as_bytes()).unwrap();
    assert!(picture.starts_with(b"\x89PNG\r\n"));
    let secret = made["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 32);
    login(&server, "").await.expect(200);
    let now = step();
    for (body, status, id) in [
        (json!({}), 400, "api.context.invalid_body_param.app_error"),
        (json!({ "activate": true }), 400, "api.context.invalid_body_param.app_error"),
        (json!({ "activate": true, "code": "12345x" }), 401, BAD_CODE),
        (json!({ "activate": true, "code": code_of(secret, now + 100) }), 401, BAD_CODE),
    ] {
        set(&bert, "me", body).await.expect_refusal(status, id);
    }
    set(&bert, "me", json!({ "activate": true, "code": code_of(secret, now) })).await.expect_ok();
    assert_eq!(bert.get("/users/me").await.json()["mfa_active"], true);
    login(&server, "").await.expect_refusal(401, "mfa.validate_token.authenticate.app_error");
    // The code that was shown is used up.
    login(&server, &code_of(secret, now)).await.expect_refusal(401, "api.user.check_user_mfa.bad_code.app_error");
    login(&server, &code_of(secret, now + 1)).await.expect(200);
    set(&bert, "me", json!({ "activate": false })).await.expect_ok();
    login(&server, "").await.expect(200);
    let kept = backdoor::texts_in(server.folder(), "SELECT mfasecret FROM users WHERE username = 'bert'").await;
    assert_eq!(kept, [""]);
}

#[actix_web::test]
async fn a_secret_in_use_is_not_replaced_and_its_codes_are_not_told_apart() {
    let (server, admin, bert) = server_with_bert(ON).await;
    let secret = secret(&bert).await;
    set(&bert, "me", json!({ "activate": true, "code": code_of(&secret, step()) })).await.expect_ok();
    for client in [&bert, &admin] {
        let path = format!("/users/{}/mfa/generate", bert.user_id);
        client.post(&path, json!({})).await.expect_refusal(400, ACTIVE);
        for code in [code_of(&secret, step() + 1), "000000".to_owned()] {
            set(client, &bert.user_id, json!({ "activate": true, "code": code })).await.expect_refusal(400, ACTIVE);
        }
    }
    // An administrator lets a user in who lost the secret.
    set(&admin, &bert.user_id, json!({ "activate": false, "code": "" })).await.expect_ok();
    login(&server, "").await.expect(200);
}

#[actix_web::test]
async fn codes_of_others_are_for_those_who_may_edit_them() {
    let (_server, admin, bert) = server_with_bert(ON).await;
    let path = format!("/users/{}/mfa/generate", admin.user_id);
    bert.post(&path, json!({})).await.expect_refusal(403, "api.context.permissions.app_error");
    set(&bert, &admin.user_id, json!({ "activate": false }))
        .await
        .expect_refusal(403, "api.context.permissions.app_error");
    let nobody = "a".repeat(26);
    set(&admin, &nobody, json!({ "activate": false })).await.expect_refusal(404, "app.user.missing_account.const");
}

#[actix_web::test]
async fn the_setting_switches_new_codes_off_and_never_locks_anybody_out() {
    let (server, admin, bert) = server_with_bert("").await;
    let off = "mfa.mfa_disabled.app_error";
    bert.post("/users/me/mfa/generate", json!({})).await.expect_refusal(501, off);
    set(&bert, "me", json!({ "activate": true, "code": "123456" })).await.expect_refusal(501, off);
    set(&bert, "me", json!({ "activate": false })).await.expect_ok();
    server.execute("UPDATE users SET authservice = 'saml' WHERE username = 'bert'").await;
    let elsewhere = "api.user.activate_mfa.email_and_ldap_only.app_error";
    set(&admin, &bert.user_id, json!({ "activate": true, "code": "123456" })).await.expect_refusal(400, elsewhere);
}
