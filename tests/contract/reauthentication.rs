//! `/users/sessions/reauthenticate`, and the changes that need it.

mod servers;
mod settings;

use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::one_time::{ENABLE, code, step};
use crate::support::server::PASSWORD;
use crate::support::{Client, Reply, TestServer, backdoor};

const PATH: &str = "/users/sessions/reauthenticate";
const REQUIRED: &str = "api.context.reauthentication_required.app_error";
const WRONG: &str = "api.user.check_user_password.invalid.app_error";
const LOCKED: &str = "api.user.check_user_login_attempts.too_many.app_error";
const EXPIRED: &str = "api.context.session_expired.app_error";

const MINUTE_MS: i64 = 60_000;

#[actix_web::test]
async fn a_critical_change_needs_a_login_of_the_last_fifteen_minutes() {
    let (server, admin) = started("").await;
    let bert = server.user(&admin, "bert").await;
    let roles = format!("/users/{}/roles", bert.user_id);
    let guarded = log_in(&server).await;
    guarded.put(&roles, json!({ "roles": "system_user" })).await.expect_ok();
    age(&server, 14 * MINUTE_MS).await;
    guarded.put(&roles, json!({ "roles": "system_user" })).await.expect_ok();
    age(&server, 15 * MINUTE_MS).await;
    guarded.put(&roles, json!({ "roles": "system_user" })).await.expect_refusal(403, REQUIRED);
    guarded.get("/users/me").await.expect(200);
    prove(&guarded, PASSWORD).await.expect_ok();
    guarded.put(&roles, json!({ "roles": "system_user" })).await.expect_ok();
}

#[actix_web::test]
async fn each_critical_change_is_refused_before_its_body_is_looked_at() {
    let (server, admin) = started("").await;
    let guarded = log_in(&server).await;
    age(&server, 15 * MINUTE_MS).await;
    let id = admin.user_id.as_str();
    let changes = [
        (Method::PUT, format!("/users/{id}/roles")),
        (Method::PUT, format!("/roles/{id}/patch")),
        (Method::POST, format!("/users/{id}/promote")),
        (Method::POST, format!("/users/{id}/demote")),
        (Method::PUT, format!("/users/{id}/password")),
        (Method::PUT, format!("/users/{id}/mfa")),
        (Method::PUT, format!("/users/{id}/active")),
        (Method::PUT, format!("/users/{id}/patch")),
        (Method::DELETE, format!("/users/{id}")),
        (Method::POST, format!("/users/{id}/tokens")),
        (Method::POST, "/users/tokens/enable".to_owned()),
        (Method::POST, "/license".to_owned()),
        (Method::DELETE, "/license".to_owned()),
        (Method::POST, "/restart".to_owned()),
        (Method::POST, "/upgrade_to_enterprise".to_owned()),
    ];
    for (method, path) in changes {
        let reply = guarded.send(method, &path, Some("{}".to_owned()), &[]).await;
        reply.expect_refusal(403, REQUIRED);
    }
    guarded.post("/users/logout", json!({})).await.expect_ok();
}

#[actix_web::test]
async fn sessions_of_other_clients_and_access_tokens_are_not_concerned() {
    let (server, admin) = started("[ServiceSettings]\nEnableUserAccessTokens = true\n").await;
    let made = admin.post(&format!("/users/{}/tokens", admin.user_id), json!({ "description": "script" })).await;
    let token = made.expect(200)["token"].as_str().unwrap().to_owned();
    let script = server.client().with_token(&token);
    for body in [json!({}), json!({ "require_reauthentication": false }), json!({ "require_reauthentication": null })] {
        let mut login = json!({ "login_id": "admin", "password": PASSWORD });
        login.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let reply = server.client().post("/users/login", login).await;
        let other = server.client().with_token(&reply.header("token"));
        let sessions = other.get("/users/me/sessions").await.expect(200);
        assert!(sessions.as_array().unwrap().iter().all(|session| session["props"].get("auth_time").is_none()));
        prove(&other, PASSWORD).await.expect_refusal(400, "api.user.reauthenticate.not_used.app_error");
    }
    let body = json!({ "roles": "system_admin system_user" });
    script.put(&format!("/users/{}/roles", admin.user_id), body).await.expect_ok();
    prove(&script, PASSWORD).await.expect_refusal(400, "api.user.reauthenticate.not_used.app_error");
}

