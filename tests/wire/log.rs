//! The log of a real process.

use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::process::{Process, Workplace, lines, read};
use crate::support::raw::exchange;
use crate::support::server::{PASSWORD, account};
use crate::support::waiting::until;

const FILE: &str = "logs/mattermost.log";
const REQUESTS: &str = "logs/requests.log";

fn settings(level: &str) -> String {
    format!(
        "[FileSettings]\nDirectory = \"files\"\n[LogSettings]\nConsoleLevel = \"{level}\"\nFileLevel = \"{level}\"\nFileLocation = \"logs\"\n"
    )
}

#[actix_web::test]
async fn a_request_is_one_line_with_what_it_was_and_how_it_ended() {
    let place = Workplace::new(&settings("INFO")).await;
    let server = place.serve().await;
    let reply = server.client().get("/users/me?secret=1").await;
    server.stop().await;
    let (written, others) = (lines(&place.path(REQUESTS)), lines(&place.path(FILE)));
    assert!(written.iter().all(|line| line["msg"] == "request answered"), "{written:?}");
    assert!(!others.is_empty() && others.iter().all(|line| line["msg"] != "request answered"), "{others:?}");
    let line = written.iter().find(|line| line["msg"] == "request answered").unwrap();
    let keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
    for key in ["timestamp", "level", "msg", "caller"] {
        assert!(keys.contains(&key), "{line}");
    }
    assert_eq!((line["level"].as_str(), line["http.method"].as_str()), (Some("info"), Some("GET")));
    assert_eq!((line["http.route"].as_str(), &line["http.status"]), (Some("/api/v4/users/{user_id}"), &json!(401)));
    assert_eq!(line["request.id"], reply.header("x-request-id").as_str());
    assert!(line["duration_us"].is_u64() && line["timestamp"].as_str().unwrap().ends_with(" Z"), "{line}");
    assert!(line["caller"].as_str().unwrap().starts_with("web/pipeline.rs:"), "{line}");
    assert!(!read(&place.path(FILE)).contains("actix"));
    assert_eq!(lines(&place.path("stderr")).len(), written.len() + others.len(), "the console says the same");
}

#[actix_web::test]
async fn administrators_read_the_log_without_requests_and_find_a_request_in_both() {
    let place = Workplace::new(&settings("DEBUG")).await;
    let server = place.serve().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    let wrong = admin.put("/config/patch", json!({ "ServiceSettings": { "ReadTimeout": "x" } })).await;
    let (refused, id) = (wrong.status, wrong.header("x-request-id"));
    until("both lines are written", async || {
        read(&place.path(FILE)).contains(&id) && read(&place.path(REQUESTS)).contains(&id)
    })
    .await;
    for text in [admin.get("/logs").await.expect(200).to_string(), admin.get("/logs/download").await.text()] {
        assert!(text.contains("listening") && text.contains(&id) && !text.contains("request answered"), "{text}");
    }
    let query = async |filter: Value| {
        let found = admin.post("/logs/query", filter).await.expect(200);
        found["default"].as_array().cloned().unwrap_or_default()
    };
    assert!(query(json!({ "log_levels": ["info"] })).await.iter().all(|line| line["msg"] != "request answered"));
    let of_request = query(json!({ "request_id": id })).await;
    assert!(of_request.len() >= 2, "{of_request:?}");
    let last = of_request.last().unwrap();
    assert_eq!((last["msg"].as_str(), last["http.status"].as_u64()), (Some("request answered"), Some(refused.into())));
    let all = query(json!({ "requests": true })).await;
    let times: Vec<&str> = all.iter().map(|line| line["timestamp"].as_str().unwrap()).collect();
    assert!(times.is_sorted() && all.iter().any(|line| line["msg"] == "listening"), "{times:?}");
    assert!(all.iter().filter(|line| line["msg"] == "request answered").count() >= 3);
    let refusal = admin.post("/logs/query", json!({ "requests": "yes" })).await;
    refusal.expect_refusal(400, "api.system.logs.invalidFilter");
    server.stop().await;
}

#[actix_web::test]
async fn no_secret_of_a_request_is_logged_even_in_detail() {
    let place = Workplace::new(&settings("DEBUG")).await;
    let server = place.serve().await;
    let client = server.client();
    let first = json!({ "email": "anna@chat.example", "username": "anna", "password": "canary-password-1" });
    client.post("/users", first).await.expect(201);
    for password in ["canary-password-1", "canary-wrong-1"] {
        client.post("/users/login", json!({ "login_id": "anna", "password": password, "token": "canary-mfa" })).await;
    }
    client.with_token("canary-bearer").get("/users/me").await;
    client.get("/users/me?access_token=canary-query&x=canary-parameter").await;
    let bodies = [
        r#"{"email": "canary-body", "password": ["canary-kind"]}"#,
        r#"{"props": "canary-kind", "password": {"x": "canary"}}"#,
        r#"{"password": "canary-broken"#,
    ];
    let cookie = [("Cookie", "MMAUTHTOKEN=canary-cookie"), ("X-CSRF-Token", "canary-csrf")];
    for body in bodies {
        for path in ["/users", "/users/login"] {
            client.send(Method::POST, path, Some(body.to_owned()), &cookie).await;
        }
    }
    let login = json!({ "login_id": "anna", "password": "canary-password-1" });
    let token = client.post("/users/login", login).await.header("token");
    client.with_token(&token).get("/users/me").await.expect(200);
    client.get(&format!("/users/me?access_token={token}")).await;
    server.stop().await;
    for (file, message) in [(FILE, "request refused"), ("stderr", "request refused"), (REQUESTS, "request answered")] {
        let text = read(&place.path(file));
        assert!(text.contains(message), "{text}");
        assert!(!text.contains("canary") && !text.contains(&token), "{text}");
    }
}

