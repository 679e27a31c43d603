//! `POST /users`.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::server::{PASSWORD, account};

const OPEN: &str = "[TeamSettings]\nEnableOpenServer = true\n";

#[actix_web::test]
async fn the_first_account_becomes_the_system_administrator_and_the_door_closes() {
    let server = TestServer::start().await;
    let first = server.client().post("/users", account("anna")).await.expect(201);
    assert_eq!(first["roles"], "system_admin system_user");
    let second = server.client().post("/users", account("bert")).await;
    second.expect_refusal(403, "api.user.create_user.no_open_server");
}

#[actix_web::test]
async fn of_many_first_accounts_exactly_one_becomes_the_administrator() {
    let server = TestServer::start_with(OPEN).await;
    let client = server.client();
    let replies = join_all((0..8).map(|number| client.post("/users", account(&format!("user{number}"))))).await;
    let roles: Vec<Value> = replies.iter().map(|reply| reply.expect(201)["roles"].clone()).collect();
    assert_eq!(roles.iter().filter(|roles| *roles == "system_admin system_user").count(), 1, "{roles:?}");
    assert_eq!(roles.iter().filter(|roles| *roles == "system_user").count(), 7, "{roles:?}");
}

#[actix_web::test]
async fn a_body_that_is_no_user_is_refused() {
    let server = TestServer::start().await;
    for body in [json!([]), json!(null), json!("user"), json!({ "username": 5 })] {
        server.client().post("/users", body).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    }
}

#[actix_web::test]
async fn a_new_account_has_the_defaults_of_the_contract_and_opens_no_session() {
    let server = TestServer::start_with(OPEN).await;
    server.admin().await;
    let body = json!({ "email": " Bert@Chat.Example ", "username": "BERT", "password": PASSWORD });
    let reply = server.client().post("/users", body).await;
    let user = reply.expect(201);
    assert_eq!((reply.header("token"), reply.header("set-cookie")), (String::new(), String::new()));
    assert_eq!((user["email"].as_str(), user["username"].as_str()), (Some("bert@chat.example"), Some("bert")));
    assert_eq!((user["roles"].as_str(), user["locale"].as_str()), (Some("system_user"), Some("en")));
    let props = json!({
        "channel": "true", "comments": "never", "desktop": "mention", "desktop_sound": "true", "desktop_threads": "all",
        "email": "true", "email_threads": "all", "first_name": "false", "mention_keys": "", "push": "mention",
        "push_status": "online", "push_threads": "all",
    });
    assert_eq!(user["notify_props"], props);
    let timezone = json!({ "automaticTimezone": "", "manualTimezone": "", "useAutomaticTimezone": "true" });
    assert_eq!(user["timezone"], timezone);
    assert_eq!(user["remote_id"], "");
    for absent in ["password", "email_verified", "mfa_secret", "auth_data"] {
        assert!(user.get(absent).is_none(), "{absent}");
    }
}

#[actix_web::test]
async fn what_only_the_server_decides_is_ignored_in_the_body() {
    let server = TestServer::start_with(OPEN).await;
    let admin = server.admin().await;
    let mut body = account("bert");
    let forged = json!({ "roles": "system_admin", "create_at": 1, "delete_at": 1, "failed_attempts": 9, "mfa_active": true,
        "email_verified": true, "auth_service": "ldap", "remote_id": "x" });
    body.as_object_mut().unwrap().extend(forged.as_object().unwrap().clone());
    let user = server.client().post("/users", body).await.expect(201);
    assert_eq!((user["roles"].as_str(), user["delete_at"].as_i64()), (Some("system_user"), Some(0)));
    assert_ne!(user["create_at"], 1);
    assert_eq!((user["auth_service"].as_str(), user["remote_id"].as_str()), (Some(""), Some("")));
    for absent in ["failed_attempts", "mfa_active", "email_verified"] {
        assert!(user.get(absent).is_none(), "{absent}");
    }
    let mut body = account("carl");
    body["email_verified"] = json!(true);
    assert_eq!(admin.post("/users", body).await.expect(201)["email_verified"], true);
}

#[actix_web::test]
async fn an_account_without_a_name_gets_one() {
    let server = TestServer::start().await;
    let user = server.client().post("/users", json!({ "email": "a@b", "password": PASSWORD })).await.expect(201);
    assert_eq!(user["username"], format!("a{}", user["id"].as_str().unwrap()));
}