#[actix_web::test]
async fn a_proof_needs_a_session_a_password_and_for_cookies_the_csrf_token() {
    let (server, _) = started("").await;
    prove(&server.client(), PASSWORD).await.expect_refusal(401, EXPIRED);
    let guarded = log_in(&server).await;
    for body in [json!({}), json!([]), json!({ "password": 5 })] {
        guarded.post(PATH, body).await.expect_refusal(400, "api.user.login.blank_pwd.app_error");
    }
    let cookie = format!("MMAUTHTOKEN={}", guarded.token.clone().unwrap());
    let body = json!({ "password": PASSWORD }).to_string();
    let send =
        async |headers: &[(&str, &str)]| server.client().send(Method::POST, PATH, Some(body.clone()), headers).await;
    send(&[("Cookie", &cookie)]).await.expect_refusal(401, EXPIRED);
    let csrf = guarded.get("/users/me/sessions").await.expect(200);
    let csrf = csrf.as_array().unwrap().iter().find(|session| session["props"].get("auth_time").is_some());
    let csrf = csrf.unwrap()["props"]["csrf"].as_str().unwrap().to_owned();
    send(&[("Cookie", &cookie), ("X-CSRF-Token", &csrf)]).await.expect_ok();
}

#[actix_web::test]
async fn wrong_passwords_count_like_failed_logins_and_lock_the_account() {
    let (server, admin) = started("[ServiceSettings]\nMaximumLoginAttempts = 3\n").await;
    let guarded = log_in(&server).await;
    age(&server, 15 * MINUTE_MS).await;
    let log_in_wrongly =
        async || server.client().post("/users/login", json!({ "login_id": "admin", "password": "wrong" })).await.status;
    prove(&guarded, "wrong").await.expect_refusal(401, WRONG);
    assert_eq!((attempts(&server).await, log_in_wrongly().await), ("1".to_owned(), 401));
    prove(&guarded, PASSWORD).await.expect_ok();
    assert_eq!(attempts(&server).await, "0", "the right password starts the count again");
    age(&server, 15 * MINUTE_MS).await;
    let replies = join_all((0..6).map(|_| prove(&guarded, "wrong"))).await;
    assert!(replies.iter().all(|reply| reply.status == 401));
    assert_eq!(attempts(&server).await, "3", "attempts at once are counted each");
    prove(&guarded, PASSWORD).await.expect_refusal(401, WRONG);
    guarded.delete("/license").await.expect_refusal(403, REQUIRED);
    admin.post(&format!("/users/{}/reset_failed_attempts", admin.user_id), json!({})).await.expect_ok();
    prove(&guarded, PASSWORD).await.expect_ok();
    let rows = admin.get("/audits?event=reauthenticate").await.expect(200);
    let outcomes = rows.as_array().unwrap().iter().filter_map(|row| row["extra_info"].as_str());
    assert_eq!(outcomes.filter(|outcome| outcome.starts_with("reauthenticate fail")).count(), 8, "{rows}");
}

#[actix_web::test]
async fn only_who_knows_the_password_learns_of_the_lock() {
    let (server, _) = started("[ServiceSettings]\nMaximumLoginAttempts = 1\n").await;
    let guarded = log_in(&server).await;
    prove(&guarded, "wrong").await.expect_refusal(401, WRONG);
    prove(&guarded, "wrong").await.expect_refusal(401, WRONG);
    prove(&guarded, PASSWORD).await.expect_refusal(401, LOCKED);
}

