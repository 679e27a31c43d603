//! `/users/{user_id}/sessions` and `/users/sessions/…`.

use serde_json::{Value, json};

use crate::contract::roles::beside_as;
use crate::support::{Client, TestServer, backdoor};

const EXPIRED: &str = "api.context.session_expired.app_error";
const FORBIDDEN: &str = "api.context.permissions.app_error";
const BAD_BODY: &str = "api.context.invalid_body_param.app_error";
const BAD_URL: &str = "api.context.invalid_url_param.app_error";

#[actix_web::test]
async fn every_session_route_asks_for_a_session() {
    let server = TestServer::start().await;
    let nobody = server.client();
    nobody.get("/users/me/sessions").await.expect_refusal(401, EXPIRED);
    for path in ["/users/me/sessions/revoke", "/users/me/sessions/revoke/all", "/users/sessions/revoke/all"] {
        nobody.post(path, json!({})).await.expect_refusal(401, EXPIRED);
    }
    nobody.put("/users/sessions/device", json!({})).await.expect_refusal(401, EXPIRED);
}

#[actix_web::test]
async fn a_list_shows_the_last_used_session_first_and_never_its_token() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    server.login("bert").await;
    backdoor::execute(&server, "UPDATE sessions SET lastactivityat = lastactivityat + 60000 WHERE token IN (SELECT token FROM sessions ORDER BY createat DESC LIMIT 1)").await;
    let sessions = bert.get("/users/me/sessions").await;
    assert!(!sessions.text().contains(bert.token.as_deref().unwrap()));
    let sessions = sessions.expect(200);
    let [newest, first] = sessions.as_array().unwrap().as_slice() else { panic!("{sessions}") };
    assert!(newest["last_activity_at"].as_i64() > first["last_activity_at"].as_i64());
    let keys: Vec<&str> = newest.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = vec![
        "id",
        "token",
        "create_at",
        "expires_at",
        "last_activity_at",
        "user_id",
        "device_id",
        "roles",
        "is_oauth",
        "expired_notify",
        "props",
        "team_members",
        "local",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(first["token"], "");
    assert_eq!(first["user_id"], bert.user_id);
    assert_eq!(first["roles"], "system_user");
    assert_eq!((&first["team_members"], &first["local"]), (&json!([]), &json!(false)));
    assert_eq!(first["props"]["isMobile"], "false");
    assert_eq!(first["props"]["csrf"].as_str().unwrap().len(), 26);
    assert_eq!(first["expires_at"].as_i64().unwrap() - first["create_at"].as_i64().unwrap(), web_session_ms(&server));
}

#[actix_web::test]
async fn a_list_names_the_teams_of_the_user() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let me = &admin.user_id;
    let rows = format!(
        "INSERT INTO teammembers (teamid, userid, roles, deleteat, schemeuser, schemeadmin, schemeguest) VALUES \
         ('kept', '{me}', 'custom', 0, TRUE, TRUE, FALSE), ('left', '{me}', '', 1, TRUE, FALSE, FALSE)"
    );
    backdoor::execute(&server, &rows).await;
    let sessions = admin.get("/users/me/sessions").await.expect(200);
    let expected = json!([{
        "team_id": "kept", "user_id": me, "roles": "custom team_user team_admin", "delete_at": 0, "scheme_guest": false,
        "scheme_user": true, "scheme_admin": true, "explicit_roles": "custom",
    }]);
    assert_eq!(sessions[0]["team_members"], expected);
}

#[actix_web::test]
async fn sessions_are_for_their_owner_and_for_those_who_manage_accounts() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let carl = server.user(&admin, "carl").await;
    let of = |client: &Client| format!("/users/{}/sessions", client.user_id);
    carl.get(&of(&bert)).await.expect_refusal(403, FORBIDDEN);
    carl.get("/users/short/sessions").await.expect_refusal(400, BAD_URL);
    for path in ["/revoke", "/revoke/all"] {
        carl.post(&format!("{}{path}", of(&bert)), json!({})).await.expect_refusal(403, FORBIDDEN);
    }
    admin.get(&of(&bert)).await.expect(200);
}

#[actix_web::test]
async fn whoever_edits_other_users_reaches_everybody_but_administrators() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    server.user(&admin, "edith").await;
    // No built-in role may edit other users without managing the system, so the test changes one; roles are read at
    // start.
    let role = "UPDATE roles SET permissions = ' edit_other_users' WHERE name = 'system_user_manager'";
    let promotion = "UPDATE users SET roles = 'system_user system_user_manager' WHERE username = 'edith'";
    backdoor::execute(&server, role).await;
    backdoor::execute(&server, promotion).await;
    let (_second, editor) = beside_as(&server, "edith").await;
    let of = |client: &Client| format!("/users/{}/sessions", client.user_id);
    editor.get(&of(&bert)).await.expect(200);
    editor.get(&of(&admin)).await.expect_refusal(403, FORBIDDEN);
}

