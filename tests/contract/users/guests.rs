//! `promote` and `demote`.

use serde_json::json;

use super::server_with_bert;
use crate::support::license::{Seller, upload};
use crate::support::teams::{newcomer, open_team};
use crate::support::waiting::until;
use crate::support::websocket::WebSocket;

const PERMISSIONS: &str = "api.context.permissions.app_error";
const GUESTS: &str = "[GuestAccountsSettings]\nEnable = true\n";

#[actix_web::test]
async fn a_member_becomes_a_guest_at_once_everywhere_and_a_member_again() {
    let seller = Seller::new().await;
    let (server, admin, bert) = server_with_bert(&seller.settings(GUESTS)).await;
    upload(&admin, &seller.license(&["--users", "10"]).await).await.expect(201);
    let team = bert.found(open_team("crew")).await;
    let (demote, promote) = (format!("/users/{}/demote", bert.user_id), format!("/users/{}/promote", bert.user_id));
    let (mut socket, _) = WebSocket::greeted(&bert).await;
    bert.get("/users/stats").await.expect(200);
    admin.post(&demote, json!({})).await.expect_ok();

    let told = socket.event_named("user_role_updated").await;
    assert_eq!(told["data"], json!({ "user_id": bert.user_id, "roles": "system_guest" }));
    let member = socket.event_named("memberrole_updated").await["data"]["member"].as_str().unwrap().to_owned();
    assert!(member.contains("\"roles\":\"team_guest\""), "{member}");
    assert_eq!(bert.get("/users/me").await.expect(200)["roles"], "system_guest");
    assert_eq!(bert.get("/users/me/sessions").await.expect(200)[0]["props"]["is_guest"], "true");
    let refused = bert.post("/teams", open_team("other")).await;
    refused.expect_refusal(403, "api.team.is_team_creation_allowed.disabled.app_error");
    bert.put(&format!("/teams/{team}/patch"), json!({ "display_name": "x" })).await.expect_refusal(403, PERMISSIONS);
    let member = admin.get(&format!("/teams/{team}/members/{}", bert.user_id)).await.expect(200);
    assert_eq!((&member["roles"], &member["scheme_admin"]), (&json!("team_guest"), &json!(false)));
    server.user(&admin, "carla").await;
    admin.put(&format!("/teams/{team}/patch"), json!({ "display_name": "Renamed" })).await.expect(200);
    let mut names = Vec::new();
    let is_over = async || {
        names.push(socket.event().await["event"].as_str().unwrap().to_owned());
        names.last().is_some_and(|name| name == "update_team")
    };
    until("the change of the team", is_over).await;
    assert!(!names.contains(&"new_user".to_owned()), "a guest is not told of others: {names:?}");
    let refused = admin.post(&demote, json!({})).await;
    refused.expect_refusal(501, "api.user.demote_user_to_guest.already_guest.app_error");

    admin.post(&promote, json!({})).await.expect_ok();
    socket.event_named("memberrole_updated").await;
    assert_eq!(bert.get("/users/me").await.expect(200)["roles"], "system_user");
    assert_eq!(bert.get("/users/me/sessions").await.expect(200)[0]["props"]["is_guest"], "false");
    bert.found(open_team("other")).await;
    server.user(&admin, "dora").await;
    socket.event_named("new_user").await;
    let refused = admin.post(&promote, json!({})).await;
    refused.expect_refusal(501, "api.user.promote_guest_to_user.no_guest.app_error");
}

#[actix_web::test]
async fn a_promoted_guest_enters_the_channels_of_all_teams() {
    let (server, admin, bert) = server_with_bert("").await;
    let team = admin.found(open_team("crew")).await;
    admin.post(&format!("/teams/{team}/members"), newcomer(&team, &bert)).await.expect(201);
    let id = &bert.user_id;
    server.execute(&format!("UPDATE users SET roles = 'system_guest' WHERE id = '{id}'")).await;
    server.execute(&format!("DELETE FROM channelmembers WHERE userid = '{id}'")).await;
    admin.post(&format!("/users/{id}/promote"), json!({})).await.expect_ok();
    let sql = format!("SELECT channelid FROM channelmembers WHERE userid = '{id}' AND schemeuser");
    assert_eq!(crate::support::backdoor::texts_in(server.folder(), &sql).await.len(), 2);
}

#[actix_web::test]
async fn demotion_needs_a_licence_the_setting_and_a_right_and_spares_the_last_administrator() {
    let seller = Seller::new().await;
    let (server, admin, bert) = server_with_bert(&seller.settings("")).await;
    let path = format!("/users/{}/demote", bert.user_id);
    server.client().post(&path, json!({})).await.expect_refusal(401, "api.context.session_expired.app_error");
    let refused = admin.post(&path, json!({})).await;
    refused.expect_refusal(501, "api.team.demote_user_to_guest.license.error");
    upload(&admin, &seller.license(&["--users", "10"]).await).await.expect(201);
    let refused = admin.post(&path, json!({})).await;
    refused.expect_refusal(501, "api.team.demote_user_to_guest.disabled.error");
    admin.put("/config/patch", json!({ "GuestAccountsSettings": { "Enable": true } })).await.expect(200);
    bert.post(&path, json!({})).await.expect_refusal(403, PERMISSIONS);
    bert.post(&path.replace("demote", "promote"), json!({})).await.expect_refusal(403, PERMISSIONS);
    let unknown = format!("/users/{}/demote", "x".repeat(26));
    admin.post(&unknown, json!({})).await.expect_refusal(404, "app.user.missing_account.const");
    admin.post("/users/short/demote", json!({})).await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    admin.post("/users/me/demote", json!({})).await.expect_refusal(400, "app.user.update.lastAdmin.app_error");

    let roles = json!({ "roles": "system_user system_admin" });
    admin.put(&format!("/users/{}/roles", bert.user_id), roles).await.expect(200);
    // Of two administrators who demote each other at once, one remains.
    let own = format!("/users/{}/demote", admin.user_id);
    let (one, other) = tokio::join!(admin.post(&path, json!({})), bert.post(&own, json!({})));
    let statuses = [one.status, other.status];
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    let admins = "SELECT id FROM users WHERE roles LIKE '%system_admin%'";
    assert_eq!(crate::support::backdoor::texts_in(server.folder(), admins).await.len(), 1);
}

#[actix_web::test]
async fn only_who_manages_the_system_demotes_an_administrator() {
    let seller = Seller::new().await;
    let (server, admin, bert) = server_with_bert(&seller.settings(GUESTS)).await;
    upload(&admin, &seller.license(&["--users", "10"]).await).await.expect(201);
    let role = admin.get("/roles/name/system_user").await.expect(200);
    let mut permissions = role["permissions"].as_array().unwrap().clone();
    permissions.push(json!("demote_to_guest"));
    let path = format!("/roles/{}/patch", role["id"].as_str().unwrap());
    admin.put(&path, json!({ "permissions": permissions })).await.expect(200);
    let (carla, dora) = (server.user(&admin, "carla").await, server.user(&admin, "dora").await);
    let roles = json!({ "roles": "system_user system_admin" });
    admin.put(&format!("/users/{}/roles", carla.user_id), roles).await.expect(200);
    bert.post(&format!("/users/{}/demote", carla.user_id), json!({})).await.expect_refusal(403, PERMISSIONS);
    bert.post(&format!("/users/{}/demote", dora.user_id), json!({})).await.expect_ok();
}
