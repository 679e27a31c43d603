//! `/bots`: bots of users, and accounts that become bots and people again.

use serde_json::json;

use crate::support::server::PASSWORD;
use crate::support::websocket::{Frame, WebSocket, quiet};
use crate::support::{Client, TestServer};

const PERMISSIONS: &str = "api.context.permissions.app_error";
const MISSING: &str = "store.sql_bot.get.missing.app_error";
const INVALID: &str = "api.context.invalid_body_param.app_error";
const ON: &str = "EnableBotAccountCreation = true\n";

async fn with_bert(settings: &str) -> (TestServer, Client, Client) {
    let server = quiet(settings).await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    (server, admin, bert)
}

#[actix_web::test]
async fn a_bot_is_made_shown_changed_switched_and_given_away() {
    let (server, admin, bert) = with_bert(ON).await;
    let body = json!({ "username": " Robot", "display_name": "R2", "description": "Beeps", "owner_id": "x" });
    let bot = admin.post("/bots", body).await.expect(201);
    let id = bot["user_id"].as_str().unwrap();
    assert_eq!(
        (&bot["username"], &bot["display_name"], &bot["description"]),
        (&json!("robot"), &json!("R2"), &json!("Beeps"))
    );
    assert_eq!((&bot["owner_id"], &bot["delete_at"]), (&json!(admin.user_id), &json!(0)));
    let account = admin.get(&format!("/users/{id}")).await.expect(200);
    assert_eq!((&account["is_bot"], &account["email"]), (&json!(true), &json!("robot@localhost")));
    let path = format!("/bots/{id}");
    assert_eq!(admin.get(&path).await.expect(200), bot);
    let token = admin.post(&format!("/users/{id}/tokens"), json!({ "description": "own" })).await.expect(200);
    let robot = server.client().with_token(token["token"].as_str().unwrap());
    assert_eq!(robot.get("/users/me").await.expect(200)["username"], "robot");

    let changed = admin.put(&path, json!({ "display_name": "R3", "description": "" })).await.expect(200);
    assert_eq!((&changed["username"], &changed["display_name"]), (&json!("robot"), &json!("R3")));
    assert!(changed.get("description").is_none());
    let found = admin.post("/users/search", json!({ "term": "R3" })).await.expect(200);
    assert_eq!(found.as_array().unwrap().len(), 1, "its new name is found");
    let (mut socket, _) = WebSocket::greeted(&robot).await;
    let disabled = admin.post(&format!("{path}/disable"), json!({})).await.expect(200);
    assert!(disabled["delete_at"].as_i64().unwrap() > 0);
    assert!(matches!(socket.end().await, Frame::Close(Some(1008), _)));
    robot.get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
    admin.get(&path).await.expect_refusal(404, MISSING);
    admin.get(&format!("{path}?include_deleted=1")).await.expect(200);
    assert_eq!(admin.post(&format!("{path}/enable"), json!({})).await.expect(200)["delete_at"], 0);
    robot.get("/users/me").await.expect(200);

    let given = admin.post(&format!("{path}/assign/{}", bert.user_id), json!({})).await.expect(200);
    assert_eq!(given["owner_id"], bert.user_id.as_str());
    admin.post(&format!("{path}/assign/{id}"), json!({})).await.expect_refusal(403, PERMISSIONS);
    let nobody = "x".repeat(26);
    let refused = admin.post(&format!("{path}/assign/{nobody}"), json!({})).await;
    refused.expect_refusal(404, "app.user.missing_account.const");
}

#[actix_web::test]
async fn bots_do_not_exist_for_those_who_may_not_read_them() {
    let (server, admin, bert) = with_bert(ON).await;
    let bot = admin.post("/bots", json!({ "username": "robot" })).await.expect(201);
    let id = bot["user_id"].as_str().unwrap();
    let (path, bots, berts) = (format!("/bots/{id}"), "/bots", format!("/bots/{}", bert.user_id));
    bert.get(&path).await.expect_refusal(404, MISSING);
    bert.put(&path, json!({ "username": "mine" })).await.expect_refusal(404, MISSING);
    for action in ["disable", "enable", &format!("assign/{}", bert.user_id)] {
        bert.post(&format!("{path}/{action}"), json!({})).await.expect_refusal(404, MISSING);
        admin.post(&format!("{berts}/{action}"), json!({})).await.expect_refusal(404, MISSING);
    }
    bert.post(bots, json!({ "username": "mine" })).await.expect_refusal(403, PERMISSIONS);
    bert.post(bots, json!([])).await.expect_refusal(400, INVALID);
    server.client().post(bots, json!({})).await.expect_refusal(401, "api.context.session_expired.app_error");
    admin.get(&berts).await.expect_refusal(404, MISSING);
    admin.get("/bots/short").await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    // An owner with the permission to read bots sees the bot, and cannot change it.
    server.execute(&format!("UPDATE bots SET ownerid = '{}'", bert.user_id)).await;
    let role = admin.get("/roles/name/system_user").await.expect(200);
    let mut permissions = role["permissions"].as_array().unwrap().clone();
    permissions.push(json!("read_bots"));
    let patch = format!("/roles/{}/patch", role["id"].as_str().unwrap());
    admin.put(&patch, json!({ "permissions": permissions })).await.expect(200);
    bert.get(&path).await.expect(200);
    bert.put(&path, json!({ "username": "mine" })).await.expect_refusal(403, PERMISSIONS);
}

