//! The roles of members of a team, its invitation id and its permission scheme.

use serde_json::{Value, json};

use crate::support::backdoor::execute_in;
use crate::support::license::{Seller, upload};
use crate::support::teams::{closed_team, newcomer, open_team};
use crate::support::trail::newest_in;
use crate::support::websocket::{WebSocket, quiet};
use crate::support::{Client, TestServer};

const PERMISSIONS: &str = "api.context.permissions.app_error";
const INVALID: &str = "api.context.invalid_body_param.app_error";
const SESSION: &str = "api.context.session_expired.app_error";
const URL: &str = "api.context.invalid_url_param.app_error";

async fn crew(server: &TestServer) -> (Client, Client, String) {
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let team = admin.found(closed_team("crew")).await;
    admin.post(&format!("/teams/{team}/members"), newcomer(&team, &bert)).await.expect(201);
    (admin, bert, team)
}

#[actix_web::test]
async fn a_member_becomes_administrator_of_the_team_and_is_told() {
    let server = quiet("").await;
    let (admin, bert, team) = crew(&server).await;
    let carl = server.user(&admin, "carl").await;
    let path = format!("/teams/{team}/members/{}", bert.user_id);
    let patch = format!("/teams/{team}/patch");
    bert.put(&patch, json!({ "description": "x" })).await.expect_refusal(403, PERMISSIONS);
    let (mut to_bert, _) = WebSocket::greeted(&bert).await;

    admin.put(&format!("{path}/schemeRoles"), json!({ "scheme_user": true, "scheme_admin": true })).await.expect_ok();
    let told = to_bert.event_named("memberrole_updated").await;
    let member: Value = serde_json::from_str(told["data"]["member"].as_str().unwrap()).unwrap();
    assert_eq!((&member["roles"], &member["team_id"]), (&json!("team_user team_admin"), &json!(team)));
    bert.put(&patch, json!({ "description": "x" })).await.expect(200);
    admin.audits().await;
    let record = newest_in(server.folder(), "updateTeamMemberSchemeRoles").await;
    assert_eq!(
        (&record["before"]["roles"], &record["parameters"]["user_id"]),
        (&json!("team_user"), &json!(bert.user_id))
    );

    // The administrator of the team gives and takes roles as well.
    let of_admin = format!("/teams/{team}/members/{}/roles", admin.user_id);
    bert.put(&of_admin, json!({ "roles": "team_user custom_group_user" })).await.expect_ok();
    let shown = admin.get(&format!("/teams/{team}/members/{}", admin.user_id)).await.expect(200);
    assert_eq!((&shown["explicit_roles"], &shown["scheme_admin"]), (&json!("custom_group_user"), &json!(false)));
    admin.put(&format!("{path}/roles"), json!({ "roles": "team_user" })).await.expect_ok();
    bert.put(&patch, json!({ "description": "y" })).await.expect_refusal(403, PERMISSIONS);
    bert.put(&format!("{path}/roles"), json!({ "roles": "team_user team_admin" }))
        .await
        .expect_refusal(403, PERMISSIONS);
    carl.put(&format!("{path}/schemeRoles"), json!({ "scheme_user": true })).await.expect_refusal(403, PERMISSIONS);
}

