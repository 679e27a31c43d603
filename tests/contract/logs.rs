//! `/logs`: its permission, its lines, its filters, and messages of clients.

use std::fmt::Write;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::trail::newest_in;
use crate::support::waiting::until;
use crate::support::{Client, Home, LocalServer, TestServer};

const QUERY: &str = "/logs/query";
const DOWNLOAD: &str = "/logs/download";

/// Starts a server whose log is a file that the test writes.
async fn start(lines: &str, more: &str) -> (TestServer, Client) {
    let folder = tempfile::tempdir().unwrap();
    let settings = format!("[LogSettings]\nFileLocation = \"{}\"\n{more}", folder.path().display());
    std::fs::write(folder.path().join("mattermost.log"), lines).unwrap();
    let server = TestServer::start_with(&settings).await;
    let admin = server.admin().await;
    // The folder exists as long as the test, because its server has only the path.
    let _ = folder.keep();
    (server, admin)
}

fn record(n: usize, level: &str, minute: usize, request: &str) -> Value {
    json!({ "timestamp": format!("2026-03-01 12:{minute:02}:00.000 Z"), "level": level, "msg": format!("line {n}"), "request.id": request })
}

fn log(records: &[Value]) -> String {
    records.iter().fold(String::new(), |mut text, record| {
        writeln!(text, "{record}").unwrap();
        text
    })
}

#[actix_web::test]
async fn only_who_may_read_logs_does_and_nobody_while_administrators_are_restricted() {
    let (server, admin) = start("x\n", "").await;
    let member = server.user(&admin, "anna").await;
    let manager = server.staff(&admin, "mia", "system_manager").await;
    for (method, path) in [(Method::GET, "/logs"), (Method::POST, QUERY), (Method::GET, DOWNLOAD)] {
        let send = |client: Client| {
            let method = method.clone();
            async move { client.send(method, path, Some("{".to_owned()), &[]).await }
        };
        send(server.client()).await.expect_refusal(401, "api.context.session_expired.app_error");
        send(member.with_token(member.token.as_deref().unwrap()))
            .await
            .expect_refusal(403, "api.context.permissions.app_error");
    }
    manager.get("/logs").await.expect(200);
    let (_restricted, admin) = start("x\n", "[ExperimentalSettings]\nRestrictSystemAdmin = true\n").await;
    admin.get("/logs").await.expect_refusal(403, "api.context.permissions.app_error");
    admin.post(QUERY, json!({})).await.expect_refusal(403, "api.context.permissions.app_error");
    admin.get(DOWNLOAD).await.expect_refusal(403, "api.context.permissions.app_error");
}

#[actix_web::test]
async fn lines_begin_with_the_line_feed_before_them_and_pages_with_the_newest() {
    let (server, admin) = start("one\ntwo\nthree\nfour\n", "").await;
    assert_eq!(admin.get("/logs").await.expect(200), json!(["one", "\ntwo", "\nthree", "\nfour"]));
    assert_eq!(admin.get("/logs?page=0&logs_per_page=3").await.expect(200), json!(["\ntwo", "\nthree", "\nfour"]));
    assert_eq!(admin.get("/logs?page=1&logs_per_page=3").await.expect(200), json!(["one"]));
    assert_eq!(admin.get("/logs?page=2&logs_per_page=3").await.expect(200), json!([]));
    assert_eq!(admin.get("/logs?logs_per_page=0").await.expect(200), Value::Null);
    assert_eq!(admin.get("/logs?page=-1&logs_per_page=x").await.expect(200).as_array().unwrap().len(), 4);
    admin.audits().await;
    let recorded = newest_in(server.folder(), "getLogs").await;
    assert_eq!(recorded["status"], "success", "{recorded}");
}

#[actix_web::test]
async fn a_log_that_is_not_there_is_a_failure_and_one_that_is_switched_off_is_empty() {
    let (_server, admin) = start("", "EnableFile = false\n").await;
    assert_eq!(admin.get("/logs").await.expect(200), json!([""]));
    assert_eq!(admin.post(QUERY, json!({})).await.expect(200), json!({}));
    admin.get(DOWNLOAD).await.expect_refusal(500, "api.system.logs.download_bytes_buffer.app_error");
    let missing = TestServer::start_with("[LogSettings]\nFileLocation = \"/nonexistent\"\n").await;
    let admin = missing.admin().await;
    admin.get("/logs").await.expect_refusal(500, "api.admin.file_read_error");
    admin.post(QUERY, json!({})).await.expect_refusal(500, "api.admin.file_read_error");
    admin.get(DOWNLOAD).await.expect_refusal(500, "api.system.logs.download_bytes_buffer.app_error");
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("mattermost.log")).unwrap();
    let settings = format!("[LogSettings]\nFileLocation = \"{}\"\n", folder.path().display());
    let linked = TestServer::start_with(&settings).await;
    linked.admin().await.get("/logs").await.expect_refusal(403, "api.admin.file_read_error");
    let (_server, admin) = start("", "").await;
    assert_eq!(admin.get("/logs").await.expect(200), json!([]));
}

