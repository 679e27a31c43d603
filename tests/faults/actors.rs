//! An actor crashes under a running server.

use std::time::Instant;

use crate::support::TestServer;
use crate::support::server::PASSWORD;
use crate::support::waiting::until;
use quarterdeck_actors::clock::{HOUR_MS, wall_ms};
use serde_json::json;

/// Crashes the actor and waits until it has restarted.
async fn crash(server: &TestServer, name: &str) {
    let vitals = server.server.vitals().into_iter().find(|vitals| vitals.name == name).unwrap();
    let before = vitals.restarts();
    vitals.crash();
    until("the actor is rebuilt", async || vitals.restarts() > before && vitals.is_alive()).await;
}

#[actix_web::test]
async fn after_a_crash_of_any_actor_the_next_request_is_served_and_state_is_kept() {
    let server = TestServer::start_with("[TeamSettings]\nSiteName = \"kept\"\n").await;
    let admin = server.admin().await;
    let end = wall_ms() + HOUR_MS;
    server.server.busy().mark(end).await.unwrap();
    let away = json!({ "user_id": admin.user_id, "status": "away" });
    admin.put("/users/me/status", away).await.expect(200);
    for name in server.server.vitals().iter().map(|vitals| vitals.name) {
        crash(&server, name).await;
        admin.get("/users/me").await.expect(200);
        let ping = admin.get("/system/ping?get_server_status=true").await.expect(200);
        assert_eq!(ping["database_status"], "OK", "{name}");
    }
    assert_eq!(server.server.config().current().view.team.site_name, "kept");
    assert_eq!(server.server.busy().until(), Some(end));
    assert_eq!(admin.get("/users/me/status").await.expect(200)["status"], "away");
    server.login("admin").await.get("/users/me").await.expect(200);
    assert!(server.server.vitals().iter().all(|vitals| vitals.restarts() == 1));
}

#[actix_web::test]
async fn an_actor_that_crashes_again_and_again_is_held_back_and_readiness_says_so() {
    let server = TestServer::start().await;
    server.admin().await;
    let vitals = server.server.vitals().into_iter().find(|vitals| vitals.name == "sessions").unwrap();
    // Each delay is twice as long as the previous one, so soon a readiness probe falls into a delay.
    let reply = loop {
        let restarts = vitals.restarts();
        assert!(restarts < 12, "the actor was never held back for long");
        vitals.crash();
        until("the actor ends", async || vitals.restarts() > restarts).await;
        let reply = server.client().get("//readyz").await;
        if reply.status == 503 {
            break reply;
        }
        until("the actor is rebuilt", async || vitals.is_alive()).await;
    };
    assert!(reply.text().contains("[-]actor-sessions failed: restarting"), "{}", reply.text());
    // A request that needs the actor waits for its restart, which comes well within the deadline.
    let login = server.client().post("/users/login", json!({ "login_id": "admin", "password": PASSWORD })).await;
    login.expect(200);
}

#[actix_web::test]
async fn an_actor_that_blocks_its_thread_leaves_the_others_answering() {
    const NAMES: [&str; 5] = ["audit", "config", "health", "license", "sessions"];
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let all = server.server.vitals();
    let actors = NAMES.map(|name| all.iter().find(|vitals| vitals.name == name).unwrap());
    for blocking in actors {
        let blocked = blocking.block().await;
        let since = Instant::now();
        for other in actors.into_iter().filter(|other| other.name != blocking.name) {
            match other.name {
                // The actor stores the waiting records before it answers.
                "audit" => drop(admin.get("/audits").await.expect(200)),
                "config" => {
                    let patch = json!({ "TeamSettings": { "SiteName": blocking.name } });
                    admin.put("/config/patch", patch).await.expect(200);
                }
                "license" => drop(admin.delete("/license").await.expect(200)),
                "sessions" => drop(server.login("admin").await),
                _ => {}
            }
            until("the other actor takes a turn", async || other.silence() < since.elapsed()).await;
        }
        assert!(blocking.silence() >= since.elapsed(), "{} was not blocked", blocking.name);
        drop(blocked);
        until("the actor goes on", async || blocking.silence() < since.elapsed()).await;
    }
}

/// A record of the audit trail is stored after the response, so the actor is often blocked in its transaction.
#[actix_web::test]
async fn an_actor_that_is_blocked_in_a_transaction_keeps_no_connection_and_no_lock() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let vitals = server.server.vitals().into_iter().find(|vitals| vitals.name == "audit").unwrap();
    for round in 0..20 {
        admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": format!("a{round}") } })).await.expect(200);
        let blocked = vitals.block().await;
        admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": format!("b{round}") } })).await.expect(200);
        drop(blocked);
    }
}

#[actix_web::test]
async fn an_actor_that_does_not_answer_is_named_by_readiness_and_measured() {
    let server = TestServer::start().await;
    let vitals = server.server.vitals().into_iter().find(|vitals| vitals.name == "notices").unwrap();
    let client = server.client();
    assert_eq!(client.get("//readyz").await.status, 200);
    vitals.hang();
    until("the actor is stuck", async || vitals.is_stuck()).await;
    let reply = client.get("//readyz").await;
    assert_eq!(reply.status, 503);
    assert!(reply.text().contains("[-]actor-notices failed: does not answer\n"), "{}", reply.text());
    assert_eq!(reply.text().matches("[-]").count(), 1, "{}", reply.text());
    assert_eq!(client.get("//readyz?exclude=actor-notices").await.status, 200);
}
