//! Limits of the data that one account can store: data above a limit is refused with an id, and none of it is stored.

use serde_json::{Map, Value, json};

use crate::support::server::PASSWORD;
use crate::support::{Client, TestServer};

const TOO_MANY: &str = "app.preference.save.too_many.app_error";

#[actix_web::test]
async fn maps_of_an_account_have_limits_and_a_refusal_stores_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let before = bert.get("/users/me").await.expect(200);
    let many: Map<String, Value> = (0..101).map(|number| (format!("k{number}"), json!("x"))).collect();
    let too_large = [
        ("props", json!({ "a": "x".repeat(4097) }), "props.app_error"),
        ("props", json!({ "k".repeat(65): "x" }), "props.app_error"),
        ("props", Value::from(many.clone()), "props.app_error"),
        ("notify_props", json!({ "mention_keys": "x".repeat(4097) }), "notify_props.app_error"),
        ("notify_props", Value::from(many), "notify_props.app_error"),
        ("timezone", json!({ "manualTimezone": "x".repeat(257) }), "timezone_limit.app_error"),
    ];
    for (name, map, id) in too_large {
        let id = format!("model.user.is_valid.{id}");
        let patch = json!({ "nickname": "half", name: map });
        bert.put("/users/me/patch", patch.clone()).await.expect_refusal(400, &id);
        let account = json!({ "email": "c@chat.example", "username": "clara", "password": PASSWORD, name: map });
        admin.post("/users", account).await.expect_refusal(400, &id);
    }
    assert_eq!(bert.get("/users/me").await.expect(200), before);
    let largest = json!({ "props": { "a": "x".repeat(4096) }, "notify_props": { "mention_keys": "y".repeat(4096) } });
    bert.put("/users/me/patch", largest).await.expect(200);
}

#[actix_web::test]
async fn a_map_that_is_older_than_the_limits_is_read_and_stays_until_it_is_changed() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let old = json!({ "mention_keys": "x".repeat(100_000) }).to_string();
    server.execute(&format!("UPDATE users SET notifyprops = '{old}' WHERE id = '{}'", bert.user_id)).await;
    let mut whole = bert.get("/users/me").await.expect(200);
    assert_eq!(whole["notify_props"]["mention_keys"].as_str().unwrap().len(), 100_000);
    bert.put("/users/me/patch", json!({ "nickname": "B" })).await.expect(200);
    // The web app sends the whole account back.
    whole["nickname"] = "C".into();
    bert.put("/users/me", whole.clone()).await.expect(200);
    whole["notify_props"]["desktop"] = "all".into();
    bert.put("/users/me", whole).await.expect_refusal(400, "model.user.is_valid.notify_props.app_error");
}

#[actix_web::test]
async fn preferences_have_a_number_and_a_length_and_a_refusal_stores_none_of_them() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let own = bert.get("/users/me/preferences").await.expect(200).as_array().unwrap().len();
    let rows: Vec<String> =
        (0..9_990 - own).map(|number| format!("('{}', 'old', 'n{number}', 'x')", bert.user_id)).collect();
    for rows in rows.chunks(500) {
        let rows = rows.join(", ");
        server.execute(&format!("INSERT INTO preferences (userid, category, name, value) VALUES {rows}")).await;
    }
    save(&bert, "old", 0..5, 1).await.expect_ok();
    save(&bert, "new", 0..11, 1).await.expect_refusal(400, TOO_MANY);
    assert_eq!(bert.get("/users/me/preferences").await.expect(200).as_array().unwrap().len(), 9_990);
    save(&bert, "new", 0..10, 1).await.expect_ok();
    save(&bert, "new", 0..10, 2).await.expect_ok();
    save(&bert, "new", 0..11, 1).await.expect_refusal(400, TOO_MANY);
    // The rows have 1,980,000 characters, besides the few of a new account.
    for tens in 0..10 {
        save(&admin, "new", tens * 10..tens * 10 + 10, 19_800).await.expect_ok();
    }
    save(&admin, "more", 0..1, 20_000).await.expect_refusal(400, TOO_MANY);
    save(&admin, "new", 0..10, 19_000).await.expect_ok();
    save(&admin, "more", 0..1, 20_000).await.expect_ok();
    // Existing rows above the limit can be changed, and new ones are refused.
    let extra = format!("INSERT INTO preferences VALUES ('{}', 'extra', 'one', 'x')", bert.user_id);
    server.execute(&extra).await;
    save(&bert, "old", 0..5, 1).await.expect_ok();
    save(&bert, "new", 10..11, 1).await.expect_refusal(400, TOO_MANY);
}