#[actix_web::test]
async fn a_bot_that_breaks_a_rule_is_refused() {
    let (_server, admin, _) = with_bert("").await;
    admin.post("/bots", json!({ "username": "robot" })).await.expect_refusal(403, "api.bot.create_disabled");
    let on = json!({ "ServiceSettings": { "EnableBotAccountCreation": true } });
    admin.put("/config/patch", on).await.expect(200);
    for (body, id) in [
        (json!({}), "model.bot.is_valid.username.app_error"),
        (json!({ "username": "a b" }), "model.bot.is_valid.username.app_error"),
        (json!({ "username": "robot", "display_name": "ä".repeat(65) }), "model.bot.is_valid.user_id.app_error"),
        (json!({ "username": "robot", "description": "ä".repeat(1025) }), "model.bot.is_valid.description.app_error"),
        (json!({ "username": "bert" }), "app.user.save.username_exists.app_error"),
    ] {
        admin.post("/bots", body).await.expect_refusal(400, id);
    }
    let bot = admin.post("/bots", json!({ "username": "robot" })).await.expect(201);
    let path = format!("/bots/{}", bot["user_id"].as_str().unwrap());
    let refused = admin.put(&path, json!({ "username": "bert", "description": "new" })).await;
    refused.expect_refusal(400, "app.user.save.username_exists.app_error");
    assert_eq!(admin.get(&path).await.expect(200), bot);
}

#[actix_web::test]
async fn an_account_becomes_a_bot_without_sessions_or_password_and_a_person_again() {
    let (server, admin, bert) = with_bert("").await;
    let path = format!("/users/{}/convert_to_bot", bert.user_id);
    bert.post(&path, json!({})).await.expect_refusal(403, PERMISSIONS);
    let (mut socket, _) = WebSocket::greeted(&bert).await;
    let bot = admin.post(&path, json!({})).await.expect(200);
    assert_eq!((&bot["user_id"], &bot["username"]), (&json!(bert.user_id), &json!("bert")));
    assert!(matches!(socket.end().await, Frame::Close(Some(1008), _)));
    bert.get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
    let login = json!({ "login_id": "bert", "password": PASSWORD });
    assert_eq!(server.client().post("/users/login", login.clone()).await.status, 401);
    admin.post(&path, json!({})).await.expect_refusal(500, "app.bot.createbot.internal_error");
    let unknown = format!("/users/{}/convert_to_bot", "x".repeat(26));
    admin.post(&unknown, json!({})).await.expect_refusal(404, "app.user.missing_account.const");

    let back = format!("/bots/{}/convert_to_user", bert.user_id);
    admin.post(&back, json!({})).await.expect_refusal(400, INVALID);
    admin.post(&back, json!({ "password": "" })).await.expect_refusal(400, INVALID);
    let short = admin.post(&back, json!({ "password": "short" })).await;
    short.expect_refusal(400, "model.user.is_valid.pwd_min_length.app_error");
    let taken = admin.post(&back, json!({ "password": PASSWORD, "username": "admin" })).await;
    taken.expect_refusal(400, "app.user.save.username_exists.app_error");
    assert_eq!(admin.get("/bots").await.expect(200).as_array().unwrap().len(), 1, "it is still a bot");
    let body = json!({ "password": PASSWORD, "email": "new@chat.example" });
    let user = admin.post(&format!("{back}?set_system_admin=true"), body).await.expect(200);
    assert_eq!((&user["email"], &user["roles"]), (&json!("new@chat.example"), &json!("system_user system_admin")));
    assert!(user.get("is_bot").is_none_or(|is_bot| is_bot == false) && user.get("password").is_none());
    let bert = server.login("bert").await;
    bert.get("/config").await.expect(200);
    admin.post(&back, json!({ "password": PASSWORD })).await.expect_refusal(404, MISSING);
}

#[actix_web::test]
async fn the_last_person_who_manages_the_system_becomes_no_bot() {
    let (server, admin, bert) = with_bert("").await;
    let own = format!("/users/{}/convert_to_bot", admin.user_id);
    admin.post(&own, json!({})).await.expect_refusal(400, "app.user.update.lastAdmin.app_error");
    let roles = json!({ "roles": "system_user system_admin" });
    admin.put(&format!("/users/{}/roles", bert.user_id), roles).await.expect(200);
    // Of two administrators who convert each other at once, one remains.
    let path = format!("/users/{}/convert_to_bot", bert.user_id);
    let (one, other) = tokio::join!(admin.post(&path, json!({})), bert.post(&own, json!({})));
    let statuses = [one.status, other.status];
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    // A bot that is an administrator is no reason to take the role from the last person.
    let person = if one.status == 200 { &admin } else { &bert };
    let roles = json!({ "roles": "system_user" });
    let refused = person.put("/users/me/roles", roles).await;
    refused.expect_refusal(400, "app.user.update.lastAdmin.app_error");
    drop(server);
}
