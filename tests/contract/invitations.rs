//! Invitations: `teams/{team_id}/invite/email`, and what the mails open.

mod guests;
mod members;
mod sign_up;

use futures_util::future::join;
use serde_json::{Value, json};

use crate::support::smtp::MailServer;
use crate::support::teams::{closed_team, newcomer};
use crate::support::trail::{all_text_in, newest_in};
use crate::support::{Client, Reply, TestServer, backdoor};

const PERMISSIONS: &str = "api.context.permissions.app_error";
const SESSION: &str = "api.context.session_expired.app_error";
const INVALID: &str = "api.context.invalid_body_param.app_error";
const UNSENT: &str = "api.team.invite_members.unable_to_send_email.app_error";
const TOO_MANY: &str = "app.email.rate_limit_exceeded.app_error";
const DISABLED: &str = "api.team.invite_members.disabled.app_error";
const ADDRESSES: &str = "api.team.invite_members.invalid_email.app_error";
const UNKNOWN: &str = "api.user.create_user.signup_link_invalid.app_error";

/// A server with an administrator, a team by invitation with its member bert, and a mail server.
pub(super) struct Desk {
    server: TestServer,
    admin: Client,
    bert: Client,
    team: String,
    mail: MailServer,
}

impl Desk {
    async fn new(mail: MailServer) -> Self {
        let server = TestServer::start_with(&settings(&mail)).await;
        let admin = server.admin().await;
        let bert = server.user(&admin, "bert").await;
        let team = admin.found(closed_team("crew")).await;
        admin.post(&format!("/teams/{team}/members"), newcomer(&team, &bert)).await.expect(201);
        Self { server, admin, bert, team, mail }
    }

    fn path(&self) -> String {
        format!("/teams/{}/invite/email", self.team)
    }

    /// Invites one address as bert and returns the token in the mail.
    async fn invited(&mut self, email: &str) -> String {
        self.bert.post(&self.path(), json!([email])).await.expect_ok();
        self.token(email).await
    }

    /// Returns the token in the next mail, which goes to `email`.
    async fn token(&mut self, email: &str) -> String {
        let mail = self.mail.next("mail").await;
        assert_eq!(mail["recipients"], json!([email]));
        let text = mail["message"].as_str().unwrap().replace("=\r\n", "").replace("=3D", "=");
        let (_, link) = text.split_once("https://chat.example/team/signup_user_complete?d=").unwrap();
        let (_, token) = link.split_once("&t=").unwrap();
        token.chars().take_while(char::is_ascii_alphanumeric).collect()
    }

    /// Signs up with a token.
    async fn sign_up(&self, token: &str, name: &str) -> Reply {
        self.server.client().post(&format!("/users?t={token}"), proposed(name)).await
    }

    async fn patch(&self, settings: Value) {
        self.admin.put("/config/patch", settings).await.expect(200);
    }

    async fn member(&self, user_id: &str) -> Reply {
        self.admin.get(&format!("/teams/{}/members/{user_id}", self.team)).await
    }
}

fn settings(mail: &MailServer) -> String {
    format!(
        "[ServiceSettings]\nSiteURL = \"https://chat.example/team\"\n\
         [EmailSettings]\nSMTPServer = \"127.0.0.1\"\nSMTPPort = \"{}\"\n",
        mail.port
    )
}

fn proposed(name: &str) -> Value {
    crate::support::server::account(name)
}

