//! `POST /users/login` and `/users/logout`.

mod codes;
mod cookies;
mod lockout;
mod races;
mod sign_in;

use serde_json::{Value, json};

use crate::support::server::PASSWORD;
use crate::support::{Reply, TestServer};

const WRONG: &str = "api.user.login.invalid_credentials_email_username";
const LOCKED: &str = "api.user.check_user_login_attempts.too_many.app_error";

#[actix_web::test]
async fn a_session_lives_from_login_to_logout() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let me = admin.get("/users/me").await.expect(200);
    assert_eq!((me["id"].as_str(), me["username"].as_str()), (Some(admin.user_id.as_str()), Some("admin")));
    admin.post("/users/logout", json!({})).await.expect_ok();
    admin.get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
    admin.post("/users/logout", json!({})).await.expect_ok();
    server.client().post("/users/logout", json!({})).await.expect_ok();
}

#[actix_web::test]
async fn the_token_comes_in_a_header_and_the_body_is_the_account() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for body in [
        json!({ "login_id": " ADMIN ", "password": PASSWORD, "token": null }),
        json!({ "login_id": "Admin@chat.example", "password": PASSWORD }),
        json!({ "id": admin.user_id, "password": PASSWORD }),
    ] {
        let reply = post(&server, body).await;
        let user = reply.expect(200);
        assert_eq!((reply.header("token").len(), user["id"].as_str()), (26, Some(&*admin.user_id)));
        assert!(user.get("password").is_none() && user.get("notify_props").is_some());
    }
}

#[actix_web::test]
async fn an_empty_password_is_refused_first() {
    let server = TestServer::start().await;
    for body in [json!({}), json!([]), json!({ "login_id": "admin", "password": 5 })] {
        post(&server, body).await.expect_refusal(400, "api.user.login.blank_pwd.app_error");
    }
}

#[actix_web::test]
async fn a_wrong_name_and_a_wrong_password_read_alike() {
    let server = TestServer::start().await;
    server.admin().await;
    for (name, password) in [("nobody", PASSWORD), ("admin", "wrong"), ("", PASSWORD)] {
        login(&server, name, password).await.expect_refusal(401, WRONG);
    }
}

#[actix_web::test]
async fn the_refusal_names_what_people_may_log_in_with() {
    for (setting, id, refused, accepted) in [
        ("EnableSignInWithEmail", "api.user.login.invalid_credentials_username", "admin@chat.example", "admin"),
        ("EnableSignInWithUsername", "api.user.login.invalid_credentials_email", "admin", "admin@chat.example"),
    ] {
        let server = TestServer::start_with(&format!("[EmailSettings]\n{setting} = false\n")).await;
        server.client().post("/users", crate::support::server::account("admin")).await.expect(201);
        login(&server, refused, PASSWORD).await.expect_refusal(401, id);
        login(&server, accepted, PASSWORD).await.expect(200);
    }
}

#[actix_web::test]
async fn a_login_forgets_failed_attempts() {
    let server = TestServer::start_with("[ServiceSettings]\nMaximumLoginAttempts = 2\n").await;
    server.admin().await;
    for _ in 0..2 {
        login(&server, "admin", "wrong").await.expect_refusal(401, WRONG);
        login(&server, "admin", PASSWORD).await.expect(200);
    }
}

#[actix_web::test]
async fn what_is_special_about_an_account_is_told_to_whoever_knows_its_password() {
    let settings = "[EmailSettings]\nRequireEmailVerification = true\n";
    let server = TestServer::start_with(settings).await;
    server.client().post("/users", crate::support::server::account("admin")).await.expect(201);
    let id = "(SELECT id FROM users WHERE username = 'admin')";
    // Each state hides the states before it, in the order of the checks.
    let states = [
        (String::new(), "api.user.login.not_verified.app_error"),
        ("UPDATE users SET emailverified = TRUE, remoteid = 'x'".to_owned(), "api.user.login.remote_users.login.error"),
        ("UPDATE users SET roles = 'system_guest'".to_owned(), WRONG),
        ("UPDATE users SET mfaactive = TRUE".to_owned(), "mfa.validate_token.authenticate.app_error"),
        (format!("INSERT INTO bots (userid) VALUES ({id})"), "api.user.login.bot_login_forbidden.app_error"),
        ("UPDATE users SET deleteat = 1".to_owned(), "api.user.login.inactive.app_error"),
        ("UPDATE users SET failedattempts = 10".to_owned(), LOCKED),
        // The server does not accept a password for this account, so the error gives no details.
        ("UPDATE users SET authservice = 'ldap'".to_owned(), WRONG),
    ];
    for (change, refusal) in states {
        server.execute(&change).await;
        login(&server, "admin", PASSWORD).await.expect_refusal(401, refusal);
        login(&server, "admin", "wrong").await.expect_refusal(401, WRONG);
        server.execute("UPDATE users SET failedattempts = 0").await;
    }
}

