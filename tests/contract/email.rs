//! `/email/test`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::configuration::{at, put_at, rows, take};
use crate::support::smtp::{Certificate, MailServer, PASSWORD, USERNAME};
use crate::support::{Client, Reply, TestServer};

const PATH: &str = "/email/test";
const INCOMPLETE: &str = "api.file.test_connection_email_settings_nil.app_error";
const REENTER: &str = "api.admin.test_email.reenter_password";
const FAILED: &str = "app.admin.test_email.failure";
const FORBIDDEN: &str = "api.context.permissions.app_error";
const PLACEHOLDER: &str = "********************************";

/// A port of this machine without a listener.
const DEAF: &str = "1";

async fn send(client: &Client, body: &str) -> Reply {
    client.send(Method::POST, PATH, Some(body.to_owned()), &[]).await
}

#[actix_web::test]
async fn only_who_may_write_the_mail_settings_tries_them_and_others_learn_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    for body in ["", "{}", "{", "[]", &admin.config().await.to_string()] {
        send(&server.client(), body).await.expect_refusal(401, "api.context.session_expired.app_error");
        send(&bert, body).await.expect_refusal(403, FORBIDDEN);
    }
    let manager = server.staff(&admin, "mia", "system_manager").await;
    send(&manager, "{}").await.expect_refusal(400, INCOMPLETE);
}

#[actix_web::test]
async fn nobody_tries_mail_settings_while_system_administrators_are_restricted() {
    let server = TestServer::start_with("[ExperimentalSettings]\nRestrictSystemAdmin = true\n").await;
    let admin = server.admin().await;
    for body in ["", "{}"] {
        send(&admin, body).await.expect_refusal(403, FORBIDDEN);
    }
}

#[actix_web::test]
async fn each_mail_setting_must_be_there_and_of_its_kind() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let whole = admin.config().await;
    let all = rows();
    let settings = all.iter().map(|row| row["json_path"].as_str().unwrap());
    let settings: Vec<&str> = settings.filter(|path| path.starts_with("EmailSettings.")).collect();
    assert_eq!(settings.len(), 30);
    for path in settings {
        let mut lacking = whole.clone();
        take(&mut lacking, path);
        let refused = admin.post(PATH, lacking).await;
        refused.expect_refusal(400, INCOMPLETE);
        assert!(refused.json()["message"].as_str().unwrap().contains(path), "{}", refused.text());
        for other in [Value::Null, json!(["of another kind"])] {
            let mut changed = whole.clone();
            put_at(&mut changed, path, other);
            admin.post(PATH, changed).await.expect_refusal(400, INCOMPLETE);
        }
    }
    for body in ["{}", "[]", "7", "\"text\"", r#"{"EmailSettings": []}"#] {
        send(&admin, body).await.expect_refusal(400, INCOMPLETE);
    }
}

#[actix_web::test]
async fn a_server_is_needed_and_a_body_that_can_be_read() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let mut config = admin.config().await;
    put_at(&mut config, "EmailSettings.SMTPServer", "");
    admin.post(PATH, config).await.expect_refusal(400, "api.admin.test_email.missing_server");
    let large = format!("{{\"a\": \"{}\"}}", "x".repeat(400_000));
    send(&admin, &large).await.expect_refusal(413, "api.context.request_body_too_large.app_error");
}

#[actix_web::test]
async fn who_has_no_account_any_more_gets_no_mail() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server.execute(&format!("DELETE FROM users WHERE id = '{}'", admin.user_id)).await;
    send(&admin, "").await.expect_refusal(404, "app.user.missing_account.const");
}

#[actix_web::test]
async fn the_stored_password_goes_only_where_it_goes_already() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for (path, value) in [
        ("SMTPServer", json!("127.0.0.1")),
        ("SMTPPort", json!(DEAF)),
        ("EnableSMTPAuth", json!(true)),
        ("SMTPUsername", json!(USERNAME)),
        ("SMTPPassword", json!(PASSWORD)),
    ] {
        admin.set(&format!("EmailSettings.{path}"), value).await.expect(200);
    }
    let config = admin.config().await;
    assert_eq!(config["EmailSettings"]["SMTPPassword"], PLACEHOLDER);
    for (path, value) in [
        ("SMTPServer", json!("localhost")),
        ("SMTPPort", json!(port)),
        ("ConnectionSecurity", json!("STARTTLS")),
        ("SMTPUsername", json!("eve")),
        ("SkipServerCertificateVerification", json!(true)),
    ] {
        let mut changed = config.clone();
        put_at(&mut changed, &format!("EmailSettings.{path}"), value);
        let refused = admin.post(PATH, changed).await;
        refused.expect_refusal(400, REENTER);
        assert!(refused.text().contains("Enter SMTPPassword again"), "{}", refused.text());
    }
    let arrived = listener.accept().map(|_| ());
    assert_eq!(arrived.unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "the changed server was called");
    // The stored password may be used with the stored settings; the error is about the missing listener.
    admin.post(PATH, config.clone()).await.expect_refusal(500, FAILED);
    admin.set("EmailSettings.SMTPPassword", "").await.expect(200);
    admin.post(PATH, config).await.expect_refusal(400, REENTER);
}

