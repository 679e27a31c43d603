//! Mail over the network: the received message, and the texts of errors.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::support::configuration::put_at;
use crate::support::server::account;
use crate::support::smtp::{Certificate, MailServer, PASSWORD, USERNAME};
use crate::support::{Client, Home, TestServer};

const PATH: &str = "/email/test";

/// Starts a server. Returns it with its administrator and a configuration to change and test.
async fn desk() -> (TestServer, Client, Value) {
    let server = TestServer::start_with("[ServiceSettings]\nSiteURL = \"https://chat.example\"\n").await;
    let admin = server.admin().await;
    let mut config = admin.config().await;
    put_at(&mut config, "EmailSettings.SMTPServerTimeout", 20);
    (server, admin, config)
}

fn with(config: &Value, changes: &[(&str, Value)]) -> Value {
    let mut config = config.clone();
    for (key, value) in changes {
        put_at(&mut config, &format!("EmailSettings.{key}"), value.clone());
    }
    config
}

fn with_login(config: &Value, password: &str) -> Value {
    let login = [("EnableSMTPAuth", json!(true)), ("SMTPUsername", json!(USERNAME)), ("SMTPPassword", json!(password))];
    with(config, &login)
}

/// Returns the text of the error of a failed mail.
async fn failure(admin: &Client, config: Value) -> String {
    let refused = admin.post(PATH, config).await;
    refused.expect_refusal(500, "app.admin.test_email.failure");
    let message = refused.json()["message"].as_str().unwrap().to_owned();
    assert!(!message.contains(PASSWORD) && !message.contains("admin@chat.example"), "{message}");
    message.strip_prefix("The mail was not sent. ").unwrap().to_owned()
}

#[track_caller]
fn says(failure: &str, begin: &str, end: &str) {
    assert!(failure.starts_with(begin) && failure.ends_with(end), "{failure}");
}

#[actix_web::test]
async fn a_mail_arrives_with_its_headers_and_its_body() {
    let Some(mut mail) = MailServer::start(json!({})).await else { return };
    let (_server, admin, mut config) = desk().await;
    mail.name_in(&mut config, "");
    let evil = "Crew\r\nBcc: eve@evil.example";
    let settings = [
        ("FeedbackEmail", json!("robot@chat.example")),
        ("FeedbackName", json!("Robot")),
        ("ReplyToAddress", json!("desk@chat.example")),
        ("FeedbackOrganization", json!(evil)),
    ];
    admin.post(PATH, with(&config, &settings)).await.expect_ok();
    let arrived = mail.next("mail").await;
    assert_eq!((&arrived["hello"], &arrived["sender"]), (&json!("chat.example"), &json!("robot@chat.example")));
    assert_eq!(arrived["recipients"], json!(["admin@chat.example"]));
    let message = arrived["message"].as_str().unwrap();
    let (head, body) = message.split_once("\r\n\r\n").unwrap();
    let lines: Vec<&str> = head.split("\r\n").collect();
    for line in ["From: Robot <robot@chat.example>", "To: admin@chat.example", "Reply-To: Robot <desk@chat.example>"] {
        assert!(lines.contains(&line), "{head}");
    }
    for start in
        ["Subject: Mattermost: the mail settings work", "Date: ", "Message-ID: <", "Organization: Crew  Bcc: eve"]
    {
        assert!(lines.iter().any(|line| line.starts_with(start)), "{start} in {head}");
    }
    assert!(!head.contains("\nBcc"), "{head}");
    for line in ["Auto-Submitted: auto-generated", "Precedence: bulk", "MIME-Version: 1.0"] {
        assert!(lines.contains(&line), "{head}");
    }
    let parts = alternatives(head, body);
    let [(text_type, text), (html_type, html)] = parts.as_slice() else { panic!("{body}") };
    assert_eq!((text_type.as_str(), html_type.as_str()), ("text/plain; charset=utf-8", "text/html; charset=utf-8"));
    assert!(text.starts_with("Hello,\r\n") && text.contains("\r\nhttps://chat.example\r\n"), "{text}");
    assert!(html.contains("<p>Hello,</p>"), "{html}");
    assert!(html.contains("<p><a href=\"https://chat.example\">https://chat.example</a></p>"), "{html}");
    assert!(html.contains("<title>Mattermost: the mail settings work</title>"), "{html}");
}

