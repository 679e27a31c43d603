//! The program is replaced while it runs, and the process continues as the new program.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::process::{Process, lines, read};
use crate::support::release::{Answer, NEWER, Rest, teller};
use crate::support::stand::{Stand, files};
use crate::support::trail::newest_in;
use crate::support::waiting::until;
use crate::support::{backdoor, database, needs};

const UPGRADE: &str = "/upgrade_to_enterprise";
const ALLOWED: &str = "/upgrade_to_enterprise/allowed";
const RESTART: &str = "/restart";

#[actix_web::test]
async fn a_newer_program_takes_the_place_of_the_one_that_runs_and_runs_after_a_restart() {
    let Some(folder) = needs::peer("newer") else { return };
    let newer = std::fs::read(folder.join("quarterdeck")).unwrap();
    let stand = Stand::start().await;
    let admin = &stand.admin;
    let (older, mode) = (std::fs::read(&stand.program).unwrap(), mode(&stand.program));
    let started_with = ["cmdline", "environ"].map(|name| read(&process_file(&stand, name)));
    std::fs::write(stand.program.with_file_name(".quarterdeck.upgrade"), "left by an attempt that was killed").unwrap();
    std::fs::write(stand.program.with_file_name(".quarterdeck.previous"), "and this as well").unwrap();
    stand.releases.offer(&newer, &json!({ "notes": "for people" }));
    stand.releases.answer("/latest/quarterdeck-next", Answer::Half(newer.clone().into(), Rest::Later));
    admin.get(ALLOWED).await.expect_ok();

    stand.begin().await;
    until("half of it is there", async || stand.status().await["percentage"].as_u64().unwrap() > 40).await;
    admin.post(UPGRADE, json!({})).await.expect_refusal(429, "api.upgrade_to_enterprise.app_error");
    admin.post(RESTART, json!({})).await.expect_ok();
    let refused = admin.post("/restart?servers=all", json!({})).await;
    refused.expect_refusal(409, "app.restart.upgrading.app_error");
    assert_eq!(stand.files(), [".quarterdeck.upgrade", "quarterdeck"]);
    assert_eq!(self::mode(&stand.program.with_file_name(".quarterdeck.upgrade")), 0o600);
    stand.releases.go_on();
    assert_eq!(stand.ended().await, json!({ "error": null, "percentage": 100 }));
    for reply in [admin.post(UPGRADE, json!({})).await, admin.get(ALLOWED).await] {
        reply.expect_refusal(429, "api.upgrade_to_enterprise.already-done.app_error");
    }

    assert_eq!(stand.files(), ["quarterdeck", "quarterdeck.previous"]);
    assert!(std::fs::read(&stand.program).unwrap() == newer, "another file took the place");
    assert!(std::fs::read(stand.program.with_file_name("quarterdeck.previous")).unwrap() == older, "it is not kept");
    assert_eq!(self::mode(&stand.program), mode);
    assert!(!stand.version().await.contains(NEWER), "it must not run yet");

    if database::base().is_some() {
        let begin = "INSERT INTO qd_restarts VALUES (1, 'other', '', 'running', qd_now(), qd_now() + 600000, '')";
        backdoor::execute_in(&stand.place.path(""), begin).await;
        admin.post(RESTART, json!({})).await.expect_refusal(409, "app.restart.in_progress.app_error");
        backdoor::execute_in(&stand.place.path(""), "DELETE FROM qd_restarts").await;
    }
    let slow = SlowLogin::begin(&stand.server).await;
    admin.post(RESTART, json!({})).await.expect_ok();
    slow.finish().await;
    until("the newer program answers", async || stand.version().await.contains(NEWER)).await;
    assert_eq!(std::fs::read_link(process_file(&stand, "exe")).unwrap(), stand.program);
    assert_eq!(["cmdline", "environ"].map(|name| read(&process_file(&stand, name))), started_with);
    assert_eq!(stand.status().await, json!({ "error": null, "percentage": 0 }));
    let begun = newest_in(&stand.place.path(""), "upgradeToEnterprise").await;
    assert_eq!((&begun["status"], &begun["code"], &begun["source"]), (&json!("fail"), &json!(429), &json!("api")));
    let restarted = newest_in(&stand.place.path(""), "restartServer").await;
    assert_eq!((&restarted["status"], &restarted["parameters"]), (&json!("success"), &json!({ "version": NEWER })));
    assert!(stand.server.stop().await.success());
}