#[actix_web::test]
async fn a_query_finds_records_by_level_time_text_and_request() {
    let records: Vec<Value> =
        (0..6).map(|n| record(n, ["info", "warn", "error"][n % 3], 10 * n, ["aa", "bb"][n % 2])).collect();
    let (server, admin) = start(&format!("no record\n{}", log(&records)), "").await;
    let cases = [
        (json!({}), vec![0, 1, 2, 3, 4, 5]),
        (json!({ "server_names": ["default"], "log_levels": null }), vec![0, 1, 2, 3, 4, 5]),
        (json!({ "server_names": null, "log_levels": [], "date_from": null, "date_to": "" }), vec![0, 1, 2, 3, 4, 5]),
        (json!({ "log_levels": ["warn", "error"] }), vec![1, 2, 4, 5]),
        (json!({ "log_levels": ["WARN"] }), vec![1, 4]),
        (json!({ "date_from": "2026-03-01 12:10:00.000 +00:00" }), vec![1, 2, 3, 4, 5]),
        (json!({ "date_to": "2026-03-01 13:20:00 +01:00" }), vec![0, 1, 2]),
        (json!({ "date_from": "2026-03-01 12:10:00 Z", "date_to": "2026-03-01 12:10:00 Z" }), vec![1]),
        (json!({ "text": "line 3" }), vec![3]),
        (json!({ "request_id": "bb", "log_levels": ["info"] }), vec![3]),
    ];
    for (filter, expected) in cases {
        let expected: Vec<&Value> = expected.iter().map(|n| &records[*n]).collect();
        assert_eq!(admin.post(QUERY, filter.clone()).await.expect(200), json!({ "default": expected }), "{filter}");
    }
    for filter in [json!({ "text": "absent" }), json!({ "log_levels": ["trace", "fatal"] })] {
        assert_eq!(admin.post(QUERY, filter.clone()).await.expect(200), json!({}), "{filter}");
    }
    let second = admin.post("/logs/query?page=1&logs_per_page=1", json!({ "log_levels": ["error"] })).await;
    assert_eq!(second.expect(200), json!({ "default": [records[2]] }));
    admin.audits().await;
    let recorded = newest_in(server.folder(), "queryLogs").await;
    assert_eq!(recorded["status"], "success", "{recorded}");
}