#[actix_web::test]
async fn signing_up_can_be_switched_off_for_all_but_administrators() {
    for settings in ["[EmailSettings]\nEnableSignUpWithEmail = false\n", "[TeamSettings]\nEnableUserCreation = false\n"]
    {
        let server = TestServer::start_with(settings).await;
        let mut body = account("anna");
        body["password"] = json!("short");
        let refusal = server.client().post("/users", body).await;
        refusal.expect_refusal(501, "api.user.create_user.signup_email_disabled.app_error");
    }
}

#[actix_web::test]
async fn administrators_make_accounts_behind_closed_doors() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let refusal = bert.post("/users", account("carl")).await;
    refusal.expect_refusal(403, "api.user.create_user.no_open_server");
}

#[actix_web::test]
async fn refusals_of_a_new_account_come_in_the_order_of_the_contract() {
    let settings = "[TeamSettings]\nRestrictCreationToDomains = \"@chat.example, second.example\"\n";
    let server = TestServer::start_with(settings).await;
    let admin = server.admin().await;
    // Each row corrects the mistake of the row before.
    let rows = [
        (json!({ "id": "x" }), 400, "app.user.save.existing.app_error"),
        (json!({ "id": "" }), 400, "api.user.create_user.accepted_domain.app_error"),
        (json!({ "email": "n@second.example" }), 400, "model.user.is_valid.pwd_min_length.app_error"),
        (json!({ "password": "x".repeat(73) }), 400, "model.user.is_valid.pwd_max_length.app_error"),
        (json!({ "password": PASSWORD }), 400, "model.user.is_valid.username.app_error"),
        (json!({ "username": "admin", "email": "a b@second.example" }), 400, "model.user.is_valid.email.app_error"),
        (json!({ "email": "n@second.example" }), 400, "model.user.is_valid.nickname.app_error"),
        (json!({ "nickname": "" }), 400, "model.user.is_valid.position.app_error"),
        (json!({ "position": "" }), 400, "model.user.is_valid.first_name.app_error"),
        (json!({ "first_name": "" }), 400, "model.user.is_valid.last_name.app_error"),
        (json!({ "last_name": "" }), 400, "app.user.save.username_exists.app_error"),
        (json!({ "username": "n", "email": "admin@chat.example" }), 400, "app.user.save.email_exists.app_error"),
    ];
    let long = "x".repeat(129);
    let mut body = json!({ "username": "a b", "email": "n@elsewhere.example", "password": "short", "nickname": long,
        "position": long, "first_name": long, "last_name": long, "locale": "english" });
    for (repair, status, id) in rows {
        body.as_object_mut().unwrap().extend(repair.as_object().unwrap().clone());
        admin.post("/users", body.clone()).await.expect_refusal(status, id);
    }
    body["email"] = json!("n@chat.example");
    admin.post("/users", body).await.expect(201);
}

#[actix_web::test]
async fn the_policy_for_passwords_names_every_rule_that_is_broken() {
    let settings = "[PasswordSettings]\nLowercase = true\nUppercase = true\nNumber = true\nSymbol = true\n";
    let server = TestServer::start_with(settings).await;
    let mut body = account("anna");
    body["password"] = json!("ABCDEFGH");
    let refusal = server.client().post("/users", body).await;
    refusal.expect_refusal(400, "model.user.is_valid.pwd_lowercase_number_symbol.app_error");
}

#[actix_web::test]
async fn the_server_takes_no_more_active_accounts_than_it_may() {
    let server = TestServer::start_with(OPEN).await;
    let admin = server.admin().await;
    let rows: Vec<String> = (1..250).map(|number| format!("('u{number}', 'u{number}', 'u{number}@x', 0)")).collect();
    let all = rows.join(", ");
    server.execute(&format!("INSERT INTO users (id, username, email, deleteat) VALUES {all}")).await;
    for client in [&admin, &server.client()] {
        let refusal = client.post("/users", account("late")).await;
        refusal.expect_refusal(400, "api.user.create_user.user_limits.exceeded");
    }
    server.execute("UPDATE users SET deleteat = 1 WHERE id = 'u1'").await;
    let last = server.user(&admin, "last").await;
    let id = &last.user_id;
    admin.put(&format!("/users/{id}/active"), json!({ "active": false })).await.expect_ok();
    server.execute("UPDATE users SET deleteat = 0 WHERE id = 'u1'").await;
    let refusal = admin.put(&format!("/users/{id}/active"), json!({ "active": true })).await;
    refusal.expect_refusal(400, "api.user.create_user.user_limits.exceeded");
    server.execute("UPDATE users SET deleteat = 1 WHERE id IN ('u1', 'u2')").await;
    admin.put(&format!("/users/{id}/active"), json!({ "active": true })).await.expect_ok();
    server.client().post("/users", account("late")).await.expect(201);
}