#[actix_web::test]
async fn an_invitation_is_refused_in_the_order_of_the_contract() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (bert, carl) = (server.user(&admin, "bert").await, server.user(&admin, "carl").await);
    let team = admin.found(closed_team("crew")).await;
    admin.post(&format!("/teams/{team}/members"), newcomer(&team, &bert)).await.expect(201);
    let path = format!("/teams/{team}/invite/email");
    let one = json!(["dora@chat.example"]);
    server.client().post(&path, one.clone()).await.expect_refusal(401, SESSION);
    carl.post(&path, one.clone()).await.expect_refusal(403, PERMISSIONS);
    let malformed = "api.team.invite_members_to_team_and_channels.invalid_body.app_error";
    for body in [json!([1]), json!({ "emails": 7 }), json!("x")] {
        bert.post(&path, body).await.expect_refusal(400, malformed);
    }
    for body in [json!([]), json!({}), json!({ "emails": null })] {
        bert.post(&path, body).await.expect_refusal(400, INVALID);
    }
    for emails in [json!(["no address"]), json!(["dora@chat.example", "a@b@c"])] {
        bert.post(&path, emails).await.expect_refusal(400, ADDRESSES);
    }
    let addresses: Vec<String> = (0..21).map(|number| format!("user{number}@chat.example")).collect();
    bert.post(&path, json!(addresses)).await.expect_refusal(413, TOO_MANY);
    let channels: Vec<String> = (0..21).map(|_| "c".repeat(26)).collect();
    let body = json!({ "emails": one, "channelIds": channels });
    bert.post(&path, body).await.expect_refusal(400, INVALID);
    let body = json!({ "emails": one, "message": "x".repeat(1001) });
    bert.post(&path, body).await.expect_refusal(400, INVALID);
    let unknown = format!("/teams/{}/invite/email", "x".repeat(26));
    admin.post(&unknown, one.clone()).await.expect_refusal(404, "app.team.get.find.app_error");
    // The link needs an address of the site, which must not be that of the request.
    admin.post(&path, one.clone()).await.expect_refusal(500, UNSENT);
    assert!(backdoor::texts_in(server.folder(), "SELECT token FROM tokens").await.is_empty());
    admin.delete(&format!("/teams/{team}")).await.expect_ok();
    admin.post(&path, one.clone()).await.expect_refusal(404, "app.team.get.find.app_error");
    admin.put("/config/patch", json!({ "ServiceSettings": { "EnableEmailInvitations": false } })).await.expect(200);
    for body in [one.clone(), json!({ "emails": one })] {
        bert.post(&format!("{path}?graceful=1"), body).await.expect_refusal(501, DISABLED);
    }
}

#[actix_web::test]
async fn a_mail_goes_to_each_address_once_and_the_link_does_not_depend_on_the_request() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    let names = json!({ "nickname": "Bertie", "first_name": "Bert", "last_name": "Berg" });
    desk.bert.put("/users/me/patch", names).await.expect(200);
    let body = json!({ "emails": ["Dora@chat.example", "dora@chat.example"], "message": "Come aboard." }).to_string();
    let headers = [("Host", "evil.example"), ("X-Forwarded-Host", "evil.example")];
    desk.bert.send(reqwest::Method::POST, &desk.path(), Some(body), &headers).await.expect_ok();
    let mail = desk.mail.next("mail").await;
    let text = mail["message"].as_str().unwrap().replace("=\r\n", "");
    assert!(text.contains("bert invites you to the team Team crew") && text.contains("Come aboard."), "{text}");
    assert!(!text.contains("evil.example"), "{text}");
    for (form, shown) in [("full_name", "Bert Berg"), ("nickname_full_name", "Bertie"), ("username", "bert")] {
        desk.patch(json!({ "TeamSettings": { "TeammateNameDisplay": form } })).await;
        desk.bert.post(&desk.path(), json!([format!("{form}@chat.example")])).await.expect_ok();
        let text = desk.mail.next("mail").await["message"].as_str().unwrap().replace("=\r\n", "");
        assert!(text.contains(&format!("{shown} invites you to the team")), "{form}: {text}");
    }
    desk.admin.post(&desk.path(), json!(["emil@chat.example"])).await.expect_ok();
    desk.token("emil@chat.example").await;
    desk.admin.audits().await;
    let record = newest_in(desk.server.folder(), "inviteUsersToTeam").await;
    assert_eq!(
        (&record["status"], &record["parameters"]["emails"]),
        (&json!("success"), &json!(["emil@chat.example"]))
    );
}

#[actix_web::test]
async fn a_result_is_returned_for_each_address_and_the_others_get_their_mails() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    desk.admin
        .put(&format!("/teams/{}/patch", desk.team), json!({ "allowed_domains": "chat.example" }))
        .await
        .expect(200);
    let emails = json!(["dora@other.example", "dora@chat.example", "not one"]);
    desk.bert.post(&desk.path(), emails.clone()).await.expect_refusal(400, ADDRESSES);
    let results = desk.bert.post(&format!("{}?graceful=true", desk.path()), emails).await.expect(200);
    assert_eq!(results.as_array().unwrap().len(), 3);
    assert_eq!((&results[1]["email"], &results[1]["error"]), (&json!("dora@chat.example"), &Value::Null));
    for at in [0, 2] {
        assert_eq!(
            (&results[at]["error"]["id"], &results[at]["error"]["status_code"]),
            (&json!(ADDRESSES), &json!(400))
        );
    }
    desk.token("dora@chat.example").await;
}