/// Returns the alternatives of a mail: the type and the content of each.
fn alternatives(head: &str, body: &str) -> Vec<(String, String)> {
    let (_, rest) = head.split_once("boundary=\"").unwrap();
    let boundary = format!("--{}", rest.split('"').next().unwrap());
    let parts = body.split(&boundary).skip(1).filter(|part| !part.starts_with("--"));
    let part = |part: &str| {
        let (head, content) = part.split_once("\r\n\r\n").unwrap();
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        assert_eq!(header("Content-Transfer-Encoding: "), "quoted-printable");
        (header("Content-Type: ").to_owned(), decoded(content))
    };
    parts.map(part).collect()
}

/// Decodes quoted-printable text (RFC 2045) of ASCII letters.
fn decoded(content: &str) -> String {
    let joined = content.replace("=\r\n", "");
    let mut parts = joined.split('=');
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |mut text, part| {
        text.push(u8::from_str_radix(&part[..2], 16).unwrap().into());
        text.push_str(&part[2..]);
        text
    })
}

/// Names of the site are text of an administrator, and go into the mails of every user.
#[actix_web::test]
async fn nothing_in_a_mail_becomes_markup_or_is_loaded_from_elsewhere() {
    let Some(mut mail) = MailServer::start(json!({})).await else { return };
    let (_server, admin, mut config) = desk().await;
    mail.name_in(&mut config, "");
    let site = json!({ "TeamSettings": { "SiteName": "<img src=//e.example>&\"" } });
    admin.put("/config/patch", site).await.expect(200);
    admin.post(PATH, config).await.expect_ok();
    let arrived = mail.next("mail").await;
    let (head, body) = arrived["message"].as_str().unwrap().split_once("\r\n\r\n").unwrap();
    let parts = alternatives(head, body);
    let html = &parts[1].1;
    assert!(html.contains("&lt;img src=//e.example&gt;&amp;&quot;"), "{html}");
    for forbidden in ["<img", "src=\"", "url(", "<link", "<style", "<script", "@import"] {
        assert!(!html.contains(forbidden), "{forbidden} in {html}");
    }
}

#[actix_web::test]
async fn with_tls_a_certificate_that_nobody_vouches_for_is_accepted_only_unseen() {
    let certificate = Certificate::valid();
    for security in ["STARTTLS", "TLS"] {
        let Some(mut mail) = MailServer::start(certificate.shown(security)).await else { return };
        let (_server, admin, mut config) = desk().await;
        mail.name_in(&mut config, security);
        let refused = failure(&admin, config.clone()).await;
        says(
            &refused,
            "TLS: the server's certificate is not signed by an authority that this machine trusts.",
            "accepts any certificate.",
        );
        let unseen = with(&config, &[("SkipServerCertificateVerification", json!(true))]);
        admin.post(PATH, unseen).await.expect_ok();
        assert_eq!(mail.next("mail").await["is_encrypted"], true, "{security}");
    }
}

/// The program runs in a separate process, with an environment that names the trusted certificates.
#[actix_web::test]
async fn a_certificate_is_accepted_as_long_as_it_is_valid_and_for_this_name() {
    for (certificate, name, wanted) in [
        (Certificate::valid(), "127.0.0.1", None),
        (
            Certificate::valid(),
            "localhost",
            Some("TLS: the server's certificate is not valid for the name in SMTPServer."),
        ),
        (Certificate::expired(), "127.0.0.1", Some("TLS: the server's certificate has expired.")),
    ] {
        let Some(mut mail) = MailServer::start(certificate.shown("TLS")).await else { return };
        let home = Home::new("").await.with_variable("SSL_CERT_FILE", certificate.path().to_str().unwrap());
        let server = home.start().await;
        server.client().post("/users", account("admin")).await.expect(201);
        let admin = server.client().log_in("admin").await;
        let mut config = admin.config().await;
        mail.name_in(&mut config, "TLS");
        put_at(&mut config, "EmailSettings.SMTPServer", name);
        match wanted {
            None => {
                admin.post(PATH, config).await.expect_ok();
                mail.next("mail").await;
            }
            Some(wanted) => says(&failure(&admin, config).await, wanted, "accepts any certificate."),
        }
    }
}

