//! Teams that are renamed, opened and closed, archived, restored and deleted, and members who leave.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::backdoor::texts_in;
use crate::support::teams::{closed_team, newcomer, open_team};
use crate::support::trail::{all_text_in, newest_in};
use crate::support::websocket::{WebSocket, quiet};
use crate::support::{Client, TestServer};

const PERMISSIONS: &str = "api.context.permissions.app_error";
const INVALID: &str = "api.context.invalid_body_param.app_error";

#[actix_web::test]
async fn a_team_is_renamed_in_full_or_in_part_and_its_members_are_told() {
    let server = quiet("").await;
    let (admin, bert, carl) = crew_of_three(&server).await;
    let id = admin.found(closed_team("crew")).await;
    admin.post(&format!("/teams/{id}/members"), newcomer(&id, &bert)).await.expect(201);
    let path = format!("/teams/{id}");
    let (mut to_bert, _) = WebSocket::greeted(&bert).await;
    let (mut to_carl, _) = WebSocket::greeted(&carl).await;

    let patch =
        json!({ "display_name": "The\u{feff} Crew", "description": "Sails", "name": "other", "email": "x@y.z" });
    let changed = admin.put(&format!("{path}/patch"), patch).await.expect(200);
    assert_eq!((&changed["display_name"], &changed["description"]), (&json!("The Crew"), &json!("Sails")));
    assert_eq!((&changed["name"], &changed["email"]), (&json!("crew"), &json!("admin@chat.example")));
    let told = to_bert.event_named("update_team").await;
    assert_eq!(told["broadcast"]["team_id"], id.as_str());
    let shown: Value = serde_json::from_str(told["data"]["team"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&shown["display_name"], &shown["email"], &shown["invite_id"]),
        (&json!("The Crew"), &json!(""), &json!(""))
    );

    let mut whole = admin.get(&path).await.expect(200);
    whole["display_name"] = json!("Renamed");
    whole.as_object_mut().unwrap().remove("description");
    let changed = admin.put(&path, whole.clone()).await.expect(200);
    assert_eq!((&changed["display_name"], &changed["description"]), (&json!("Renamed"), &json!("")));
    assert!(changed["update_at"].as_i64() > whole["update_at"].as_i64());
    to_bert.event_named("update_team").await;
    assert!(to_carl.is_silent().await, "a closed team is none of theirs");
    admin.put(&path, whole).await.expect(200);
    assert!(to_bert.is_silent().await, "nothing changed");
}

#[actix_web::test]
async fn a_change_of_a_team_is_refused_in_the_order_of_the_contract() {
    let server = TestServer::start_with("[TeamSettings]\nRestrictCreationToDomains = \"chat.example\"\n").await;
    let (admin, bert, _) = crew_of_three(&server).await;
    let id = admin.found(closed_team("crew")).await;
    let nobody = "x".repeat(26);
    for part in ["", "/patch", "/privacy"] {
        let path = format!("/teams/{id}{part}");
        let body = json!({ "id": id, "display_name": "x", "privacy": "O" });
        server.client().put(&path, body.clone()).await.expect_refusal(401, "api.context.session_expired.app_error");
        bert.put(&path, json!([])).await.expect_refusal(400, INVALID);
        bert.put(&path, body.clone()).await.expect_refusal(403, PERMISSIONS);
        bert.put(&format!("/teams/{nobody}{part}"), json!({ "id": nobody, "privacy": "O" })).await.expect(403);
        let unknown = json!({ "id": nobody, "privacy": "O" });
        let refused = admin.put(&format!("/teams/{nobody}{part}"), unknown).await;
        refused.expect_refusal(404, "app.team.get.find.app_error");
        admin
            .put(&format!("/teams/short{part}"), body)
            .await
            .expect_refusal(400, "api.context.invalid_url_param.app_error");
    }
    let path = format!("/teams/{id}");
    admin.put(&path, json!({ "display_name": "x" })).await.expect_refusal(400, INVALID);
    admin.put(&path, json!({ "id": bert.user_id, "display_name": "x" })).await.expect_refusal(400, INVALID);
    admin.put(&path, json!({ "id": id })).await.expect_refusal(400, "model.team.is_valid.name.app_error");
    for privacy in [json!("o"), json!(""), json!(1), json!(null)] {
        admin.put(&format!("{path}/privacy"), json!({ "privacy": privacy })).await.expect_refusal(400, INVALID);
    }
    for (field, length, rule) in
        [("display_name", 65, "name"), ("description", 256, "description"), ("company_name", 65, "company")]
    {
        let refused = admin.put(&format!("{path}/patch"), json!({ field: "ä".repeat(length) })).await;
        refused.expect_refusal(400, &format!("model.team.is_valid.{rule}.app_error"));
    }
    let refused = admin.put(&format!("{path}/patch"), json!({ "allowed_domains": "chat.example, else.example" })).await;
    refused.expect_refusal(400, "api.team.update_restricted_domains.mismatch.app_error");
    admin.put(&format!("{path}/patch"), json!({ "allowed_domains": "@Chat.example" })).await.expect(200);
}