#[actix_web::test]
async fn an_account_has_room_for_a_number_of_access_tokens() {
    let server = TestServer::start_with("[ServiceSettings]\nEnableUserAccessTokens = true\n").await;
    let admin = server.admin().await;
    let rows: Vec<String> = (0..199)
        .map(|number| format!("('{number:0>26}', 't{number:0>25}', '{}', 'old', true)", admin.user_id))
        .collect();
    let insertion = "INSERT INTO useraccesstokens (id, token, userid, description, isactive) VALUES";
    server.execute(&format!("{insertion} {}", rows.join(", "))).await;
    admin.post("/users/me/tokens", json!({ "description": "last" })).await.expect(200);
    let refused = admin.post("/users/me/tokens", json!({ "description": "one too many" })).await;
    refused.expect_refusal(400, "app.user_access_token.too_many.app_error");
}

#[actix_web::test]
async fn an_account_leads_a_number_of_teams_and_two_at_once_do_not_pass_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let rows: Vec<String> =
        (0..199).map(|number| format!("('{number:0>26}', '{}', '', 0, true, true, false)", bert.user_id)).collect();
    let insertion =
        "INSERT INTO teammembers (teamid, userid, roles, deleteat, schemeuser, schemeadmin, schemeguest) VALUES";
    server.execute(&format!("{insertion} {}", rows.join(", "))).await;
    let team = |name: &str| json!({ "name": name, "display_name": name, "type": "O" });
    let (one, other) = tokio::join!(bert.post("/teams", team("crew")), bert.post("/teams", team("cooks")));
    let (founded, refused) = if one.status == 201 { (one, other) } else { (other, one) };
    founded.expect(201);
    refused.expect_refusal(400, "app.team.save.too_many.app_error");
    admin.post("/teams", team("officers")).await.expect(201);
}

#[actix_web::test]
async fn a_login_keeps_no_more_of_a_client_than_its_columns_take() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let body = |device: String| json!({ "login_id": "admin", "password": PASSWORD, "device_id": device });
    let refused = server.client().post("/users/login", body("d".repeat(513))).await;
    refused.expect_refusal(400, "api.context.invalid_body_param.app_error");
    let agent = format!("Mattermost Mobile/{} (Android; 13)", "1".repeat(10_000));
    let headers = [("User-Agent", agent.as_str())];
    let login = body("d".repeat(512)).to_string();
    server.client().send(reqwest::Method::POST, "/users/login", Some(login), &headers).await.expect(200);
    let sessions = admin.get("/users/me/sessions").await.expect(200);
    let browser = sessions.as_array().unwrap().iter().find(|session| session["device_id"] != "").unwrap();
    assert_eq!(browser["props"]["browser"].as_str().unwrap().len(), "Mobile App/".len() + 128);
}

#[actix_web::test]
async fn a_user_has_seen_a_number_of_notices() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let ids = |numbers: std::ops::Range<usize>| numbers.map(|number| format!("n{number}")).collect::<Vec<_>>();
    admin.put("/system/notices/view", json!(ids(0..5000))).await.expect_ok();
    admin.put("/system/notices/view", json!(ids(0..5000))).await.expect_ok();
    let refused = admin.put("/system/notices/view", json!(ids(4999..5001))).await;
    refused.expect_refusal(400, "api.system.update_viewed_notices.failed");
}

#[actix_web::test]
async fn a_user_stores_a_number_of_test_messages_in_an_hour() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for _ in 0..100 {
        admin.post("/notifications/test", json!({})).await.expect_ok();
    }
    let refused = admin.post("/notifications/test", json!({})).await;
    refused.expect_refusal(400, "app.notifications.send_test_message.errors.too_many");
    server.execute("UPDATE posts SET createat = createat - 3700000").await;
    admin.post("/notifications/test", json!({})).await.expect_ok();
}

async fn save(client: &Client, category: &str, names: std::ops::Range<usize>, length: usize) -> crate::support::Reply {
    let user_id = &client.user_id;
    let preferences: Vec<Value> = names
        .map(|number| {
            json!({ "user_id": user_id, "category": category, "name": format!("n{number}"), "value": "x".repeat(length) })
        })
        .collect();
    client.put("/users/me/preferences", json!(preferences)).await
}
