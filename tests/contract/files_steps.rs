//! `POST /file/test` for callers who accept lines of JSON: each step as it begins and ends.

use std::cell::RefCell;
use std::rc::Rc;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::files::PLACEHOLDER;
use crate::support::configuration::put_at;
use crate::support::steps::{LINES, Steps, begin, hanging, send};
use crate::support::stores::{azure, s3};
use crate::support::waiting::{until, within};
use crate::support::{Client, Reply, TestServer};

/// Sends the whole body `null`, which stands for the configuration in force.
async fn accepting(client: &Client, route: &str, body: &Value, media: &str) -> Reply {
    client.send(Method::POST, route, Some(body.to_string()), &[("Accept", media)]).await
}

/// Returns the configuration in force with these settings of the file store.
async fn with(admin: &Client, settings: &Value) -> Value {
    let mut body = admin.config().await;
    for (key, value) in settings.as_object().unwrap() {
        put_at(&mut body, &format!("FileSettings.{key}"), value.clone());
    }
    body
}

/// Returns a report without its times.
fn timeless(mut report: Value) -> Value {
    report["duration_ms"] = json!(0);
    for stage in report["stages"].as_array_mut().unwrap() {
        stage["duration_ms"] = json!(0);
    }
    report
}

#[actix_web::test]
async fn only_a_caller_who_names_the_type_gets_lines_and_refusals_stay_as_they_are() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let member = server.user(&admin, "anna").await;
    for media in ["*/*", "application/json", "application/x-ndjson;q=0", "text/event-stream", ""] {
        let reply = accepting(&admin, "/file/test", &Value::Null, media).await;
        reply.expect_ok();
        assert_eq!(reply.header("x-accel-buffering"), "");
    }
    accepting(&admin, "/file/s3_test", &Value::Null, LINES).await.expect_ok();
    let refused = accepting(&server.client(), "/file/test", &Value::Null, LINES).await;
    refused.expect_refusal(401, "api.context.session_expired.app_error");
    let refused = accepting(&member, "/file/test", &Value::Null, LINES).await;
    refused.expect_refusal(403, "api.context.permissions.app_error");
    let refused = accepting(&admin, "/file/test", &json!({}), LINES).await;
    refused.expect_refusal(400, "api.file.test_connection_settings_nil.app_error");
    let refused = accepting(&admin, "/file/test?store=elsewhere", &Value::Null, LINES).await;
    refused.expect_refusal(400, "api.context.invalid_url_param.app_error");
    let lines = accepting(&admin, "/file/test", &Value::Null, "text/html, Application/X-NDJSON;q=0.9").await;
    assert_eq!((lines.status, lines.header("content-type")), (200, LINES.to_owned()));
    assert_eq!(
        (lines.header("x-accel-buffering"), lines.header("cache-control")),
        ("no".to_owned(), "no-store".to_owned())
    );
}

#[actix_web::test]
async fn a_stored_secret_goes_to_no_new_host_and_hardened_mode_shows_no_step() {
    let server = super::files::with_secrets("amazons3").await;
    let admin = server.admin().await;
    let mut body = admin.config().await;
    assert_eq!(body["FileSettings"]["AmazonS3SecretAccessKey"], PLACEHOLDER);
    put_at(&mut body, "FileSettings.AmazonS3Endpoint", "127.0.0.2:1");
    let refused = accepting(&admin, "/file/test", &body, LINES).await;
    refused.expect_refusal(400, "api.file.test_connection_reenter_secret.app_error");
    admin.set("ServiceSettings.ExperimentalEnableHardenedMode", true).await.expect(200);
    let hidden = accepting(&admin, "/file/test", &Value::Null, LINES).await;
    assert_eq!((hidden.status, hidden.json()["message"].clone()), (500, json!("Internal Server Error")));
    assert!(!hidden.text().contains("connect"), "{}", hidden.text());
}

