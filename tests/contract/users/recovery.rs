//! `POST /users/password/reset/send`, `/users/password/reset`, `/users/email/verify/send` and `/users/email/verify`.

use serde_json::{Value, json};

use crate::support::one_time::{ENABLE, code, step};
use crate::support::server::PASSWORD;
use crate::support::smtp::MailServer;
use crate::support::{Client, Reply, TestServer, backdoor};

const NEW: &str = "another-horse-2";
const UNKNOWN: &str = "api.user.reset_password.invalid_link.app_error";
const EXPIRED: &str = "api.user.reset_password.link_expired.app_error";
const UNVERIFIED: &str = "api.user.login.not_verified.app_error";

/// A server with an administrator, an account `bert`, and a mail server.
struct Desk {
    server: TestServer,
    admin: Client,
    bert: Client,
    mail: MailServer,
}

impl Desk {
    async fn new(mail: MailServer) -> Self {
        let settings = format!(
            "[ServiceSettings]\nSiteURL = \"https://chat.example/team\"\n\
             [EmailSettings]\nSMTPServer = \"127.0.0.1\"\nSMTPPort = \"{}\"\n",
            mail.port
        );
        let server = TestServer::start_with(&settings).await;
        let admin = server.admin().await;
        let bert = server.user(&admin, "bert").await;
        Self { server, admin, bert, mail }
    }

    async fn ask(&self, what: &str, email: &str) -> Reply {
        self.server.client().post(&format!("/users/{what}/send"), json!({ "email": email })).await
    }

    /// Returns the token in the next mail, which goes to bert and links to `page`.
    async fn token(&mut self, page: &str) -> String {
        let mail = self.mail.next("mail").await;
        assert_eq!(mail["recipients"], json!(["bert@chat.example"]));
        let text = mail["message"].as_str().unwrap().replace("=\r\n", "").replace("=3D", "=");
        let (_, link) = text.split_once(&format!("https://chat.example/team/{page}?token=")).unwrap();
        link.chars().take_while(char::is_ascii_alphanumeric).collect()
    }

    async fn reset(&self, token: &str, password: &str) -> Reply {
        self.server.client().post("/users/password/reset", json!({ "token": token, "new_password": password })).await
    }
}

async fn login(server: &TestServer, name: &str, more: Value) -> Reply {
    let mut body = json!({ "login_id": name });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server.client().post("/users/login", body).await
}

#[actix_web::test]
async fn a_link_sets_a_password_once_and_ends_all_sessions() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    desk.ask("password/reset", " BERT@chat.example ").await.expect_ok();
    let token = desk.token("reset_password_complete").await;
    desk.reset(&token, "short").await.expect_refusal(400, "model.user.is_valid.pwd_min_length.app_error");
    desk.reset(&token, NEW).await.expect_ok();
    desk.bert.get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
    login(&desk.server, "bert", json!({ "password": PASSWORD })).await.expect(401);
    login(&desk.server, "bert", json!({ "password": NEW })).await.expect(200);
    desk.reset(&token, "a-third-horse-3").await.expect_refusal(400, UNKNOWN);
    let told = desk.mail.next("mail").await;
    assert!(told["message"].as_str().unwrap().contains("was changed"), "{told}");
    let stored = backdoor::texts_in(desk.server.folder(), "SELECT token || extra FROM tokens").await;
    assert!(stored.is_empty(), "{stored:?}");
}

#[actix_web::test]
async fn an_administrator_gets_no_link_while_another_account_decides_where_mails_go() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    let mona = desk.server.staff(&desk.admin, "mona", "system_manager").await;
    desk.ask("password/reset", "admin@chat.example").await.expect_ok();
    // Others get theirs as before, and the mails are sent in turn.
    desk.ask("password/reset", "bert@chat.example").await.expect_ok();
    desk.token("reset_password_complete").await;
    desk.server.execute(&format!("UPDATE users SET roles = 'system_user' WHERE id = '{}'", mona.user_id)).await;
    desk.ask("password/reset", "admin@chat.example").await.expect_ok();
    let mail = desk.mail.next("mail").await;
    assert_eq!(mail["recipients"], json!(["admin@chat.example"]), "the first one was not sent");
    let link = desk.server.client().post("/users/password/reset/send", json!({ "email": "x".repeat(200) })).await;
    link.expect_refusal(400, "api.context.invalid_body_param.app_error");
}