#[actix_web::test]
async fn an_account_with_one_time_codes_needs_one_and_each_works_once() {
    let (server, _) = started("").await;
    let guarded = log_in(&server).await;
    age(&server, 15 * MINUTE_MS).await;
    server.execute(ENABLE).await;
    prove(&guarded, PASSWORD).await.expect_refusal(401, "mfa.validate_token.authenticate.app_error");
    assert_eq!(attempts(&server).await, "0", "a missing code is no failed attempt");
    let with = async |code: &str| guarded.post(PATH, json!({ "password": PASSWORD, "token": code })).await;
    with("no code").await.expect_refusal(401, "api.user.check_user_mfa.bad_code.app_error");
    assert_eq!(attempts(&server).await, "1");
    guarded.delete("/license").await.expect_refusal(403, REQUIRED);
    let code = code(step());
    with(&code).await.expect_ok();
    assert_ne!(guarded.delete("/license").await.status, 403);
    with(&code).await.expect_refusal(401, "api.user.check_user_mfa.bad_code.app_error");
}

/// An authentication in the future was stored before the clock went back.
#[actix_web::test]
async fn a_clock_that_goes_back_makes_no_session_last() {
    let (server, _) = started("").await;
    let guarded = log_in(&server).await;
    for lead_ms in [2 * MINUTE_MS, 60 * MINUTE_MS, 400_000 * MINUTE_MS] {
        age(&server, -lead_ms).await;
        guarded.delete("/license").await.expect_refusal(403, REQUIRED);
    }
    prove(&guarded, PASSWORD).await.expect_ok();
    assert_ne!(guarded.delete("/license").await.status, 403);
}

#[actix_web::test]
async fn proofs_at_once_are_all_accepted_and_keep_the_other_properties() {
    let (server, _) = started("").await;
    let guarded = log_in(&server).await;
    age(&server, 15 * MINUTE_MS).await;
    let device = guarded.put("/users/sessions/device", json!({ "mobile_version": "2.25.2" }));
    let (replies, device) =
        futures_util::future::join(join_all((0..4).map(|_| prove(&guarded, PASSWORD))), device).await;
    device.expect_ok();
    for reply in replies {
        reply.expect_ok();
    }
    let sessions = guarded.get("/users/me/sessions").await.expect(200);
    let own = sessions.as_array().unwrap().iter().find(|session| session["props"].get("auth_time").is_some()).unwrap();
    assert_eq!((&own["props"]["mobile_version"], &own["props"]["isMobile"]), (&json!("2.25.2"), &json!("false")));
}

/// Returns a server and an ordinary session of its administrator.
async fn started(settings: &str) -> (TestServer, Client) {
    let server = TestServer::start_with(settings).await;
    let admin = server.admin().await;
    (server, admin)
}

/// Logs in as the console does.
async fn log_in(server: &TestServer) -> Client {
    let body = json!({ "login_id": "admin", "password": PASSWORD, "require_reauthentication": true });
    let reply = server.client().post("/users/login", body).await;
    let user_id = reply.expect(200)["id"].as_str().unwrap().to_owned();
    let mut client = server.client().with_token(&reply.header("token"));
    client.user_id = user_id;
    client
}

async fn prove(client: &Client, password: &str) -> Reply {
    client.post(PATH, json!({ "password": password })).await
}

/// Stores that the last authentication of each session was this long ago, and invalidates the cached sessions.
async fn age(server: &TestServer, ms: i64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let at = i64::try_from(now).unwrap() - ms;
    for (id, props) in guarded_sessions(server).await {
        let mut props = props;
        props["auth_time"] = json!(at.to_string());
        backdoor::execute(server, &format!("UPDATE sessions SET props = '{props}' WHERE id = '{id}'")).await;
    }
    server.login("admin").await.post("/caches/invalidate", json!({})).await.expect_ok();
}

/// Returns the sessions that use reauthentication: their ids and properties.
async fn guarded_sessions(server: &TestServer) -> Vec<(String, Value)> {
    let sql = "SELECT id || ' ' || CAST(props AS text) FROM sessions WHERE CAST(props AS text) LIKE '%auth_time%'";
    let rows = backdoor::texts_in(server.folder(), sql).await;
    let split =
        |row: &String| row.split_once(' ').map(|(id, props)| (id.to_owned(), serde_json::from_str(props).unwrap()));
    rows.iter().filter_map(split).collect()
}

async fn attempts(server: &TestServer) -> String {
    let sql = "SELECT CAST(failedattempts AS text) FROM users WHERE username = 'admin'";
    backdoor::texts_in(server.folder(), sql).await.concat()
}
