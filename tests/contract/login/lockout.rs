//! The lock after too many wrong passwords: its scope, its duration, and the responses.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::server::{PASSWORD, account};
use crate::support::{Client, Reply, TestServer, backdoor};

const WRONG: &str = "api.user.login.invalid_credentials_email_username";
const LOCKED: &str = "api.user.check_user_login_attempts.too_many.app_error";

const TWO_ATTEMPTS: &str = "[ServiceSettings]\nMaximumLoginAttempts = 2\n";

#[actix_web::test]
async fn only_who_knows_the_password_learns_of_the_lock() {
    let server = TestServer::start_with(TWO_ATTEMPTS).await;
    server.admin().await;
    // Name and e-mail address belong to one account. The response to a wrong password does not show that.
    for name in ["admin", "admin", "admin", "admin@chat.example", "nobody", "nobody", "nobody"] {
        login(&server.client(), name, "wrong").await.expect_refusal(401, WRONG);
    }
    login(&server.client(), "admin@chat.example", PASSWORD).await.expect_refusal(401, LOCKED);
    login(&server.client(), "nobody", PASSWORD).await.expect_refusal(401, WRONG);
}

#[actix_web::test]
async fn beyond_the_budget_a_locked_account_answers_every_password_alike() {
    let server = TestServer::start_with(TWO_ATTEMPTS).await;
    let admin = server.admin().await;
    for _ in 0..2 {
        login(&server.client(), "admin", "wrong").await.expect_refusal(401, WRONG);
    }
    for _ in 0..3 {
        login(&server.client(), "admin", PASSWORD).await.expect_refusal(401, LOCKED);
    }
    login(&server.client(), "admin", PASSWORD).await.expect_refusal(401, WRONG);
    // Another address has a separate budget.
    login(&server.client().at_address("127.0.0.2"), "admin", PASSWORD).await.expect_refusal(401, LOCKED);
    // An administrator ends the lock.
    admin.post(&format!("/users/{}/reset_failed_attempts", admin.user_id), json!({})).await.expect_ok();
    login(&server.client(), "admin", PASSWORD).await.expect(200);
}

#[actix_web::test]
async fn attempts_at_once_are_counted_each_by_whatever_name() {
    let server = TestServer::start_with("[ServiceSettings]\nMaximumLoginAttempts = 5\n").await;
    let admin = server.admin().await;
    let client = server.client();
    let by_name = (0..6).map(|_| json!({ "login_id": "admin", "password": "wrong" }));
    let by_address = (0..6).map(|_| json!({ "login_id": "admin@chat.example", "password": "wrong" }));
    let by_id = (0..6).map(|_| json!({ "id": admin.user_id, "password": "wrong" }));
    let attempts = by_name.chain(by_address).chain(by_id).map(|body| client.post("/users/login", body));
    for reply in join_all(attempts).await {
        reply.expect_refusal(401, WRONG);
    }
    assert_eq!(failed_attempts(&server).await, "5");
}

#[actix_web::test]
async fn right_passwords_at_once_all_get_in_and_leave_no_attempt() {
    let server = TestServer::start_with(TWO_ATTEMPTS).await;
    server.admin().await;
    let client = server.client();
    for reply in join_all((0..12).map(|_| login(&client, "admin", PASSWORD))).await {
        reply.expect(200);
    }
    assert_eq!(failed_attempts(&server).await, "0");
}

#[actix_web::test]
async fn a_right_password_that_is_refused_for_another_reason_is_no_failed_attempt() {
    let server = TestServer::start_with("[EmailSettings]\nRequireEmailVerification = true\n").await;
    server.client().post("/users", account("admin")).await.expect(201);
    login(&server.client(), "admin", "wrong").await.expect_refusal(401, WRONG);
    login(&server.client(), "admin", PASSWORD).await.expect_refusal(401, "api.user.login.not_verified.app_error");
    assert_eq!(failed_attempts(&server).await, "1");
}

/// The test uses two connections to one database, like two servers.
#[actix_web::test]
async fn a_count_that_another_server_raised_is_not_set_back() {
    let server = TestServer::start_with("[ServiceSettings]\nMaximumLoginAttempts = 100\n").await;
    server.admin().await;
    let client = server.client();
    let attempts = (0..5).map(|_| login(&client, "admin", "wrong"));
    let elsewhere = async {
        for _ in 0..5 {
            server.execute("UPDATE users SET failedattempts = failedattempts + 1").await;
        }
    };
    futures_util::future::join(join_all(attempts), elsewhere).await;
    assert_eq!(failed_attempts(&server).await, "10");
}

#[actix_web::test]
async fn every_refusal_is_answered_at_a_step() {
    let server = TestServer::start_with(TWO_ATTEMPTS).await;
    let admin = server.admin().await;
    server.user(&admin, "bert").await;
    server.execute("UPDATE users SET password = '' WHERE username = 'bert'").await;
    let kinds = [
        ("nobody", "wrong"),
        ("bert", "wrong"),
        ("admin", "wrong"),
        ("admin", "wrong"),
        ("admin", PASSWORD),
        ("admin", "wrong"),
        ("admin", "wrong"),
        // Above the budget no password is hashed.
        ("admin", "wrong"),
        // A password above the maximum length is not hashed.
        ("admin", &*"x".repeat(73)),
        // The password is compared in two Unicode forms.
        ("nobody", "cafe\u{301}"),
    ];
    for (name, password) in kinds {
        let started = std::time::Instant::now();
        assert_eq!(login(&server.client(), name, password).await.status, 401);
        let took = started.elapsed().as_millis();
        assert!(took >= 250, "{name} with {} bytes: {took} ms", password.len());
    }
}

#[actix_web::test]
async fn a_password_is_the_same_in_either_spelling() {
    let server = TestServer::start_with(TWO_ATTEMPTS).await;
    let (composed, decomposed) = ("caf\u{e9}-horse-1", "cafe\u{301}-horse-1");
    let mut body = account("admin");
    body["password"] = json!(composed);
    server.client().post("/users", body).await.expect(201);
    for _ in 0..3 {
        login(&server.client(), "admin", composed).await.expect(200);
        login(&server.client(), "admin", decomposed).await.expect(200);
    }
    // Two Unicode forms count as one attempt.
    login(&server.client(), "admin", "cafe\u{301}-horse-2").await.expect_refusal(401, WRONG);
    assert_eq!(failed_attempts(&server).await, "1");
    login(&server.client(), "admin", decomposed).await.expect(200);
}

#[actix_web::test]
async fn a_name_longer_than_any_account_has_is_refused_like_any_other() {
    let server = TestServer::start_with(TWO_ATTEMPTS).await;
    let admin = server.admin().await;
    let name = "x".repeat(4_000);
    for _ in 0..3 {
        login(&server.client(), &name, "wrong").await.expect_refusal(401, WRONG);
    }
    let rows = admin.get("/audits?event=login").await.expect(200);
    assert!(!rows.to_string().contains(&"x".repeat(129)), "the audit trail keeps the whole name");
}

async fn failed_attempts(server: &TestServer) -> String {
    let sql = "SELECT CAST(failedattempts AS text) FROM users WHERE username = 'admin'";
    backdoor::texts_in(server.folder(), sql).await.concat()
}

async fn login(client: &Client, name: &str, password: &str) -> Reply {
    client.post("/users/login", Value::from_iter([("login_id", name), ("password", password)])).await
}
