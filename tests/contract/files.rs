//! `POST /file/test` and its older name: the permission, the required settings, the results.

use std::cell::RefCell;
use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::support::configuration::{put_at, rows, take};
use crate::support::steps::hanging;
use crate::support::{Client, TestServer};

const ROUTES: [&str; 2] = ["/file/test", "/file/s3_test"];
/// The refusal of a configuration without all settings, on each of the routes.
const INCOMPLETE: [&str; 2] =
    ["api.file.test_connection_settings_nil.app_error", "api.file.test_connection_s3_settings_nil.app_error"];
pub const PLACEHOLDER: &str = "********************************";

/// The timeout of every wait.
const TIMEOUT: Duration = Duration::from_secs(20);

#[actix_web::test]
async fn who_may_not_test_learns_nothing_whatever_is_sent() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let member = server.user(&admin, "anna").await;
    let reader = server.staff(&admin, "rita", "system_read_only_admin").await;
    for route in ROUTES {
        for body in ["", "null", "{", "{}", r#"{"FileSettings":{"DriverName":"gcs"}}"#] {
            let send = async |client: &Client| client.send(Method::POST, route, Some(body.to_owned()), &[]).await;
            send(&server.client()).await.expect_refusal(401, "api.context.session_expired.app_error");
            for client in [&member, &reader] {
                send(client).await.expect_refusal(403, "api.context.permissions.app_error");
            }
        }
    }
}

#[actix_web::test]
async fn who_manages_the_storage_may_test_also_while_administrators_are_restricted() {
    let server = TestServer::start_with("[ExperimentalSettings]\nRestrictSystemAdmin = true\n").await;
    let admin = server.admin().await;
    let manager = server.staff(&admin, "mia", "system_manager").await;
    for route in ROUTES {
        admin.post(route, Value::Null).await.expect_ok();
        manager.post(route, Value::Null).await.expect_ok();
    }
}

#[actix_web::test]
async fn without_a_configuration_the_one_in_force_is_tested() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for route in ROUTES {
        for body in [None, Some(""), Some("null"), Some("{"), Some("nonsense")] {
            admin.send(Method::POST, route, body.map(str::to_owned), &[]).await.expect_ok();
        }
    }
    let large = format!("{{\"FileSettings\":\"{}\"}}", "x".repeat(400_000));
    let refused = admin.send(Method::POST, ROUTES[0], Some(large), &[]).await;
    refused.expect_refusal(413, "api.context.request_body_too_large.app_error");
}

#[actix_web::test]
async fn a_configuration_must_have_every_setting_that_clients_know() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let whole = admin.config().await;
    for (route, incomplete) in ROUTES.into_iter().zip(INCOMPLETE) {
        admin.post(route, whole.clone()).await.expect_ok();
        for body in [json!({}), json!([]), json!(7), json!({ "FileSettings": null }), json!({ "FileSettings": {} })] {
            admin.post(route, body).await.expect_refusal(400, incomplete);
        }
    }
    let paths = rows().into_iter().map(|row| row["json_path"].as_str().unwrap().to_owned());
    for path in paths.filter(|path| path.starts_with("FileSettings.")) {
        let is_newer = path.contains("Azure");
        let mut without = whole.clone();
        take(&mut without, &path);
        let reply = admin.post(ROUTES[0], without).await;
        if is_newer {
            reply.expect_ok();
        } else {
            reply.expect_refusal(400, INCOMPLETE[0]);
            assert!(reply.json()["message"].as_str().unwrap().contains(path.trim_start_matches("FileSettings.")));
        }
    }
}

#[actix_web::test]
async fn a_driver_must_be_known_and_have_what_it_needs() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for (query, prefix) in [("", ""), ("?store=files", ""), ("?store=export", "Export")] {
        for route in ROUTES {
            let test = async |changes: &[(&str, &str)]| {
                let mut body = admin.config().await;
                for (key, value) in changes {
                    put_at(&mut body, &format!("FileSettings.{prefix}{key}"), *value);
                }
                admin.post(&format!("{route}{query}"), body).await
            };
            for driver in ["", "gcs", "AmazonS3"] {
                let refused = test(&[("DriverName", driver)]).await;
                refused.expect_refusal(400, "api.file.test_connection_unsupported_driver.app_error");
            }
            let s3 = test(&[("DriverName", "amazons3")]).await;
            s3.expect_refusal(400, "api.admin.test_s3.missing_s3_bucket");
            let mut given = vec![("DriverName", "azureblob")];
            for key in ["AzureStorageAccount", "AzureContainer", "AzureAccessKey"] {
                let refused = test(&given).await;
                refused.expect_refusal(400, "api.admin.test_azure.missing_azure_field");
                assert!(refused.json()["message"].as_str().unwrap().contains(key));
                given.push((key, "account1"));
            }
        }
    }
    let refused = admin.post("/file/test?store=elsewhere", Value::Null).await;
    refused.expect_refusal(400, "api.context.invalid_url_param.app_error");
}

