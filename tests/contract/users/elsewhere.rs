//! Accounts that do not log in here: those of another login service, guests while guests are off, accounts of other servers.

use serde_json::json;

use super::server_with_bert;
use crate::support::server::{PASSWORD, account};

#[actix_web::test]
async fn an_account_of_another_login_service_stays_one_and_has_no_password() {
    let (server, admin, _bert) = server_with_bert("[TeamSettings]\nEnableOpenServer = true\n").await;
    let elsewhere =
        json!({ "email": "dora@chat.example", "username": "dora", "auth_service": "saml", "auth_data": "d-1" });
    let dora = admin.post("/users", elsewhere).await.expect(201);
    assert_eq!((&dora["auth_service"], &dora["auth_data"]), (&json!("saml"), &json!("d-1")));
    let path = format!("/users/{}", dora["id"].as_str().unwrap());
    assert_eq!(admin.get(&path).await.expect(200)["auth_service"], "saml");
    admin.put(&format!("{path}/patch"), json!({ "nickname": "d", "auth_service": "" })).await.expect(200);
    admin.put(&format!("{path}/password"), json!({ "new_password": PASSWORD })).await;
    assert_eq!(admin.get(&path).await.expect(200)["auth_service"], "saml");
    let login = json!({ "login_id": "dora", "password": PASSWORD });
    let refused = server.client().post("/users/login", login).await;
    refused.expect_refusal(401, "api.user.login.invalid_credentials_email_username");

    let with = |name: &str, more: serde_json::Value| {
        let mut body = account(name);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    // A password beside the service is not stored.
    let emil = admin.post("/users", with("emil", json!({ "auth_service": "gitlab" }))).await.expect(201);
    assert_eq!(emil["auth_service"], "gitlab");
    let login = json!({ "login_id": "emil", "password": PASSWORD });
    let refused = server.client().post("/users/login", login).await;
    refused.expect_refusal(401, "api.user.login.invalid_credentials_email_username");
    for (more, id) in [
        (json!({ "auth_service": "saml", "auth_data": "f-1" }), "model.user.is_valid.auth_data_pwd.app_error"),
        (json!({ "auth_data": "f-1" }), "model.user.is_valid.auth_data_type.app_error"),
        (json!({ "auth_service": "saml", "auth_data": "x".repeat(129) }), "model.user.is_valid.auth_data.app_error"),
    ] {
        admin.post("/users", with("fred", more)).await.expect_refusal(400, id);
    }
    let twice = json!({ "email": "g@chat.example", "username": "gero", "auth_service": "saml", "auth_data": "d-1" });
    admin.post("/users", twice).await.expect_refusal(400, "app.user.save.existing.app_error");
    let by_anybody = server.client().post("/users", with("hana", json!({ "auth_service": "saml" }))).await.expect(201);
    assert_eq!(by_anybody["auth_service"], "");
    server.login("hana").await;
}

#[actix_web::test]
async fn a_guest_is_not_activated_while_guests_are_off_and_ldap_decides_about_its_accounts() {
    for is_on in [false, true] {
        let settings = format!("[GuestAccountsSettings]\nEnable = {is_on}\n");
        let (server, admin, bert) = server_with_bert(&settings).await;
        let path = format!("/users/{}/active", bert.user_id);
        let id = &bert.user_id;
        server.execute(&format!("UPDATE users SET roles = 'system_guest', deleteat = 5 WHERE id = '{id}'")).await;
        let reply = admin.put(&path, json!({ "active": true })).await;
        if is_on {
            reply.expect_ok();
        } else {
            let error = "api.user.update_active.cannot_enable_guest_when_guest_feature_is_disabled.app_error";
            reply.expect_refusal(401, error);
        }
        server
            .execute(&format!("UPDATE users SET roles = 'system_user', authservice = 'ldap' WHERE id = '{id}'"))
            .await;
        for active in [true, false] {
            let error = "api.user.update_active.cannot_modify_status_when_user_is_managed_by_ldap.app_error";
            admin.put(&path, json!({ "active": active })).await.expect_refusal(403, error);
        }
    }
}

#[actix_web::test]
async fn an_account_is_deleted_permanently_by_every_form_of_the_flag() {
    for (flag, is_permanent) in [("1", true), ("t", true), ("TRUE", true), ("true", true), ("0", false), ("yes", false)]
    {
        let (server, admin, bert) = server_with_bert("").await;
        let path = format!("/users/{}?permanent={flag}", bert.user_id);
        if is_permanent {
            let refused = admin.delete(&path).await;
            refused.expect_refusal(401, "api.user.delete_user.not_enabled.for_admin.app_error");
            bert.get("/users/me").await.expect(200);
        } else {
            admin.delete(&path).await.expect_ok();
            assert_ne!(admin.get(&format!("/users/{}", bert.user_id)).await.expect(200)["delete_at"], 0);
        }
        drop(server);
        if is_permanent {
            let (_server, admin, bert) = server_with_bert("[ServiceSettings]\nEnableAPIUserDeletion = true\n").await;
            admin.delete(&format!("/users/{}?permanent={flag}", bert.user_id)).await.expect_ok();
            let gone = admin.get(&format!("/users/{}", bert.user_id)).await;
            gone.expect_refusal(404, "app.user.missing_account.const");
        }
    }
}
