//! `POST /file/test` with real stores: the ids of the contract, and the use of saved settings.

use serde_json::{Value, json};

use crate::support::configuration::{at, put_at};
use crate::support::stores::{azure, s3};
use crate::support::waiting::until;
use crate::support::{Client, Reply, TestServer};

const PLACEHOLDER: &str = "********************************";
const AUTH: &str = "api.file.test_connection_auth.app_error";
const NO_BUCKET: &str = "api.file.test_connection_no_bucket.app_error";

/// Tests a store with the configuration in force and these changes.
async fn test(admin: &Client, store: &str, settings: &Value, changes: &[(&str, Value)]) -> Reply {
    test_at(&format!("/file/test?report=true&store={store}"), admin, store, settings, changes).await
}

async fn test_at(path: &str, admin: &Client, store: &str, settings: &Value, changes: &[(&str, Value)]) -> Reply {
    let prefix = if store == "export" { "Export" } else { "" };
    let mut body = admin.config().await;
    let settings = settings.as_object().unwrap().iter().map(|(key, value)| (key.as_str(), value.clone()));
    for (key, value) in settings.chain(changes.iter().cloned()) {
        put_at(&mut body, &format!("FileSettings.{prefix}{key}"), value);
    }
    admin.post(path, body).await
}

#[actix_web::test]
async fn each_trouble_with_a_bucket_has_its_id_and_step() {
    let Some(settings) = s3() else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for store in ["files", "export"] {
        let passed = test(&admin, store, &settings, &[]).await.expect(200);
        assert!(passed["report"]["identity"].as_str().unwrap().contains("access key"), "{passed}");
        for (key, value, id, step) in [
            ("AmazonS3SecretAccessKey", json!("wrong"), AUTH, "authenticate"),
            ("AmazonS3AccessKeyId", json!("AKIANOBODY"), AUTH, "authenticate"),
            ("AmazonS3Bucket", json!("absent"), NO_BUCKET, "bucket"),
            ("AmazonS3Endpoint", json!("127.0.0.1:1"), "api.file.test_connection.app_error", "connect"),
            ("AmazonS3Endpoint", json!("nowhere.invalid"), "api.file.test_connection.app_error", "resolve"),
            ("AmazonS3SSL", json!(true), "api.file.test_connection.app_error", "tls"),
            ("AmazonS3SignV2", json!(true), "api.file.no_driver.app_error", "settings"),
        ] {
            let refused = test(&admin, store, &settings, &[(key, value)]).await;
            refused.expect_refusal(500, id);
            let failure = refused.json()["report"]["trouble"].clone();
            assert_eq!(failure["step"], step, "{failure}");
            let remedy = failure["remedy"].as_str().unwrap();
            let is_of_exports = remedy.contains("FileSettings.Export");
            assert_eq!((remedy.contains("FileSettings."), is_of_exports), (true, store == "export"), "{remedy}");
            assert!(!refused.text().contains(settings["AmazonS3SecretAccessKey"].as_str().unwrap()));
        }
    }
}

#[actix_web::test]
async fn the_older_route_has_the_ids_that_older_clients_know() {
    let Some(settings) = s3() else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let test = async |changes: &[(&str, Value)]| test_at("/file/s3_test", &admin, "files", &settings, changes).await;
    test(&[]).await.expect_ok();
    for (key, value, status, id) in [
        ("AmazonS3SecretAccessKey", json!("wrong"), 500, "api.file.test_connection_s3_auth.app_error"),
        ("AmazonS3Bucket", json!("absent"), 500, "api.file.test_connection_s3_bucket_does_not_exist.app_error"),
        ("AmazonS3Endpoint", json!("127.0.0.1:1"), 500, "api.file.test_connection.app_error"),
        ("AmazonS3Bucket", json!(""), 400, "api.admin.test_s3.missing_s3_bucket"),
        ("AmazonS3Bucket", Value::Null, 400, "api.file.test_connection_s3_settings_nil.app_error"),
    ] {
        test(&[(key, value)]).await.expect_refusal(status, id);
    }
}

#[actix_web::test]
async fn each_trouble_with_a_container_has_its_id_and_step() {
    let Some(settings) = azure() else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for (changes, id, step) in [
        (vec![], NO_BUCKET, "bucket"),
        (vec![("AzureAccessKey", json!("d3Jvbmc="))], AUTH, "authenticate"),
        (vec![("AzureAccessKey", json!("no base64!"))], "api.file.no_driver.app_error", "settings"),
        (vec![("AzureEndpoint", json!("127.0.0.1:1"))], "api.file.test_connection.app_error", "connect"),
    ] {
        let refused = test(&admin, "files", &settings, &changes).await;
        refused.expect_refusal(500, id);
        assert_eq!(refused.json()["report"]["trouble"]["step"], step, "{}", refused.text());
    }
}

async fn store_states(admin: &Client) -> String {
    admin.get("/config").await.header("x-storage-settings")
}

#[actix_web::test]
async fn a_saved_bucket_is_in_service_and_its_secret_needs_no_second_entry() {
    let Some(settings) = s3() else { return };
    // No storage setting is pinned.
    let environment = |folder: &std::path::Path| {
        let file = folder.join("config.json");
        let directory = folder.join("files");
        let stored = json!({ "FileSettings": { "Directory": directory.to_str().unwrap() } });
        std::fs::write(&file, stored.to_string()).unwrap();
        vec![("MM_CONFIG".to_owned(), file.to_str().unwrap().to_owned())]
    };
    let server = TestServer::start_in("[FileSettings]\nEnablePublicLink = false\n", &environment).await;
    let admin = server.admin().await;
    let saved = admin.put("/config/patch", json!({ "FileSettings": settings })).await;
    assert_eq!(at(&saved.expect(200), "FileSettings.AmazonS3SecretAccessKey"), PLACEHOLDER);
    until("it is in service", async || store_states(&admin).await.is_empty()).await;
    admin.post("/file/test", admin.config().await).await.expect_ok();
    admin.post("/file/s3_test", Value::Null).await.expect_ok();

    let wrong = admin.set("FileSettings.AmazonS3Bucket", "absent").await;
    wrong.expect(200);
    until("it is refused", async || store_states(&admin).await == "files=refused; step=bucket").await;
    // The test uses the configuration in force, not the earlier settings that are still in use.
    admin.post("/file/test", Value::Null).await.expect_refusal(500, NO_BUCKET);
    let ping = admin.get("/system/ping?get_server_status=true").await;
    assert_eq!(ping.expect(200)["filestore_status"], "OK");
}
