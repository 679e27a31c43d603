//! `POST /users` with the token of an invitation, or with the invitation id of a team.

use futures_util::future::join;
use serde_json::{Value, json};

use super::{DISABLED, Desk, SESSION, UNKNOWN, proposed, settings};
use crate::support::license::{Seller, upload};
use crate::support::smtp::MailServer;
use crate::support::teams::{closed_team, open_team};
use crate::support::trail::newest_in;
use crate::support::websocket::WebSocket;
use crate::support::{TestServer, backdoor, database};

const OFF: &str = "api.user.create_user.signup_email_disabled.app_error";
const OTHER: &str = "api.user.create_user.bad_token_email_data.app_error";
const EXPIRED: &str = "api.user.create_user.signup_link_expired.app_error";
const FULL: &str = "app.team.join_user_to_team.save_member.max_accounts.app_error";

#[actix_web::test]
async fn an_invited_person_signs_up_once_and_is_a_member() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    let mut socket = WebSocket::of(&desk.bert, "").await;
    let (first, token) = (desk.invited("dora@chat.example").await, desk.invited("dora@chat.example").await);
    desk.sign_up(&token, "emil").await.expect_refusal(400, OTHER);
    let mut weak = proposed("dora");
    weak["password"] = json!("x");
    let path = format!("/users?t={token}");
    desk.server.client().post(&path, weak).await.expect_refusal(400, "model.user.is_valid.pwd_min_length.app_error");
    let mut wished = proposed("dora");
    wished["email"] = json!(" DORA@chat.example ");
    wished["roles"] = json!("system_admin");
    let made = desk.server.client().post(&path, wished).await.expect(201);
    assert_eq!((&made["roles"], &made["email_verified"]), (&json!("system_user"), &json!(true)));
    let id = made["id"].as_str().unwrap();
    assert_eq!(desk.member(id).await.expect(200)["roles"], "team_user");
    socket.event_named("new_user").await;
    assert_eq!(socket.event_named("user_added").await["data"]["user_id"], id);
    desk.admin.audits().await;
    let record = newest_in(desk.server.folder(), "createUser").await;
    assert_eq!((&record["status"], &record["parameters"]["by_mail"]), (&json!("success"), &json!(true)), "{record}");
    for used in [&token, &first] {
        desk.sign_up(used, "dora").await.expect_refusal(404, UNKNOWN);
    }
    let dora = desk.server.login("dora").await;
    assert_eq!(dora.get("/users/me/teams").await.expect(200)[0]["id"], desk.team.as_str());
}

#[actix_web::test]
async fn of_two_with_one_token_one_wins() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    let token = desk.invited("dora@chat.example").await;
    let other =
        if database::base().is_some() { Some(desk.server.start_beside(&settings(&desk.mail)).await) } else { None };
    let second = other.as_ref().unwrap_or(&desk.server).client();
    let path = format!("/users?t={token}");
    let mut rival = proposed("rival");
    rival["email"] = json!("dora@chat.example");
    let (one, two) = join(desk.sign_up(&token, "dora"), second.post(&path, rival)).await;
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert!(statuses[0] == 201 && [400, 404].contains(&statuses[1]), "{statuses:?}");
    let made = backdoor::texts_in(desk.server.folder(), "SELECT id FROM users WHERE email = 'dora@chat.example'").await;
    assert_eq!(made.len(), 1);
    desk.member(&made[0]).await.expect(200);
}

#[actix_web::test]
async fn an_invitation_holds_for_two_days_and_only_while_the_settings_allow_it() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    let token = desk.invited("dora@chat.example").await;
    let switched =
        async |section: &str, name: &str, value: Value| desk.patch(json!({ section: { name: value } })).await;
    for (section, name, id) in [
        ("TeamSettings", "EnableUserCreation", OFF),
        ("EmailSettings", "EnableSignUpWithEmail", OFF),
        ("ServiceSettings", "EnableEmailInvitations", DISABLED),
    ] {
        switched(section, name, json!(false)).await;
        desk.sign_up(&token, "dora").await.expect_refusal(501, id);
        switched(section, name, json!(true)).await;
    }
    switched("TeamSettings", "RestrictCreationToDomains", json!("other.example")).await;
    desk.sign_up(&token, "dora").await.expect_refusal(400, "api.user.create_user.accepted_domain.app_error");
    switched("TeamSettings", "RestrictCreationToDomains", json!("")).await;
    switched("TeamSettings", "MaxUsersPerTeam", json!(2)).await;
    desk.sign_up(&token, "dora").await.expect_refusal(400, FULL);
    switched("TeamSettings", "MaxUsersPerTeam", json!(50)).await;
    let path = format!("/teams/{}", desk.team);
    desk.admin.put(&format!("{path}/patch"), json!({ "allowed_domains": "other.example" })).await.expect(200);
    desk.sign_up(&token, "dora").await.expect_refusal(400, "api.team.join_user_to_team.allowed_domains.app_error");
    desk.admin.put(&format!("{path}/patch"), json!({ "allowed_domains": "" })).await.expect(200);
    desk.admin.delete(&path).await.expect_ok();
    desk.sign_up(&token, "dora").await.expect_refusal(404, "app.team.get.find.app_error");
    desk.admin.post(&format!("{path}/restore"), json!({})).await.expect(200);
    desk.server.execute("UPDATE tokens SET createat = createat - 172800000").await;
    desk.sign_up(&token, "dora").await.expect_refusal(400, EXPIRED);
    desk.server.execute("UPDATE tokens SET createat = createat + 3600000").await;
    desk.sign_up(&token, "dora").await.expect(201);
}

