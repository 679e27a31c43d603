//! `POST /file/test` for callers who may test a store and may not read all of its settings.

use serde_json::{Value, json};

use super::files::{PLACEHOLDER, with_secrets};
use super::roles::beside_as;
use crate::support::configuration::{at, put_at, rows, take};
use crate::support::{Client, TestServer};

const PATH: &str = "/file/test";
const INCOMPLETE: &str = "api.file.test_connection_settings_nil.app_error";
const REENTER: &str = "api.file.test_connection_reenter_secret.app_error";

/// Logs in a caller who may test a store and has one more permission, on a second server that knows this role.
async fn tester(server: &TestServer, admin: &Client, permission: &str) -> (quarterdeck::server::Server, Client) {
    let permissions = format!("UPDATE roles SET permissions = ' test_s3 {permission}'");
    server.execute(&format!("{permissions} WHERE name = 'system_user_manager'")).await;
    server.staff(admin, "tom", "system_user_manager").await;
    beside_as(server, "tom").await
}

#[actix_web::test]
async fn null_for_settings_that_a_test_does_not_use_is_no_obstacle() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (second, manager) = tester(&server, &admin, "sysconsole_read_environment_file_storage").await;
    let shown = manager.config().await;
    for path in ["FileSettings.EnableFileAttachments", "FileSettings.PublicLinkSalt"] {
        assert_eq!(at(&shown, path), &Value::Null, "{path}");
    }
    manager.post(PATH, shown.clone()).await.expect_ok();
    // Another store can be tested, because all settings that go there are readable.
    let other = server.folder().join("other");
    std::fs::create_dir(&other).unwrap();
    let mut moved = shown.clone();
    put_at(&mut moved, "FileSettings.Directory", other.to_str().unwrap());
    manager.post(PATH, moved).await.expect_ok();
    // Null for a setting that they may read stays a missing setting.
    for path in ["FileSettings.Directory", "FileSettings.MaxFileSize"] {
        let mut lacking = shown.clone();
        put_at(&mut lacking, path, Value::Null);
        manager.post(PATH, lacking).await.expect_refusal(400, INCOMPLETE);
    }
    let mut absent = shown;
    take(&mut absent, "FileSettings.EnableFileAttachments");
    manager.post(PATH, absent).await.expect_refusal(400, INCOMPLETE);
    second.stop().await.unwrap();
}

#[actix_web::test]
async fn null_stands_for_the_stored_directory_only_while_nothing_is_guessed() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (second, tester) = tester(&server, &admin, "sysconsole_read_environment_web_server").await;
    let shown = tester.config().await;
    for path in rows().iter().map(|row| row["json_path"].as_str().unwrap()).filter(|path| path.starts_with("FileS")) {
        assert_eq!(at(&shown, path), &Value::Null, "{path}");
    }
    tester.post(PATH, shown.clone()).await.expect_ok();
    let right = admin.setting("FileSettings.Directory").await;
    for (path, value) in [
        ("FileSettings.Directory", json!("/")),
        ("FileSettings.Directory", right),
        ("FileSettings.DriverName", json!("local")),
        ("FileSettings.DriverName", json!("amazons3")),
        ("filesettings.drivername", json!("local")),
    ] {
        let mut guessed = shown.clone();
        if path.starts_with("filesettings") {
            let section = guessed["FileSettings"].take();
            guessed.as_object_mut().unwrap().remove("FileSettings");
            guessed["filesettings"] = section;
            take(&mut guessed, "filesettings.DriverName");
        }
        put_at(&mut guessed, path, value.clone());
        let refused = tester.post(PATH, guessed).await;
        refused.expect_refusal(400, INCOMPLETE);
        assert!(refused.text().contains("Null stands for the stored value"), "{path} {value}: {}", refused.text());
    }
    second.stop().await.unwrap();
}

/// For each driver, a setting of its place, and one that the test sends along.
const PLACES: [(&str, &str, &str); 2] =
    [("amazons3", "AmazonS3Endpoint", "AmazonS3PathPrefix"), ("azureblob", "AzureEndpoint", "AzurePathPrefix")];

#[actix_web::test]
async fn nothing_that_is_stored_goes_to_a_host_that_the_caller_names() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let elsewhere = listener.local_addr().unwrap().to_string();
    for (driver, endpoint, sent) in PLACES {
        let server = with_secrets(driver).await;
        let admin = server.admin().await;
        let whole = admin.config().await;
        let (second, tester) = tester(&server, &admin, "sysconsole_read_environment_web_server").await;
        let shown = tester.config().await;
        for (query, prefix) in [("", ""), ("?store=export", "Export")] {
            let (route, path) = (format!("{PATH}{query}"), |key: &str| format!("FileSettings.{prefix}{key}"));
            // These are the settings in use; the error is about the host, where nothing listens.
            let reached = tester.post(&format!("{PATH}?report=true{}", query.replace('?', "&")), shown.clone()).await;
            assert_eq!(reached.expect(500)["report"]["trouble"]["step"], "connect", "{driver} {query}");
            for host in [elsewhere.as_str(), "127.0.0.1:1"] {
                let mut named = shown.clone();
                put_at(&mut named, &path(endpoint), host);
                let refused = tester.post(&route, named).await;
                refused.expect_refusal(400, INCOMPLETE);
                assert!(refused.text().contains("Null stands for the stored value"), "{}", refused.text());
            }
            // A whole document whose stored parts are null or the placeholder.
            for secret in ["AmazonS3SecretAccessKey", "AzureAccessKey"] {
                assert_eq!(at(&whole, &path(secret)), PLACEHOLDER);
            }
            tester.post(&route, whole.clone()).await.expect_refusal(400, REENTER);
            let mut one = whole.clone();
            put_at(&mut one, &path(endpoint), elsewhere.as_str());
            tester.post(&route, one.clone()).await.expect_refusal(400, REENTER);
            for secret in ["AmazonS3SecretAccessKey", "AzureAccessKey"] {
                put_at(&mut one, &path(secret), "ZW50ZXJlZA==");
            }
            put_at(&mut one, &path(sent), Value::Null);
            tester.post(&route, one).await.expect_refusal(400, INCOMPLETE);
        }
        second.stop().await.unwrap();
    }
    let arrived = listener.accept().map(|_| ());
    assert_eq!(arrived.unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "the named host was called");
}