#[actix_web::test]
async fn the_lines_of_a_real_store_add_up_to_the_whole_report() {
    let (Some(bucket), Some(container)) = (s3(), azure()) else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let wrong = |key: &str, value: &str, settings: &Value| {
        let mut changed = settings.clone();
        changed[key] = json!(value);
        changed
    };
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    for settings in [
        json!({}),
        wrong("Directory", "/dev/null/files", &json!({})),
        wrong("AmazonS3SecretAccessKey", "wrong", &bucket),
        wrong("AmazonS3Bucket", "absent", &bucket),
        wrong("AmazonS3Endpoint", &closed, &bucket),
        bucket,
        container,
    ] {
        let body = with(&admin, &settings).await;
        let whole = admin.post("/file/test?report=true", body.clone()).await;
        let mut steps = begin(&server.base, &admin, &body).await;
        assert!(steps.head.starts_with("HTTP/1.1 200"), "{}", steps.head);
        let mut lines = steps.rest().await;
        let mut report = lines.pop().unwrap();
        assert_eq!(report["event"], "report");
        // The last line is the response of a caller who accepts no lines.
        report.as_object_mut().unwrap().remove("event");
        let mut expected = whole.json();
        for verdict in [&mut report, &mut expected] {
            verdict.as_object_mut().unwrap().remove("request_id");
            verdict["report"] = timeless(verdict["report"].take());
        }
        assert_eq!(report, expected);
        // Each step that was not skipped has a line at its begin and one at its end, in order.
        let stages = report["report"]["stages"].as_array().unwrap();
        let taken = stages.iter().filter(|stage| stage["outcome"] != "skipped");
        let wanted = taken.flat_map(|stage| [("started", stage.clone()), ("ended", stage.clone())]);
        let wanted: Vec<_> = wanted.map(|(event, stage)| (json!(event), stage["step"].clone())).collect();
        let found: Vec<_> = lines.iter().map(|line| (line["event"].clone(), line["step"].clone())).collect();
        assert_eq!(found, wanted);
        let failed: Vec<&Value> = lines.iter().filter(|line| line["outcome"] == "failed").collect();
        match report["report"].get("trouble") {
            None => assert!(failed.is_empty()),
            Some(failure) => {
                for key in ["step", "cause", "remedy", "code"] {
                    assert_eq!(failed[0].get(key), failure.get(key), "{key}");
                }
            }
        }
    }
}

#[actix_web::test]
async fn a_line_comes_when_its_step_begins_and_equal_tests_share_their_steps() {
    // A client that reads slowly, or for longer than `WriteTimeout`, misses nothing.
    let server = TestServer::start_with("[ServiceSettings]\nWriteTimeout = 1\n").await;
    let admin = server.admin().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let body = hanging(&admin, &listener).await;
    let mut first = begin(&server.base, &admin, &body).await;
    let seen = first.until_started("tls").await;
    let events: Vec<String> = seen.iter().map(|line| format!("{} {}", line["event"], line["step"])).collect();
    assert_eq!(events[..2], ["\"started\" \"settings\"", "\"ended\" \"settings\""]);
    let mut second = begin(&server.base, &admin, &body).await;
    assert_eq!(second.until_started("tls").await.len(), seen.len(), "it gets the steps so far at once");
    let mut slow = send(&server.base, &admin, &body).await;
    drop(first);
    let rest = second.rest().await;
    assert_eq!((&rest[0]["step"], &rest[0]["code"]), (&json!("tls"), &json!("Timeout")), "{rest:?}");
    let report = rest.last().unwrap();
    assert_eq!((&report["event"], &report["status_code"]), (&json!("report"), &json!(500)));
    let late = slow.rest().await;
    let [late_report, report] = [late.last().unwrap(), report].map(|line| timeless(line["report"].clone()));
    assert_eq!(late_report, report);
    assert_eq!(late.len(), seen.len() + rest.len());
}