#[actix_web::test]
async fn a_report_says_how_each_step_went_and_the_answer_stays_as_it_was() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let whole = admin.config().await;
    let passed = admin.post("/file/test?report=true", whole.clone()).await.expect(200);
    assert_eq!((&passed["status"], &passed["report"]["driver"]), (&json!("OK"), &json!("local")));
    let stages = passed["report"]["stages"].as_array().unwrap();
    assert!(stages.iter().any(|stage| stage["step"] == "write" && stage["outcome"] == "passed"), "{stages:?}");
    assert!(!passed["report"]["identity"].as_str().unwrap().is_empty());

    let blocker = server.folder().join("blocker");
    std::fs::write(&blocker, "").unwrap();
    let mut broken = whole;
    put_at(&mut broken, "FileSettings.Directory", blocker.join("files").to_str().unwrap());
    let plain = admin.post("/file/test", broken.clone()).await;
    assert_eq!(plain.json().get("report"), None);
    let reported = admin.post("/file/test?report=true", broken).await;
    assert_eq!((plain.status, reported.status), (500, 500));
    let body = reported.json();
    assert_eq!(plain.json()["id"], body["id"]);
    let failure = &body["report"]["trouble"];
    assert_eq!((&failure["step"], &failure["code"]), (&json!("bucket"), &Value::Null), "{failure}");
    for text in ["cause", "remedy"] {
        assert!(body["message"].as_str().unwrap().contains(failure[text].as_str().unwrap()), "{body}");
    }
}

#[actix_web::test]
async fn nothing_of_a_test_is_kept() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (before, mut body) = (admin.versions().await.len(), admin.config().await);
    let other = server.folder().join("other");
    put_at(&mut body, "FileSettings.Directory", other.to_str().unwrap());
    let missing = admin.post("/file/test", body.clone()).await;
    missing.expect_refusal(500, "api.file.test_connection_no_bucket.app_error");
    assert!(!other.exists(), "a test makes no directory");
    std::fs::create_dir(&other).unwrap();
    admin.post("/file/test", body).await.expect_ok();
    assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
    assert_eq!(admin.versions().await.len(), before);
    assert_ne!(admin.setting("FileSettings.Directory").await, json!(other));
}

/// For each driver, its stored secret and the changes after which the secret must not be sent.
const SECRETS: [(&str, &str, [&str; 3]); 2] = [
    ("amazons3", "AmazonS3SecretAccessKey", ["AmazonS3Endpoint", "AmazonS3Bucket", "AmazonS3AccessKeyId"]),
    ("azureblob", "AzureAccessKey", ["AzureEndpoint", "AzureContainer", "AzureStorageAccount"]),
];

/// Starts a server with stores that are configured and unreachable.
pub async fn with_secrets(driver: &str) -> TestServer {
    let mut settings = String::from("[FileSettings]\n");
    for prefix in ["", "Export"] {
        write!(
            settings,
            "{prefix}DriverName = \"{driver}\"\n{prefix}AmazonS3Endpoint = \"127.0.0.1:1\"\n{prefix}AmazonS3SSL = false\n\
             {prefix}AmazonS3Bucket = \"files\"\n{prefix}AmazonS3AccessKeyId = \"AKIAQUARTER\"\n\
             {prefix}AmazonS3SecretAccessKey = \"hunter2-s3\"\n{prefix}AzureEndpoint = \"127.0.0.1:1\"\n\
             {prefix}AzureSSL = false\n{prefix}AzureCloud = \"custom\"\n{prefix}AzureContainer = \"files\"\n\
             {prefix}AzureStorageAccount = \"account1\"\n{prefix}AzureAccessKey = \"aHVudGVyMi1henVyZQ==\"\n"
        )
        .unwrap();
    }
    TestServer::start_with(&settings).await
}

#[actix_web::test]
async fn a_stored_secret_never_goes_where_it_is_not_in_use() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = listener.local_addr().unwrap().to_string();
    for (driver, secret, places) in SECRETS {
        let server = with_secrets(driver).await;
        let admin = server.admin().await;
        let seen = admin.config().await;
        for (query, prefix) in [("", ""), ("?store=export", "Export")] {
            let path = |key: &str| format!("FileSettings.{prefix}{key}");
            assert_eq!(admin.setting(&path(secret)).await, PLACEHOLDER);
            for place in places {
                let mut body = seen.clone();
                put_at(&mut body, &path(place), if place.ends_with("Endpoint") { &elsewhere } else { "account2" });
                for route in ROUTES {
                    let refused = admin.post(&format!("{route}{query}"), body.clone()).await;
                    refused.expect_refusal(400, "api.file.test_connection_reenter_secret.app_error");
                    assert!(refused.json()["message"].as_str().unwrap().contains(&path(secret)));
                }
            }
        }
        // With the settings in force the secret is used: the error is about the unreachable store, not about the
        // placeholder.
        let unreachable = admin.post("/file/test?report=true", seen).await;
        assert_eq!(unreachable.expect(500)["report"]["trouble"]["step"], "connect");
    }
    assert!(timeout(Duration::from_millis(50), listener.accept()).await.is_err(), "somebody called elsewhere");
}