#[actix_web::test]
async fn a_server_without_starttls_gets_no_mail_in_clear() {
    let Some(mail) = MailServer::start(json!({})).await else { return };
    let (_server, admin, mut config) = desk().await;
    mail.name_in(&mut config, "STARTTLS");
    says(&failure(&admin, config.clone()).await, "TLS: the server offers no STARTTLS.", "on the mail server.");
    mail.name_in(&mut config, "TLS");
    says(
        &failure(&admin, config).await,
        "TLS: the server does not start with TLS on this port.",
        "accepts any certificate.",
    );
}

#[actix_web::test]
async fn a_login_is_made_as_the_server_offers_it_and_a_wrong_one_is_told() {
    let certificate = Certificate::valid();
    for (mechanisms, spoken) in [(json!(["PLAIN", "LOGIN"]), "PLAIN"), (json!(["LOGIN"]), "LOGIN")] {
        let mut wish = certificate.shown("STARTTLS");
        (wish["username"], wish["password"], wish["mechanisms"]) = (json!(USERNAME), json!(PASSWORD), mechanisms);
        let Some(mut mail) = MailServer::start(wish).await else { return };
        let (_server, admin, mut config) = desk().await;
        mail.name_in(&mut config, "STARTTLS");
        put_at(&mut config, "EmailSettings.SkipServerCertificateVerification", true);
        admin.post(PATH, with_login(&config, PASSWORD)).await.expect_ok();
        let login = mail.next("login").await;
        assert_eq!((&login["mechanism"], &login["given"]), (&json!(spoken), &json!([USERNAME, PASSWORD])));
        mail.next("mail").await;
        let wrong = failure(&admin, with_login(&config, "wrong")).await;
        says(&wrong, "authenticate: the server answered 535 ", "Check SMTPUsername and SMTPPassword.");
        let missing = failure(&admin, config).await;
        says(&missing, "sender: the server answered 530 ", "requires EnableSMTPAuth.");
    }
}

#[actix_web::test]
async fn a_login_that_is_not_offered_is_told() {
    let nothing = json!({ "username": USERNAME, "password": PASSWORD, "mechanisms": [] });
    let others = json!({ "username": USERNAME, "password": PASSWORD, "mechanisms": ["CRAM-MD5"] });
    for (wish, wanted) in [(nothing, "no authentication"), (others, "other authentication methods")] {
        let Some(mail) = MailServer::start(wish).await else { return };
        let (_server, admin, mut config) = desk().await;
        mail.name_in(&mut config, "");
        let refused = failure(&admin, with_login(&config, PASSWORD)).await;
        says(&refused, &format!("authenticate: the mail server offers {wanted}"), "EnableSMTPAuth off.");
    }
}

#[actix_web::test]
async fn a_password_goes_in_clear_to_this_machine_only() {
    let Some(mut mail) = MailServer::start(json!({ "username": USERNAME, "password": PASSWORD })).await else { return };
    let (_server, admin, mut config) = desk().await;
    mail.name_in(&mut config, "");
    let config = with_login(&config, PASSWORD);
    // The address leads to this machine as well, but its name could mean any machine.
    let elsewhere = with(&config, &[("SMTPServer", json!("127.1"))]);
    let refused = failure(&admin, elsewhere).await;
    says(
        &refused,
        "authenticate: the user name and the password would be sent to another machine in clear text",
        "STARTTLS or TLS.",
    );
    admin.post(PATH, config).await.expect_ok();
    mail.next("mail").await;
}

#[actix_web::test]
async fn a_refusal_is_told_with_its_step_and_its_code() {
    for (step, wanted) in [("sender", "553 5.1.8."), ("recipient", "550 5.1.1."), ("data", "452 4.3.1.")] {
        let Some(mail) = MailServer::start(json!({ "refuse": step })).await else { return };
        let (_server, admin, mut config) = desk().await;
        mail.name_in(&mut config, "");
        let refused = failure(&admin, config).await;
        says(&refused, &format!("{step}: the server answered {wanted}"), ".");
    }
}

