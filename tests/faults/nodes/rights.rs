//! Rights that end on one node, and facts that change there, are in force on the other node within a second.

use std::time::Duration;

use futures_util::future::join;
use serde_json::json;

use super::{Bus as _, Delays, Pair, ROUNDS};
use crate::support::Client;
use crate::support::license::{Seller, upload};
use crate::support::server::PASSWORD;
use crate::support::teams::{closed_team, newcomer};
use crate::support::waiting::until;
use crate::support::websocket::{Frame, WebSocket};

/// The time within which a change is in force on the other node.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(1);

/// The ways to end the sessions of a user.
const ENDS: [&str; 7] = ["logout", "one session", "all sessions", "deactivation", "password", "deletion", "statement"];

/// Waits until a client gets this status. Its session was cached before, for ten minutes.
async fn gets(client: &Client, path: &str, status: u16) {
    until(&format!("{path} is {status}"), async || client.get(path).await.status == status).await;
}

#[actix_web::test]
async fn a_session_that_ends_on_one_node_ends_on_the_other_with_its_sockets() {
    let Some(pair) = Pair::start().await else { return };
    let anna = pair.one.user(&pair.admin, "anna").await;
    let user = format!("/users/{}", anna.user_id);
    let mut delays = Delays::default();
    for end in [ENDS; ROUNDS].concat() {
        let session = pair.one.login("anna").await;
        let there = pair.at_other(&session);
        there.get("/users/me").await.expect(200);
        let (mut socket, _) = WebSocket::greeted(&there).await;
        match end {
            "logout" => session.post("/users/logout", json!({})).await.expect_ok(),
            "one session" => {
                let sessions = session.get("/users/me/sessions").await.expect(200);
                let id = &sessions[0]["id"];
                pair.admin.post(&format!("{user}/sessions/revoke"), json!({ "session_id": id })).await.expect_ok();
            }
            "all sessions" => pair.admin.post(&format!("{user}/sessions/revoke/all"), json!({})).await.expect_ok(),
            "deactivation" => pair.admin.put(&format!("{user}/active"), json!({ "active": false })).await.expect_ok(),
            "password" => {
                let body = json!({ "current_password": "", "new_password": PASSWORD });
                pair.admin.put(&format!("{user}/password"), body).await.expect_ok();
            }
            "deletion" => pair.admin.delete(&user).await.expect_ok(),
            _ => pair.execute(&format!("DELETE FROM sessions WHERE userid = '{}'", anna.user_id)).await,
        }
        let is_refused = gets(&there, "/users/me", 401);
        let is_closed = async {
            assert_eq!(socket.end().await, Frame::Close(Some(1008), "the session ended".to_owned()), "{end}");
        };
        delays.note(end, async { _ = join(is_refused, is_closed).await }).await;
        // The next end needs an active account and no other session.
        pair.admin.put(&format!("{user}/active"), json!({ "active": true })).await.expect_ok();
        pair.execute(&format!("DELETE FROM sessions WHERE userid = '{}'", anna.user_id)).await;
    }
    delays.check(IN_FORCE_WITHIN);
    assert!(pair.at_other(&pair.admin).get("/users/me").await.status == 200, "other sessions stay");
}

#[actix_web::test]
async fn an_access_token_that_is_revoked_on_one_node_is_refused_by_the_other() {
    let Some(pair) = Pair::start().await else { return };
    let path = format!("/users/{}/tokens", pair.admin.user_id);
    let mut delays = Delays::default();
    for end in [["revoke", "disable"]; ROUNDS].concat() {
        let token = pair.admin.post(&path, json!({ "description": "of a test" })).await.expect(200);
        let there = pair.other.client().with_token(token["token"].as_str().unwrap());
        there.get("/users/me").await.expect(200);
        let (mut socket, _) = WebSocket::greeted(&there).await;
        pair.admin.post(&format!("/users/tokens/{end}"), json!({ "token_id": token["id"] })).await.expect_ok();
        let is_refused = gets(&there, "/users/me", 401);
        delays.note(end, async { _ = join(is_refused, socket.end()).await }).await;
    }
    delays.check(IN_FORCE_WITHIN);
}