#[actix_web::test]
async fn a_mail_server_that_fails_is_told_of_without_its_details() {
    let site = "[ServiceSettings]\nSiteURL = \"https://chat.example/team\"\n\
                [EmailSettings]\nSMTPServer = \"127.0.0.1\"\nSMTPPort = \"1\"\n";
    let server = TestServer::start_with(site).await;
    let admin = server.admin().await;
    let team = admin.found(closed_team("crew")).await;
    let path = format!("/teams/{team}/invite/email");
    let refused = admin.post(&path, json!(["dora@chat.example"])).await;
    assert!(!refused.text().contains("127.0.0.1"), "{}", refused.text());
    refused.expect_refusal(500, UNSENT);
    let results = admin.post(&format!("{path}?graceful=1"), json!(["emil@chat.example"])).await.expect(200);
    assert_eq!(results[0]["error"]["id"], UNSENT);
}

#[actix_web::test]
async fn a_user_an_address_and_a_team_have_limits() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    for _ in 0..3 {
        desk.invited("dora@chat.example").await;
    }
    let refused = desk.admin.post(&desk.path(), json!(["dora@chat.example"])).await;
    assert_eq!(refused.header("retry-after"), "3600");
    refused.expect_refusal(413, TOO_MANY);
    let both = json!(["dora@chat.example", "emil@chat.example"]);
    let results = desk.admin.post(&format!("{}?graceful=1", desk.path()), both).await.expect(200);
    assert_eq!((&results[0]["error"]["id"], &results[1]["error"]), (&json!(TOO_MANY), &Value::Null));
    // Another team has its own invitations, up to the limit of the address.
    let other = desk.admin.found(closed_team("other")).await;
    desk.admin
        .post(&format!("/teams/{other}/invite/email"), json!(["dora@chat.example"]))
        .await
        .expect_refusal(413, TOO_MANY);
    let addresses: Vec<String> = (0..18).map(|number| format!("user{number}@chat.example")).collect();
    desk.bert.post(&desk.path(), json!(addresses)).await.expect_refusal(413, TOO_MANY);
    let path = desk.path();
    let mails = async {
        for _ in 0..17 {
            desk.mail.next("mail").await;
        }
    };
    join(desk.bert.post(&path, json!(addresses[..17])), mails).await.0.expect_ok();
    desk.bert.post(&desk.path(), json!(["last@chat.example"])).await.expect_refusal(413, TOO_MANY);
}

#[actix_web::test]
async fn all_invitations_are_ended_by_an_administrator() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    let token = desk.invited("dora@chat.example").await;
    desk.server.client().delete("/teams/invites/email").await.expect_refusal(401, SESSION);
    desk.bert.delete("/teams/invites/email").await.expect_refusal(403, PERMISSIONS);
    desk.admin.delete("/teams/invites/email").await.expect_ok();
    desk.sign_up(&token, "dora").await.expect_refusal(404, UNKNOWN);
    desk.admin.audits().await;
    let record = newest_in(desk.server.folder(), "invalidateAllEmailInvites").await;
    assert_eq!(record["after"]["count"], 1);
    let again = desk.invited("dora@chat.example").await;
    desk.sign_up(&again, "dora").await.expect(201);
}

#[actix_web::test]
async fn a_token_stands_in_no_table_and_no_record() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    let token = desk.invited("dora@chat.example").await;
    let stored = backdoor::texts_in(desk.server.folder(), "SELECT token || extra FROM tokens").await;
    assert_eq!(stored.len(), 1);
    assert!(!stored[0].contains(&token[27..]), "{stored:?}");
    desk.sign_up(&format!("{}x", &token[..63]), "dora").await.expect_refusal(404, UNKNOWN);
    desk.sign_up(&token, "dora").await.expect(201);
    desk.admin.audits().await;
    assert!(!all_text_in(desk.server.folder()).await.contains(&token[27..]));
}
