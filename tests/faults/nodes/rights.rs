//! Rights that end on one node, and facts that change there.

use serde_json::json;

use super::{Bus as _, Pair};
use crate::support::Client;
use crate::support::license::{Seller, upload};
use crate::support::server::PASSWORD;
use crate::support::waiting::until;
use crate::support::websocket::{Frame, WebSocket};

/// Waits until a client gets this status. Its session was cached before, for ten minutes.
async fn gets(client: &Client, path: &str, status: u16) {
    until(&format!("{path} is {status}"), async || client.get(path).await.status == status).await;
}

#[actix_web::test]
async fn a_session_that_ends_on_one_node_ends_on_the_other_with_its_sockets() {
    let Some(pair) = Pair::start().await else { return };
    let anna = pair.one.user(&pair.admin, "anna").await;
    let id = anna.user_id.clone();
    let revoke_all = format!("/users/{id}/sessions/revoke/all");
    let active = format!("/users/{id}/active");
    // Each way to end sessions. What it undoes is done again for the next one.
    for end in ["logout", "revoke", "deactivate", "password", "statement"] {
        let session = pair.one.login("anna").await;
        let there = pair.at_other(&session);
        there.get("/users/me").await.expect(200);
        let (mut socket, _) = WebSocket::greeted(&there).await;
        match end {
            "logout" => session.post("/users/logout", json!({})).await.expect_ok(),
            "revoke" => pair.admin.post(&revoke_all, json!({})).await.expect_ok(),
            "deactivate" => pair.admin.put(&active, json!({ "active": false })).await.expect_ok(),
            "password" => {
                let body = json!({ "current_password": "", "new_password": PASSWORD });
                pair.admin.put(&format!("/users/{id}/password"), body).await.expect_ok();
            }
            _ => pair.execute(&format!("DELETE FROM sessions WHERE userid = '{id}'")).await,
        }
        gets(&there, "/users/me", 401).await;
        assert_eq!(socket.end().await, Frame::Close(Some(1008), "the session ended".to_owned()), "{end}");
        pair.admin.put(&active, json!({ "active": true })).await.expect_ok();
    }
    assert!(pair.at_other(&pair.admin).get("/users/me").await.status == 200, "other sessions stay");
}

#[actix_web::test]
async fn an_access_token_that_is_revoked_on_one_node_is_refused_by_the_other() {
    let Some(pair) = Pair::start().await else { return };
    let path = format!("/users/{}/tokens", pair.admin.user_id);
    for end in ["revoke", "disable"] {
        let token = pair.admin.post(&path, json!({ "description": "of a test" })).await.expect(200);
        let there = pair.other.client().with_token(token["token"].as_str().unwrap());
        there.get("/users/me").await.expect(200);
        pair.admin.post(&format!("/users/tokens/{end}"), json!({ "token_id": token["id"] })).await.expect_ok();
        gets(&there, "/users/me", 401).await;
    }
}

#[actix_web::test]
async fn a_role_that_is_taken_on_one_node_gives_no_rights_on_the_other() {
    let Some(pair) = Pair::start().await else { return };
    let anna = pair.one.user(&pair.admin, "anna").await;
    let roles = format!("/users/{}/roles", anna.user_id);
    let there = pair.at_other(&anna);
    for (given, status) in [("system_user system_admin", 200), ("system_user", 403)] {
        there.get("/users/me").await.expect(200);
        pair.admin.put(&roles, json!({ "roles": given })).await.expect_ok();
        gets(&there, "/audits", status).await;
    }
    there
        .put(&roles, json!({ "roles": "system_user system_admin" }))
        .await
        .expect_refusal(403, "api.context.permissions.app_error");
}

#[actix_web::test]
async fn permissions_of_a_role_are_the_same_on_both() {
    let Some(pair) = Pair::start().await else { return };
    let anna = pair.one.user(&pair.admin, "anna").await;
    let there = pair.at_other(&anna);
    let role = pair.admin.get("/roles/name/system_user").await.expect(200);
    there.get("/audits").await.expect_refusal(403, "api.context.permissions.app_error");
    let mut permissions = role["permissions"].as_array().unwrap().clone();
    permissions.push(json!("read_audits"));
    let (mut socket, _) = WebSocket::greeted(&there).await;
    let path = format!("/roles/{}/patch", role["id"].as_str().unwrap());
    pair.admin.put(&path, json!({ "permissions": permissions })).await.expect(200);
    let event = socket.event_named("role_updated").await;
    assert!(event["data"]["role"].as_str().unwrap().contains("read_audits"), "{event}");
    there.get("/audits").await.expect(200);
    assert_eq!(
        pair.at_other(&pair.admin).get("/roles/name/system_user").await.expect(200)["permissions"],
        json!(permissions)
    );
}

#[actix_web::test]
async fn a_change_of_the_configuration_is_in_force_on_both() {
    let Some(pair) = Pair::start().await else { return };
    let there = pair.at_other(&pair.admin);
    let (mut socket, _) = WebSocket::greeted(&there).await;
    pair.admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": "Everywhere" } })).await.expect(200);
    let name = async || there.get("/config").await.expect(200)["TeamSettings"]["SiteName"].clone();
    until("it is in force", async || name().await == "Everywhere").await;
    assert_eq!(socket.event_named("config_changed").await["data"]["config"]["SiteName"], "Everywhere");
    there.put("/config/patch", json!({ "TeamSettings": { "MaxUsersPerTeam": 77 } })).await.expect(200);
    let here = async || pair.admin.get("/config").await.expect(200)["TeamSettings"].clone();
    until("both changes are in force here", async || {
        let settings = here().await;
        settings["MaxUsersPerTeam"] == 77 && settings["SiteName"] == "Everywhere"
    })
    .await;
}

#[actix_web::test]
async fn the_busy_flag_and_the_licence_are_the_same_on_both() {
    let Some(pair) = Pair::start().await else { return };
    let there = pair.at_other(&pair.admin);
    let is_busy = async |client: &Client| client.get("/server_busy").await.expect(200)["busy"] == true;
    pair.admin.post("/server_busy?seconds=600", json!({})).await.expect_ok();
    until("the other is busy", async || is_busy(&there).await).await;
    there.delete("/server_busy").await.expect_ok();
    until("the first is free again", async || !is_busy(&pair.admin).await).await;
}

#[actix_web::test]
async fn a_licence_is_installed_and_removed_on_both() {
    let Some(bus) = Pair::bus() else { return };
    let seller = Seller::new().await;
    let one = seller.server(&bus.settings()).await;
    let admin = one.admin().await;
    let other = one.start_beside(&seller.settings(&bus.settings())).await;
    let there = admin.at(&other.base);
    let licensed = async |client: &Client| {
        client.get("/license/client?format=old").await.expect(200)["IsLicensed"].as_str().unwrap().to_owned()
    };
    upload(&admin, &seller.license(&[]).await).await.expect(201);
    until("the other has it", async || licensed(&there).await == "true").await;
    there.delete("/license").await.expect_ok();
    until("the first has none", async || licensed(&admin).await == "false").await;
}
