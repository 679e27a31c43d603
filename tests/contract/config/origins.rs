//! `GET /config/provenance` and `GET /config/pending_restart`.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::configuration::named;
use crate::support::{Client, TestServer};

const HEADER: &str = "x-config-ineffective";

const PATHS: [&str; 2] = ["/config/provenance", "/config/pending_restart"];

async fn pending(admin: &Client) -> Value {
    admin.get("/config/pending_restart").await.expect(200)
}

#[actix_web::test]
async fn only_administrators_learn_where_values_come_from() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bert = server.user(&admin, "bert").await;
    for path in PATHS {
        server.client().get(path).await.expect_refusal(401, "api.context.session_expired.app_error");
        bert.get(path).await.expect_refusal(403, "api.context.permissions.app_error");
        assert_eq!(admin.get(path).await.header("cache-control"), "no-cache, no-store, must-revalidate");
    }
}

#[actix_web::test]
async fn each_setting_names_its_origin_and_never_its_value() {
    let settings = "[TeamSettings]\nSiteName = \"Bridge\"\n[EmailSettings]\nSMTPPassword = \"canary-1\"\n";
    let server = TestServer::start_with(settings).await;
    let admin = server.admin().await;
    let patch = json!({ "TeamSettings": { "CustomDescriptionText": "canary-2" } });
    let reply = admin.get("/config/provenance").await;
    let before = reply.expect(200);
    admin.put("/config/patch", patch).await.expect(200);
    let after = admin.get("/config/provenance").await;
    assert!(!reply.text().contains("canary") && !after.text().contains("canary"));
    let after = after.expect(200);
    let row = |rows: &Value, path: &str| rows.as_array().unwrap().iter().find(|row| row["path"] == path).cloned();
    let text = std::fs::read_to_string(server.folder().join("config.toml")).unwrap();
    let line = text.lines().position(|line| line.starts_with("SMTPPassword")).unwrap() + 1;
    let pinned = row(&before, "EmailSettings.SMTPPassword").unwrap();
    assert_eq!((&pinned["origin"], &pinned["applies"]), (&json!("file"), &json!("now")));
    assert!(pinned["place"].as_str().unwrap().ends_with(&format!("config.toml:{line}")), "{pinned}");
    let description = "TeamSettings.CustomDescriptionText";
    let fresh = json!({ "path": description, "origin": "default", "applies": "now" });
    assert_eq!(row(&before, description).unwrap(), fresh);
    assert_eq!(row(&after, description).unwrap()["origin"], "stored");
    assert_eq!(row(&after, "SqlSettings.DataSource").unwrap()["applies"], "restart");
}

#[actix_web::test]
async fn a_setting_waits_for_a_restart_until_it_is_as_it_was_at_the_start() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    assert_eq!(pending(&admin).await, json!([]));
    let patch = json!({ "ServiceSettings": { "ReadTimeout": 77 }, "TeamSettings": { "SiteName": "Bridge" } });
    admin.put("/config/patch", patch).await.expect(200);
    let waiting = json!([{ "path": "ServiceSettings.ReadTimeout", "origin": "stored", "applies": "restart" }]);
    assert_eq!(pending(&admin).await, waiting);
    admin.put("/config/patch", json!({ "ServiceSettings": { "ReadTimeout": 300 } })).await.expect(200);
    assert_eq!(pending(&admin).await, json!([]));
}

#[actix_web::test]
async fn what_only_a_pinned_value_changes_is_told_of_and_does_not_wait_for_a_restart() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let patch =
        json!({ "SqlSettings": { "QueryTimeout": 44, "MaxIdleConns": 44 }, "TeamSettings": { "SiteName": "a" } });
    let paths = ["SqlSettings.MaxIdleConns", "SqlSettings.QueryTimeout"];
    let preview = admin.put("/config/patch?dry_run=true", patch.clone()).await;
    assert_eq!(preview.expect(200)["ineffective"], json!(paths));
    let reply = admin.put("/config/patch", patch).await;
    assert_eq!(reply.expect(200)["SqlSettings"]["QueryTimeout"], 44, "clients send whole documents");
    let listed = paths.map(|path| format!("{path};read_before_store")).join(" ");
    assert_eq!([preview.header(HEADER), reply.header(HEADER)], [listed.clone(), listed]);
    assert_eq!(pending(&admin).await, json!([]));
    let whole = admin.config().await;
    assert_eq!(admin.put("/config", whole).await.headers.get(HEADER), None, "nothing of it changes");

    let file = server.folder().join("config.toml");
    let pinned = std::fs::read_to_string(&file).unwrap().replace("[SqlSettings]", "[SqlSettings]\nQueryTimeout = 45");
    std::fs::write(&file, pinned).unwrap();
    admin.post("/config/reload", json!({})).await.expect_ok();
    assert_eq!(named(&pending(&admin).await, "path"), ["SqlSettings.QueryTimeout"]);
}

#[actix_web::test]
async fn a_file_says_how_the_database_is_reached_after_a_restart() {
    let place = |folder: &Path| vec![("MM_CONFIG".to_owned(), folder.join("config.json").display().to_string())];
    let server = TestServer::start_in("", &place).await;
    let admin = server.admin().await;
    let reply = admin.set("SqlSettings.QueryTimeout", 44).await;
    reply.expect(200);
    assert_eq!(reply.headers.get(HEADER), None);
    assert_eq!(named(&pending(&admin).await, "path"), ["SqlSettings.QueryTimeout"]);
}

#[actix_web::test]
async fn the_local_socket_tells_it_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("local.socket");
    let settings =
        format!("[ServiceSettings]\nEnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n", path.display());
    let _server = TestServer::start_with(&settings).await;
    for route in PATHS {
        Client::on_socket(&path).get(route).await.expect(200);
    }
}