#[actix_web::test]
async fn a_team_that_is_closed_gets_another_invitation() {
    let server = TestServer::start().await;
    let (admin, bert, _) = crew_of_three(&server).await;
    let id = admin.found(closed_team("crew")).await;
    let path = format!("/teams/{id}");
    let first = admin.get(&path).await.expect(200)["invite_id"].clone();
    let opened = admin.put(&format!("{path}/privacy"), json!({ "privacy": "O" })).await.expect(200);
    assert_eq!(
        (&opened["type"], &opened["allow_open_invite"], &opened["invite_id"]),
        (&json!("O"), &json!(true), &first)
    );
    bert.get(&path).await.expect(200);
    let closed = admin.put(&format!("{path}/privacy"), json!({ "privacy": "I" })).await.expect(200);
    assert_eq!((&closed["type"], &closed["allow_open_invite"]), (&json!("I"), &json!(false)));
    assert_ne!(closed["invite_id"], first);
    bert.get(&path).await.expect_refusal(403, PERMISSIONS);
    admin.audits().await;
    let recorded = newest_in(server.folder(), "updateTeamPrivacy").await;
    assert_eq!((&recorded["parameters"]["privacy"], &recorded["before"]["type"]), (&json!("I"), &json!("O")));
    assert!(!all_text_in(server.folder()).await.contains(first.as_str().unwrap()));
}

#[actix_web::test]
async fn an_archived_team_is_listed_for_no_member_until_it_is_restored() {
    let server = quiet("").await;
    let (admin, bert, carl) = crew_of_three(&server).await;
    let (open, closed) = (admin.found(open_team("open")).await, admin.found(closed_team("closed")).await);
    for team in [&open, &closed] {
        admin.post(&format!("/teams/{team}/members"), newcomer(team, &bert)).await.expect(201);
    }
    let (mut to_bert, _) = WebSocket::greeted(&bert).await;
    let (mut to_carl, _) = WebSocket::greeted(&carl).await;
    for team in [&open, &closed] {
        bert.delete(&format!("/teams/{team}")).await.expect_refusal(403, PERMISSIONS);
        admin.delete(&format!("/teams/{team}")).await.expect_ok();
        assert_eq!(to_bert.event_named("delete_team").await["data"].as_object().unwrap().len(), 1);
        assert!(admin.get(&format!("/teams/{team}")).await.expect(200)["delete_at"].as_i64().unwrap() > 0);
    }
    assert_eq!(to_carl.event().await["event"], "delete_team");
    assert!(to_carl.is_silent().await, "the closed team is none of theirs");
    assert_eq!(bert.get("/users/me/teams").await.expect(200), json!([]));
    let again = admin.get(&format!("/teams/{open}")).await.expect(200)["delete_at"].clone();
    admin.delete(&format!("/teams/{open}")).await.expect_ok();
    assert_eq!(admin.get(&format!("/teams/{open}")).await.expect(200)["delete_at"], again, "it was archived before");

    let restored = admin.post(&format!("/teams/{closed}/restore"), json!({})).await.expect(200);
    assert_eq!((&restored["id"], &restored["delete_at"]), (&json!(closed), &json!(0)));
    to_bert.event_named("restore_team").await;
    assert_eq!(bert.get("/users/me/teams").await.expect(200)[0]["id"], closed.as_str());
    bert.post(&format!("/teams/{closed}/restore"), json!({})).await.expect_refusal(403, PERMISSIONS);
}