#[actix_web::test]
async fn roles_of_members_are_refused_in_the_order_of_the_contract() {
    let server = TestServer::start().await;
    let (admin, bert, team) = crew(&server).await;
    let carl = server.user(&admin, "carl").await;
    let (of_bert, nobody) = (format!("/teams/{team}/members/{}", bert.user_id), "x".repeat(26));
    for (part, body) in [("roles", json!({ "roles": "team_user" })), ("schemeRoles", json!({ "scheme_user": true }))] {
        let path = format!("{of_bert}/{part}");
        server.client().put(&path, body.clone()).await.expect_refusal(401, SESSION);
        carl.put(&path, body.clone()).await.expect_refusal(403, PERMISSIONS);
        for unknown in [format!("/teams/{nobody}/members/{}", bert.user_id), format!("/teams/{team}/members/{nobody}")]
        {
            let refused = admin.put(&format!("{unknown}/{part}"), body.clone()).await;
            refused.expect_refusal(404, "app.team.get_member.missing.app_error");
        }
        for short in [format!("/teams/short/members/{nobody}"), format!("/teams/{team}/members/short")] {
            admin.put(&format!("{short}/{part}"), body.clone()).await.expect_refusal(400, URL);
        }
    }
    let unset = "api.team.update_team_member_roles.unset_user_scheme.app_error";
    let both = "api.team.update_team_member_roles.guest_and_user.app_error";
    let guest = "api.channel.update_team_member_roles.changing_guest_role.app_error";
    let system = "api.channel.update_team_member_roles.scheme_role.app_error";
    let rows = [
        ("", unset),
        ("custom_group_user", unset),
        ("team_user team_guest", both),
        ("team_guest", guest),
        ("team_user system_admin", system),
        ("team_user channel_admin", system),
        ("team_user never_made", "app.role.get_by_name.app_error"),
    ];
    for (roles, id) in rows {
        admin.put(&format!("{of_bert}/roles"), json!({ "roles": roles })).await.expect_refusal(400, id);
    }
    carl.put(&format!("{of_bert}/roles"), json!({ "roles": "No Role!" })).await.expect_refusal(400, INVALID);
    admin.put(&format!("{of_bert}/roles"), json!({ "roles": 5 })).await.expect_refusal(400, unset);
    let many = format!("team_user {}", "custom_group_user ".repeat(20));
    let long = "model.team_member.is_valid.roles_limit.app_error";
    admin.put(&format!("{of_bert}/roles"), json!({ "roles": many })).await.expect_refusal(400, long);
    let rows = [
        (
            json!({ "scheme_user": true, "scheme_guest": true }),
            "api.team.update_team_member_roles.user_and_guest.app_error",
        ),
        (json!({ "scheme_admin": true }), unset),
        (json!([]), INVALID),
        (json!({ "scheme_user": "yes" }), INVALID),
    ];
    for (body, id) in rows {
        admin.put(&format!("{of_bert}/schemeRoles"), body).await.expect_refusal(400, id);
    }
    server.execute("UPDATE teammembers SET schemeguest = true, schemeuser = false, schemeadmin = false").await;
    let refused = admin.put(&format!("{of_bert}/schemeRoles"), json!({ "scheme_user": true })).await;
    refused.expect_refusal(400, "api.team.update_team_member_roles.guest.app_error");
    admin.put(&format!("{of_bert}/roles"), json!({ "roles": "team_user" })).await.expect_refusal(400, guest);
    admin.put(&format!("{of_bert}/roles"), json!({ "roles": "team_guest" })).await.expect_ok();
}

#[actix_web::test]
async fn another_invitation_id_is_only_for_those_who_may_invite() {
    let server = quiet("").await;
    let (admin, bert, team) = crew(&server).await;
    let path = format!("/teams/{team}/regenerate_invite_id");
    let before = admin.get(&format!("/teams/{team}")).await.expect(200)["invite_id"].clone();
    let (mut to_bert, _) = WebSocket::greeted(&bert).await;
    let after = admin.post(&path, json!({})).await.expect(200)["invite_id"].clone();
    assert!(after.as_str().unwrap().len() == 26 && after != before);
    let told = to_bert.event_named("update_team").await;
    assert!(!told.to_string().contains(after.as_str().unwrap()), "the id is a secret");
    admin.audits().await;
    let record = newest_in(server.folder(), "regenerateTeamInviteId").await;
    assert!(record["status"] == "success" && !record.to_string().contains(after.as_str().unwrap()), "{record}");
    server.client().post(&path, json!({})).await.expect_refusal(401, SESSION);
    bert.post(&path, json!({})).await.expect_refusal(403, PERMISSIONS);
    admin.post("/teams/short/regenerate_invite_id", json!({})).await.expect_refusal(400, URL);
    let unknown = format!("/teams/{}/regenerate_invite_id", "x".repeat(26));
    admin.post(&unknown, json!({})).await.expect_refusal(404, "app.team.get.find.app_error");
}