#[actix_web::test]
async fn a_role_that_is_taken_on_one_node_gives_no_rights_on_the_other() {
    let Some(pair) = Pair::start().await else { return };
    let anna = pair.one.user(&pair.admin, "anna").await;
    let roles = format!("/users/{}/roles", anna.user_id);
    let there = pair.at_other(&anna);
    let mut delays = Delays::default();
    for (given, status) in [[("system_user system_admin", 200), ("system_user", 403)]; ROUNDS].concat() {
        there.get("/users/me").await.expect(200);
        pair.admin.put(&roles, json!({ "roles": given })).await.expect_ok();
        delays.note(given, gets(&there, "/audits", status)).await;
    }
    delays.check(IN_FORCE_WITHIN);
    there
        .put(&roles, json!({ "roles": "system_user system_admin" }))
        .await
        .expect_refusal(403, "api.context.permissions.app_error");
}

#[actix_web::test]
async fn memberships_and_their_roles_are_the_same_on_both() {
    let Some(pair) = Pair::start().await else { return };
    let anna = pair.one.user(&pair.admin, "anna").await;
    let there = pair.at_other(&anna);
    let team = pair.admin.found(closed_team("crew")).await;
    let (path, member) = (format!("/teams/{team}"), format!("/teams/{team}/members/{}", anna.user_id));
    let square = format!("SELECT id FROM channels WHERE teamid = '{team}' AND name = 'town-square'");
    let channel = pair.one.texts(&square).await.swap_remove(0);
    let typing = async |status: u16| {
        let body = json!({ "channel_id": channel });
        until("typing", async || there.post("/users/me/typing", body.clone()).await.status == status).await;
    };
    let edits = async |status: u16| {
        let body = json!({ "company_name": "x" });
        until("an edit", async || there.put(&format!("{path}/patch"), body.clone()).await.status == status).await;
    };
    let as_admin = |is_admin: bool| json!({ "scheme_user": true, "scheme_admin": is_admin });
    let (mut socket, _) = WebSocket::greeted(&there).await;
    let mut delays = Delays::default();
    for round in 0..ROUNDS {
        there.get(&path).await.expect_refusal(403, "api.context.permissions.app_error");
        pair.admin.post(&format!("{path}/members"), newcomer(&team, &anna)).await.expect(201);
        delays.note("a team", gets(&there, &path, 200)).await;
        delays.note("a channel", typing(200)).await;
        let name = format!("Crew {round}");
        pair.admin.put(&format!("{path}/patch"), json!({ "display_name": name })).await.expect(200);
        delays.note("an event of a team", is_renamed(&mut socket, &name)).await;
        for (is_admin, status) in [(true, 200), (false, 403)] {
            pair.admin.put(&format!("{member}/schemeRoles"), as_admin(is_admin)).await.expect_ok();
            delays.note(&format!("a role in a team: {is_admin}"), edits(status)).await;
        }
        pair.admin.delete(&member).await.expect_ok();
        delays.note("a team that was left", gets(&there, &path, 403)).await;
        delays.note("a channel that was left", typing(403)).await;
    }
    delays.check(IN_FORCE_WITHIN);
}

/// Reads events until one tells the name of a team.
async fn is_renamed(socket: &mut WebSocket, name: &str) {
    while !socket.event_named("update_team").await["data"]["team"].as_str().unwrap().contains(name) {}
}

#[actix_web::test]
async fn permissions_of_a_role_are_the_same_on_both() {
    let Some(pair) = Pair::start().await else { return };
    let anna = pair.one.user(&pair.admin, "anna").await;
    let there = pair.at_other(&anna);
    let role = pair.admin.get("/roles/name/system_user").await.expect(200);
    there.get("/audits").await.expect_refusal(403, "api.context.permissions.app_error");
    let before = role["permissions"].as_array().unwrap().clone();
    let more = [before.as_slice(), &[json!("read_audits")]].concat();
    let (mut socket, _) = WebSocket::greeted(&there).await;
    let path = format!("/roles/{}/patch", role["id"].as_str().unwrap());
    let mut delays = Delays::default();
    for (permissions, status) in [[(&more, 200), (&before, 403)]; ROUNDS].concat() {
        pair.admin.put(&path, json!({ "permissions": permissions })).await.expect(200);
        let is_told = async {
            let event = socket.event_named("role_updated").await;
            assert_eq!(event["data"]["role"].as_str().unwrap().contains("read_audits"), status == 200, "{event}");
        };
        let is_in_force = gets(&there, "/audits", status);
        delays.note(&format!("/audits is {status}"), async { _ = join(is_told, is_in_force).await }).await;
        let shown = pair.at_other(&pair.admin).get("/roles/name/system_user").await.expect(200);
        assert_eq!(shown["permissions"], json!(permissions));
    }
    delays.check(IN_FORCE_WITHIN);
}