/// Returns the configuration with this mail server and the login that it wants.
async fn with_login(admin: &Client, mail: &MailServer) -> Value {
    let mut config = admin.config().await;
    mail.name_in(&mut config, "STARTTLS");
    for (path, value) in [
        ("EnableSMTPAuth", json!(true)),
        ("SkipServerCertificateVerification", json!(true)),
        ("SMTPUsername", json!(USERNAME)),
        ("SMTPPassword", json!(PASSWORD)),
    ] {
        put_at(&mut config, &format!("EmailSettings.{path}"), value);
    }
    config
}

#[actix_web::test]
async fn the_stored_password_stands_in_for_the_placeholder() {
    let certificate = Certificate::valid();
    let mut wish = certificate.shown("STARTTLS");
    (wish["username"], wish["password"]) = (json!(USERNAME), json!(PASSWORD));
    let Some(mut mail) = MailServer::start(wish).await else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let config = with_login(&admin, &mail).await;
    let stored = admin.put("/config", config).await.expect(200);
    assert_eq!(stored["EmailSettings"]["SMTPPassword"], PLACEHOLDER);
    admin.post(PATH, stored).await.expect_ok();
    assert_eq!(mail.next("login").await["given"], json!([USERNAME, PASSWORD]));
    mail.next("mail").await;
}

#[actix_web::test]
async fn the_submitted_settings_are_tried_and_nothing_of_them_is_kept() {
    let Some(mut mail) = MailServer::start(json!({})).await else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.set("EmailSettings.SMTPPort", DEAF).await.expect(200);
    let before = (admin.config().await, admin.versions().await.len());
    let mut config = before.0.clone();
    mail.name_in(&mut config, "");
    put_at(&mut config, "EmailSettings.FeedbackEmail", "robot@chat.example");
    admin.post(PATH, config).await.expect_ok();
    assert_eq!(mail.next("mail").await["sender"], "robot@chat.example");
    assert_eq!((admin.config().await, admin.versions().await.len()), before);
}

#[actix_web::test]
async fn without_submitted_settings_those_in_force_are_tried() {
    let Some(mut mail) = MailServer::start(json!({})).await else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    send(&admin, "").await.expect_refusal(500, FAILED);
    admin.set("EmailSettings.SMTPServer", "127.0.0.1").await.expect(200);
    admin.set("EmailSettings.SMTPPort", mail.port.to_string()).await.expect(200);
    for body in ["", "null", "{\"EmailSettings\": "] {
        send(&admin, body).await.expect_ok();
        assert_eq!(mail.next("mail").await["recipients"], json!(["admin@chat.example"]));
    }
}

#[actix_web::test]
async fn a_delegated_administrator_sends_back_the_settings_that_they_got() {
    let Some(mut mail) = MailServer::start(json!({})).await else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.set("EmailSettings.SMTPServer", "127.0.0.1").await.expect(200);
    admin.set("EmailSettings.SMTPPort", mail.port.to_string()).await.expect(200);
    let manager = server.staff(&admin, "mia", "system_manager").await;
    let shown = manager.config().await;
    for path in UNREADABLE {
        assert_eq!(at(&shown, path), &Value::Null, "{path}");
    }
    let mut spelled = json!({ "emailsettings": shown["EmailSettings"] });
    take(&mut spelled, "emailsettings.SMTPPort");
    put_at(&mut spelled, "emailsettings.smtpport", mail.port.to_string());
    for body in [shown, spelled] {
        manager.post(PATH, body).await.expect_ok();
        assert_eq!(mail.next("mail").await["recipients"], json!(["mia@chat.example"]));
    }
}

