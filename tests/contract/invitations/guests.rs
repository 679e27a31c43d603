//! `POST /teams/{team_id}/invite-guests/email`.

use serde_json::{Value, json};

use super::{Desk, PERMISSIONS, SESSION, settings};
use crate::support::license::{Seller, upload};
use crate::support::smtp::MailServer;
use crate::support::teams::closed_team;
use crate::support::{TestServer, backdoor};

const OFF: &str = "api.team.invite_guests_to_channels.disabled.error";

#[actix_web::test]
async fn guests_are_invited_with_a_licence_and_enter_only_the_named_channels() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let seller = Seller::new().await;
    let server = TestServer::start_with(&seller.settings(&settings(&mail))).await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let team = admin.found(closed_team("crew")).await;
    let mut desk = Desk { server, admin, bert, team, mail };
    let path = format!("/teams/{}/invite-guests/email", desk.team);
    let sql = format!("SELECT id FROM channels WHERE teamid = '{}' AND name = 'off-topic'", desk.team);
    let channel = backdoor::texts_in(desk.server.folder(), &sql).await.swap_remove(0);
    let body = json!({ "emails": ["Gast@guests.example"], "channels": [channel] });
    desk.server.client().post(&path, body.clone()).await.expect_refusal(401, SESSION);
    desk.bert.post(&path, body.clone()).await.expect_refusal(501, "api.team.invite_guests_to_channels.license.error");
    upload(&desk.admin, &seller.license(&["--users", "100"]).await).await.expect(201);
    desk.bert.post(&path, body.clone()).await.expect_refusal(501, OFF);
    let domains = json!({ "Enable": true, "RestrictCreationToDomains": "guests.example" });
    desk.patch(json!({ "GuestAccountsSettings": domains })).await;
    desk.bert.post(&path, body.clone()).await.expect_refusal(403, PERMISSIONS);
    let (emails, of_team) = (json!(["gast@guests.example"]), json!([channel]));
    let rows: [(Value, &str); 7] = [
        (json!([]), "api.team.invite_guests_to_channels.invalid_body.app_error"),
        (json!({ "channels": of_team }), "model.guest.is_valid.emails.app_error"),
        (json!({ "emails": ["none"], "channels": of_team }), "model.guest.is_valid.email.app_error"),
        (json!({ "emails": emails }), "model.guest.is_valid.channels.app_error"),
        (json!({ "emails": emails, "channels": ["short"] }), "model.guest.is_valid.channel.app_error"),
        (
            json!({ "emails": emails, "channels": [channel, "c".repeat(26)] }),
            "api.team.invite_guests.channel_in_invalid_team.app_error",
        ),
        (
            json!({ "emails": ["gast@chat.example"], "channels": of_team }),
            "api.team.invite_members.invalid_email.app_error",
        ),
    ];
    for (body, id) in rows {
        desk.admin.post(&path, body).await.expect_refusal(400, id);
    }
    desk.admin.post(&path, body).await.expect_ok();
    let token = desk.token("gast@guests.example").await;
    let mut guest = super::proposed("gast");
    guest["email"] = json!("gast@guests.example");
    let signup = format!("/users?t={token}");
    desk.patch(json!({ "GuestAccountsSettings": { "Enable": false } })).await;
    desk.server.client().post(&signup, guest.clone()).await.expect_refusal(501, OFF);
    desk.patch(json!({ "GuestAccountsSettings": { "Enable": true } })).await;
    let made = desk.server.client().post(&signup, guest).await.expect(201);
    assert_eq!(made["roles"], "system_guest");
    let id = made["id"].as_str().unwrap();
    assert_eq!(desk.member(id).await.expect(200)["roles"], "team_guest");
    let joined = format!("SELECT channelid FROM channelmembers WHERE userid = '{id}'");
    assert_eq!(backdoor::texts_in(desk.server.folder(), &joined).await, [channel]);
}

#[actix_web::test]
async fn an_invitation_of_a_guest_is_not_for_members() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let seller = Seller::new().await;
    let guests = "[GuestAccountsSettings]\nEnable = true\n";
    let server = TestServer::start_with(&seller.settings(&format!("{guests}{}", settings(&mail)))).await;
    let admin = server.admin().await;
    upload(&admin, &seller.license(&["--users", "100"]).await).await.expect(201);
    let dora = server.user(&admin, "dora").await;
    let team = admin.found(closed_team("crew")).await;
    let channel =
        backdoor::texts_in(server.folder(), "SELECT id FROM channels WHERE name = 'off-topic'").await.swap_remove(0);
    let path = format!("/teams/{team}/invite-guests/email");
    let mut desk = Desk { bert: admin.clone(), admin, server, team, mail };
    let body = json!({ "emails": ["dora@chat.example"], "channels": [channel] });
    let results = desk.admin.post(&format!("{path}?graceful=1"), body).await.expect(200);
    assert_eq!(results, json!([{ "email": "dora@chat.example", "error": null }]));
    let token = desk.token("dora@chat.example").await;
    let refused = dora.post(&format!("/teams/members/invite?token={token}"), json!({})).await;
    refused.expect_refusal(400, "api.user.create_user.invalid_invitation_type.app_error");
}