#[actix_web::test]
async fn a_change_of_the_configuration_is_in_force_on_both() {
    let Some(pair) = Pair::start().await else { return };
    let there = pair.at_other(&pair.admin);
    let (mut socket, _) = WebSocket::greeted(&there).await;
    let mut delays = Delays::default();
    for number in 0..ROUNDS {
        let wanted = format!("Everywhere {number}");
        pair.admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": wanted } })).await.expect(200);
        let name = async || there.get("/config").await.expect(200)["TeamSettings"]["SiteName"].clone();
        let is_in_force = until("it is in force", async || name().await == wanted);
        let is_told = async {
            assert_eq!(socket.event_named("config_changed").await["data"]["config"]["SiteName"], wanted);
        };
        delays.note("a setting", async { _ = join(is_in_force, is_told).await }).await;
    }
    delays.check(IN_FORCE_WITHIN);
    there.put("/config/patch", json!({ "TeamSettings": { "MaxUsersPerTeam": 77 } })).await.expect(200);
    let here = async || pair.admin.get("/config").await.expect(200)["TeamSettings"].clone();
    until("both changes are in force here", async || {
        let settings = here().await;
        settings["MaxUsersPerTeam"] == 77 && settings["SiteName"] == format!("Everywhere {}", ROUNDS - 1)
    })
    .await;
}

#[actix_web::test]
async fn the_busy_flag_is_the_same_on_both() {
    let Some(pair) = Pair::start().await else { return };
    let there = pair.at_other(&pair.admin);
    let is = async |client: &Client, is_busy: bool| {
        until("the flag", async || client.get("/server_busy").await.expect(200)["busy"] == is_busy).await;
    };
    let mut delays = Delays::default();
    for _ in 0..ROUNDS {
        pair.admin.post("/server_busy?seconds=600", json!({})).await.expect_ok();
        delays.note("set", is(&there, true)).await;
        there.delete("/server_busy").await.expect_ok();
        delays.note("removed by the other", is(&pair.admin, false)).await;
    }
    delays.check(IN_FORCE_WITHIN);
}

#[actix_web::test]
async fn a_licence_is_installed_and_removed_on_both() {
    let Some(bus) = Pair::bus() else { return };
    let seller = Seller::new().await;
    let one = seller.server(&bus.settings()).await;
    let admin = one.admin().await;
    let other = one.start_beside(&seller.settings(&bus.settings())).await;
    let there = admin.at(&other.base);
    let licensed = async |client: &Client, is_licensed: &str| {
        let shown = async || client.get("/license/client?format=old").await.expect(200)["IsLicensed"].clone();
        until("the licence", async || shown().await == is_licensed).await;
    };
    let mut delays = Delays::default();
    for _ in 0..ROUNDS {
        upload(&admin, &seller.license(&[]).await).await.expect(201);
        delays.note("installed", licensed(&there, "true")).await;
        there.delete("/license").await.expect_ok();
        delays.note("removed by the other", licensed(&admin, "false")).await;
    }
    delays.check(IN_FORCE_WITHIN);
}

#[actix_web::test]
async fn caches_are_invalidated_on_both() {
    let Some(pair) = Pair::start().await else { return };
    let anna = pair.one.user(&pair.admin, "anna").await;
    let mut delays = Delays::default();
    for _ in 0..ROUNDS {
        let mut there = anna.clone();
        // A server that stands still for 2 s does not trust its cache.
        let is_cached = async || {
            there = pair.at_other(&pair.one.login("anna").await);
            there.get("/users/me").await.expect(200);
            // Without triggers, so that no server hears of it.
            let sql = format!("DELETE FROM sessions WHERE userid = '{}'", anna.user_id);
            pair.execute(&format!("BEGIN; SET LOCAL session_replication_role = replica; {sql}; COMMIT")).await;
            there.get("/users/me").await.status == 200
        };
        until("a deleted session is cached", is_cached).await;
        pair.admin.post("/caches/invalidate", json!({})).await.expect_ok();
        delays.note("a deleted session", gets(&there, "/users/me", 401)).await;
    }
    delays.check(IN_FORCE_WITHIN);
}
