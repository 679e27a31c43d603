//! Every secret of a server gets a different mark; no mark may be in a packet.

use data_encoding::BASE64;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::support::configuration::{nested, put_at, rows};
use crate::support::license::{Seller, upload};
use crate::support::packet::{PATH, Packet};
use crate::support::server::PASSWORD;
use crate::support::trail::all_text_in;
use crate::support::websocket::WebSocket;
use crate::support::{Client, TestServer};

#[actix_web::test]
async fn no_secret_of_the_server_is_in_a_packet_or_beside_it() {
    let seller = Seller::new().await;
    let settings = format!(
        "{}[ServiceSettings]\nEnableUserAccessTokens = true\n[LogSettings]\nEnableFile = false\n",
        seller.settings("")
    );
    let server = TestServer::start_in(&settings, &|folder| {
        vec![
            ("MM_LOGSETTINGS_FILELOCATION".to_owned(), folder.display().to_string()),
            ("MM_EMAILSETTINGS_SMTPPASSWORD".to_owned(), "canary-pinned".to_owned()),
            ("MM_UNHEARD_OF".to_owned(), "canary-unheard".to_owned()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), "canary-cloud".to_owned()),
        ]
    })
    .await;
    let mut admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    let password = json!({ "current_password": PASSWORD, "new_password": "canary-password-1" });
    bert.put("/users/me/password", password).await.expect(200);
    let license = seller.license(&["--name", "canary-person", "--email", "canary@person.example"]).await;
    upload(&admin, &license).await.expect(201);
    let robot = admin.post("/users/me/tokens", json!({ "description": "robot" })).await.expect(200);
    let marks = fill(&mut admin).await;
    assert!(marks.len() > 20, "{}", marks.len());
    let mut secrets: Vec<String> = marks;
    secrets.extend([&admin, &bert].map(|client| client.token.clone().unwrap()));
    secrets.push(robot["token"].as_str().unwrap().to_owned());
    secrets.extend(["canary-pinned", "canary-unheard", "canary-cloud"].map(str::to_owned));
    std::fs::write(server.folder().join("mattermost.log"), older_log(&secrets, &license)).unwrap();
    // The server does not know these in clear: they are in no log, and only in the database.
    secrets.extend(["canary-password-1", PASSWORD, "canary-person"].map(str::to_owned));
    secrets.push(license);

    let (mut events, _) = WebSocket::greeted(&admin).await;
    let reply = admin.get(&format!("{PATH}?plugin_packets=one")).await;
    let packet = Packet::in_reply(&reply);
    let manifest = packet.manifest();
    assert!(manifest["replaced"]["secrets"].as_u64().unwrap() > 50, "{manifest}");
    assert!(packet.names().contains(&"mattermost.log"));
    for (name, content) in &packet.0 {
        none_in(name, &String::from_utf8_lossy(content), &secrets);
    }
    none_in("headers", &format!("{:?}", reply.headers), &secrets);
    admin.audits().await;
    let trail = all_text_in(server.folder()).await;
    none_in("audit trail", &trail, &secrets);
    admin.set("TeamSettings.MaxUsersPerTeam", 51).await.expect(200);
    let mut event = events.event_named("config_changed").await;
    for key in ["GoogleDeveloperKey", "GiphySdkKey"] {
        // Browsers need these settings.
        event["data"]["config"].as_object_mut().unwrap().remove(key);
    }
    none_in("event", &event.to_string(), &secrets);
}

/// Writes a mark into every secret setting that can be written.
async fn fill(admin: &mut Client) -> Vec<String> {
    let mut document = admin.config().await;
    let mut marks = Vec::new();
    for (number, row) in rows().iter().filter(|row| row["mask"].is_string()).enumerate() {
        let path = row["json_path"].as_str().unwrap();
        // The database and the password of mail are pinned.
        if ["SqlSettings.DataSource", "EmailSettings.SMTPPassword"].contains(&path) {
            continue;
        }
        let mark = format!("canary-{number:02}-{}", "x".repeat(22));
        let source = format!("postgres://canary-user:{mark}@db.example:5432/canary-base?sslmode=disable");
        match (path.split_once("[]."), row["mask"].as_str().unwrap()) {
            (Some((list, key)), _) => put_at(&mut document, list, json!([nested(key, source.as_str())])),
            (None, "elements") => put_at(&mut document, path, json!([source])),
            (None, "keys") => put_at(&mut document, path, json!({ "one": { "Token": mark, "plain": "canary-plain" } })),
            (None, _) => put_at(&mut document, path, mark.as_str()),
        }
        marks.push(mark);
    }
    admin.put("/config", document).await.expect(200);
    marks
}

/// Returns a log of an older server with every secret: unchanged, escaped, encoded, and in fields of any name.
fn older_log(secrets: &[String], license: &str) -> String {
    let mut lines = vec![license.to_owned()];
    for secret in secrets {
        let [base64, percent] = forms(secret);
        let basic = BASE64.encode(format!("user:{secret}").as_bytes());
        lines.push(format!("Authorization: Bearer {secret}"));
        lines.push(format!("tried postgres://u:{secret}@host/db and {percent}"));
        lines.push(
            json!({ "level": "info", "msg": format!("wrong {secret}"), "error": base64, "basic": basic }).to_string(),
        );
        lines.push(json!({ "level": "info", "msg": "x", "error": format!("Basic {basic}") }).to_string());
        lines.push(json!({ "level": "info", "msg": "x", "deep": { "any": [secret] }, "password": secret }).to_string());
    }
    lines.join("\n") + "\n"
}

fn forms(secret: &str) -> [String; 2] {
    [BASE64.encode(secret.as_bytes()), utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string()]
}

#[track_caller]
fn none_in(name: &str, text: &str, secrets: &[String]) {
    for secret in secrets {
        let basic = BASE64.encode(format!("user:{secret}").as_bytes());
        for form in forms(secret).iter().chain([secret, &basic]) {
            let line = text.lines().find(|line| line.contains(form.trim_end_matches('=')));
            assert_eq!(line, None, "{form} is in {name}");
        }
    }
}

#[actix_web::test]
async fn the_password_of_the_database_is_in_no_packet() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let source = server.server.config().current().view.sql.data_source.clone();
    let packet = Packet::of(&admin, "?basic_server_logs=false").await;
    for (name, content) in &packet.0 {
        assert!(!String::from_utf8_lossy(content).contains(&source), "{name}");
    }
    let shown = packet.json("sanitized_config.json")["SqlSettings"]["DataSource"].clone();
    let expected = if source.starts_with("postgres://") { "postgres://****:****@127.0.0.1:" } else { "****" };
    assert!(shown.as_str().unwrap().starts_with(expected), "{shown}");
}
