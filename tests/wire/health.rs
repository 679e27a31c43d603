//! Probes show the actual state and cause no I/O.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::waiting::within;
use crate::support::{Reply, TestServer};

#[actix_web::test]
async fn ping_says_little_to_everybody_and_more_to_whoever_asks() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let client = server.client();
    let short = client.get("/system/ping").await;
    let expected = r#"{"ActiveSearchBackend":"database","AndroidLatestVersion":"","AndroidMinVersion":"","IosLatestVersion":"","IosMinVersion":"","status":"OK"}"#;
    assert_eq!((short.status, short.text().as_str()), (200, expected));

    let full = client.get("/system/ping?get_server_status=true").await;
    let body = full.expect(200);
    assert_eq!((&body["database_status"], &body["filestore_status"]), (&json!("OK"), &json!("OK")));
    assert!(body.get("root_status").is_none());
    for header in ["status", "database_status", "filestore_status"] {
        assert_eq!(full.header(header), "OK", "{header}");
    }
    full.header("age").parse::<u64>().unwrap();
    assert!(client.get("/system/ping?get_server_status=1").await.json().get("database_status").is_none());
    let as_admin = admin.get("/system/ping?get_server_status=true").await.expect(200);
    assert!(as_admin["root_status"].is_boolean());
    let bad_token = client.with_token("nobody").get("/system/ping?get_server_status=true").await;
    assert!(bad_token.expect(200).get("root_status").is_none());
}

/// Starts a server whose folder of files cannot be created, even by root, because a file is in its place.
async fn without_files() -> TestServer {
    let blocker = std::env::temp_dir().join(format!("qd-blocker-{}", std::process::id()));
    std::fs::write(&blocker, "").unwrap();
    std::fs::set_permissions(&blocker, std::fs::Permissions::from_mode(0o400)).unwrap();
    TestServer::start_with(&format!("[FileSettings]\nDirectory = \"{}/files\"\n", blocker.display())).await
}

#[actix_web::test]
async fn a_broken_file_store_is_500_by_default_and_200_with_rest_semantics() {
    let server = without_files().await;
    let client = server.client();
    assert_eq!(client.get("/system/ping").await.status, 200);
    let classic = client.get("/system/ping?get_server_status=true").await;
    let body = classic.expect(500);
    assert_eq!(
        (&body["status"], &body["filestore_status"], &body["database_status"]),
        (&json!("UNHEALTHY"), &json!("UNHEALTHY"), &json!("OK"))
    );
    assert_eq!((classic.header("status"), classic.header("database_status")), ("UNHEALTHY".into(), "OK".into()));
    let rest = client.get("/system/ping?get_server_status=true&use_rest_semantics=true").await;
    assert_eq!(rest.expect(200)["status"], "UNHEALTHY");
}

#[actix_web::test]
async fn kubernetes_asks_in_its_own_manner() {
    let server = TestServer::start().await;
    let client = server.client();
    for path in ["//livez", "//readyz", "//startupz"] {
        let reply = client.get(path).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "ok"), "{path}");
    }
    let verbose = client.get("//readyz?verbose").await;
    assert_eq!(verbose.status, 200);
    assert!(verbose.text().contains("[+]database ok"), "{}", verbose.text());
    assert!(verbose.text().ends_with("readyz check passed\n"));

    let broken = without_files().await;
    let reply: Reply = broken.client().get("//readyz").await;
    assert_eq!(reply.status, 503);
    assert!(reply.text().contains("[-]filestore failed: see the log"), "{}", reply.text());
    assert!(!reply.text().contains("qd-blocker"), "the reason is not for everybody");
    assert_eq!(broken.client().get("//readyz?exclude=filestore").await.status, 200);
    assert_eq!(broken.client().get("//livez").await.status, 200);
}

