//! The lifetime of a session, its cache, and its immediate end.

use serde_json::{Value, json};

use crate::support::{Client, TestServer, backdoor, database};

const EXPIRED: &str = "api.context.session_expired.app_error";

/// With this setting sessions are read from the database for each request.
const UNCACHED: &str = "[ServiceSettings]\nSessionCacheInMinutes = 0\n";

const MINUTE_MS: i64 = 60_000;

#[actix_web::test]
async fn a_known_token_needs_no_database_and_a_revocation_ends_it_at_once() {
    let Some(()) = database::only_embedded("a PostgreSQL tells its servers of deleted sessions") else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let phone = server.login("bert").await;
    let id = session_of(&phone).await["id"].clone();
    backdoor::execute(&server, "DELETE FROM sessions").await;
    for client in [&admin, &bert, &phone] {
        client.get("/users/me").await.expect(200);
    }
    bert.post("/users/me/sessions/revoke", json!({ "session_id": id }))
        .await
        .expect_refusal(400, "app.session.get.app_error");
    let path = format!("/users/{}/sessions/revoke/all", bert.user_id);
    admin.post(&path, Value::Null).await.expect_ok();
    for client in [&bert, &phone] {
        client.get("/users/me").await.expect_refusal(401, EXPIRED);
    }
    admin.get("/users/me").await.expect(200);
    admin.post("/users/sessions/revoke/all", Value::Null).await.expect_ok();
    admin.get("/users/me").await.expect_refusal(401, EXPIRED);
}

#[actix_web::test]
async fn a_session_ends_when_its_time_has_passed() {
    let server = TestServer::start_with(UNCACHED).await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let mine = |expiry: i64| format!("UPDATE sessions SET expiresat = {expiry} WHERE userid = '{}'", bert.user_id);
    backdoor::execute(&server, &mine(0)).await;
    bert.get("/users/me").await.expect(200);
    backdoor::execute(&server, &mine(1)).await;
    bert.get("/users/me").await.expect_refusal(401, EXPIRED);
    bert.get("/system/ping").await.expect(200);
    admin.get("/users/me").await.expect(200);
}

#[actix_web::test]
async fn an_idle_session_is_revoked_unless_activity_extends_sessions_or_a_device_holds_it() {
    let idle = format!("{UNCACHED}SessionIdleTimeoutInMinutes = 10\nExtendSessionLengthWithActivity = false\n");
    let server = TestServer::start_with(&idle).await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let phone = server.user(&admin, "carl").await;
    phone.put("/users/sessions/device", json!({ "device_id": "apple:1" })).await.expect_ok();
    age(&server, &bert, 9 * MINUTE_MS).await;
    bert.get("/system/timezones").await.expect(200);
    age(&server, &bert, 2 * MINUTE_MS).await;
    age(&server, &phone, 11 * MINUTE_MS).await;
    bert.get("/system/timezones").await.expect_refusal(401, EXPIRED);
    phone.get("/system/timezones").await.expect(200);
    let path = format!("/users/{}/sessions", bert.user_id);
    assert_eq!(admin.get(&path).await.expect(200), json!([]));

    let extending = format!("{UNCACHED}SessionIdleTimeoutInMinutes = 10\nExtendSessionLengthWithActivity = true\n");
    let server = TestServer::start_with(&extending).await;
    let admin = server.admin().await;
    age(&server, &admin, 11 * MINUTE_MS).await;
    admin.get("/system/timezones").await.expect(200);
}

#[actix_web::test]
async fn activity_is_stored_at_most_every_five_minutes() {
    let server = TestServer::start_with(UNCACHED).await;
    let admin = server.admin().await;
    let opened_at = last_activity(&admin).await;
    age(&server, &admin, 4 * MINUTE_MS).await;
    admin.get("/users/me").await.expect(200);
    assert_eq!(last_activity(&admin).await, opened_at - 4 * MINUTE_MS);
    age(&server, &admin, 2 * MINUTE_MS).await;
    admin.get("/system/timezones").await.expect(200);
    assert_eq!(last_activity(&admin).await, opened_at - 6 * MINUTE_MS);
    admin.get("/users/me").await.expect(200);
    assert!(last_activity(&admin).await > opened_at);
}

#[actix_web::test]
async fn a_user_has_at_most_500_sessions_and_the_least_used_make_room() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let rows = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
         INSERT INTO sessions (id, token, createat, expiresat, lastactivityat, userid, deviceid, roles, isoauth, props, expirednotify) \
         SELECT 'id' || i, 'token' || i, i, 0, i, '{}', '', 'system_user', FALSE, '{{}}', FALSE FROM n",
        bert.user_id
    );
    backdoor::execute(&server, &rows).await;
    let old = |number: usize| bert.with_token(&format!("token{number}"));
    for number in 1..=3 {
        old(number).get("/system/timezones").await.expect(200);
    }
    let newest = server.login("bert").await;
    let sessions = newest.get("/users/me/sessions").await.expect(200);
    assert_eq!(sessions.as_array().unwrap().len(), 500);
    for number in 1..=2 {
        old(number).get("/system/timezones").await.expect_refusal(401, EXPIRED);
    }
    old(3).get("/system/timezones").await.expect(200);
    admin.get("/users/me").await.expect(200);
}

#[actix_web::test]
async fn other_roles_count_from_the_next_request_on() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    bert.get("/users/tokens").await.expect_refusal(403, "api.context.permissions.app_error");
    let path = format!("/users/{}/roles", bert.user_id);
    admin.put(&path, json!({ "roles": "system_user system_admin" })).await.expect_ok();
    bert.get("/users/tokens").await.expect(200);
    admin.put(&path, json!({ "roles": "system_user" })).await.expect_ok();
    bert.get("/users/tokens").await.expect_refusal(403, "api.context.permissions.app_error");
}

#[actix_web::test]
async fn a_deactivated_user_is_out_at_the_next_request() {
    let server = TestServer::start_with("[ServiceSettings]\nEnableUserAccessTokens = true\n").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let created =
        admin.post(&format!("/users/{}/tokens", bert.user_id), json!({ "description": "x" })).await.expect(200);
    let program = bert.with_token(created["token"].as_str().unwrap());
    let path = format!("/users/{}/active", bert.user_id);
    program.get("/users/me").await.expect(200);
    admin.put(&path, json!({ "active": false })).await.expect_ok();
    for client in [&bert, &program] {
        client.get("/users/me").await.expect_refusal(401, EXPIRED);
    }
    admin.put(&path, json!({ "active": true })).await.expect_ok();
    bert.get("/users/me").await.expect_refusal(401, EXPIRED);
    program.get("/users/me").await.expect(200);
}

/// Moves the last activity of a user's sessions into the past.
async fn age(server: &TestServer, client: &Client, by_ms: i64) {
    let sql =
        format!("UPDATE sessions SET lastactivityat = lastactivityat - {by_ms} WHERE userid = '{}'", client.user_id);
    backdoor::execute(server, &sql).await;
}

async fn session_of(client: &Client) -> Value {
    client.get("/users/me/sessions").await.expect(200)[0].clone()
}

async fn last_activity(client: &Client) -> i64 {
    session_of(client).await["last_activity_at"].as_i64().unwrap()
}
