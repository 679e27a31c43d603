//! `/notifications/test`.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::server::PASSWORD;
use crate::support::websocket::{WebSocket, quiet, upgrade};
use crate::support::{Client, TestServer, backdoor};

const PATH: &str = "/notifications/test";
const NO_BOT: &str = "app.notifications.send_test_message.errors.no_bot";

async fn test(client: &Client) -> crate::support::Reply {
    client.post(PATH, json!({})).await
}

async fn texts(server: &TestServer, sql: &str) -> Vec<String> {
    backdoor::texts_in(server.folder(), sql).await
}

/// Returns the event `posted` with its parsed message.
async fn posted(socket: &mut WebSocket) -> (Value, Value) {
    let event = socket.event_named("posted").await;
    let post = serde_json::from_str(event["data"]["post"].as_str().unwrap()).unwrap();
    (event, post)
}

#[actix_web::test]
async fn who_is_not_logged_in_gets_no_message() {
    let server = TestServer::start().await;
    test(&server.client()).await.expect_refusal(401, "api.context.session_expired.app_error");
}

#[actix_web::test]
async fn each_test_stores_one_message_in_the_one_channel_with_the_system_bot() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    for body in ["", "{}", "no JSON", "[1]"] {
        bert.send(reqwest::Method::POST, PATH, Some(body.to_owned()), &[]).await.expect_ok();
    }
    test(&admin).await.expect_ok();
    let bot = texts(&server, "SELECT id FROM users WHERE username = 'system-bot'").await.swap_remove(0);
    let mut both = [bot.as_str(), &bert.user_id];
    both.sort_unstable();
    let name = both.join("__");
    let channels = texts(&server, "SELECT name || ' ' || type || teamid FROM channels ORDER BY createat").await;
    assert_eq!((channels.len(), channels[0].as_str()), (2, format!("{name} D").as_str()));
    let place = format!("FROM channels c WHERE c.name = '{name}'");
    let posts = format!("SELECT p.userid || p.type FROM posts p WHERE p.channelid = (SELECT c.id {place})");
    assert_eq!(texts(&server, &posts).await, [bot.as_str(); 4]);
    assert_eq!(texts(&server, &format!("SELECT CAST(totalmsgcount + totalmsgcountroot AS text) {place}")).await, ["8"]);
    let counts = format!(
        "SELECT userid || ' ' || msgcount || ' ' || mentioncount FROM channelmembers \
         WHERE channelid = (SELECT c.id {place}) ORDER BY mentioncount"
    );
    let seen = [format!("{bot} 4 0"), format!("{} 0 4", bert.user_id)];
    assert_eq!(texts(&server, &counts).await, seen);
}

#[actix_web::test]
async fn the_message_reaches_the_sockets_of_the_caller_and_of_nobody_else() {
    let server = quiet("").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let (mut others, _) = WebSocket::greeted(&admin).await;
    let (mut own, _) = WebSocket::greeted(&bert).await;
    let (mut second, _) = WebSocket::greeted(&bert).await;
    test(&bert).await.expect_ok();
    let added = own.event().await;
    assert_eq!(added["event"], "direct_added");
    let (event, post) = posted(&mut own).await;
    let bot = admin.get("/users/username/system-bot").await.expect(200);
    let channel = event["broadcast"]["channel_id"].as_str().unwrap();
    let members = json!({ "creator_id": bert.user_id, "teammate_id": bot["id"] });
    assert_eq!((&added["data"], added["broadcast"]["channel_id"].as_str()), (&members, Some(channel)));
    let mut both = [bot["id"].as_str().unwrap(), &bert.user_id];
    both.sort_unstable();
    let wanted = json!({
        "channel_display_name": "@system-bot", "channel_name": both.join("__"), "channel_type": "D",
        "mentions": json!([bert.user_id]).to_string(), "post": event["data"]["post"], "sender_name": "@system-bot",
        "set_online": false, "team_id": "",
    });
    assert_eq!((&event["data"], event["broadcast"]["user_id"].as_str()), (&wanted, Some("")));
    assert_eq!((&post["user_id"], &post["channel_id"], &post["type"]), (&bot["id"], &json!(channel), &json!("")));
    assert_eq!((&post["file_ids"], post.get("should_ack")), (&json!([]), None));
    assert_eq!((&post["props"]["from_bot"], &post["delete_at"]), (&json!("true"), &json!(0)));
    assert!(post["props"]["force_notification"].is_string() && post["create_at"].as_i64() > Some(0), "{post}");
    assert!(post["message"].as_str().unwrap().starts_with("This is the test notification"), "{post}");
    assert_eq!(posted(&mut second).await.1, post);
    assert!(others.is_silent().await);

    // The channel exists now: it is not announced again, and clients that connect later get it as well.
    let (mut later, _) = WebSocket::greeted(&bert).await;
    test(&bert).await.expect_ok();
    for socket in [&mut own, &mut later] {
        let event = socket.event().await;
        assert_eq!((&event["event"], &event["broadcast"]["channel_id"]), (&json!("posted"), &json!(channel)));
    }
    assert!(others.is_silent().await);
}