/// Nothing that is entered can be right there, so attempts must not lock the account until it has a password again.
#[actix_web::test]
async fn an_account_of_a_login_service_has_no_failed_attempts() {
    let server = TestServer::start_with("[ServiceSettings]\nMaximumLoginAttempts = 1\n").await;
    server.admin().await;
    server.execute("UPDATE users SET authservice = 'ldap'").await;
    for password in ["wrong", PASSWORD, "wrong"] {
        login(&server, "admin", password).await.expect_refusal(401, WRONG);
    }
    server.execute("UPDATE users SET authservice = ''").await;
    login(&server, "admin", PASSWORD).await.expect(200);
}

#[actix_web::test]
async fn a_wrong_code_counts_as_a_failed_attempt() {
    let server = TestServer::start_with("[ServiceSettings]\nMaximumLoginAttempts = 1\n").await;
    server.admin().await;
    server.execute("UPDATE users SET mfaactive = TRUE, mfasecret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'").await;
    login(&server, "admin", PASSWORD).await.expect_refusal(401, "mfa.validate_token.authenticate.app_error");
    let wrong = json!({ "login_id": "admin", "password": PASSWORD, "token": "no code" });
    post(&server, wrong.clone()).await.expect_refusal(401, "api.user.check_user_mfa.bad_code.app_error");
    post(&server, wrong).await.expect_refusal(401, LOCKED);
}

#[actix_web::test]
async fn a_bcrypt_hash_is_accepted_and_renewed() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let old = json!({ "already_hashed": "true", "new_password": bcrypt::hash("an-older-horse", 4).unwrap() });
    admin.put("/users/me/password", old).await.expect_ok();
    let before = admin.get("/users/me").await.expect(200);
    login(&server, "admin", "an-older-horse").await.expect(200);
    let after = admin.get("/users/me").await.expect(200);
    assert!(after["last_password_update"].as_i64() > before["last_password_update"].as_i64());
    login(&server, "admin", "an-older-horse").await.expect(200);
    // A hash with the current parameters is not replaced.
    assert_eq!(admin.get("/users/me").await.expect(200)["last_password_update"], after["last_password_update"]);
}

#[actix_web::test]
async fn a_device_has_one_session() {
    let server = TestServer::start().await;
    server.admin().await;
    let on_device = json!({ "login_id": "admin", "password": PASSWORD, "device_id": "apple:token" });
    let first = post(&server, on_device.clone()).await.header("token");
    let elsewhere = server.login("admin").await;
    let second = post(&server, on_device).await.header("token");
    let first = server.client().with_token(&first).get("/users/me").await;
    first.expect_refusal(401, "api.context.session_expired.app_error");
    server.client().with_token(&second).get("/users/me").await.expect(200);
    elsewhere.get("/users/me").await.expect(200);
}

/// Mobile apps of different ages name the device differently, and some send both members.
#[actix_web::test]
async fn of_two_members_for_the_device_the_first_that_is_not_empty_counts() {
    let server = TestServer::start().await;
    server.admin().await;
    for (today, older, device) in [("apple:1", "android:2", "apple:1"), ("", "android:2", "android:2"), ("", "", "")] {
        let body = json!({ "login_id": "admin", "password": PASSWORD, "device_id": today, "deviceId": older });
        let reply = post(&server, body).await;
        reply.expect(200);
        let sessions = server.client().with_token(&reply.header("token")).get("/users/me/sessions").await.expect(200);
        let devices: Vec<&Value> = sessions.as_array().unwrap().iter().map(|session| &session["device_id"]).collect();
        assert!(devices.contains(&&json!(device)), "{today:?} {older:?}: {devices:?}");
        assert!(!devices.contains(&&json!("apple:1android:2")), "{devices:?}");
    }
}

#[actix_web::test]
async fn logins_have_a_rate_of_their_own() {
    let server = TestServer::start_with("[RateLimitSettings]\nEnable = true\nPerSec = 1000\nMaxBurst = 1000\n").await;
    let attempts = (0..30).map(|_| post(&server, json!({})));
    let replies = futures_util::future::join_all(attempts).await;
    assert!(replies.iter().any(|reply| reply.status == 429));
}

async fn login(server: &TestServer, name: &str, password: &str) -> Reply {
    post(server, json!({ "login_id": name, "password": password })).await
}

async fn post(server: &TestServer, body: Value) -> Reply {
    server.client().post("/users/login", body).await
}