#[actix_web::test]
async fn a_device_is_asked_about_at_the_push_proxy() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = format!(
        "[EmailSettings]\nSendPushNotifications = true\nPushNotificationServer = \"http://{}\"\n",
        proxy.local_addr().unwrap()
    );
    let server = TestServer::start_with(&settings).await;
    let client = server.client();
    for (status, answer, expected) in [
        ("200 OK", r#"{"status":"OK"}"#, "true"),
        ("200 OK", r#"{"status":"REMOVE"}"#, "false"),
        ("200 OK", r#"{"status":"FAIL"}"#, "unknown"),
        ("500 Oops", r#"{"status":"OK"}"#, "unknown"),
        ("200 OK", "no JSON", "unknown"),
    ] {
        let (ping, seen) =
            tokio::join!(client.get("/system/ping?device_id=apple:123"), answer_once(&proxy, status, answer));
        assert_eq!(ping.expect(200)["CanReceiveNotifications"], expected, "{answer}");
        assert!(seen.starts_with("POST /api/v1/send_push "), "{seen}");
        let body: serde_json::Value = serde_json::from_str(seen.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        let told = client.get("/config/client").await.expect(200);
        let test = ["type", "version", "badge", "platform", "device_id", "server_id", "ack_id", "signature"];
        let expected = [
            json!("test"),
            json!("2"),
            json!(-1),
            json!("apple"),
            json!("123"),
            told["DiagnosticId"].clone(),
            json!(""),
            json!(""),
        ];
        assert_eq!(test.map(|key| body[key].clone()), expected);
    }
}

#[actix_web::test]
async fn without_push_notifications_no_device_can_be_reached() {
    for settings in ["SendPushNotifications = false", "PushNotificationServer = \"https://push.mattermost.com\""] {
        let server = TestServer::start_with(&format!("[EmailSettings]\n{settings}\n")).await;
        let ping = server.client().get("/system/ping?device_id=apple:123").await;
        assert_eq!(ping.expect(200)["CanReceiveNotifications"], "false", "{settings}");
    }
    let server = TestServer::start().await;
    assert!(server.client().get("/system/ping?device_id=").await.json().get("CanReceiveNotifications").is_none());
}

#[actix_web::test]
async fn nobody_waits_while_eight_devices_are_asked_about() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = format!(
        "[EmailSettings]\nSendPushNotifications = true\nPushNotificationServer = \"http://{}\"\n",
        proxy.local_addr().unwrap()
    );
    let server = TestServer::start_with(&settings).await;
    let client = server.client();
    let ping =
        async || client.get("/system/ping?device_id=apple:123").await.expect(200)["CanReceiveNotifications"].clone();
    let pings = futures_util::future::join_all((0..8).map(|_| ping()));
    let ninth = async {
        let mut connections = Vec::new();
        while connections.len() < 8 {
            connections.push(within("the server calls", proxy.accept()).await.unwrap());
        }
        assert_eq!(ping().await, "unknown");
    };
    let (answers, ()) = tokio::join!(pings, ninth);
    assert!(answers.iter().all(|answer| answer == "unknown"), "{answers:?}");
}

async fn answer_once(proxy: &TcpListener, status: &str, body: &str) -> String {
    let (mut connection, _) = proxy.accept().await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"}") {
        let mut chunk = [0; 4096];
        let read = within("the server sends", connection.read(&mut chunk)).await.unwrap();
        seen.extend_from_slice(&chunk[..read]);
    }
    let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    connection.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(seen).unwrap()
}

#[actix_web::test]
async fn the_timezones_are_those_of_the_contract_and_for_people_who_are_logged_in() {
    let server = TestServer::start().await;
    server.client().get("/system/timezones").await.expect_refusal(401, "api.context.session_expired.app_error");
    let zones = server.admin().await.get("/system/timezones").await;
    assert!(!zones.text().ends_with('\n'));
    let zones = zones.expect(200);
    let zones: Vec<&str> = zones.as_array().unwrap().iter().map(|zone| zone.as_str().unwrap()).collect();
    // The 592 names of the contract, and four newer ones.
    assert_eq!(zones.len(), 598);
    assert!(zones.is_sorted());
    for name in ["Europe/Kiev", "Europe/Kyiv", "America/Ciudad_Juarez", "Asia/Qostanay", "Pacific/Kanton"] {
        assert!(zones.contains(&name), "{name}");
    }
    assert!(zones.contains(&"America/North_Dakota/Beulah") && zones.contains(&"UTC"));
}

#[actix_web::test]
async fn the_front_page_answers_200_as_mmctl_needs() {
    let server = TestServer::start().await;
    let page = server.client().get("//").await;
    assert_eq!((page.status, page.header("content-type").as_str()), (200, "text/html; charset=utf-8"));
    assert!(page.text().contains("Quarterdeck"));
}
