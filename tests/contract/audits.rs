//! The audit trail: the permission to read it, and its content.

mod anonymous;
mod records;
mod secrets;
mod verification;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::server::{PASSWORD, account};
use crate::support::trail::events_in;
use crate::support::{Client, LocalServer, TestServer};

const EXPIRED: &str = "api.context.session_expired.app_error";
const FORBIDDEN: &str = "api.context.permissions.app_error";

#[actix_web::test]
async fn only_who_may_read_audits_sees_them() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let admin = server.admin().await;
    server.client().get("/audits").await.expect_refusal(401, EXPIRED);
    server.user(&admin, "bert").await.get("/audits").await.expect_refusal(403, FORBIDDEN);
    let reader = server.staff(&admin, "clara", "system_read_only_admin").await;
    reader.get("/audits").await.expect(200);
    admin.get("/audits").await.expect(200);
    local.get("/audits").await.expect_refusal(404, "api.context.404.app_error");
}

#[actix_web::test]
async fn a_row_says_what_was_done_by_whom_and_from_where() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.put("/users/me/patch", json!({ "nickname": "Skipper" })).await.expect(200);
    let rows = admin.audits().await;
    let keys: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["action", "create_at", "extra_info", "id", "ip_address", "session_id", "user_id"]);
    assert_eq!(rows[0]["action"], "/api/v4/users/me/patch");
    assert_eq!(rows[0]["extra_info"], "patchUser success user_id=me");
    assert_eq!((&rows[0]["user_id"], &rows[0]["ip_address"]), (&json!(admin.user_id), &json!("127.0.0.1")));
    let sessions = admin.get("/users/me/sessions").await.expect(200);
    assert_eq!(rows[0]["session_id"], sessions[0]["id"]);
    assert_eq!((&rows[1]["user_id"], &rows[1]["session_id"]), (&rows[0]["user_id"], &rows[0]["session_id"]), "login");
    assert!(rows[0]["create_at"].as_i64().unwrap() >= rows[1]["create_at"].as_i64().unwrap());
}

#[actix_web::test]
async fn the_newest_comes_first_and_pages_follow_each_other() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for number in 0..10 {
        admin.put("/users/me/patch", json!({ "nickname": format!("n{number}") })).await.expect(200);
    }
    let all = admin.audits().await;
    assert_eq!(all.len(), 12);
    assert!(all.windows(2).all(|pair| pair[0]["create_at"].as_i64() >= pair[1]["create_at"].as_i64()));
    assert_eq!(all[11]["action"], "/api/v4/users");
    assert_eq!(all[10]["action"], "/api/v4/users/login");
    assert_eq!(page(&admin, "page=1&per_page=5").await, all[5..10]);
    assert_eq!(page(&admin, "page=2&per_page=5").await, all[10..]);
    assert_eq!(page(&admin, "page=-1&per_page=x").await, all);
    assert_eq!(page(&admin, "per_page=0").await, Vec::<Value>::new());
    assert_eq!(admin.get("/audits?page=9").await.text(), "[]");
}

#[actix_web::test]
async fn the_records_of_a_request_are_listed_by_its_id() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let reply = admin.put("/users/me/patch", json!({ "nickname": "Skipper" })).await;
    admin.put("/users/me/patch", json!({ "nickname": "Captain" })).await.expect(200);
    let id = reply.header("x-request-id");
    let rows = page(&admin, &format!("request_id={id}")).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    let listed = admin.audits().await;
    assert!(listed.contains(&rows[0]) && rows[0]["action"] == "/api/v4/users/me/patch");
    let at = rows[0]["create_at"].as_i64().unwrap();
    assert_eq!(page(&admin, &format!("request_id={id}&at={at}")).await, rows);
    let unreadable = admin.get(&format!("/audits?request_id={id}&at=x")).await;
    unreadable.expect_refusal(400, "api.context.invalid_url_param.app_error");
    assert_eq!(page(&admin, &format!("request_id={id}&at={}", at - 60_001)).await, Vec::<Value>::new());
    assert_eq!(page(&admin, &format!("request_id={id}&page=1")).await, Vec::<Value>::new());
    assert_eq!(page(&admin, &format!("request_id={}", "a".repeat(26))).await, Vec::<Value>::new());
    assert_eq!(page(&admin, "request_id=").await.len(), listed.len(), "an empty id is none");
    let malformed = admin.get("/audits?request_id=x").await;
    malformed.expect_refusal(400, "api.context.invalid_url_param.app_error");
    let bert = server.user(&admin, "bert").await;
    bert.get(&format!("/audits?request_id={id}")).await.expect_refusal(403, FORBIDDEN);
}