#[actix_web::test]
async fn a_client_that_acknowledges_posts_is_told_to_do_so() {
    let server = quiet("").await;
    let admin = server.admin().await;
    let mut plain = WebSocket::greeted(&admin).await.0;
    let mut off = WebSocket::of(&admin, "?posted_ack=TRUE").await;
    let mut on = WebSocket::of(&admin, "?posted_ack=true").await;
    let mut challenged = WebSocket::try_open(&server.base, &upgrade("?posted_ack=true", "")).await.unwrap();
    let token = json!({ "token": admin.token.as_ref().unwrap() });
    challenged.reply(1, "authentication_challenge", token).await;
    test(&admin).await.expect_ok();
    let (mut data, mut numbers) = (Vec::new(), Vec::new());
    for socket in [&mut plain, &mut off, &mut on, &mut challenged] {
        let event = socket.event_named("posted").await;
        numbers.push(event["seq"].clone());
        data.push(event["data"].clone());
        assert!(socket.is_silent().await, "each client gets one event");
    }
    assert_eq!(numbers, [2, 2, 2, 2], "hello, direct_added, posted");
    let should_ack: Vec<Option<&Value>> = data.iter().map(|data| data.get("should_ack")).collect();
    assert_eq!(should_ack, [None, None, Some(&json!(true)), Some(&json!(true))]);
    data[2].as_object_mut().unwrap().remove("should_ack");
    assert_eq!(data[2], data[0]);
    let acknowledged = json!({ "post_id": "p", "user_agent": "a", "status": "success", "reason": 7 });
    assert_eq!(on.reply(1, "posted_notify_ack", acknowledged).await["status"], "OK");
}

#[actix_web::test]
async fn callers_at_the_same_time_find_one_bot_and_one_channel() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let callers = [&admin, &bert, &admin, &bert, &admin, &bert];
    for reply in join_all(callers.map(test)).await {
        reply.expect_ok();
    }
    assert_eq!(texts(&server, "SELECT CAST(COUNT(*) AS text) FROM bots").await, ["1"]);
    assert_eq!(texts(&server, "SELECT CAST(COUNT(*) AS text) FROM channels").await, ["2"]);
    assert_eq!(texts(&server, "SELECT CAST(COUNT(*) AS text) FROM channelmembers").await, ["4"]);
    assert_eq!(texts(&server, "SELECT CAST(COUNT(*) AS text) FROM posts").await, ["6"]);
}

#[actix_web::test]
async fn the_system_bot_is_seen_as_a_bot_counts_for_nobody_and_never_logs_in() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    test(&admin).await.expect_ok();
    let bot = admin.get("/users/username/system-bot").await.expect(200);
    assert_eq!((&bot["is_bot"], &bot["roles"]), (&json!(true), &json!("system_user")));
    let listed = admin.get("/users").await.expect(200);
    assert!(listed.as_array().unwrap().iter().any(|user| user["id"] == bot["id"] && user["is_bot"] == true));
    let without_bots = admin.get("/users/stats/filtered?include_bots=false").await.expect(200);
    assert_eq!(without_bots["total_users_count"], 1);
    let owner = format!("SELECT ownerid FROM bots WHERE userid = '{}'", bot["id"].as_str().unwrap());
    assert_eq!(texts(&server, &owner).await, [admin.user_id.as_str()]);

    let login = async |password: &str| {
        let login = json!({ "login_id": "system-bot", "password": password });
        server.client().post("/users/login", login).await
    };
    for password in [PASSWORD, "*"] {
        let refused = login(password).await;
        assert_eq!(refused.status, 401, "{}", refused.text());
    }
    let path = format!("/users/{}/password", bot["id"].as_str().unwrap());
    admin.put(&path, json!({ "new_password": PASSWORD })).await;
    let refused = login(PASSWORD).await;
    assert_eq!(refused.status, 401, "{}", refused.text());
}

#[actix_web::test]
async fn a_bot_that_cannot_be_had_is_told() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let taken = server.user(&admin, "system-bot").await;
    test(&taken).await.expect_refusal(500, NO_BOT);
    server.execute("UPDATE users SET username = 'somebody' WHERE username = 'system-bot'").await;
    test(&taken).await.expect_ok();
    server.execute("UPDATE users SET deleteat = 5 WHERE username = 'system-bot'").await;
    test(&taken).await.expect_refusal(500, NO_BOT);
}

#[actix_web::test]
async fn what_cannot_be_stored_is_told_and_leaves_nothing_behind() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    test(&admin).await.expect_ok();
    server.execute("UPDATE channels SET deleteat = 5").await;
    test(&admin).await.expect_refusal(500, "app.notifications.send_test_message.errors.no_channel");
    server.execute("ALTER TABLE posts RENAME TO elsewhere").await;
    test(&bert).await.expect_refusal(500, "app.notifications.send_test_message.errors.create_post");
    assert_eq!(texts(&server, "SELECT CAST(COUNT(*) AS text) FROM channels").await, ["1"]);
    server.execute(&format!("DELETE FROM users WHERE id = '{}'", bert.user_id)).await;
    test(&bert).await.expect_refusal(500, "app.notifications.send_test_message.errors.no_user");
}
