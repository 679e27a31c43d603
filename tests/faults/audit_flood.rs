//! The audit trail during a flood and without its table: each acknowledged change has a record.

use futures_util::StreamExt;
use futures_util::stream::iter;
use serde_json::{Value, json};

use crate::support::trail::{events_in, newest_in};
use crate::support::{Client, TestServer};

const NO_ROOM: &str = "app.audit.no_room.app_error";

/// The number of requests of the flooding user, more than fit into its memory for records.
const FLOOD: usize = 900;

/// The number of changes of the administrator during the flood.
const CHANGES: usize = 20;

#[actix_web::test]
async fn a_user_who_floods_is_refused_and_every_acknowledged_change_has_its_record() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let other = server.login("bert").await;
    admin.audits().await;
    server.execute("ALTER TABLE qd_audits RENAME TO away").await;

    let flood = iter(0..FLOOD).map(|number| rename(&bert, number)).buffer_unordered(16).collect::<Vec<u16>>();
    let (statuses, ()) = futures_util::future::join(flood, administer(&admin)).await;
    let acknowledged = statuses.iter().filter(|status| **status == 200).count();
    assert!(acknowledged > 500, "{acknowledged} were acknowledged");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
    assert!(acknowledged < FLOOD, "the room of a user has an end");

    let before = bert.get("/users/me").await.expect(200);
    bert.put("/users/me/patch", json!({ "nickname": "never" })).await.expect_refusal(503, NO_ROOM);
    assert_eq!(bert.get("/users/me").await.expect(200)["nickname"], before["nickname"], "nothing was changed");
    // Ending sessions and logging in again is always possible.
    bert.post("/users/logout", json!({})).await.expect_ok();
    other.post(&format!("/users/{}/sessions/revoke/all", other.user_id), json!({})).await.expect_ok();
    administer(&admin).await;

    server.execute("ALTER TABLE away RENAME TO qd_audits").await;
    let TestServer { server, folder, .. } = server;
    server.stop().await.unwrap();
    let events = events_in(folder.path()).await;
    let count = |wanted: &str| events.iter().filter(|event| *event == wanted).count();
    assert_eq!(count("patchUser success"), acknowledged + 2 * CHANGES);
    assert_eq!((count("logout success"), count("revokeAllSessionsForUser success")), (1, 1));
    let counted = newest_in(folder.path(), "countRefusals").await["parameters"]["count"].clone();
    let refused = FLOOD - acknowledged + 1;
    assert_eq!(counted, json!(refused - count("patchUser fail")), "a refusal is recorded or counted");
}

#[actix_web::test]
async fn refusals_of_a_user_are_recorded_up_to_a_number_and_counted_beyond_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    for _ in 0..70 {
        bert.get("/config").await.expect(403);
        bert.put("/users/me/patch", json!([])).await.expect(400);
    }
    admin.put("/users/me/patch", json!([])).await.expect(400);
    let TestServer { server, folder, .. } = server;
    server.stop().await.unwrap();
    let events = events_in(folder.path()).await;
    let of_bert = events.iter().filter(|event| *event == "getConfig fail").count();
    let patches = events.iter().filter(|event| *event == "patchUser fail").count();
    assert_eq!((of_bert, patches), (30, 30 + 1), "60 of bert, and those of others on their own");
    let counted = newest_in(folder.path(), "countRefusals").await["parameters"].clone();
    let users = json!({ bert.user_id: 80 });
    assert_eq!(counted, json!({ "count": 80, "users": users, "events": { "getConfig": 40, "patchUser": 40 } }));
}

async fn administer(admin: &Client) {
    for number in 0..CHANGES {
        admin.put("/users/me/patch", json!({ "nickname": format!("a{number}") })).await.expect(200);
    }
}

/// Changes many fields, so that the record is large.
async fn rename(client: &Client, number: usize) -> u16 {
    let text = |length: usize| format!("{number:0>5}{}", "x".repeat(length - 5));
    let patch: Value = json!({
        "nickname": text(64), "first_name": text(64), "last_name": text(64), "position": text(128),
        "notify_props": { "mention_keys": text(900) },
    });
    client.put("/users/me/patch", patch).await.status
}