#[actix_web::test]
async fn a_malformed_request_is_no_error_of_the_server() {
    let place = Workplace::new(&settings("DEBUG")).await;
    let server = place.serve().await;
    for request in [
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ] {
        assert!(exchange(&server.base, request).await.starts_with("HTTP/1.1 400 "), "{request}");
    }
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(140_000));
    assert!(exchange(&server.base, &long).await.starts_with("HTTP/1.1 431 "));
    server.stop().await;
    let of_clients = |line: &Value| line["msg"].as_str().is_some_and(|text| text.starts_with("stream error"));
    assert!(lines(&place.path(FILE)).iter().any(of_clients));
    assert!(!logged(&place, |line| line["level"] == "error" || of_clients(line) && line["level"] != "debug"));
}

#[actix_web::test]
async fn a_changed_level_takes_effect_and_an_unknown_one_is_refused_and_changes_nothing() {
    let place = Workplace::new(&settings("ERROR")).await;
    let server = place.serve().await;
    ping(&server).await;
    place.configure(&settings("TRACE"));
    server.signal(Signal::HUP);
    until("details are logged", async || {
        ping(&server).await;
        logged(&place, |line| line["http.route"] == "/api/v4/system/ping")
    })
    .await;
    place.configure(&settings("loud"));
    server.signal(Signal::HUP);
    let is_refusal = |line: &Value| {
        let cause = line["cause"].as_str().unwrap_or_default();
        cause.contains("/LogSettings/ConsoleLevel=model.config.is_valid.log.level.app_error")
    };
    until("the refusal is logged", async || logged(&place, is_refusal)).await;
    let before = count(&place);
    until("details are still logged", async || {
        ping(&server).await;
        count(&place) > before
    })
    .await;
    assert!(!logged(&place, |line| line["msg"] == "listening"), "that was before the level changed");
    server.stop().await;
}

#[actix_web::test]
async fn stored_log_settings_are_in_use_from_the_start_on() {
    for variables in [&[][..], &[("MM_CONFIG", "own.json")][..]] {
        let place = Workplace::new("[FileSettings]\nDirectory = \"files\"\n").await;
        if variables.is_empty() {
            let set = place.run(&["config", "set", "LogSettings.FileLocation", "stored"], "").await;
            assert!(set.status.success(), "{set:?}");
        } else {
            let stored = json!({ "LogSettings": { "FileLocation": "stored" } });
            std::fs::write(place.path("own.json"), stored.to_string()).unwrap();
        }
        let server = place.serve_with(variables, &["serve"]).await;
        let create = ["user", "create", "--email", "anna@chat.example", "--username", "anna", "--system-admin"];
        let made = place.run_with(variables, &create, &format!("{PASSWORD}\n")).await;
        assert!(made.status.success(), "{made:?}");
        let anna = server.client().log_in("anna").await;
        until("the greeting is in the file that the stored settings name", async || {
            lines(&place.path("stored/mattermost.log")).iter().any(|line| line["msg"] == "listening")
        })
        .await;
        assert!(anna.get("/logs").await.expect(200).to_string().contains("listening"), "{variables:?}");
        assert!(server.stop().await.success());
    }
}

#[actix_web::test]
async fn a_file_that_cannot_be_written_is_said_once_and_stops_nobody() {
    let place = Workplace::new(&settings("INFO")).await;
    std::fs::write(place.path("logs"), "in the way").unwrap();
    let server = place.serve().await;
    server.client().post("/users", account("anna")).await.expect(201);
    let login = json!({ "login_id": "anna", "password": PASSWORD });
    for _ in 0..5 {
        server.client().post("/users/login", login.clone()).await.expect(200);
    }
    server.stop().await;
    let said = lines(&place.path("stderr"));
    let complaints = said.iter().filter(|line| line["level"] == "error" && line["output"] == FILE).count();
    assert_eq!(complaints, 1, "{said:?}");
}

#[actix_web::test]
async fn without_a_console_the_complaint_still_reaches_standard_error() {
    let place = Workplace::new(&format!("{}EnableConsole = false\n", settings("INFO"))).await;
    std::fs::write(place.path("logs"), "in the way").unwrap();
    let server = place.serve().await;
    until("the complaint is there", async || {
        read(&place.path("stderr")).starts_with("quarterdeck: logs/mattermost.log: ")
    })
    .await;
    server.stop().await;
    assert_eq!(read(&place.path("stderr")).lines().count(), 1);
}

#[actix_web::test]
async fn plain_text_is_written_where_it_is_asked_for() {
    let place = Workplace::new(&format!("{}ConsoleJson = false\nEnableColor = true\n", settings("INFO"))).await;
    let server = place.serve().await;
    server.client().get("/users/me").await;
    server.stop().await;
    let text = read(&place.path("stderr"));
    assert!(
        text.lines().any(|line| line.starts_with("info  [") && line.contains("] request answered caller=")),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "a file is no terminal");
}

async fn ping(server: &Process) {
    server.client().get("/system/ping").await.expect(200);
}

fn logged(place: &Workplace, is_it: impl Fn(&Value) -> bool) -> bool {
    [FILE, REQUESTS].iter().any(|file| lines(&place.path(file)).iter().any(&is_it))
}

fn count(place: &Workplace) -> usize {
    lines(&place.path(REQUESTS)).len()
}