#[actix_web::test]
async fn a_server_that_is_not_there_is_told_by_what_is_missing() {
    let (_server, admin, config) = desk().await;
    let port = |port: &str| [("SMTPServer", json!("127.0.0.1")), ("SMTPPort", json!(port))];
    says(
        &failure(&admin, with(&config, &port("1"))).await,
        "connect: the server cannot be reached (",
        "blocks the connection.",
    );
    for text in ["", "smtp", "65536", "-1"] {
        says(&failure(&admin, with(&config, &port(text))).await, "settings: SMTPPort is not a port number.", "again.");
    }
    let unknown = with(&config, &[("SMTPServer", json!("no-such-machine.invalid"))]);
    says(&failure(&admin, unknown).await, "resolve: the name of the mail server cannot be resolved (", "names.");
    let security = with(&config, &[("ConnectionSecurity", json!("SSL"))]);
    says(
        &failure(&admin, security).await,
        "settings: ConnectionSecurity is neither empty nor TLS nor STARTTLS.",
        "again.",
    );
    let sender = with(&config, &[("FeedbackEmail", json!("a@b.example>\r\nRCPT TO:<eve@evil.example"))]);
    says(&failure(&admin, sender).await, "settings: FeedbackEmail is not a mail address.", "again.");
}

#[actix_web::test]
async fn a_server_that_hangs_is_waited_for_as_long_as_the_settings_say() {
    let (_server, admin, config) = desk().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for security in ["", "STARTTLS", "TLS"] {
        let hanging = with(
            &config,
            &[
                ("SMTPServer", json!("127.0.0.1")),
                ("SMTPPort", json!(port)),
                ("ConnectionSecurity", json!(security)),
                ("SMTPServerTimeout", json!(1)),
            ],
        );
        let started = Instant::now();
        let refused = failure(&admin, hanging).await;
        let stage = if security == "TLS" { "TLS" } else { "greeting" };
        says(&refused, &format!("{stage}: the mail server did not respond within the 1 s of SMTPServerTimeout."), ".");
        assert!((Duration::from_secs(1)..Duration::from_secs(10)).contains(&started.elapsed()));
    }
}

#[actix_web::test]
async fn four_mails_are_sent_at_once_and_a_fifth_waits_as_long_as_its_settings_say() {
    let (_server, admin, config) = desk().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let hanging = with(&config, &[("SMTPServer", json!("127.0.0.1")), ("SMTPPort", json!(port))]);
    let mut tasks = Vec::new();
    let mut lines = Vec::new();
    for _ in 0..4 {
        let (admin, body) = (admin.clone(), hanging.to_string());
        tasks.push(actix_web::rt::spawn(async move { admin.send(Method::POST, PATH, Some(body), &[]).await.text() }));
        lines.push(listener.accept().await.unwrap().0);
    }
    let late = failure(&admin, with(&hanging, &[("SMTPServerTimeout", json!(1))])).await;
    says(&late, "waiting: 4 other mails are being sent, and none was finished in time.", "Try again later.");
    drop(lines);
    for task in tasks {
        let text = task.await.unwrap();
        assert!(text.contains("greeting: the server closed the connection."), "{text}");
    }
}

#[actix_web::test]
async fn a_server_that_says_something_else_is_told_from_one_that_is_silent() {
    let (_server, admin, config) = desk().await;
    for (said, wanted) in [
        (&b"HTTP/1.1 200 OK\r\n\r\n"[..], "greeting: the server does not speak SMTP."),
        (b"554 no mail here\r\n", "greeting: the server answered 554."),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        actix_web::rt::spawn(async move {
            let (mut line, _) = listener.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut line, said).await.unwrap();
            // The server reads until the client disconnects.
            let _ = line.read_to_end(&mut Vec::new()).await;
        });
        let odd = with(&config, &[("SMTPServer", json!("127.0.0.1")), ("SMTPPort", json!(port))]);
        says(&failure(&admin, odd).await, wanted, ".");
    }
}
