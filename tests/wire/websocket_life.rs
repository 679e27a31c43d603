//! Connections over time: resuming, closing, and the sequence of events.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use quarterdeck_actors::hub::Event;
use serde_json::{Value, json};

use crate::support::teams::{newcomer, open_team};
use crate::support::websocket::{Frame, WebSocket, quiet, upgrade};
use crate::support::{Client, TestServer, waiting};

/// Publishes two events to `client`; the second one contains the value.
async fn prefer(client: &Client, value: &str) {
    let preference = json!([{ "user_id": client.user_id, "category": "c", "name": "n", "value": value }]);
    client.put("/users/me/preferences", preference).await.expect(200);
}

/// Returns the numbers of the events up to the preference with that value.
async fn until(socket: &mut WebSocket, value: &str) -> Vec<i64> {
    let mut numbers = Vec::new();
    loop {
        let event = socket.event().await;
        numbers.push(event["seq"].as_i64().unwrap());
        let told = event["data"]["preferences"].as_str().unwrap_or_default();
        if told.contains(&format!("\"value\":\"{value}\"")) {
            return numbers;
        }
    }
}

/// Logs an administrator in, and waits until the events about that were sent.
async fn settled(server: &TestServer) -> Client {
    let admin = server.admin().await;
    let (mut witness, _) = WebSocket::greeted(&admin).await;
    prefer(&admin, "settled").await;
    until(&mut witness, "settled").await;
    admin
}

fn resumption(id: &str, seq: i64) -> String {
    format!("?connection_id={id}&sequence_number={seq}")
}

#[actix_rt::test]
async fn a_client_that_comes_back_gets_what_it_missed_and_no_greeting() {
    let server = quiet("").await;
    let admin = settled(&server).await;
    let (mut socket, id) = WebSocket::greeted(&admin).await;
    prefer(&admin, "seen").await;
    assert_eq!(until(&mut socket, "seen").await, [1, 2]);
    socket.cut();
    prefer(&admin, "missed").await;
    let mut back = WebSocket::of(&admin, &resumption(&id, 3)).await;
    assert_eq!(until(&mut back, "missed").await, [3, 4]);
    back.cut();
    let mut again = WebSocket::of(&admin, &resumption(&id, 2)).await;
    assert_eq!(until(&mut again, "missed").await, [2, 3, 4]);
    prefer(&admin, "next").await;
    assert_eq!(until(&mut again, "next").await, [5, 6]);
}

#[actix_rt::test]
async fn a_client_goes_on_over_a_new_socket_while_the_server_believes_in_the_old_one() {
    let server = quiet("").await;
    let admin = settled(&server).await;
    let (mut old, id) = WebSocket::greeted(&admin).await;
    prefer(&admin, "seen").await;
    assert_eq!(until(&mut old, "seen").await, [1, 2]);
    let mut new = WebSocket::of(&admin, &resumption(&id, 2)).await;
    assert_eq!(until(&mut new, "seen").await, [2]);
    let reason = "another socket resumed this connection".to_owned();
    assert_eq!(old.end().await, Frame::Close(Some(1000), reason));
    prefer(&admin, "next").await;
    assert_eq!(until(&mut new, "next").await, [3, 4]);
}

#[actix_rt::test]
async fn a_client_resumes_after_a_challenge_as_well() {
    let server = quiet("").await;
    let admin = settled(&server).await;
    let (mut witness, _) = WebSocket::greeted(&admin).await;
    let (socket, id) = WebSocket::greeted(&admin).await;
    socket.cut();
    prefer(&admin, "missed").await;
    until(&mut witness, "missed").await;
    let mut back = WebSocket::try_open(&server.base, &upgrade(&resumption(&id, 1), "")).await.unwrap();
    back.ask(1, "authentication_challenge", json!({ "token": admin.token.as_ref().unwrap() })).await;
    assert_eq!(until(&mut back, "missed").await, [1, 2]);
    assert_eq!(back.text().await, "{\"status\":\"OK\",\"seq_reply\":1}\n");
}