#[actix_web::test]
async fn a_team_is_deleted_for_good_only_where_the_settings_allow_it() {
    let server = TestServer::start().await;
    let (admin, bert, _) = crew_of_three(&server).await;
    let id = admin.found(open_team("crew")).await;
    let path = format!("/teams/{id}?permanent=1");
    admin.delete(&path).await.expect_refusal(401, "api.user.delete_team.not_enabled.app_error");
    assert_eq!(admin.get(&format!("/teams/{id}")).await.expect(200)["delete_at"], 0, "it is not even archived");
    admin.put("/config/patch", json!({ "ServiceSettings": { "EnableAPITeamDeletion": true } })).await.expect(200);
    bert.delete(&path).await.expect_refusal(403, PERMISSIONS);
    admin.delete(&path).await.expect_ok();
    admin.get(&format!("/teams/{id}")).await.expect_refusal(404, "app.team.get.find.app_error");
    admin.delete(&path).await.expect_refusal(404, "app.team.get.find.app_error");
    let rows =
        texts_in(server.folder(), "SELECT channelid FROM channelmembers UNION ALL SELECT id FROM channels").await;
    assert_eq!(rows, Vec::<String>::new());
    admin.found(open_team("crew")).await;
}

#[actix_web::test]
async fn a_member_is_removed_by_those_who_may_and_hears_nothing_of_the_team_afterwards() {
    let server = quiet("").await;
    let (admin, bert, carl) = crew_of_three(&server).await;
    let id = bert.found(open_team("crew")).await;
    let path = format!("/teams/{id}/members");
    carl.post(&path, newcomer(&id, &carl)).await.expect(201);
    let (mut to_bert, _) = WebSocket::greeted(&bert).await;
    let (mut to_carl, _) = WebSocket::greeted(&carl).await;
    let berts = format!("{path}/{}", bert.user_id);
    carl.delete(&berts).await.expect_refusal(403, PERMISSIONS);
    bert.delete(&format!("{path}/{}", carl.user_id)).await.expect_ok();
    let expected = json!({ "team_id": id, "user_id": carl.user_id });
    assert_eq!(to_bert.event_named("leave_team").await["data"], expected);
    assert_eq!(to_carl.event_named("leave_team").await["data"], expected);
    bert.put(&format!("/teams/{id}/patch"), json!({ "display_name": "New" })).await.expect(200);
    to_bert.event_named("update_team").await;
    assert!(to_carl.is_silent().await);
    assert_eq!(carl.get("/users/me/teams").await.expect(200), json!([]));
    let sql = format!("SELECT channelid FROM channelmembers WHERE userid = '{}'", carl.user_id);
    assert_eq!(texts_in(server.folder(), &sql).await, Vec::<String>::new());

    bert.delete(&format!("{path}/{}", carl.user_id)).await.expect_ok();
    let never = format!("{path}/{}", admin.user_id);
    bert.delete(&never).await.expect_refusal(400, "api.team.remove_user_from_team.missing.app_error");
    bert.delete(&format!("{path}/{}", "x".repeat(26))).await.expect_refusal(404, "app.user.missing_account.const");
    bert.delete(&format!("{path}/short")).await.expect_refusal(400, "api.context.invalid_url_param.app_error");
    server.client().delete(&berts).await.expect_refusal(401, "api.context.session_expired.app_error");
    bert.delete(&format!("{path}/me")).await.expect_ok();
    carl.post(&path, newcomer(&id, &carl)).await.expect(201);
}

#[actix_web::test]
async fn members_whom_groups_determine_are_not_removed_by_others() {
    let server = TestServer::start().await;
    let (admin, bert, carl) = crew_of_three(&server).await;
    let id = admin.found(open_team("crew")).await;
    let path = format!("/teams/{id}/members");
    for user in [&bert, &carl] {
        admin.post(&path, newcomer(&id, user)).await.expect(201);
    }
    server.execute("UPDATE teams SET groupconstrained = true").await;
    let refused = admin.delete(&format!("{path}/{}", bert.user_id)).await;
    refused.expect_refusal(400, "api.team.remove_member.group_constrained.app_error");
    bert.delete(&format!("{path}/me")).await.expect_ok();
}