#[actix_web::test]
async fn rows_that_mattermost_left_are_listed_behind_ours() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (old, new) = ("o".repeat(26), "n".repeat(26));
    let insertion = "INSERT INTO audits (id, createat, userid, action, extrainfo, ipaddress, sessionid) VALUES";
    server.execute(&format!("{insertion} ('{old}', 1, '', '/api/v4/users/login', 'attempt', '', '')")).await;
    server.execute(&format!("{insertion} ('{new}', 9000000000000, NULL, NULL, NULL, NULL, NULL)")).await;
    let rows = admin.audits().await;
    assert_eq!(rows.len(), 4);
    let empty = json!({ "id": new, "create_at": 9_000_000_000_000_i64, "user_id": "", "action": "", "extra_info": "",
        "ip_address": "", "session_id": "" });
    // Rows of this server have their own order, which does not depend on a clock.
    assert_eq!(rows[2], empty);
    assert_eq!((&rows[3]["id"], &rows[3]["extra_info"]), (&json!(old), &json!("attempt")));
}

#[actix_web::test]
async fn every_request_that_changes_something_leaves_one_record_and_reading_leaves_none() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let path = |rest: &str| format!("/users/{}{rest}", bert.user_id);
    bert.get("/users/me").await.expect(200);
    bert.post("/users/ids", json!([admin.user_id])).await.expect(200);
    bert.post("/users/search", json!({ "term": "ad" })).await.expect(200);
    bert.put("/users/me/password", json!({ "current_password": PASSWORD, "new_password": "other-horse-2" }))
        .await
        .expect(200);
    admin.put(&path("/roles"), json!({ "roles": "system_user system_admin" })).await.expect(200);
    admin.put(&path("/active"), json!({ "active": false })).await.expect(200);
    admin.delete(&path("")).await.expect(200);
    admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": "Bridge" } })).await.expect(200);
    admin.post("/config/reload", json!({})).await.expect_ok();
    let token = admin.post("/users/me/tokens", json!({ "description": "robot" })).await;
    token.expect_refusal(501, "app.user_access_token.disabled");
    admin.post("/users/logout", json!({})).await.expect_ok();
    server.login("admin").await.audits().await;
    let expected = [
        "createUser success",
        "login success",
        "createUser success",
        "login success",
        "updatePassword success",
        "updateUserRoles success",
        "updateUserActive success",
        "deleteUser success",
        "patchConfig success",
        "configReload success",
        "createUserAccessToken fail",
        "logout success",
        "login success",
    ];
    assert_eq!(events_in(server.folder()).await, expected);
}

#[actix_web::test]
async fn what_is_refused_is_recorded_with_who_asked() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    bert.get("/config").await.expect_refusal(403, FORBIDDEN);
    bert.post("/users/tokens/search", json!({ "term": "x" })).await.expect_refusal(403, FORBIDDEN);
    bert.get("/users/tokens").await.expect_refusal(403, FORBIDDEN);
    admin.put("/users/me/patch", json!([])).await.expect(400);
    let rows = admin.audits().await;
    let told: Vec<&str> = rows.iter().take(4).map(|row| row["extra_info"].as_str().unwrap()).collect();
    let expected = [
        "patchUser fail api.context.invalid_body_param.app_error user_id=me",
        "read fail api.context.permissions.app_error",
        "searchUserAccessTokens fail api.context.permissions.app_error",
        "getConfig fail api.context.permissions.app_error",
    ];
    assert_eq!(told, expected);
    assert_eq!((&rows[1]["user_id"], &rows[1]["action"]), (&json!(bert.user_id), &json!("/api/v4/users/tokens")));
}

#[actix_web::test]
async fn a_forged_request_is_recorded_with_the_user_whose_cookie_it_carries() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let cookie = format!("MMAUTHTOKEN={}", admin.token.clone().unwrap());
    let body = Some(json!({ "nickname": "x" }).to_string());
    let forged = server.client().send(Method::PUT, "/users/me/patch", body, &[("Cookie", &cookie)]).await;
    forged.expect_refusal(401, EXPIRED);
    let rows = admin.audits().await;
    assert_eq!(rows[0]["extra_info"], "patchUser fail api.context.session_expired.app_error user_id=me");
    assert_eq!(rows[0]["user_id"], admin.user_id.as_str());
}

#[actix_web::test]
async fn a_login_is_recorded_whether_it_succeeds_or_not() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let wrong = json!({ "login_id": "admin", "password": "canary-wrong" });
    server.client().post("/users/login", wrong).await.expect(401);
    server.client().post("/users", account("bert")).await.expect(403);
    let rows = admin.audits().await;
    assert_eq!(rows[0]["extra_info"], "createUser fail api.user.create_user.no_open_server");
    let failed = "login fail api.user.login.invalid_credentials_email_username login_id=admin";
    assert_eq!((&rows[1]["extra_info"], &rows[1]["user_id"]), (&json!(failed), &json!("")));
    assert_eq!(rows[2]["extra_info"], "login success login_id=admin");
}

async fn page(client: &Client, query: &str) -> Vec<Value> {
    client.get(&format!("/audits?{query}")).await.expect(200).as_array().unwrap().clone()
}
