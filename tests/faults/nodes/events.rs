//! Events reach the sockets on all nodes.

use serde_json::{Value, json};

use super::Pair;
use crate::support::Client;
use crate::support::teams::{newcomer, open_team};
use crate::support::waiting::until;
use crate::support::websocket::{Frame, WebSocket};

/// The number of changes at each node.
const CHANGES: usize = 20;

#[actix_web::test]
async fn events_of_both_nodes_come_in_one_order() {
    let Some(pair) = Pair::start().await else { return };
    let anna = pair.one.user(&pair.admin, "anna").await;
    let there = pair.at_other(&anna);
    let mut sockets = [WebSocket::greeted(&anna).await.0, WebSocket::greeted(&there).await.0];
    let change = async |client: &Client, number: usize| {
        let preference =
            json!([{ "user_id": anna.user_id, "category": "c", "name": format!("n{number}"), "value": client.base }]);
        client.put("/users/me/preferences", preference).await.expect_ok();
    };
    for number in 0..CHANGES {
        futures_util::future::join(change(&anna, number), change(&there, CHANGES + number)).await;
    }
    let mut orders: Vec<Vec<Value>> = Vec::new();
    for socket in &mut sockets {
        // Each change has two events.
        let mut order = Vec::new();
        for _ in 0..4 * CHANGES {
            order.push(socket.event().await);
        }
        orders.push(order);
    }
    // The numbers of a connection are in the events as well.
    assert_eq!(orders[0], orders[1]);
    let mut values: Vec<&Value> = orders[0].iter().filter_map(|event| event["data"].get("preferences")).collect();
    values.sort_by_key(ToString::to_string);
    values.dedup();
    assert_eq!(values.len(), 2 * CHANGES, "each change once");
}

#[actix_web::test]
async fn members_on_the_other_node_get_the_events_of_a_team_until_they_leave() {
    let Some(pair) = Pair::start().await else { return };
    let anna = pair.one.user(&pair.admin, "anna").await;
    let (mut socket, _) = WebSocket::greeted(&pair.at_other(&anna)).await;
    let team = pair.admin.found(open_team("crew")).await;
    pair.admin.post(&format!("/teams/{team}/members"), newcomer(&team, &anna)).await.expect(201);
    socket.event_named("added_to_team").await;
    pair.admin.put(&format!("/teams/{team}/patch"), json!({ "display_name": "First" })).await.expect(200);
    socket.event_named("update_team").await;
    pair.admin.delete(&format!("/teams/{team}/members/{}", anna.user_id)).await.expect_ok();
    let event = socket.event_named("leave_team").await;
    assert_eq!((&event["data"]["user_id"], &event["broadcast"]["team_id"]), (&json!(anna.user_id), &json!(team)));
    pair.admin.put(&format!("/teams/{team}/patch"), json!({ "display_name": "Second" })).await.expect(200);
    anna.put("/users/me/patch", json!({ "nickname": "Left" })).await.expect(200);
    assert_eq!(socket.event().await["event"], "user_updated", "no event of the team after the user left");
}

#[actix_web::test]
async fn a_message_whose_writer_is_gone_is_found_and_lost_ones_end_the_sockets() {
    let Some(pair) = Pair::start().await else { return };
    let anna = pair.one.user(&pair.admin, "anna").await;
    let (mut socket, _) = WebSocket::greeted(&pair.at_other(&anna)).await;
    // A node stored it and was killed before it gave it a place. Nothing tells the others.
    let body = json!({ "event": "of_the_dead", "data": {}, "user_id": anna.user_id });
    pair.execute(&format!("INSERT INTO qd_outbox (node, kind, body) VALUES ('gone', 'event', '{body}')")).await;
    socket.event_named("of_the_dead").await;
    // A later version's message is passed over.
    pair.execute("INSERT INTO qd_outbox (node, kind, body) VALUES ('', 'later', 'x')").await;
    let placed = "SELECT COUNT(*) FROM qd_outbox";
    until("it has a place", async || pair.one.texts(placed).await == ["0"]).await;
    anna.put("/users/me/patch", json!({ "nickname": "A" })).await.expect(200);
    socket.event_named("user_updated").await;
    // The database is that of an earlier time.
    pair.execute("DELETE FROM qd_events").await;
    assert_eq!(socket.end().await, Frame::Close(Some(1012), "events from other servers are lost".to_owned()));
    let (mut socket, _) = WebSocket::greeted(&pair.at_other(&anna)).await;
    anna.put("/users/me/patch", json!({ "nickname": "B" })).await.expect(200);
    socket.event_named("user_updated").await;
}