#[actix_web::test]
async fn a_secret_that_is_entered_goes_where_it_is_said_and_no_stored_one_with_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = listener.local_addr().unwrap().to_string();
    let received = Rc::new(RefCell::new(Vec::new()));
    let listening = actix_web::rt::spawn(hang_up(listener, received.clone()));
    for (driver, secret, _) in SECRETS {
        let server = with_secrets(driver).await;
        let admin = server.admin().await;
        let mut body = admin.config().await;
        put_at(&mut body, "FileSettings.AmazonS3Endpoint", elsewhere.as_str());
        put_at(&mut body, "FileSettings.AzureEndpoint", elsewhere.as_str());
        put_at(&mut body, &format!("FileSettings.{secret}"), "ZW50ZXJlZC1ieS1oYW5k");
        assert_eq!(admin.post("/file/test", body).await.status, 500);
    }
    listening.abort();
    let received = String::from_utf8_lossy(&received.borrow()).into_owned();
    assert!(received.contains("AKIAQUARTER") && received.contains("account1"), "{received}");
    assert!(
        !received.contains("hunter2") && !received.contains("aHVudGVyMi1henVyZQ") && !received.contains(PLACEHOLDER)
    );
}

/// Accepts connections, and closes each after the first bytes.
async fn hang_up(listener: TcpListener, received: Rc<RefCell<Vec<u8>>>) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let received = received.clone();
        actix_web::rt::spawn(async move {
            let mut chunk = vec![0; 16 * 1024];
            let length = stream.read(&mut chunk).await.unwrap_or_default();
            received.borrow_mut().extend_from_slice(&chunk[..length]);
        });
    }
}

#[actix_web::test]
async fn what_the_machine_provides_goes_to_no_host_that_somebody_typed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = listener.local_addr().unwrap().to_string();
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for (driver, more) in [
        ("amazons3", [("AmazonS3Bucket", "files"), ("AmazonS3Endpoint", &*elsewhere), ("AzureContainer", "")]),
        (
            "azureblob",
            [("AzureAuthMode", "default_credential"), ("AzureEndpoint", &*elsewhere), ("AzureContainer", "files")],
        ),
    ] {
        let mut body = admin.config().await;
        put_at(&mut body, "FileSettings.DriverName", driver);
        put_at(&mut body, "FileSettings.AzureStorageAccount", "account1");
        for (key, value) in more {
            put_at(&mut body, &format!("FileSettings.{key}"), value);
        }
        let refused = admin.post("/file/test", body).await;
        refused.expect_refusal(400, "api.file.test_connection_own_credentials.app_error");
    }
    assert!(timeout(Duration::from_millis(50), listener.accept()).await.is_err(), "somebody called elsewhere");
}

#[actix_web::test]
async fn equal_tests_at_the_same_time_are_one() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let body = hanging(&admin, &listener).await;
    let tests = (0..20).map(|_| admin.post("/file/test?report=true", body.clone()));
    // The connections stay open, so that no test ends early.
    let mut calls = Vec::new();
    let accepting = async {
        loop {
            calls.push(listener.accept().await.unwrap());
        }
    };
    let replies = tokio::select! {
        replies = futures_util::future::join_all(tests) => replies,
        () = accepting => unreachable!(),
    };
    assert!(calls.len() <= 2, "{} calls", calls.len());
    let reports: Vec<Value> = replies.iter().map(|reply| reply.expect(500)["report"].clone()).collect();
    assert_eq!(reports[0]["trouble"]["step"], "tls", "{}", reports[0]);
    assert!(reports.iter().all(|report| *report == reports[0]));
}

#[actix_web::test]
async fn a_test_ends_when_nobody_waits_for_it_any_more() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut body = hanging(&admin, &listener).await;
    put_at(&mut body, "FileSettings.AmazonS3RequestTimeoutMilliseconds", 30_000);
    let mut request = Box::pin(admin.post("/file/test", body));
    let (mut stream, _) = tokio::select! {
        accepted = listener.accept() => accepted.unwrap(),
        reply = &mut request => panic!("{reply:?}"),
    };
    let mut hello = vec![0; 4096];
    let length = stream.read(&mut hello).await.unwrap();
    assert_eq!(hello.first(), Some(&22), "no TLS handshake in {length} bytes");
    drop(request);
    let end = async { while stream.read(&mut hello).await.is_ok_and(|length| length > 0) {} };
    timeout(Duration::from_secs(5), end).await.expect("the test goes on for nobody");
    timeout(TIMEOUT, admin.post("/file/test", Value::Null)).await.unwrap().expect_ok();
}