#[actix_rt::test]
async fn a_client_that_cannot_resume_is_told_at_once() {
    let server = quiet("[Quarterdeck]\nSocketResumeSeconds = 1\n").await;
    let admin = server.admin().await;
    let other = server.user(&admin, "bert").await;
    let (socket, id) = WebSocket::greeted(&admin).await;
    let elsewhere = server.login("admin").await;
    for (client, seq) in [(&elsewhere, 1), (&other, 1)] {
        let mut denied = WebSocket::of(client, &resumption(&id, seq)).await;
        let hello = denied.event().await;
        assert_eq!((hello["event"].as_str(), hello["seq"].as_i64()), (Some("hello"), Some(0)));
        assert_ne!(hello["data"]["connection_id"], id.as_str());
    }
    socket.cut();
    let mut ahead = WebSocket::of(&admin, &resumption(&id, 99)).await;
    assert_eq!(ahead.event().await["event"], "hello");
    let (late, id) = WebSocket::greeted(&admin).await;
    late.cut();
    // Only the resumed connection is left.
    let connections = &server.server.hub().counts().connections;
    waiting::until("the others are forgotten", async || connections.load(Ordering::Relaxed) == 1).await;
    let mut expired = WebSocket::of(&admin, &resumption(&id, 1)).await;
    assert_eq!(expired.event().await["event"], "hello");
}

/// Fails unless the connection ends for this reason within a second.
async fn ends(socket: &mut WebSocket, since: Instant) {
    assert_eq!(socket.end().await, Frame::Close(Some(1008), "the session ended".to_owned()));
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
}

#[actix_rt::test]
async fn a_revoked_session_loses_its_sockets_within_a_second_and_others_keep_theirs() {
    let server = quiet("").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let (mut untouched, _) = WebSocket::greeted(&admin).await;

    let (mut logged_out, _) = WebSocket::greeted(&bert).await;
    let since = Instant::now();
    bert.post("/users/logout", json!({})).await.expect(200);
    ends(&mut logged_out, since).await;

    let bert = server.login("bert").await;
    let (mut revoked, _) = WebSocket::greeted(&bert).await;
    let sessions = admin.get(&format!("/users/{}/sessions", bert.user_id)).await.expect(200);
    let since = Instant::now();
    let body = json!({ "session_id": sessions[0]["id"] });
    admin.post(&format!("/users/{}/sessions/revoke", bert.user_id), body).await.expect(200);
    ends(&mut revoked, since).await;

    let bert = server.login("bert").await;
    let mut challenged = WebSocket::open(&server.base).await;
    challenged.ask(1, "authentication_challenge", json!({ "token": bert.token.as_ref().unwrap() })).await;
    assert_eq!(challenged.event().await["event"], "hello");
    let since = Instant::now();
    admin.put(&format!("/users/{}/active", bert.user_id), json!({ "active": false })).await.expect(200);
    ends(&mut challenged, since).await;

    untouched.ask(1, "ping", json!({})).await;
    waiting::until("the pong comes", async || untouched.event().await["data"]["text"] == "pong").await;
    let since = Instant::now();
    admin.post("/users/sessions/revoke/all", json!({})).await.expect(200);
    ends(&mut untouched, since).await;
}