#[actix_web::test]
async fn an_invited_account_counts_against_the_limit_of_accounts() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let seller = Seller::new().await;
    let server = TestServer::start_with(&seller.settings(&settings(&mail))).await;
    let admin = server.admin().await;
    let license = json!({
        "id": "a".repeat(26), "expires_at": i64::MAX, "customer": {}, "features": { "users": 2 },
        "is_seat_count_enforced": true, "extra_users": 0,
    });
    upload(&admin, &seller.signed(&license.to_string()).await).await.expect(201);
    server.user(&admin, "bert").await;
    let team = admin.found(closed_team("crew")).await;
    let mut desk = Desk { bert: admin.clone(), admin, server, team, mail };
    let token = desk.invited("dora@chat.example").await;
    let full = "api.user.create_user.license_user_limits.exceeded";
    desk.sign_up(&token, "dora").await.expect_refusal(400, full);
    let bert = desk.admin.get("/users/username/bert").await.expect(200)["id"].clone();
    let path = format!("/users/{}/active", bert.as_str().unwrap());
    desk.admin.put(&path, json!({ "active": false })).await.expect_ok();
    desk.sign_up(&token, "dora").await.expect(201);
}

#[actix_web::test]
async fn the_invitation_id_of_a_team_makes_a_member() {
    let server = TestServer::start_with("[TeamSettings]\nRestrictCreationToDomains = \"chat.example\"\n").await;
    let admin = server.admin().await;
    let team = admin.found(open_team("crew")).await;
    let invite_id = admin.get(&format!("/teams/{team}")).await.expect(200)["invite_id"].as_str().unwrap().to_owned();
    let path = format!("/users?iid={invite_id}");
    let site = server.client();
    site.post("/users", proposed("dora")).await.expect_refusal(403, "api.user.create_user.no_open_server");
    let unknown = site.post(&format!("/users?iid={}", "x".repeat(26)), proposed("dora")).await;
    unknown.expect_refusal(404, "app.team.get_by_invite_id.finding.app_error");
    let mut elsewhere = proposed("dora");
    elsewhere["email"] = json!("dora@other.example");
    site.post(&path, elsewhere).await.expect_refusal(400, "api.user.create_user.accepted_domain.app_error");
    let of_team = format!("UPDATE teams SET alloweddomains = 'elsewhere.example' WHERE id = '{team}'");
    server.execute(&of_team).await;
    let refused = site.post(&path, proposed("dora")).await;
    refused.expect_refusal(403, "api.team.invite_members.invalid_email.app_error");
    server.execute("UPDATE teams SET alloweddomains = '', groupconstrained = true").await;
    site.post(&path, proposed("dora")).await.expect_refusal(403, "app.team.invite_id.group_constrained.error");
    server.execute("UPDATE teams SET groupconstrained = NULL").await;
    let made = site.post(&path, proposed("dora")).await.expect(201);
    assert_ne!(made["email_verified"], true, "no mail proves the address");
    let member = format!("/teams/{team}/members/{}", made["id"].as_str().unwrap());
    assert_eq!(admin.get(&member).await.expect(200)["roles"], "team_user");
    admin.post(&format!("/teams/{team}/regenerate_invite_id"), json!({})).await.expect(200);
    site.post(&path, proposed("emil")).await.expect_refusal(404, "app.team.get_by_invite_id.finding.app_error");
    admin.put("/config/patch", json!({ "TeamSettings": { "EnableUserCreation": false } })).await.expect(200);
    let renewed = admin.get(&format!("/teams/{team}")).await.expect(200)["invite_id"].as_str().unwrap().to_owned();
    site.post(&format!("/users?iid={renewed}"), proposed("emil")).await.expect_refusal(501, OFF);
    site.get("/users/me").await.expect_refusal(401, SESSION);
}

#[actix_web::test]
async fn the_page_of_the_link_is_there_and_not_cached() {
    let server = TestServer::start().await;
    let page = server.client().get("//signup_user_complete?d=%7B%7D&t=x").await;
    assert!(page.status == 200 && page.text().contains("Make the account"), "{page:?}");
    assert_eq!(
        (page.header("cache-control"), page.header("referrer-policy")),
        ("no-store".into(), "no-referrer".into())
    );
}
