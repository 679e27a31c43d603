//! Each one-time code is accepted once.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::one_time::{ENABLE, code, step};
use crate::support::server::PASSWORD;
use crate::support::{Reply, TestServer, backdoor};

const BAD_CODE: &str = "api.user.check_user_mfa.bad_code.app_error";

#[actix_web::test]
async fn a_code_lets_in_once_and_its_step_is_remembered() {
    let server = with_codes().await;
    let now = step();
    login(&server, "admin", &code(now)).await.expect(200);
    assert_eq!(used(&server).await, json!([now.to_string()]).to_string());
    login(&server, "admin", &code(now)).await.expect_refusal(401, BAD_CODE);
    // A second use counts like any other wrong code.
    let failed = backdoor::texts_in(server.folder(), "SELECT CAST(failedattempts AS text) FROM users").await;
    assert_eq!(failed, ["1"]);
    login(&server, "admin", &code(now + 1)).await.expect(200);
    login(&server, "admin", &code(now + 1)).await.expect_refusal(401, BAD_CODE);
}

#[actix_web::test]
async fn of_two_logins_at_once_with_one_code_one_gets_in() {
    let server = with_codes().await;
    let code = code(step());
    let names = ["admin", "admin@chat.example", "ADMIN", "Admin@chat.example", "admin", "admin@chat.example"];
    let replies = join_all(names.map(|name| login(&server, name, &code))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
}

#[actix_web::test]
async fn steps_that_mattermost_used_are_used() {
    let server = with_codes().await;
    let now = step();
    server.execute(&format!("UPDATE users SET mfausedtimestamps = '[\"{}\", \"{now}\"]'", now - 1)).await;
    for step in [now - 1, now] {
        login(&server, "admin", &code(step)).await.expect_refusal(401, BAD_CODE);
    }
    login(&server, "admin", &code(now + 1)).await.expect(200);
}

#[actix_web::test]
async fn a_broken_list_keeps_nobody_out() {
    let server = with_codes().await;
    for stored in ["NULL", "'null'", "'{}'", "'[]'", "'\"\"'", "'7'", "'[7, null, \"x\"]'"] {
        server.execute(&format!("UPDATE users SET mfausedtimestamps = {stored}")).await;
        let now = step();
        login(&server, "admin", &code(now)).await.expect(200);
        login(&server, "admin", &code(now)).await.expect_refusal(401, BAD_CODE);
    }
}

async fn with_codes() -> TestServer {
    let server = TestServer::start_with("[ServiceSettings]\nMaximumLoginAttempts = 100\n").await;
    server.admin().await;
    server.execute(ENABLE).await;
    server
}

/// Returns the stored list, without blanks.
async fn used(server: &TestServer) -> String {
    let stored = backdoor::texts_in(server.folder(), "SELECT CAST(mfausedtimestamps AS text) FROM users").await;
    stored.concat().replace(' ', "")
}

async fn login(server: &TestServer, name: &str, code: &str) -> Reply {
    server.client().post("/users/login", json!({ "login_id": name, "password": PASSWORD, "token": code })).await
}
