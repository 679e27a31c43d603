//! `POST /teams/members/invite` and `GET /teams/invite/{invite_id}`.

use serde_json::json;

use super::{Desk, SESSION, UNKNOWN};
use crate::support::TestServer;
use crate::support::smtp::MailServer;
use crate::support::teams::open_team;
use crate::support::trail::newest_in;

#[actix_web::test]
async fn a_user_joins_with_the_token_that_was_sent_to_the_own_address() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    let (dora, emil) = (desk.server.user(&desk.admin, "dora").await, desk.server.user(&desk.admin, "emil").await);
    let token = desk.invited("dora@chat.example").await;
    let path = format!("/teams/members/invite?token={token}");
    desk.server.client().post(&path, json!({})).await.expect_refusal(401, SESSION);
    emil.post(&path, json!({})).await.expect_refusal(400, "api.user.create_user.bad_token_email_data.app_error");
    let joined = dora.post(&path, json!({})).await.expect(201);
    assert_eq!((&joined["user_id"], &joined["roles"]), (&json!(dora.user_id), &json!("team_user")));
    dora.post(&path, json!({})).await.expect_refusal(400, UNKNOWN);
    desk.admin.audits().await;
    // A member who is invited again stays a member, and the token is used up, also in a full team.
    desk.patch(json!({ "TeamSettings": { "MaxUsersPerTeam": 1 } })).await;
    let again = desk.invited("dora@chat.example").await;
    let path = format!("/teams/members/invite?token={again}");
    dora.post(&path, json!({})).await.expect(201);
    dora.post(&path, json!({})).await.expect_refusal(400, UNKNOWN);
    let token = desk.invited("emil@chat.example").await;
    let refused = emil.post(&format!("/teams/members/invite?token={token}"), json!({})).await;
    refused.expect_refusal(400, "app.team.join_user_to_team.save_member.max_accounts.app_error");
    desk.admin.audits().await;
    let record = newest_in(desk.server.folder(), "addUserToTeamFromInvite").await;
    assert_eq!((&record["parameters"]["by_mail"], &record["parameters"]["team_id"]), (&json!(true), &json!(desk.team)));
}

#[actix_web::test]
async fn a_user_joins_with_the_invitation_id_and_a_guest_does_not() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (bert, carl) = (server.user(&admin, "bert").await, server.user(&admin, "carl").await);
    let team = admin.found(open_team("crew")).await;
    let invite_id = admin.get(&format!("/teams/{team}")).await.expect(200)["invite_id"].as_str().unwrap().to_owned();
    let path = format!("/teams/members/invite?invite_id={invite_id}");
    bert.post("/teams/members/invite", json!({}))
        .await
        .expect_refusal(400, "api.team.add_user_to_team.missing_parameter.app_error");
    let unknown = format!("/teams/members/invite?invite_id={}", "x".repeat(26));
    bert.post(&unknown, json!({})).await.expect_refusal(404, "app.team.get_by_invite_id.finding.app_error");
    bert.post("/teams/members/invite?token=x", json!({})).await.expect_refusal(400, UNKNOWN);
    assert_eq!(bert.post(&path, json!({})).await.expect(201)["team_id"], team.as_str());
    bert.post(&path, json!({})).await.expect(201);
    server.execute("UPDATE users SET roles = 'system_guest' WHERE username = 'carl'").await;
    let refused = carl.post(&path, json!({})).await;
    refused.expect_refusal(403, "api.team.add_user_to_team_from_invite.guest.app_error");
    server.execute("UPDATE users SET roles = 'system_user' WHERE username = 'carl'").await;
    server.execute("UPDATE teams SET alloweddomains = 'other.example'").await;
    carl.post(&path, json!({})).await.expect_refusal(400, "api.team.join_user_to_team.allowed_domains.app_error");
}

#[actix_web::test]
async fn an_invitation_id_tells_of_an_open_team_only() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let team = admin.found(open_team("crew")).await;
    let invite_id = admin.get(&format!("/teams/{team}")).await.expect(200)["invite_id"].as_str().unwrap().to_owned();
    let path = format!("/teams/invite/{invite_id}");
    let told = server.client().get(&path).await.expect(200);
    assert_eq!(told, json!({ "display_name": "Team crew", "description": "", "name": "crew", "id": team }));
    let unknown = format!("/teams/invite/{}", "x".repeat(26));
    server.client().get(&unknown).await.expect_refusal(404, "app.team.get_by_invite_id.finding.app_error");
    server.execute("UPDATE teams SET type = 'I'").await;
    server.client().get(&path).await.expect_refusal(403, "api.team.get_invite_info.not_open_team");
    server.execute("UPDATE teams SET type = 'O', deleteat = 7").await;
    server.client().get(&path).await.expect_refusal(404, "app.team.get_by_invite_id.finding.app_error");
}