#[actix_web::test]
async fn a_scheme_is_taken_from_a_team_and_none_is_given() {
    const LICENSE: &str = "api.team.update_team_scheme.license.error";
    let seller = Seller::new().await;
    let server = seller.server("").await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let team = admin.found(open_team("crew")).await;
    let path = format!("/teams/{team}/scheme");
    let none = json!({ "scheme_id": "" });
    server.client().put(&path, none.clone()).await.expect_refusal(401, SESSION);
    for body in
        [json!({}), json!({ "scheme_id": null }), json!({ "scheme_id": "short" }), json!([]), json!({ "scheme_id": 5 })]
    {
        bert.put(&path, body).await.expect_refusal(400, INVALID);
    }
    bert.put(&path, none.clone()).await.expect_refusal(501, LICENSE);
    server.execute(&format!("UPDATE teams SET schemeid = '{}'", "s".repeat(26))).await;
    admin.put(&path, none.clone()).await.expect_refusal(501, LICENSE);

    let license = seller.license(&["--users", "100"]).await;
    upload(&admin, &license).await.expect(201);
    bert.put(&path, none.clone()).await.expect_refusal(403, PERMISSIONS);
    let given = json!({ "scheme_id": "s".repeat(26) });
    admin.put(&path, given.clone()).await.expect_refusal(404, "app.scheme.get.app_error");
    execute_in(server.folder(), "CREATE TABLE schemes (id text, name text, displayname text, description text, \
         createat bigint, updateat bigint, deleteat bigint, scope text, defaultteamadminrole text, \
         defaultteamuserrole text, defaultchanneladminrole text, defaultchanneluserrole text, defaultteamguestrole text, \
         defaultchannelguestrole text, defaultplaybookadminrole text, defaultplaybookmemberrole text, \
         defaultrunadminrole text, defaultrunmemberrole text)").await;
    let row = |id: &str, scope: &str| {
        format!("INSERT INTO schemes (id, name, deleteat, scope) VALUES ('{}', '{id}', 0, '{scope}')", id.repeat(26))
    };
    execute_in(server.folder(), &row("s", "team")).await;
    execute_in(server.folder(), &row("c", "channel")).await;
    let of_channels = json!({ "scheme_id": "c".repeat(26) });
    admin.put(&path, of_channels).await.expect_refusal(400, "api.team.update_team_scheme.scheme_scope.error");
    admin.put(&path, given).await.expect_refusal(501, LICENSE);
    admin
        .put(&format!("/teams/{}/scheme", "x".repeat(26)), none.clone())
        .await
        .expect_refusal(404, "app.team.get.find.app_error");
    let mut socket = WebSocket::of(&admin, "").await;
    admin.put(&path, none).await.expect_ok();
    let told = socket.event_named("update_team_scheme").await;
    let shown: Value = serde_json::from_str(told["data"]["team"].as_str().unwrap()).unwrap();
    assert_eq!(shown["scheme_id"], Value::Null);
    admin.audits().await;
    assert_eq!(newest_in(server.folder(), "updateTeamScheme").await["before"]["scheme_id"], "s".repeat(26));
}

#[actix_web::test]
async fn members_without_a_group_are_refused_as_groups_are() {
    let server = TestServer::start().await;
    let (admin, bert, team) = crew(&server).await;
    let path = format!("/teams/{team}/members_minus_group_members");
    let (one, two) = ("g".repeat(26), "h".repeat(26));
    server.client().get(&path).await.expect_refusal(401, SESSION);
    for groups in ["", "?group_ids=", "?group_ids=short"] {
        bert.get(&format!("{path}{groups}")).await.expect_refusal(400, INVALID);
    }
    let named = format!("{path}?group_ids={one},{two}");
    bert.get(&named).await.expect_refusal(403, PERMISSIONS);
    admin.get(&named).await.expect_refusal(501, "api.license_error");
    admin.get(&format!("/teams/short/members_minus_group_members?group_ids={one}")).await.expect_refusal(400, URL);
}