#[actix_web::test]
async fn a_search_finds_teams_that_the_caller_may_list_and_pages_them_for_those_who_list_all() {
    let server = TestServer::start().await;
    let (admin, bert, _) = crew_of_three(&server).await;
    let (open, closed) = (admin.found(open_team("open-crew")).await, admin.found(closed_team("closed-crew")).await);
    admin.found(open_team("rest")).await;
    admin.delete(&format!("/teams/{open}")).await.expect_ok();
    let ids = |found: &Value| found.as_array().unwrap().iter().map(|team| team["id"].clone()).collect::<Vec<_>>();
    let found = admin.post("/teams/search", json!({ "term": "CREW" })).await.expect(200);
    assert_eq!(ids(&found), [json!(closed), json!(open)], "archived ones too");
    let page = admin.post("/teams/search", json!({ "term": "crew", "page": 1, "per_page": 1 })).await.expect(200);
    assert_eq!((ids(&page["teams"]), &page["total_count"]), (vec![json!(open)], &json!(2)));
    let found = bert.post("/teams/search", json!({ "term": "crew" })).await.expect(200);
    assert_eq!((ids(&found), &found[0]["invite_id"]), (vec![json!(open)], &json!("")));
    let refused = bert.post("/teams/search", json!({ "term": "crew", "page": 0 })).await;
    refused.expect_refusal(501, "api.team.search_teams.pagination_not_implemented.public_team_search");
    let refused = bert.post("/teams/search", json!({ "term": "x", "exclude_policy_constrained": true })).await;
    refused.expect_refusal(403, PERMISSIONS);
    bert.post("/teams/search", json!([])).await.expect_refusal(400, INVALID);
    server.client().post("/teams/search", json!({})).await.expect_refusal(401, "api.context.session_expired.app_error");
    for body in
        [json!({ "term": "x".repeat(60_000) }), json!({ "term": "crew", "page": i64::MAX, "per_page": i64::MAX })]
    {
        let found = admin.post("/teams/search", body).await.expect(200);
        assert_eq!(*found.get("teams").unwrap_or(&found), json!([]));
    }
    let negative = json!({ "term": "crew", "page": -1, "per_page": -5 });
    assert_eq!(admin.post("/teams/search", negative).await.expect(200)["total_count"], 2);
    admin.post("/server_busy?seconds=60", json!({})).await.expect_ok();
    bert.post("/teams/search", json!({ "term": "x" })).await.expect_refusal(503, "api.context.server_busy.app_error");
}

#[actix_web::test]
async fn of_a_deletion_and_a_join_at_once_no_membership_without_a_team_remains() {
    let server = TestServer::start_with("[ServiceSettings]\nEnableAPITeamDeletion = true\n").await;
    let (admin, bert, _) = crew_of_three(&server).await;
    for round in 0..8 {
        let id = admin.found(open_team(&format!("crew-{round}"))).await;
        let (path, members) = (format!("/teams/{id}?permanent=true"), format!("/teams/{id}/members"));
        let (deleted, joined) = tokio::join!(admin.delete(&path), bert.post(&members, newcomer(&id, &bert)));
        deleted.expect_ok();
        assert!([201, 404].contains(&joined.status), "{}", joined.status);
    }
    assert_eq!(texts_in(server.folder(), "SELECT teamid FROM teammembers").await, Vec::<String>::new());
}

#[actix_web::test]
async fn a_change_by_a_page_of_another_site_is_refused() {
    let server = TestServer::start().await;
    let (admin, ..) = crew_of_three(&server).await;
    let id = admin.found(open_team("crew")).await;
    let cookie = format!("MMAUTHTOKEN={}", admin.token.as_deref().unwrap());
    let reply = server.client().send(Method::DELETE, &format!("/teams/{id}"), None, &[("Cookie", &cookie)]).await;
    assert_eq!(reply.status, 401, "a cookie without the CSRF token");
    assert_eq!(admin.get(&format!("/teams/{id}")).await.expect(200)["delete_at"], 0);
}

async fn crew_of_three(server: &TestServer) -> (Client, Client, Client) {
    let admin = server.admin().await;
    let (bert, carl) = (server.user(&admin, "bert").await, server.user(&admin, "carl").await);
    (admin, bert, carl)
}
