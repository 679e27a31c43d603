//! The figures of a server over the last hour, by a request and over the WebSocket.

use serde_json::{Value, json};

use crate::support::waiting::until;
use crate::support::websocket::WebSocket;
use crate::support::{Client, TestServer};

const PATH: &str = "/analytics/server";

/// The lists of a response, each with an entry for each sample.
const LISTS: [&str; 11] = [
    "numbers",
    "at_ms",
    "covered_ms",
    "requests",
    "errors",
    "server_errors",
    "mean_us",
    "slow_us",
    "memory_bytes",
    "websockets",
    "database_connections",
];

/// Waits until there are `count` samples.
async fn sampled(client: &Client, count: usize) -> Value {
    let read = async || client.get(PATH).await.expect(200);
    until("there are samples", async || read().await["numbers"].as_array().unwrap().len() >= count).await;
    read().await
}

#[actix_web::test]
async fn the_figures_of_a_server_are_for_those_who_may_see_statistics() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let member = server.user(&admin, "anna").await;
    server.client().get(PATH).await.expect_refusal(401, "api.context.session_expired.app_error");
    member.get(PATH).await.expect_refusal(403, "api.context.permissions.app_error");
    server.staff(&admin, "mia", "system_read_only_admin").await.get(PATH).await.expect(200);
    let malformed = admin.get(&format!("{PATH}?after=x")).await;
    malformed.expect_refusal(400, "api.context.invalid_url_param.app_error");
    let mut socket = WebSocket::of(&member, "").await;
    let refused = socket.reply(1, "get_server_figures", json!({})).await;
    assert_eq!(refused["error"]["id"], "api.context.permissions.app_error");
    assert_eq!(refused["error"]["status_code"], 403);
}

#[actix_web::test]
async fn a_sample_tells_what_the_server_did_since_the_one_before() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (mut socket, _) = WebSocket::greeted(&admin).await;
    let first = sampled(&admin, 1).await;
    let known = first["numbers"].as_array().unwrap().len();
    server.client().get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
    let all = sampled(&admin, known + 1).await;
    let count = all["numbers"].as_array().unwrap().len();
    for name in LISTS {
        assert_eq!(all[name].as_array().unwrap().len(), count, "{name}");
    }
    assert_eq!(all["numbers"][0], 1);
    assert_eq!(all["interval_ms"], 10_000);
    let last = |name: &str| all[name].as_array().unwrap().last().unwrap().as_i64().unwrap();
    assert!(last("requests") >= 3 && last("errors") >= 1 && last("errors") < last("requests"), "{all}");
    assert_eq!((last("server_errors"), last("websockets")), (0, 1), "{all}");
    assert!(last("memory_bytes") > 1_000_000 && last("database_connections") >= 1, "{all}");
    assert!(last("mean_us") > 0 && last("slow_us") > 0, "{all}");
    assert!(last("covered_ms") >= 10_000 && last("at_ms") <= all["now_ms"].as_i64().unwrap(), "{all}");
    let actors = all["actors"].as_array().unwrap();
    assert!(actors.contains(&json!({ "name": "config", "restarts": 0 })), "{all}");

    // Only what is new is sent, over the WebSocket as well.
    let number = last("numbers");
    let later = admin.get(&format!("{PATH}?after={number}")).await.expect(200);
    assert!(later["numbers"].as_array().unwrap().iter().all(|later| later.as_i64().unwrap() > number), "{later}");
    assert_eq!(later["node_id"], all["node_id"]);
    assert_eq!(admin.get(&format!("{PATH}?after=-1")).await.expect(200)["numbers"][0], 1);
    let over = socket.reply(1, "get_server_figures", json!({ "after": number - 1 })).await;
    assert_eq!((&over["status"], &over["data"]["numbers"][0]), (&json!("OK"), &json!(number)));
    assert_eq!(socket.reply(2, "get_server_figures", json!({})).await["data"]["numbers"][0], 1);
    let malformed = socket.reply(3, "get_server_figures", json!({ "after": "x" })).await;
    assert_eq!(malformed["error"]["id"], "api.websocket_handler.invalid_param.app_error");
}