#[actix_web::test]
async fn a_program_that_cannot_be_run_anew_ends_the_server_with_the_reason() {
    let mut stand = Stand::start().await;
    stand.releases.offer(&teller(NEWER), &json!({}));
    stand.begin().await;
    assert_eq!(stand.ended().await, json!({ "error": null, "percentage": 100 }));
    std::fs::remove_file(&stand.program).unwrap();
    stand.admin.post(RESTART, json!({})).await.expect_ok();
    assert_eq!(stand.server.ended().await.code(), Some(1));
    let said = read(&stand.place.path("stderr"));
    assert!(said.contains("quarterdeck: the program cannot be restarted: "), "{said}");
    let log = lines(&stand.place.path("logs/mattermost.log"));
    assert!(log.iter().any(|line| line["msg"] == "stopped"), "{log:?}");
    assert!(log.last().unwrap()["msg"].as_str().unwrap().contains("cannot be executed"), "{log:?}");
}

#[actix_web::test]
async fn the_program_in_place_is_run_with_the_same_arguments_unless_somebody_wants_an_end() {
    for (is_ended, code) in [(false, 7), (true, 0)] {
        let mut stand = Stand::start().await;
        stand.releases.offer(&teller(NEWER), &json!({}));
        stand.begin().await;
        assert_eq!(stand.ended().await["percentage"], 100);
        let slow = SlowLogin::begin(&stand.server).await;
        stand.admin.post(RESTART, json!({})).await.expect_ok();
        if is_ended {
            until("nobody is let in", async || stand.version().await.is_empty()).await;
            stand.server.signal(Signal::TERM);
        }
        slow.finish().await;
        assert_eq!(stand.server.ended().await.code(), Some(code));
        let ended = newest_in(&stand.place.path(""), "endUpgrade").await;
        assert_eq!((&ended["status"], &ended["parameters"]), (&json!("success"), &json!({ "version": NEWER })));
    }
}

#[actix_web::test]
async fn a_server_that_ends_during_an_upgrade_leaves_nothing_of_it() {
    let stand = Stand::start().await;
    let bytes = teller(NEWER).repeat(10_000);
    stand.releases.offer(&bytes, &json!({}));
    stand.releases.answer("/latest/quarterdeck-next", Answer::Half(bytes.into(), Rest::Later));
    stand.begin().await;
    until("half of it is there", async || stand.status().await["percentage"].as_u64().unwrap() > 40).await;
    let Stand { place: _place, program, releases: _releases, server, .. } = stand;
    assert!(server.stop().await.success());
    assert_eq!(files(&program), ["quarterdeck"]);
}

/// A request in progress until its body is complete.
struct SlowLogin(TcpStream);

impl SlowLogin {
    const BODY: &str = r#"{"login_id":"nobody","password":"nothing"}"#;

    async fn begin(server: &Process) -> Self {
        let mut connection = TcpStream::connect(server.base.trim_start_matches("http://")).await.unwrap();
        let length = Self::BODY.len();
        let head = format!(
            "POST /api/v4/users/login HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut go_on = [0; 25];
        connection.read_exact(&mut go_on).await.unwrap();
        Self(connection)
    }

    async fn finish(mut self) {
        self.0.write_all(Self::BODY.as_bytes()).await.unwrap();
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }
}

fn process_file(stand: &Stand, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{}/{name}", stand.server.id()))
}

fn mode(file: &Path) -> u32 {
    std::fs::metadata(file).unwrap().permissions().mode() & 0o7777
}
