//! A server with TLS under load: its requests, its sockets, and a certificate that is refused.

use serde_json::json;

use crate::place::{Bench, Server, report};

#[tokio::test]
async fn requests_and_sockets_go_over_tls() {
    let server = Server::start_tls().await;
    let (token, authority, out) = (server.path("token"), server.path("server.crt"), server.path("out"));
    let target = ["--target", &server.url, "--token-file", &token, "--ca", &authority, "--accounts", "2"];
    let load = ["--rate", "20", "--duration", "2s", "--warmup", "0s", "--out", &out];
    let run = |scenario: &'static str, more: &[&'static str]| {
        let arguments = [&["run", scenario][..], &target, &load, more].concat();
        let shown = Bench::start(server.folder.path(), &arguments).ended();
        let outcome = report(&out)["sides"][0]["outcome"].clone();
        let facts = (&outcome["total"]["failed"], outcome["total"]["count"].as_u64() >= Some(39));
        assert_eq!(facts, (&json!(0), true), "{}", String::from_utf8_lossy(&shown.stdout));
        assert!(outcome["target"]["tls"].as_str().unwrap().starts_with("TLS 1.3, "), "{}", outcome["target"]);
        outcome
    };
    let requests = run("me", &["--sockets", "3", "--users", "4"]);
    assert!((1..=4).contains(&requests["connections"].as_u64().unwrap()), "connections are kept: {requests}");
    assert_eq!((&requests["sockets"]["opened"], &requests["sockets"]["failed"]), (&json!(3), &json!(0)));
    let visits = run("ws-storm", &["--burst", "4", "--users", "100"])["visits"].clone();
    assert!(visits["greeted"].as_u64() >= Some(39), "{visits}");
}

#[tokio::test]
async fn a_certificate_that_is_refused_ends_a_run_before_its_load() {
    let server = Server::start_tls().await;
    let arguments = ["run", "ping", "--target", &server.url, "--duration", "1h"];
    let ended = Bench::start(server.folder.path(), &arguments).ended();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(ended.status.code() == Some(1) && ended.stdout.is_empty(), "{told}");
    assert!(told.lines().count() == 1 && told.ends_with("--ca"), "{told}");
}
