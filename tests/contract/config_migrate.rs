//! `POST /config/migrate`: on the local socket only, from one store into another.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::config_place::read_json;
use crate::support::{Client, TestServer};

const FAILED: &str = "api.config.migrate_config.app_error";
const INVALID: &str = "api.context.invalid_body_param.app_error";

#[actix_web::test]
async fn migrating_is_not_served_on_the_network() {
    let (server, _, _folder) = start().await;
    let admin = server.admin().await;
    let reply = admin.post("/config/migrate", json!({ "from": "a", "to": "b" })).await;
    reply.expect_refusal(404, "api.context.404.app_error");
}

#[actix_web::test]
async fn both_names_are_needed_the_source_first() {
    let (_server, socket, _folder) = start().await;
    for (body, name) in [
        (json!({}), "from"),
        (json!({ "from": 1, "to": "b" }), "from"),
        (json!({ "from": "a" }), "to"),
        (json!({ "from": "a", "to": null }), "to"),
        (json!("nonsense"), "from"),
    ] {
        let reply = socket.post("/config/migrate", body).await;
        reply.expect_refusal(400, INVALID);
        assert!(reply.json()["message"].as_str().unwrap().contains(name), "{}", reply.text());
    }
}

#[actix_web::test]
async fn a_source_that_holds_nothing_or_cannot_be_read_moves_nothing() {
    let (server, socket, _folder) = start().await;
    let target = path(&server, "target.json");
    let broken = path(&server, "broken.json");
    std::fs::write(&broken, "{").unwrap();
    for from in ["", &path(&server, "absent.json"), &broken, "mysql://user:password@host/name", &own_database(&server)]
    {
        socket.post("/config/migrate", json!({ "from": from, "to": target })).await.expect_refusal(500, FAILED);
    }
    assert!(!Path::new(&target).exists() && !Path::new(&path(&server, "absent.json")).exists());
}

#[actix_web::test]
async fn a_target_that_cannot_be_read_is_not_overwritten() {
    let (server, socket, _folder) = start().await;
    let (source, target) = (path(&server, "source.json"), path(&server, "target.json"));
    std::fs::write(&source, json!({ "TeamSettings": { "SiteName": "source" } }).to_string()).unwrap();
    std::fs::write(&target, "{ \"TeamSettings\"").unwrap();
    socket.post("/config/migrate", json!({ "from": source, "to": target })).await.expect_refusal(500, FAILED);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "{ \"TeamSettings\"");
}

#[actix_web::test]
async fn a_configuration_that_breaks_rules_is_not_moved() {
    let (server, socket, _folder) = start().await;
    let (source, target) = (path(&server, "source.json"), path(&server, "target.json"));
    std::fs::write(&source, json!({ "ServiceSettings": { "SiteURL": "nonsense" } }).to_string()).unwrap();
    socket.post("/config/migrate", json!({ "from": source, "to": target })).await.expect_refusal(500, FAILED);
    assert!(!Path::new(&target).exists());
}

#[actix_web::test]
async fn what_is_stored_goes_into_the_database_and_back_whatever_is_pinned() {
    let (server, socket, _folder) = start().await;
    let (source, target) = (path(&server, "source.json"), path(&server, "target.json"));
    let stored = json!({
        "ServiceSettings": { "SiteURL": "https://chat.example.com" },
        "SupportSettings": { "SupportEmail": "stored@chat.example" },
        "EmailSettings": { "SMTPPassword": "secret of the file" },
    });
    std::fs::write(&source, stored.to_string()).unwrap();
    let database = own_database(&server);
    socket.post("/config/migrate", json!({ "from": source, "to": database })).await.expect_ok();
    let config = socket.get("/config").await.expect(200);
    assert_eq!(config["SupportSettings"]["SupportEmail"], "pinned@chat.example");
    assert_eq!(config["EmailSettings"]["SMTPPassword"], "secret of the file", "its own store changed under the server");
    let version = newest(&socket).await;
    assert_eq!((&version["version"]["source"], &version["version"]["is_active"]), (&json!("migrate"), &json!(true)));
    assert_eq!(version["config"]["SupportSettings"]["SupportEmail"], "stored@chat.example");
    assert!(!version.to_string().contains("secret of the file"), "{version}");
    socket.post("/config/migrate", json!({ "from": database, "to": target })).await.expect_ok();
    assert_eq!(read_json(Path::new(&target)), stored);
    // An identical configuration creates no version.
    socket.post("/config/migrate", json!({ "from": source, "to": database })).await.expect_ok();
    assert_eq!(newest(&socket).await["version"]["id"], version["version"]["id"]);
}

async fn newest(socket: &Client) -> Value {
    let list = socket.get("/config/versions").await.expect(200);
    socket.get(&format!("/config/versions/{}", list[0]["id"].as_str().unwrap())).await.expect(200)
}

async fn start() -> (TestServer, Client, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let server = TestServer::start_with(&format!(
        "[ServiceSettings]\nEnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n\
         [SupportSettings]\nSupportEmail = \"pinned@chat.example\"\n",
        socket.display()
    ))
    .await;
    (server, Client::on_socket(&socket), folder)
}

fn path(server: &TestServer, name: &str) -> String {
    server.folder().join(name).display().to_string()
}

/// Returns the name of the server's database for a migration.
fn own_database(server: &TestServer) -> String {
    let config = server.server.config().current();
    let sql = &config.view.sql;
    if sql.driver_name == "postgres" { sql.data_source.clone() } else { "sqlite".to_owned() }
}