#[actix_web::test]
async fn what_is_stored_is_no_token() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    desk.ask("password/reset", "bert@chat.example").await.expect_ok();
    let token = desk.token("reset_password_complete").await;
    let stored = backdoor::texts_in(desk.server.folder(), "SELECT token || extra FROM tokens").await;
    assert_eq!(stored.len(), 1);
    assert!(!stored[0].contains(&token[27..]), "{stored:?}");
    let trail = backdoor::texts_in(desk.server.folder(), "SELECT CAST(parameters AS text) FROM qd_audits").await;
    assert!(!trail.iter().any(|record| record.contains(&token[27..]) || record.contains(NEW)), "{trail:?}");
    let (last, other) = (&token[63..], if token.ends_with('y') { "n" } else { "y" });
    let wrong = [token.replace(&token[27..40], &token[28..41]), format!("{}{other}", &token[..63])];
    assert_ne!(last, other);
    for wrong in wrong.iter().filter(|wrong| **wrong != token) {
        desk.reset(wrong, NEW).await.expect_refusal(400, UNKNOWN);
    }
    for malformed in [String::new(), token[1..].to_owned(), format!("{token}a")] {
        desk.reset(&malformed, NEW).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    }
    desk.reset(&"ä".repeat(32), NEW).await.expect_refusal(400, UNKNOWN);
    desk.reset(&token, NEW).await.expect_ok();
}

#[actix_web::test]
async fn a_link_is_worthless_after_a_day_and_once_anything_about_the_account_changed() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    let path = format!("/users/{}", desk.bert.user_id);
    let old = "UPDATE tokens SET createat = createat - 86400000";
    let steps: [(&str, &str, Value); 3] = [
        ("", "", json!(null)),
        ("password", UNKNOWN, json!({ "new_password": "a-third-horse-3" })),
        ("active", UNKNOWN, json!({ "active": false })),
    ];
    for (change, refusal, body) in steps {
        desk.ask("password/reset", "bert@chat.example").await.expect_ok();
        let token = desk.token("reset_password_complete").await;
        if change.is_empty() {
            desk.server.execute(old).await;
            desk.reset(&token, NEW).await.expect_refusal(400, EXPIRED);
        } else {
            desk.admin.put(&format!("{path}/{change}"), body).await.expect_ok();
            desk.reset(&token, NEW).await.expect_refusal(400, refusal);
        }
    }
    desk.admin.put(&format!("{path}/active"), json!({ "active": true })).await.expect_ok();
    desk.server.execute("DELETE FROM tokens").await;
    desk.ask("password/reset", "bert@chat.example").await.expect_ok();
    let token = desk.token("reset_password_complete").await;
    desk.admin.put(&format!("{path}/patch"), json!({ "email": "bert@other.example" })).await.expect(200);
    desk.reset(&token, NEW).await.expect_refusal(400, EXPIRED);
}

#[actix_web::test]
async fn the_answer_is_the_same_for_accounts_that_get_no_mail() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    for name in ["clara", "dora"] {
        desk.server.user(&desk.admin, name).await;
    }
    desk.server.execute("UPDATE users SET authservice = 'saml', authdata = 'c' WHERE username = 'clara'").await;
    desk.server.execute("UPDATE users SET deleteat = 1 WHERE username = 'dora'").await;
    for address in ["nobody@chat.example", "clara@chat.example", "dora@chat.example", "no address"] {
        desk.ask("password/reset", address).await.expect_ok();
    }
    desk.ask("password/reset", "").await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    // The next mail is bert's: none of the others was sent.
    desk.ask("password/reset", "bert@chat.example").await.expect_ok();
    desk.token("reset_password_complete").await;
}

#[actix_web::test]
async fn an_account_gets_three_links_an_hour_and_a_caller_ten() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    for _ in 0..4 {
        desk.ask("password/reset", "bert@chat.example").await.expect_ok();
    }
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(desk.token("reset_password_complete").await);
    }
    let stored = backdoor::texts_in(desk.server.folder(), "SELECT token FROM tokens").await;
    assert_eq!(stored.len(), 3, "{stored:?}");
    desk.reset(&tokens[0], NEW).await.expect_ok();
    for token in &tokens {
        desk.reset(token, NEW).await.expect_refusal(400, UNKNOWN);
    }
    for _ in 4..10 {
        desk.ask("email/verify", "nobody@chat.example").await.expect_ok();
    }
    let refused = desk.ask("password/reset", "nobody@chat.example").await;
    refused.expect_refusal(429, "app.mail.caller_limit.app_error");
    assert_eq!(refused.header("Retry-After"), "3600");
    // An administrator is not counted.
    desk.admin.post("/users/password/reset/send", json!({ "email": "nobody@chat.example" })).await.expect_ok();
}