#[actix_web::test]
async fn a_filter_that_cannot_be_read_is_refused() {
    let (_server, admin) = start("x\n", "").await;
    let long = format!("{{\"log_levels\":[\"{}\"]}}", "x".repeat(10_000));
    let broken = [
        ("", "the body is no JSON object"),
        ("null", "the body is no JSON object"),
        ("[]", "the body is no JSON object"),
        ("{", "no JSON at line 1 column 1"),
        (r#"{"log_levels":[],"log_levels":[]}"#, "the member log_levels is given twice at line 1"),
        (r#"{"log_levels":[],"Log_Levels":[]}"#, "the member log_levels is given twice at line 1"),
        (r#"{"log_levels":"warn"}"#, "log_levels must be a list of texts"),
        (r#"{"log_levels":[5]}"#, "log_levels must be a list of texts"),
        (r#"{"server_names":"default"}"#, "server_names must be a list of texts"),
        (r#"{"date_from":5}"#, "date_from must be a text"),
        (r#"{"date_to":[]}"#, "date_to must be a text"),
        (r#"{"text":{}}"#, "text must be a text"),
        (r#"{"request_id":true}"#, "request_id must be a text"),
        (
            r#"{"log_levels":["warn","loud"]}"#,
            "log_levels contains \"loud\"; a level is one of trace, debug, info, warn",
        ),
        (r#"{"log_levels":[""]}"#, "log_levels contains \"\""),
        (&long, "a level is one of trace"),
        (r#"{"server_names":["default","other"]}"#, "server_names contains \"other\"; the only server is \"default\""),
        (r#"{"server_names":[""]}"#, "server_names contains \"\""),
        (r#"{"date_from":"yesterday"}"#, "date_from is \"yesterday\"; it must be a time such as 2026-01-31"),
        (r#"{"date_to":"2026-03-01"}"#, "date_to is \"2026-03-01\""),
        (r#"{"date_to":"2026-02-30 00:00:00 Z"}"#, "date_to is \"2026-02-30 00:00:00 Z\""),
        (r#"{"date_from":"2026-03-02 00:00:00 Z","date_to":"2026-03-01 00:00:00 Z"}"#, "date_to is before date_from"),
    ];
    for (body, reason) in broken {
        let refused = admin.send(Method::POST, QUERY, Some(body.to_owned()), &[]).await;
        refused.expect_refusal(400, "api.system.logs.invalidFilter");
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(reason) && message.len() < 500, "{reason}: {message}");
    }
}

#[actix_web::test]
async fn the_file_is_sent_whole_or_in_ranges() {
    let (_server, admin) = start("one\ntwo\n", "").await;
    let whole = admin.get(DOWNLOAD).await;
    assert_eq!((whole.status, whole.text().as_str()), (200, "one\ntwo\n"));
    assert!(whole.header("Content-Type").starts_with("text/plain"), "{}", whole.header("Content-Type"));
    assert_eq!(whole.header("Cache-Control"), "private, no-store");
    assert!(whole.header("Content-Disposition").contains("mattermost.log"));
    let part = admin.send(Method::GET, DOWNLOAD, None, &[("Range", "bytes=4-6")]).await;
    assert_eq!((part.status, part.text().as_str()), (206, "two"));
    let beyond = admin.send(Method::GET, DOWNLOAD, None, &[("Range", "bytes=100-")]).await;
    assert_eq!(beyond.status, 416);
}

#[actix_web::test]
async fn a_message_of_a_client_is_told_back_as_it_was_logged() {
    let (server, admin) = start("x\n", "").await;
    let logged = |text: &str| format!("Client Logs API Endpoint Message: {text}");
    let body = json!({ "level": "ERROR", "message": "lost", "more": "kept", "number": 5 });
    server.client().post("/logs", body.clone()).await.expect_refusal(403, "api.context.permissions.app_error");
    let told = json!({ "level": "ERROR", "message": logged("lost"), "more": "kept" });
    assert_eq!(admin.post("/logs", body.clone()).await.expect(200), told);
    for broken in ["", "{", "[]"] {
        let told = admin.send(Method::POST, "/logs", Some(broken.to_owned()), &[]).await;
        assert_eq!(told.expect(200), json!({ "message": logged("") }));
    }
    let long = admin.post("/logs", json!({ "message": "x".repeat(500) })).await.expect(200);
    assert_eq!(long["message"], logged(&"x".repeat(399)));
    let developer = TestServer::start_with("[ServiceSettings]\nEnableDeveloper = true\n").await;
    assert_eq!(developer.client().post("/logs", body).await.expect(200), told);
}

#[actix_web::test]
async fn a_message_is_one_line_of_the_log_at_the_level_that_its_sender_may_use() {
    let home = Home::new("[LogSettings]\nFileLevel = \"DEBUG\"\nFileLocation = \"logs\"\n").await;
    let process = home.start().await;
    let admin = admin_of(&process.base).await;
    let forged = "x\n{\"level\":\"error\",\"msg\":\"forged\"}";
    admin.post("/users", crate::support::server::account("anna")).await.expect(201);
    let anna = Client::new(&process.base).log_in("anna").await;
    for client in [&admin, &anna] {
        client.post("/logs", json!({ "level": "ERROR", "message": forged })).await.expect(200);
    }
    let wanted = json!({ "text": "Client Logs API Endpoint Message" });
    // A separate thread writes the log.
    let found = async || admin.post(QUERY, wanted.clone()).await.expect(200)["default"].clone();
    until("both are written", async || found().await.as_array().is_some_and(|records| records.len() == 2)).await;
    let records = found().await.as_array().unwrap().clone();
    let levels: Vec<&Value> = records.iter().map(|record| &record["level"]).collect();
    assert_eq!(levels, ["error", "debug"]);
    assert!(
        records
            .iter()
            .all(|record| record["type"] == "client_message" && record["msg"].as_str().unwrap().ends_with(forged))
    );
    let anything_forged = admin.post(QUERY, json!({ "text": "\"forged\"" })).await.expect(200);
    assert!(
        anything_forged["default"].as_array().is_none_or(|found| found.iter().all(|record| record["msg"] != "forged"))
    );
    process.stop().await;
}

async fn admin_of(base: &str) -> Client {
    let client = Client::new(base);
    client.post("/users", crate::support::server::account("admin")).await.expect(201);
    client.log_in("admin").await
}

#[actix_web::test]
async fn the_local_socket_serves_the_lines_and_nothing_else_of_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mattermost.log"), "one\ntwo\n").unwrap();
    let server =
        LocalServer::start_with(&format!("[LogSettings]\nFileLocation = \"{}\"\n", Path::display(folder.path()))).await;
    assert_eq!(server.local.get("/logs?page=0&logs_per_page=200").await.expect(200), json!(["one", "\ntwo"]));
    server.local.get(DOWNLOAD).await.expect_refusal(404, "api.context.404.app_error");
    server.local.post(QUERY, json!({})).await.expect_refusal(404, "api.context.404.app_error");
}