#[actix_web::test]
async fn a_client_that_hangs_up_at_any_step_leaves_nothing_in_the_store() {
    let Some(settings) = s3() else { return };
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let host = settings["AmazonS3Endpoint"].as_str().unwrap();
    for (step, kind, removals) in
        [("authenticate", "LIST", 0), ("write", "PUT", 1), ("read", "GET", 1), ("delete", "DELETE", 1)]
    {
        let proxy = HoldingProxy::before(host, kind).await;
        let mut settings = settings.clone();
        settings["AmazonS3Endpoint"] = json!(proxy.address);
        let body = with(&admin, &settings).await;
        let mut steps = begin(&server.base, &admin, &body).await;
        steps.until_started(step).await;
        within("the store gets the request", proxy.reached.notified()).await;
        drop(steps);
        within("the abandoned test ends", proxy.left.notified()).await;
        until("the object is removed", async || proxy.count("DELETE") >= removals).await;
        // The next test begins afresh, because the abandoned one is over.
        let whole = admin.post("/file/test?report=true", body).await;
        assert_eq!(whole.expect(200)["status"], "OK", "{step}");
        assert_eq!(proxy.count("DELETE"), removals + 1, "{step}");
        assert!(proxy.count("PUT") <= 2, "{step}");
    }
}

/// A proxy in front of a store that never answers the first request of one kind.
struct HoldingProxy {
    address: String,
    reached: Rc<Notify>,
    left: Rc<Notify>,
    passed: Rc<RefCell<Vec<&'static str>>>,
}

impl HoldingProxy {
    async fn before(host: &str, held: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let proxy = Self { address, reached: Rc::default(), left: Rc::default(), passed: Rc::default() };
        let (host, passed) = (host.to_owned(), proxy.passed.clone());
        let told = (proxy.reached.clone(), proxy.left.clone());
        actix_web::rt::spawn(async move {
            let held = Rc::new(RefCell::new(Some(held)));
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let far = TcpStream::connect(&host).await.unwrap();
                actix_web::rt::spawn(relay(near, far, held.clone(), told.clone(), passed.clone()));
            }
        });
        proxy
    }

    fn count(&self, kind: &str) -> usize {
        self.passed.borrow().iter().filter(|passed| **passed == kind).count()
    }
}

/// Passes requests on until one is to be held, and then waits until the client is gone.
async fn relay(
    near: TcpStream,
    far: TcpStream,
    held: Rc<RefCell<Option<&'static str>>>,
    (reached, left): (Rc<Notify>, Rc<Notify>),
    passed: Rc<RefCell<Vec<&'static str>>>,
) {
    let (mut near_reads, mut near_writes) = near.into_split();
    let (mut far_reads, mut far_writes) = far.into_split();
    actix_web::rt::spawn(async move { tokio::io::copy(&mut far_reads, &mut near_writes).await });
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(length) = near_reads.read(&mut chunk).await
        && length > 0
    {
        let kind = kind_of(&chunk[..length]);
        let is_held = kind.is_some() && *held.borrow() == kind;
        if is_held {
            held.borrow_mut().take();
            reached.notify_one();
            while near_reads.read(&mut chunk).await.is_ok_and(|length| length > 0) {}
            left.notify_one();
            break;
        }
        passed.borrow_mut().extend(kind);
        if far_writes.write_all(&chunk[..length]).await.is_err() {
            break;
        }
    }
}

/// Returns the kind of the request that these bytes begin; `None` if they begin none.
fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().next().unwrap_or_default();
    match line.split(' ').next()? {
        "GET" if !line.contains("qd-probe") => Some("LIST"),
        "GET" => Some("GET"),
        "PUT" => Some("PUT"),
        "DELETE" => Some("DELETE"),
        _ => None,
    }
}

#[actix_web::test]
async fn a_connection_that_ends_before_the_report_is_no_report() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut body = hanging(&admin, &listener).await;
    put_at(&mut body, "FileSettings.AmazonS3RequestTimeoutMilliseconds", 30_000);
    let mut steps: Steps = begin(&server.base, &admin, &body).await;
    steps.until_started("tls").await;
    let (mut store, _) = listener.accept().await.unwrap();
    drop(steps);
    let mut bytes = vec![0; 4096];
    let end = async { while store.read(&mut bytes).await.is_ok_and(|length| length > 0) {} };
    within("the abandoned test ends", end).await;
    accepting(&admin, "/file/test", &Value::Null, "*/*").await.expect_ok();
}
