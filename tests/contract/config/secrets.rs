//! Every secret gets a different mark; only the local socket may return one.

use serde_json::{Value, json};

use super::PLACEHOLDER;
use crate::support::configuration::{at, nested, put_at, rows};
use crate::support::process::{Workplace, read};
use crate::support::server::{PASSWORD, account};
use crate::support::trail::all_text_in;
use crate::support::websocket::WebSocket;
use crate::support::{Client, Reply, TestServer};

/// Settings that clients get although administrators do not see them, because browsers need them.
const TOLD_TO_CLIENTS: [&str; 2] = ["GoogleDeveloperKey", "GiphySdkKey"];

#[actix_web::test]
async fn no_secret_of_the_configuration_is_answered_or_logged() {
    let place = Workplace::new("").await;
    let socket = place.path("local.socket");
    place.configure(&format!(
        "[ServiceSettings]\nListenAddress = \"127.0.0.1:0\"\nEnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n\
         [FileSettings]\nDirectory = \"files\"\n\
         [LogSettings]\nConsoleLevel = \"DEBUG\"\nFileLevel = \"DEBUG\"\nFileLocation = \"logs\"\n",
        socket.display()
    ));
    let server = place.serve().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    let local = Client::on_socket(&socket);
    admin.set("TeamSettings.SiteName", "before").await.expect(200);

    let (mut events, _) = WebSocket::greeted(&admin).await;
    let (document, marks) = filled(admin.config().await);
    let mut answers = Answers::default();
    answers.keep("dry run", &admin.put("/config?dry_run=true", document.clone()).await);
    answers.keep("PUT", &admin.put("/config", document).await);
    let clear = local.get("/config").await.text();
    for (path, mark) in &marks {
        assert!(clear.contains(mark), "{path} is not in force");
    }
    answers.keep("GET", &admin.get("/config").await);
    answers.keep("GET without defaults", &admin.get("/config?remove_defaults=true&remove_masked=true").await);
    answers.keep(
        "dry run of a patch",
        &admin.put("/config/patch?dry_run=true", json!({ "EmailSettings": { "SMTPPassword": "x" } })).await,
    );
    answers.keep("PATCH", &admin.set("TeamSettings.SiteName", "after").await);
    answers.keep("environment", &admin.get("/config/environment").await);
    answers.keep("PATCH on the socket", &local.set("TeamSettings.SiteName", "local").await);
    answers.keep("refused", &admin.set("PasswordSettings.MinimumLength", 1).await);
    answers.keep("refused secret", &admin.set("SqlSettings.AtRestEncryptKey", "canary-short").await);
    answers.keep("secret of another kind", &admin.set("EmailSettings.SMTPPassword", json!(["canary-list"])).await);

    let versions = admin.versions().await;
    answers.keep("versions", &admin.get("/config/versions").await);
    let oldest = versions.last().unwrap()["id"].as_str().unwrap();
    for version in &versions {
        let id = version["id"].as_str().unwrap();
        answers.keep("version", &admin.get(&format!("/config/versions/{id}")).await);
        answers.keep("version on the socket", &local.get(&format!("/config/versions/{id}")).await);
        answers.keep("difference", &admin.get(&format!("/config/versions/{oldest}/difference/{id}")).await);
        answers.keep("difference back", &admin.get(&format!("/config/versions/{id}/difference/{oldest}")).await);
    }
    answers.keep("rollback", &admin.post(&format!("/config/versions/{oldest}/rollback"), json!({})).await);
    let newest = versions[0]["id"].as_str().unwrap();
    answers.keep("rollback forward", &admin.post(&format!("/config/versions/{newest}/rollback"), json!({})).await);
    answers.keep("reload", &admin.post("/config/reload", json!({})).await);
    assert_eq!(local.get("/config").await.text().matches("canary-").count(), clear.matches("canary-").count());

    for client in [&admin, &server.client()] {
        answers.0.push(("client configuration", untold(client.get("/config/client").await.expect(200))));
    }
    for _ in 0..4 {
        let mut event = events.event_named("config_changed").await;
        answers.0.push(("event", untold(event["data"]["config"].take())));
        answers.0.push(("rest of the event", event.to_string()));
    }
    server.stop().await;
    answers.0.push(("audit trail", all_text_in(&place.path("")).await));
    answers.0.push(("log file", read(&place.path("logs/mattermost.log"))));
    answers.0.push(("standard error", read(&place.path("stderr"))));
    for (name, text) in answers.0 {
        let found = text.lines().find(|line| line.contains("canary-"));
        assert_eq!(found, None, "{name}");
        assert!(!text.contains(PASSWORD), "{name}");
    }
}

/// Returns the settings for clients, without the secrets that browsers need.
fn untold(mut told: Value) -> String {
    for key in TOLD_TO_CLIENTS {
        told.as_object_mut().unwrap().remove(key);
    }
    told.to_string()
}

#[actix_web::test]
async fn an_empty_secret_is_hidden_only_where_emptiness_tells_something() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let document = admin.config().await;
    for row in secret_rows() {
        let path = row["json_path"].as_str().unwrap();
        let is_plain = row["type"] == "string" && !path.contains("[]");
        if is_plain && row["default"] == "" {
            let expected = if row["mask"] == "always" { PLACEHOLDER } else { "" };
            assert_eq!(*at(&document, path), expected, "{path}");
        }
    }
}

#[derive(Default)]
struct Answers(Vec<(&'static str, String)>);

impl Answers {
    fn keep(&mut self, name: &'static str, reply: &Reply) {
        assert!(reply.status < 500, "{name}: {}", reply.text());
        self.0.push((name, format!("{:?}\n{}", reply.headers, reply.text())));
    }
}

fn secret_rows() -> Vec<Value> {
    rows().into_iter().filter(|row| row["mask"].is_string()).collect()
}

/// Returns the document with a mark for every secret, and the marks by path.
fn filled(mut document: Value) -> (Value, Vec<(String, String)>) {
    let mut marks = Vec::new();
    for (number, row) in secret_rows().iter().enumerate() {
        let path = row["json_path"].as_str().unwrap();
        // The database is pinned.
        if path == "SqlSettings.DataSource" {
            continue;
        }
        // Two keys must have 32 characters.
        let mark = format!("canary-{number:02}-{}", "x".repeat(22));
        match (path.split_once("[]."), row["mask"].as_str().unwrap()) {
            (Some((list, key)), _) => put_at(&mut document, list, json!([nested(key, mark.as_str())])),
            (None, "elements") => put_at(&mut document, path, json!([mark])),
            (None, "keys") => {
                let plugin =
                    json!({ "Token": mark, "list": [{ "api_key": mark }], "deep": { "Secret": { "any": mark } } });
                put_at(&mut document, path, json!({ "one": plugin }));
            }
            (None, _) => put_at(&mut document, path, mark.as_str()),
        }
        marks.push((path.to_owned(), mark));
    }
    assert_ne!(document.to_string().matches(PLACEHOLDER).count(), 0, "the database stays hidden");
    (document, marks)
}
