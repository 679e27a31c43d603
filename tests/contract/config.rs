//! The parts of the configuration and the licence that clients get.

mod confirmation;
mod defaults;
mod ineffective;
mod installation;
mod kept_secrets;
mod origins;
mod pinned;
mod plugin_settings;
mod protected;
mod reading;
mod refusals;
mod saving;
mod schema;
mod secrets;
mod several_servers;
mod spelling;
mod starting;
mod sweep;
mod versions;
mod whole;
mod writing;

use reqwest::Method;
use serde_json::json;

use crate::support::TestServer;

const EXPIRED: &str = "api.context.session_expired.app_error";
const FORBIDDEN: &str = "api.context.permissions.app_error";

/// The placeholder of a secret.
const PLACEHOLDER: &str = "********************************";

#[actix_web::test]
async fn clients_learn_more_of_the_configuration_when_they_are_logged_in() {
    let server = TestServer::start_with("[TeamSettings]\nSiteName = \"here & there\"\n").await;
    let client = server.client();
    let before = client.get("/config/client?format=old").await.expect(200);
    assert_eq!(before["NoAccounts"], "true");
    let admin = server.admin().await;
    let reply = client.get("/config/client").await;
    assert!(reply.text().contains(r#""SiteName":"here \u0026 there""#) && reply.text().ends_with("}\n"));
    let anonymous = reply.expect(200);
    assert_eq!((&anonymous["NoAccounts"], &anonymous["Version"]), (&"false".into(), &"11.6.0".into()));
    assert!(anonymous.as_object().unwrap().values().all(serde_json::Value::is_string));
    assert!(anonymous.get("SQLDriverName").is_none());
    let authenticated = admin.get("/config/client?format=old").await.expect(200);
    assert!(authenticated["SQLDriverName"].is_string());
    assert_eq!(authenticated["DiagnosticId"], anonymous["DiagnosticId"]);
    assert!(authenticated.as_object().unwrap().len() > anonymous.as_object().unwrap().len() + 100);
}

#[actix_web::test]
async fn the_client_configuration_comes_packed_for_those_who_accept_it() {
    let server = TestServer::start().await;
    let plain = server.client().get("/config/client").await;
    let packed = server.client().send(Method::GET, "/config/client", None, &[("Accept-Encoding", "gzip")]).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    let mut unpacked = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&packed.body[..]), &mut unpacked).unwrap();
    assert_eq!(unpacked, plain.text());
}

#[actix_web::test]
async fn the_version_header_follows_what_clients_see_of_the_configuration() {
    let one = TestServer::start_with("[TeamSettings]\nSiteName = \"one\"\n").await;
    let other = TestServer::start_with("[TeamSettings]\nSiteName = \"other\"\n").await;
    let [one, other] = [one.client().get("/system/ping").await, other.client().get("/system/ping").await];
    assert_ne!(one.header("x-version-id"), other.header("x-version-id"));
}

#[actix_web::test]
async fn the_client_licence_comes_in_the_old_format_only() {
    let server = TestServer::start().await;
    let client = server.client();
    assert_eq!(client.get("/license/client?format=old").await.text(), r#"{"IsLicensed":"false"}"#);
    client.get("/license/client").await.expect_refusal(400, "api.license.client.old_format.app_error");
    client.get("/license/client?format=new").await.expect_refusal(501, "api.license.client.other_format.app_error");
}

#[actix_web::test]
async fn a_reload_reads_the_pinned_settings_again_and_a_refused_one_changes_nothing() {
    let server = TestServer::start_with("[TeamSettings]\nSiteName = \"one\"\n").await;
    server.client().post("/config/reload", json!({})).await.expect_refusal(401, EXPIRED);
    let admin = server.admin().await;
    let user = server.user(&admin, "bert").await;
    user.post("/config/reload", json!({})).await.expect_refusal(403, FORBIDDEN);
    let file = server.folder().join("config.toml");
    let before = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, before.replace("\"one\"", "\"two\"")).unwrap();
    let reply = admin.post("/config/reload", json!({})).await;
    reply.expect_ok();
    assert_eq!(reply.header("cache-control"), "no-cache, no-store, must-revalidate");
    assert_eq!(admin.get("/config/client").await.json()["SiteName"], "two");
    std::fs::write(&file, "broken =").unwrap();
    admin.post("/config/reload", json!({})).await.expect_refusal(500, "api.config.reload_config.app_error");
    assert_eq!(admin.get("/config/client").await.json()["SiteName"], "two");
}

#[actix_web::test]
async fn restricted_administrators_reload_nothing() {
    let server = TestServer::start_with("[ExperimentalSettings]\nRestrictSystemAdmin = true\n").await;
    let admin = server.admin().await;
    admin.post("/config/reload", json!({})).await.expect_refusal(403, FORBIDDEN);
}