#[actix_web::test]
async fn a_new_password_does_not_replace_the_one_time_code() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    desk.server.execute(ENABLE).await;
    desk.ask("password/reset", "bert@chat.example").await.expect_ok();
    let token = desk.token("reset_password_complete").await;
    desk.reset(&token, NEW).await.expect_ok();
    let without = login(&desk.server, "bert", json!({ "password": NEW })).await;
    without.expect_refusal(401, "mfa.validate_token.authenticate.app_error");
    login(&desk.server, "bert", json!({ "password": NEW, "token": code(step()) })).await.expect(200);
}

#[actix_web::test]
async fn a_reset_that_cannot_end_the_sessions_changes_nothing_and_its_link_works_later() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    desk.ask("password/reset", "bert@chat.example").await.expect_ok();
    let token = desk.token("reset_password_complete").await;
    desk.server.execute("ALTER TABLE sessions RENAME TO sessions_elsewhere").await;
    desk.reset(&token, NEW).await.expect_refusal(500, "app.user.update_password.app_error");
    desk.server.execute("ALTER TABLE sessions_elsewhere RENAME TO sessions").await;
    login(&desk.server, "bert", json!({ "password": PASSWORD })).await.expect(200);
    desk.reset(&token, NEW).await.expect_ok();
    desk.bert.get("/users/me").await.expect_refusal(401, "api.context.session_expired.app_error");
    login(&desk.server, "bert", json!({ "password": NEW })).await.expect(200);
}

#[actix_web::test]
async fn an_administrator_learns_that_a_mail_could_not_be_sent() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let refused = admin.post("/users/password/reset/send", json!({ "email": "admin@chat.example" })).await;
    refused.expect_refusal(500, "api.user.send_password_reset.send.app_error");
    assert!(refused.text().contains("SiteURL"), "{}", refused.text());
}

#[actix_web::test]
async fn of_two_uses_of_one_link_at_once_one_is_done() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    desk.ask("password/reset", "bert@chat.example").await.expect_ok();
    let token = desk.token("reset_password_complete").await;
    let (one, other) = futures_util::join!(desk.reset(&token, NEW), desk.reset(&token, "a-third-horse-3"));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
}

#[actix_web::test]
async fn a_required_address_is_confirmed_with_the_link_of_a_mail() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    desk.server.execute("UPDATE users SET emailverified = TRUE WHERE username = 'admin'").await;
    let wanted = json!({ "EmailSettings": { "RequireEmailVerification": true } });
    desk.admin.put("/config/patch", wanted).await.expect(200);
    desk.ask("email/verify", "bert@chat.example").await.expect_ok();
    let token = desk.token("do_verify_email").await;
    login(&desk.server, "bert", json!({ "password": PASSWORD })).await.expect_refusal(401, UNVERIFIED);
    let verify = async |token: &str| desk.server.client().post("/users/email/verify", json!({ "token": token })).await;
    verify(&"a".repeat(64)).await.expect_refusal(400, "api.user.verify_email.bad_link.app_error");
    verify(&token).await.expect_ok();
    verify(&token).await.expect_refusal(400, "api.user.verify_email.bad_link.app_error");
    login(&desk.server, "bert", json!({ "password": PASSWORD })).await.expect(200);
    desk.ask("email/verify", "bert@chat.example").await.expect_ok();
    let stored = backdoor::texts_in(desk.server.folder(), "SELECT token FROM tokens").await;
    assert!(stored.is_empty(), "a confirmed address got a link: {stored:?}");
}

#[actix_web::test]
async fn a_new_account_and_a_new_address_get_their_link_by_themselves() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let mut desk = Desk::new(mail).await;
    let wanted = json!({ "EmailSettings": { "RequireEmailVerification": true } });
    desk.server.execute("UPDATE users SET emailverified = TRUE").await;
    let changed = desk.admin.put("/config/patch", wanted).await;
    changed.expect(200);
    let body = json!({ "email": "bert@new.example", "password": PASSWORD });
    desk.bert.put("/users/me/patch", body).await.expect(200);
    let mail = desk.mail.next("mail").await;
    assert_eq!(mail["recipients"], json!(["bert@new.example"]));
    desk.admin.post("/users", crate::support::server::account("clara")).await.expect(201);
    let mail = desk.mail.next("mail").await;
    assert_eq!(mail["recipients"], json!(["clara@chat.example"]));
}