#[actix_web::test]
async fn null_stands_for_a_stored_setting_only_where_it_may_not_be_read_and_only_for_the_server_in_use() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    admin.set("EmailSettings.SMTPServer", "localhost").await.expect(200);
    admin.set("EmailSettings.SMTPPort", DEAF).await.expect(200);
    let manager = server.staff(&admin, "mia", "system_manager").await;
    let shown = manager.config().await;
    // These are the settings in use; the error is about the missing listener.
    manager.post(PATH, shown.clone()).await.expect_refusal(500, FAILED);
    for (name, value) in [
        ("SMTPServer", json!("127.0.0.1")),
        ("SMTPServer", json!("LOCALHOST")),
        ("SMTPServer", json!("localhost.")),
        ("SMTPServer", json!(" localhost")),
        ("SMTPPort", json!(port)),
        ("SMTPPort", json!("01")),
        ("ConnectionSecurity", json!("STARTTLS")),
        ("ConnectionSecurity", json!("TLS")),
        ("SMTPUsername", json!("eve")),
        ("SkipServerCertificateVerification", json!(true)),
    ] {
        let path = format!("EmailSettings.{name}");
        let mut changed = shown.clone();
        put_at(&mut changed, &path, value.clone());
        let mut spelled = shown.clone();
        take(&mut spelled, &path);
        put_at(&mut spelled, &format!("EmailSettings.{}", name.to_lowercase()), value.clone());
        for body in [changed, spelled] {
            let refused = manager.post(PATH, body).await;
            refused.expect_refusal(400, INCOMPLETE);
            let message = refused.json()["message"].as_str().unwrap().to_owned();
            assert!(message.contains("only while server, port"), "{name} {value}: {message}");
        }
        let mut doubled = shown.clone();
        put_at(&mut doubled, &format!("EmailSettings.{}", name.to_lowercase()), value);
        manager.post(PATH, doubled).await.expect_refusal(400, "api.context.invalid_body_param.app_error");
    }
    for name in ["SMTPServer", "SMTPPort", "SMTPUsername", "SMTPPassword", "ConnectionSecurity", "FeedbackEmail"] {
        let path = format!("EmailSettings.{name}");
        let mut changed = shown.clone();
        put_at(&mut changed, &path, Value::Null);
        let refused = manager.post(PATH, changed).await;
        refused.expect_refusal(400, INCOMPLETE);
        assert!(refused.text().contains(&path), "{}", refused.text());
    }
    let mut lacking = shown.clone();
    take(&mut lacking, UNREADABLE[0]);
    manager.post(PATH, lacking).await.expect_refusal(400, INCOMPLETE);
    let arrived = listener.accept().map(|_| ());
    assert_eq!(arrived.unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "the changed server was called");
}

#[actix_web::test]
async fn the_stored_login_is_used_for_a_caller_who_may_not_read_it_but_never_for_another_server() {
    let certificate = Certificate::valid();
    let mut wish = certificate.shown("STARTTLS");
    (wish["username"], wish["password"]) = (json!(USERNAME), json!(PASSWORD));
    let Some(mut mail) = MailServer::start(wish).await else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let config = with_login(&admin, &mail).await;
    admin.put("/config", config).await.expect(200);
    let permissions = "UPDATE roles SET permissions = ' test_email sysconsole_read_environment_web_server'";
    server.execute(&format!("{permissions} WHERE name = 'system_user_manager'")).await;
    server.staff(&admin, "tom", "system_user_manager").await;
    let (second, tester) = super::roles::beside_as(&server, "tom").await;
    let shown = tester.config().await;
    for name in ["SMTPServer", "SMTPPort", "SMTPUsername", "SMTPPassword", "ConnectionSecurity"] {
        assert_eq!(shown["EmailSettings"][name], Value::Null, "{name}");
    }
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let mut moved = shown.clone();
    put_at(&mut moved, "EmailSettings.SMTPPort", json!(elsewhere.local_addr().unwrap().port().to_string()));
    tester.post(PATH, moved).await.expect_refusal(400, INCOMPLETE);
    assert_eq!(elsewhere.accept().map(|_| ()).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    for guess in [USERNAME, "eve"] {
        let mut guessed = shown.clone();
        put_at(&mut guessed, "EmailSettings.SMTPUsername", guess);
        tester.post(PATH, guessed).await.expect_refusal(400, INCOMPLETE);
        let mut whole = admin.config().await;
        put_at(&mut whole, "EmailSettings.SMTPUsername", guess);
        tester.post(PATH, whole).await.expect_refusal(400, REENTER);
    }
    tester.post(PATH, shown).await.expect_ok();
    assert_eq!(mail.next("login").await["given"], json!([USERNAME, PASSWORD]));
    assert_eq!(mail.next("mail").await["recipients"], json!(["tom@chat.example"]));
    second.stop().await.unwrap();
}

/// Settings that a system manager may not read.
const UNREADABLE: [&str; 3] =
    ["EmailSettings.SMTPServerTimeout", "EmailSettings.LoginButtonColor", "EmailSettings.PushNotificationBuffer"];