#[actix_web::test]
async fn a_revocation_names_one_session_of_that_user() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let path = "/users/me/sessions/revoke";
    bert.post(path, json!({})).await.expect_refusal(400, BAD_BODY);
    bert.post(path, json!({ "session_id": 7 })).await.expect_refusal(400, BAD_BODY);
    bert.post(path, json!({ "session_id": "unknown" })).await.expect_refusal(400, "app.session.get.app_error");
    let foreign = id_of_only_session(&admin).await;
    bert.post(path, json!({ "session_id": foreign })).await.expect_refusal(400, BAD_URL);
    admin.get("/users/me").await.expect(200);
}

#[actix_web::test]
async fn a_revoked_session_is_dead_at_the_next_request_and_the_others_live() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let id = id_of_only_session(&bert).await;
    let phone = server.login("bert").await;
    phone.get("/users/me").await.expect(200);
    phone.post("/users/me/sessions/revoke", json!({ "session_id": id })).await.expect_ok();
    bert.get("/users/me").await.expect_refusal(401, EXPIRED);
    let path = format!("/users/{}/sessions/revoke", bert.user_id);
    admin.post(&path, json!({ "session_id": phone.token })).await.expect_ok();
    phone.get("/users/me").await.expect_refusal(401, EXPIRED);
}

#[actix_web::test]
async fn all_sessions_of_a_user_end_with_the_calling_one() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let phone = server.login("bert").await;
    phone.get("/users/me").await.expect(200);
    bert.post("/users/me/sessions/revoke/all", Value::Null).await.expect_ok();
    for client in [&bert, &phone] {
        client.get("/users/me").await.expect_refusal(401, EXPIRED);
    }
    admin.get("/users/me").await.expect(200);
}

#[actix_web::test]
async fn everybody_s_sessions_end_at_the_word_of_an_administrator() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    bert.post("/users/sessions/revoke/all", Value::Null).await.expect_refusal(403, FORBIDDEN);
    bert.get("/users/me").await.expect(200);
    admin.post("/users/sessions/revoke/all", Value::Null).await.expect_ok();
    for client in [&bert, &admin] {
        client.get("/users/me").await.expect_refusal(401, EXPIRED);
    }
}

#[actix_web::test]
async fn a_device_is_attached_to_the_calling_session_and_leaves_the_others_of_the_user() {
    let server = TestServer::start_with("[ServiceSettings]\nSessionLengthMobileInHours = 2\n").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let old = server.login("bert").await;
    let device = json!({ "device_id": "apple:1", "device_notification_disabled": "true", "mobile_version": "2.25.1" });
    old.put("/users/sessions/device", device.clone()).await.expect_ok();
    let answer = bert.put("/users/sessions/device", device).await;
    answer.expect_ok();
    assert_eq!(answer.header("set-cookie"), "");
    old.get("/users/me").await.expect_refusal(401, EXPIRED);
    bert.put("/users/sessions/device", json!({ "mobile_version": "2.25.2" })).await.expect_ok();
    bert.put("/users/sessions/device", json!({})).await.expect_ok();
    let session = bert.get("/users/me/sessions").await.expect(200)[0].clone();
    assert_eq!(session["device_id"], "apple:1");
    assert_eq!(session["props"]["device_notification_disabled"], "true");
    assert_eq!(session["props"]["mobile_version"], "2.25.2");
    let length_ms = session["expires_at"].as_i64().unwrap() - session["create_at"].as_i64().unwrap();
    assert!((7_200_000..7_260_000).contains(&length_ms), "{length_ms}");
}

#[actix_web::test]
async fn a_device_with_a_broken_member_changes_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for broken in [
        json!({ "device_id": "apple:1", "device_notification_disabled": "yes" }),
        json!({ "device_id": "apple:1", "mobile_version": "2.25" }),
        json!({ "device_id": "x".repeat(513) }),
    ] {
        admin.put("/users/sessions/device", broken).await.expect_refusal(400, BAD_BODY);
    }
    assert_eq!(admin.get("/users/me/sessions").await.expect(200)[0]["device_id"], "");
}

async fn id_of_only_session(client: &Client) -> Value {
    let sessions = client.get("/users/me/sessions").await.expect(200);
    assert_eq!(sessions.as_array().unwrap().len(), 1);
    sessions[0]["id"].clone()
}

fn web_session_ms(server: &TestServer) -> i64 {
    server.server.config().current().view.service.session_length_web_in_hours * 3_600_000
}