#[actix_rt::test]
async fn a_session_that_runs_out_loses_its_sockets_soon_and_not_before() {
    let server = quiet("").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    // A change of the session makes the server read it from the store again.
    bert.put("/users/sessions/device", json!({ "device_id": "android:1" })).await.expect(200);
    let expires_at = now_ms() + 5_000;
    server.execute(&format!("UPDATE sessions SET expiresat = {expires_at} WHERE userid = '{}'", bert.user_id)).await;
    let (mut expiring, _) = WebSocket::greeted(&bert).await;
    let (mut lasting, _) = WebSocket::greeted(&admin).await;
    assert_eq!(expiring.end().await, Frame::Close(Some(1008), "the session ended".to_owned()));
    let late_ms = now_ms() - expires_at;
    // Within a second, and a margin for a machine that stalls.
    assert!((0..6_000).contains(&late_ms), "{late_ms}");
    assert!(lasting.is_silent().await);
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[actix_rt::test]
async fn new_roles_decide_at_once_what_a_socket_hears() {
    let server = quiet("").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let (mut socket, _) = WebSocket::greeted(&bert).await;
    let roles = json!({ "roles": "system_user system_admin" });
    admin.put(&format!("/users/{}/roles", bert.user_id), roles).await.expect(200);
    let told = socket.event_named("user_role_updated").await;
    assert_eq!(told["data"], json!({ "user_id": bert.user_id, "roles": "system_user system_admin" }));
    assert_eq!(told["broadcast"]["user_id"], bert.user_id.as_str());
    admin.put("/users/me/patch", json!({ "nickname": "Boss" })).await.expect(200);
    let whole = socket.event_named("user_updated").await;
    assert_eq!(whole["broadcast"]["contains_sensitive_data"], true);
    assert_eq!(whole["data"]["user"]["nickname"], "Boss");
    assert!(whole["data"]["user"]["notify_props"].is_object(), "{whole}");
}

#[actix_rt::test]
async fn each_change_is_told_to_those_whom_it_concerns_in_the_form_that_clients_read() {
    let server = quiet("").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let (mut to_admin, _) = WebSocket::greeted(&admin).await;
    let (mut to_bert, _) = WebSocket::greeted(&bert).await;

    admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": "Bridge" } })).await.expect(200);
    let changed = to_bert.event_named("config_changed").await;
    let known = bert.get("/config/client?format=old").await.expect(200);
    assert_eq!(changed["data"]["config"], known);
    assert_eq!(known["SiteName"], "Bridge");
    assert_eq!(to_admin.event_named("config_changed").await["data"], changed["data"]);
    admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": "Bridge" } })).await.expect(200);

    bert.put("/users/me/patch", json!({ "nickname": "Bertie", "email": "bert@chat.example" })).await.expect(200);
    let own = to_bert.event().await;
    assert_eq!((own["event"].as_str(), &own["data"]["user"]["nickname"]), (Some("user_updated"), &json!("Bertie")));
    let whole = to_admin.event().await;
    assert_eq!(whole["event"], "user_updated");
    assert_eq!(whole["broadcast"]["omit_users"], json!({ bert.user_id.as_str(): true }));

    bert.put("/users/me/preferences", json!([{ "user_id": bert.user_id, "category": "c", "name": "n", "value": "v" }]))
        .await
        .expect(200);
    assert_eq!(to_bert.event().await["event"], "sidebar_category_updated");
    let preferences = to_bert.event().await;
    assert_eq!(preferences["event"], "preferences_changed");
    let text = preferences["data"]["preferences"].as_str().unwrap();
    let parsed: Value = serde_json::from_str(text).unwrap();
    assert_eq!(parsed, json!([{ "user_id": bert.user_id, "category": "c", "name": "n", "value": "v" }]));
    bert.post("/users/me/preferences/delete", parsed).await.expect(200);
    assert_eq!(to_bert.event_named("preferences_deleted").await["data"]["preferences"], text);

    let team = admin.found(open_team("bridge")).await;
    let joined = async |socket: &mut WebSocket, client: &Client| {
        let data = json!({ "team_id": team, "user_id": client.user_id });
        for name in ["added_to_team", "added_to_team", "user_added", "user_added"] {
            let event = socket.event().await;
            assert_eq!((&event["event"], &event["data"]), (&json!(name), &data));
        }
    };
    joined(&mut to_admin, &admin).await;
    admin.post(&format!("/teams/{team}/members"), newcomer(&team, &bert)).await.expect(201);
    joined(&mut to_bert, &bert).await;
    for _ in 0..2 {
        let told = to_admin.event().await;
        assert_eq!((&told["event"], &told["data"]["user_id"]), (&json!("user_added"), &json!(bert.user_id)));
    }
    admin.post(&format!("/teams/{team}/members"), newcomer(&team, &bert)).await.expect(201);
    let again = to_bert.event().await;
    assert_eq!((&again["event"], &again["broadcast"]["user_id"]), (&json!("added_to_team"), &json!(bert.user_id)));

    let carla = server.user(&admin, "carla").await;
    assert_eq!(to_bert.event().await["data"], json!({ "user_id": carla.user_id }));
    assert_eq!(to_admin.event_named("new_user").await["data"], json!({ "user_id": carla.user_id }));
    admin.put(&format!("/users/{}/active", carla.user_id), json!({ "active": false })).await.expect(200);
    let gone = to_admin.event_named("user_updated").await;
    assert!(gone["data"]["user"]["delete_at"].as_i64().unwrap() > 0);
    assert_eq!(to_admin.event().await["event"], "user_activation_status_change");
    assert_eq!(to_bert.event_named("user_activation_status_change").await["data"], json!({}));
    admin.delete(&format!("/users/{}", server.user(&admin, "dora").await.user_id)).await.expect_ok();
    for name in ["new_user", "user_updated"] {
        assert_eq!(to_admin.event().await["event"], name);
    }
    assert!(to_admin.is_silent().await, "a removal does not announce a switch");
}

#[actix_rt::test]
async fn typing_is_told_to_the_channel_but_not_while_the_server_is_busy() {
    const CHANNEL: &str = "townsquaretownsquaretownsq";
    let server = quiet("").await;
    let admin = server.admin().await;
    let (bert, carla) = (server.user(&admin, "bert").await, server.user(&admin, "carla").await);
    let (mut earlier, _) = WebSocket::greeted(&admin).await;
    let team = admin.found(open_team("bridge")).await;
    admin.post(&format!("/teams/{team}/members"), newcomer(&team, &bert)).await.expect(201);
    // On PostgreSQL, events come a moment later. Those of the two channels are the last ones.
    for _ in 0..2 {
        earlier.event_named("user_added").await;
    }
    server.execute(&format!(
        "UPDATE channelmembers SET channelid = '{CHANNEL}' WHERE channelid IN (SELECT id FROM channels WHERE name = 'town-square'); \
         UPDATE channels SET id = '{CHANNEL}' WHERE name = 'town-square';"
    )).await;
    let (mut to_admin, _) = WebSocket::greeted(&admin).await;
    let (mut to_bert, _) = WebSocket::greeted(&bert).await;
    let (mut to_carla, _) = WebSocket::greeted(&carla).await;

    to_bert.ask(1, "user_typing", json!({ "channel_id": CHANNEL, "parent_id": "p" })).await;
    assert_eq!(
        to_admin.text().await,
        format!(
            "{{\"event\": \"typing\", \"data\": {{\"parent_id\":\"p\",\"user_id\":\"{id}\"}}, \"broadcast\": {{\"omit_users\":{{\"{id}\":true}},\
             \"user_id\":\"\",\"channel_id\":\"{CHANNEL}\",\"team_id\":\"\",\"connection_id\":\"\",\"omit_connection_id\":\"\"}}, \"seq\": 1}}",
            id = bert.user_id
        )
    );
    assert_eq!(to_bert.text().await, "{\"status\":\"OK\",\"seq_reply\":1}\n");
    let refused = to_carla.reply(1, "user_typing", json!({ "channel_id": CHANNEL })).await;
    assert_eq!(refused["error"]["id"], "api.websocket_handler.invalid_param.app_error");
    assert!(to_carla.is_silent().await);

    let looks_elsewhere = json!({ "channel_id": "other", "thread_channel_id": "other", "is_thread_view": true });
    to_admin.reply(1, "presence", looks_elsewhere).await;
    to_admin.reply(2, "presence", json!({ "thread_channel_id": "other" })).await;
    to_bert.reply(2, "user_typing", json!({ "channel_id": CHANNEL })).await;
    assert!(to_admin.is_silent().await);

    server.server.busy().mark(i64::MAX).await.unwrap();
    let busy = to_bert.reply(3, "user_typing", json!({ "channel_id": CHANNEL })).await;
    assert_eq!(busy["error"]["id"], "api.websocket_handler.server_busy.app_error");
    assert_eq!(busy["error"]["status_code"], 503);
    assert_eq!(to_bert.reply(4, "ping", json!({})).await["status"], "OK");
}

#[actix_rt::test]
async fn a_stop_closes_sockets_one_by_one_and_says_why() {
    let server = quiet("[Quarterdeck]\nSocketStopSeconds = 1\n").await;
    let admin = server.admin().await;
    let mut sockets = Vec::new();
    for _ in 0..10 {
        sockets.push(WebSocket::greeted(&admin).await.0);
    }
    let anonymous = WebSocket::open(&server.base).await;
    drop(anonymous);
    let begun = Instant::now();
    let TestServer { server, .. } = server;
    let stop = server.stop();
    let ends = async {
        let mut times = Vec::new();
        for socket in &mut sockets {
            assert_eq!(socket.end().await, Frame::Close(Some(1012), "the server is stopping".to_owned()));
            times.push(begun.elapsed());
        }
        times
    };
    let (stopped, times) = tokio::join!(stop, ends);
    stopped.unwrap();
    assert!(times.iter().max().unwrap() > &Duration::from_millis(500), "{times:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[actix_rt::test]
async fn a_socket_that_reads_nothing_does_not_hold_up_a_stop() {
    let server = quiet("[Quarterdeck]\nSocketStopSeconds = 0\n").await;
    let admin = server.admin().await;
    let deaf = WebSocket::narrow(&admin).await;
    let large = Event::new("posted", json!({ "text": "x".repeat(100_000) }));
    for _ in 0..100 {
        server.server.hub().publish(large.clone()).await;
    }
    let begun = Instant::now();
    let TestServer { server, .. } = server;
    server.stop().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    drop(deaf);
}
