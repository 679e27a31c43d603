//! The upgrade of several servers, from any of them. Each runs as a process of its own, because its program is replaced.

mod fleet;
mod traffic;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use self::fleet::{Fleet, RESTART, SERVERS, STATUS, UPGRADE};
use self::traffic::Traffic;
use crate::support::quiet::pass;
use crate::support::release::{NEWER, teller};
use crate::support::waiting::{until, until_within};
use crate::support::{Client, needs, peers};

/// The time for the restart of all servers, on a busy machine.
const ALL_WITHIN: Duration = Duration::from_mins(3);

const IN_PROGRESS: &str = "api.upgrade_to_enterprise.app_error";

#[actix_web::test]
async fn every_server_tells_the_progress_and_no_second_upgrade_begins_on_any_of_them() {
    let Some(fleet) = Fleet::start().await else { return };
    let older = fleet.programs();
    fleet.offer_half();
    fleet.admins[1].get("/upgrade_to_enterprise/allowed").await.expect_ok();
    fleet.begin(1).await;
    until("half of the first one is there", async || {
        let status = status(&fleet.admins[2]).await;
        status["servers"][0]["percentage"].as_u64().unwrap() > 40
    })
    .await;
    for admin in &fleet.admins {
        let shown = status(admin).await;
        assert_eq!((&shown["error"], states(&shown)), (&Value::Null, vec!["installing", "waiting", "waiting"]));
        assert!((13..34).contains(&shown["percentage"].as_u64().unwrap()), "{shown}");
        admin.post(UPGRADE, json!({})).await.expect_refusal(429, IN_PROGRESS);
        let refused = admin.post("/restart?servers=all", json!({})).await;
        refused.expect_refusal(409, "app.restart.upgrading.app_error");
        admin.post(RESTART, json!({})).await.expect_ok();
    }
    assert_eq!(fleet.programs(), older, "nothing is replaced yet");
    fleet.releases.go_on();
    for admin in &fleet.admins {
        until("it is complete", async || status(admin).await["percentage"] == 100).await;
        let shown = status(admin).await;
        assert_eq!((&shown["error"], states(&shown)), (&Value::Null, vec!["complete"; SERVERS]));
        let again = admin.post(UPGRADE, json!({})).await;
        again.expect_refusal(429, "api.upgrade_to_enterprise.already-done.app_error");
    }
    assert!(fleet.programs().iter().all(|program| *program == teller(NEWER).len()), "each program is the release");
    assert_eq!(fleet.admins[0].get(RESTART).await.expect(200)["state"], "none", "no server has restarted");
}

#[actix_web::test]
async fn an_upgrade_whose_leader_is_killed_is_over_and_another_one_can_begin() {
    let Some(fleet) = Fleet::start().await else { return };
    fleet.offer_half();
    fleet.begin(0).await;
    let is_installing = async || states(&status(&fleet.admins[1]).await).first() == Some(&"installing");
    until("the leader installs the release", is_installing).await;
    fleet.servers[0].signal(Signal::KILL);
    for admin in &fleet.admins[1..] {
        let is_over = async || status(admin).await["error"].as_str().is_some_and(|error| error.contains("is gone"));
        until("it is over", is_over).await;
        assert_eq!(status(admin).await["percentage"], 0);
    }
    fleet.releases.go_on();
    // The others have removed the killed one by then.
    let begins = async || fleet.admins[2].post(UPGRADE, json!({})).await.status == 202;
    until("another one begins", begins).await;
    for admin in &fleet.admins[1..] {
        until("it is complete", async || status(admin).await["percentage"] == 100).await;
        assert_eq!(states(&status(admin).await), ["complete", "complete"]);
    }
}

#[actix_web::test]
async fn a_server_that_stands_still_ends_the_upgrade_which_can_be_continued() {
    let Some(fleet) = Fleet::start().await else { return };
    fleet.offer_half();
    fleet.begin(0).await;
    fleet.servers[1].signal(Signal::STOP);
    fleet.releases.go_on();
    let error = async || status(&fleet.admins[2]).await["error"].as_str().unwrap_or_default().to_owned();
    until("it has failed", async || !error().await.is_empty()).await;
    let (error, shown) = (error().await, status(&fleet.admins[0]).await);
    assert!(error.contains(": The server gave no answer (silent).") && error.contains("is in place on "), "{error}");
    assert_eq!((shown["error"].as_str().unwrap(), states(&shown)[0]), (&*error, "complete"));
    fleet.servers[1].signal(Signal::CONT);
    let is_listed =
        async || fleet.admins[1].get("/cluster/status").await.expect(200).as_array().unwrap().len() == SERVERS;
    until("it is in the list again", is_listed).await;
    let begins = async || fleet.admins[1].post(UPGRADE, json!({})).await.status == 202;
    until("another one begins", begins).await;
    for admin in &fleet.admins {
        until("it is complete", async || status(admin).await["percentage"] == 100).await;
    }
}

#[actix_web::test]
async fn all_servers_install_the_release_of_the_first_one_and_do_not_restart_into_two() {
    const LATER: &str = "999.0.1";
    let Some(fleet) = Fleet::start().await else { return };
    let older = fleet.programs();
    fleet.offer_half();
    fleet.begin(0).await;
    let is_installing = async || status(&fleet.admins[1]).await["servers"][0]["percentage"].as_u64() > Some(40);
    until("the leader installs the release", is_installing).await;
    // The publisher replaces the release meanwhile.
    fleet.releases.offer(&teller(LATER), &json!({ "version": LATER }));
    fleet.releases.go_on();
    let error = async || status(&fleet.admins[2]).await["error"].as_str().unwrap_or_default().to_owned();
    until("it has failed", async || !error().await.is_empty()).await;
    let told = error().await;
    assert!(told.contains("ReleaseURL offers 999.0.1 ") && told.contains("other servers have 999.0.0 "), "{told}");
    assert!(told.contains("is in place on "), "{told}");
    assert_eq!(fleet.programs()[1..], older[1..], "no other server has a new program");
    for path in ["/restart?servers=all", "/restart"] {
        let refused = fleet.admins[1].post(path, json!({})).await;
        refused.expect_refusal(409, "app.restart.mixed_versions.app_error");
    }
    // The same release for all continues the upgrade, although another one was offered.
    fleet.releases.offer(&teller(NEWER), &json!({}));
    for admin in &fleet.admins {
        assert_eq!(admin.get("/upgrade_to_enterprise/allowed").await.status, 200);
    }
    fleet.begin(1).await;
    until("it is complete", async || status(&fleet.admins[2]).await["percentage"] == 100).await;
}

#[actix_web::test]
async fn a_restart_and_an_upgrade_that_begin_at_the_same_moment_do_not_both_begin() {
    let Some(fleet) = Fleet::start().await else { return };
    fleet.offer_half();
    let upgrade = fleet.admins[0].post(UPGRADE, json!({}));
    let restart = fleet.admins[1].post("/restart?servers=all", json!({}));
    let (upgrade, restart) = futures_util::join!(upgrade, restart);
    let is_one = [(202, 409), (409, 200)].contains(&(upgrade.status, restart.status));
    assert!(is_one, "{} {}", upgrade.text(), restart.text());
}

#[actix_web::test]
async fn a_restart_that_began_before_the_clock_was_set_back_holds_up_no_upgrade() {
    let Some(fleet) = Fleet::start().await else { return };
    fleet.offer_half();
    for (left_ms, status) in [(3_600_000, 409), (86_400_000, 202)] {
        let restart = format!("(1, 'other', '', 'running', qd_now(), qd_now() + {left_ms}, '')");
        fleet.execute(&format!("DELETE FROM qd_restarts; INSERT INTO qd_restarts VALUES {restart}")).await;
        assert_eq!(fleet.admins[0].post(UPGRADE, json!({})).await.status, status, "{left_ms} ms are left");
    }
}

#[actix_web::test]
async fn an_upgrade_whose_time_is_far_ahead_is_not_renewed() {
    const AHEAD: &str = "SELECT (expiresat > qd_now() + 7200000)::text FROM qd_restarts WHERE slot = 2";
    let Some(fleet) = Fleet::start().await else { return };
    fleet.offer_half();
    fleet.begin(0).await;
    // The clock of the database was set back. Another upgrade or a restart may begin, so the leader must not go on.
    fleet.execute("UPDATE qd_restarts SET expiresat = expiresat + 86400000 WHERE slot = 2").await;
    fleet.releases.go_on();
    pass(Duration::from_secs(2)).await;
    assert_eq!(fleet.texts(AHEAD).await, ["true"]);
}

#[actix_web::test]
async fn a_leader_that_ends_its_own_part_later_tells_so_on_every_server() {
    let Some(fleet) = Fleet::start().await else { return };
    let leader = fleet.name_of(0).await;
    fleet.offer_half();
    fleet.begin(0).await;
    let is_installing = async || status(&fleet.admins[1]).await["servers"][0]["percentage"].as_u64() > Some(40);
    until("the leader installs the release", is_installing).await;
    fleet.servers[0].signal(Signal::STOP);
    let error = async || status(&fleet.admins[1]).await["error"].as_str().unwrap_or_default().to_owned();
    until("it is over", async || error().await.contains("is gone")).await;
    assert!(!error().await.contains("in place"));
    fleet.releases.go_on();
    fleet.servers[0].signal(Signal::CONT);
    let in_place = format!("The release is in place on {leader}.");
    until("the leader has the release", async || error().await.contains(&in_place)).await;
    assert_eq!(states(&status(&fleet.admins[1]).await)[0], "complete");
}

#[actix_web::test]
async fn a_file_that_another_server_replaced_is_accepted_although_that_server_is_gone() {
    let Some(fleet) = Fleet::start().await else { return };
    fleet.releases.offer(&teller(NEWER), &json!({}));
    let program = fleet.program_of(1);
    let replacement = program.with_extension("new");
    std::fs::write(&replacement, teller(NEWER)).unwrap();
    std::fs::rename(&replacement, &program).unwrap();
    fleet.begin(1).await;
    for admin in &fleet.admins {
        until("it is complete", async || status(admin).await["percentage"] == 100).await;
    }
    assert!(fleet.programs().iter().all(|program| *program == teller(NEWER).len()), "each program is the release");
}

#[actix_web::test]
async fn a_server_that_joins_during_an_upgrade_has_a_part_in_it() {
    let Some(mut fleet) = Fleet::start().await else { return };
    fleet.offer_half();
    fleet.begin(0).await;
    let is_installing = async || states(&status(&fleet.admins[1]).await).first() == Some(&"installing");
    until("the leader installs the release", is_installing).await;
    fleet.join().await;
    fleet.releases.go_on();
    for admin in &fleet.admins {
        until("it is complete", async || status(admin).await["percentage"] == 100).await;
        assert_eq!(states(&status(admin).await), ["complete"; SERVERS + 1]);
    }
}

#[actix_web::test]
async fn a_server_that_cannot_be_upgraded_is_named_before_anything_changes() {
    let Some(fleet) = Fleet::start().await else { return };
    let older = fleet.programs();
    fleet.releases.offer(&teller(NEWER), &json!({}));
    let program = &fleet.program_of(0);
    std::fs::rename(program, program.with_extension("aside")).unwrap();
    for path in [UPGRADE, "/upgrade_to_enterprise/allowed"] {
        let method = if path == UPGRADE { reqwest::Method::POST } else { reqwest::Method::GET };
        let refused = fleet.admins[1].send(method, path, None, &[]).await;
        refused.expect_refusal(409, "app.upgrade.server_refuses.app_error");
        let named = format!("The server {} cannot be upgraded: ", fleet.name_of(0).await);
        assert!(refused.text().contains(&named), "{named} {}", refused.text());
    }
    std::fs::rename(program.with_extension("aside"), program).unwrap();
    assert_eq!(fleet.programs(), older);
    assert_eq!(status(&fleet.admins[1]).await, json!({ "error": null, "percentage": 0 }));
}

#[actix_web::test]
async fn a_server_whose_file_system_does_not_answer_is_named_and_can_be_upgraded_later() {
    let Some(mut fleet) = Fleet::start().await else { return };
    fleet.releases.offer(&teller(NEWER), &json!({}));
    let (library, mark) = (fleet.folder(0).join("frozen.so"), fleet.folder(0).join("frozen"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/nodes/upgrades/frozen.c");
    let mut compile = Command::new(peers::tool("cc"));
    let made = compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
    assert!(made.unwrap().success(), "the library cannot be built");
    let texts = [library.to_str().unwrap(), mark.to_str().unwrap()];
    let variables = [("LD_PRELOAD", texts[0]), ("QD_FROZEN", texts[1]), ("QD_FROZEN_PATH", "/bin/quarterdeck")];
    fleet.start_again(0, &variables).await;
    let name = fleet.name_of(0).await;
    std::fs::write(&mark, "").unwrap();
    for _ in 0..2 {
        let refused = fleet.admins[1].post(UPGRADE, json!({})).await;
        refused.expect_refusal(409, "app.upgrade.server_refuses.app_error");
        let text = refused.text();
        assert!(text.contains(&name) && text.contains("/bin/quarterdeck does not answer"), "{text}");
        let own = fleet.admins[0].get("/upgrade_to_enterprise/allowed").await;
        own.expect_refusal(403, "api.upgrade_to_enterprise.generic_error.app_error");
        assert!(own.text().contains("/bin/quarterdeck does not answer"), "{}", own.text());
    }
    let ready = fleet.admins[0].send(reqwest::Method::GET, "//readyz", None, &[]).await;
    assert_eq!(ready.status, 200, "{}", ready.text());
    std::fs::remove_file(&mark).unwrap();
    let begins = async || fleet.admins[1].post(UPGRADE, json!({})).await.status == 202;
    until("the upgrade begins", begins).await;
    until("it is complete", async || status(&fleet.admins[0]).await["percentage"] == 100).await;
}

#[actix_web::test]
async fn a_server_that_runs_the_release_or_restarted_into_it_by_itself_is_not_restarted() {
    let Some(folder) = needs::peer("newer") else { return };
    let newer = folder.join("quarterdeck");
    let Some(mut fleet) = Fleet::start().await else { return };
    fleet.releases.offer(&std::fs::read(&newer).unwrap(), &json!({}));
    fleet.replace(0, &newer);
    fleet.start_again(0, &[]).await;
    let is_first_run = async |fleet: &Fleet, runs: &[Value]| {
        let nodes = fleet.admins[0].get("/cluster/status").await.expect(200);
        nodes.as_array().unwrap().iter().map(|node| runs.contains(&node["id"])).collect::<Vec<_>>()
    };
    let nodes = fleet.admins[0].get("/cluster/status").await.expect(200);
    let runs: Vec<Value> = nodes.as_array().unwrap().iter().map(|node| node["id"].clone()).collect();
    fleet.begin(1).await;
    until_within(ALL_WITHIN, "it is complete", async || status(&fleet.admins[1]).await["percentage"] == 100).await;
    assert_eq!(states(&status(&fleet.admins[0]).await), ["complete"; SERVERS]);

    // An operator restarts one of the others before all are restarted.
    fleet.start_again(2, &[]).await;
    let name = fleet.name_of(1).await;
    fleet.admins[2].post(RESTART, json!({})).await.expect_ok();
    let progress = async || fleet.admins[0].get(RESTART).await.expect(200);
    until_within(ALL_WITHIN, "the restart is done", async || progress().await["state"] == "done").await;
    let restarted = progress().await;
    assert_eq!(restarted["servers"], json!([{ "name": name, "state": "restarted", "reason": null }]));
    // The list is that of the last heartbeat.
    let is_first_one_left = async || is_first_run(&fleet, &runs).await == [true, false, false];
    until("the first one is the only one that did not restart", is_first_one_left).await;
    for admin in &fleet.admins {
        assert_eq!(status(admin).await, json!({ "error": null, "percentage": 0 }), "all run the release");
    }

    // No server has an older program any more.
    fleet.begin(1).await;
    let error = async || status(&fleet.admins[2]).await["error"].as_str().unwrap_or_default().to_owned();
    until("it fails", async || error().await.contains("which is not newer than ")).await;
    assert_eq!(status(&fleet.admins[0]).await["percentage"], 0);
    fleet.admins[0].post(RESTART, json!({})).await.expect_ok();
    assert_eq!(progress().await, restarted, "nothing restarts");
}

#[actix_web::test]
async fn an_upgrade_of_all_servers_under_traffic_loses_nothing() {
    let Some(folder) = needs::peer("newer") else { return };
    let Some(fleet) = Fleet::start().await else { return };
    fleet.releases.offer(&std::fs::read(folder.join("quarterdeck")).unwrap(), &json!({}));
    let traffic = Traffic::start(&fleet);
    fleet.begin(1).await;
    until_within(ALL_WITHIN, "it is complete", async || status(&fleet.admins[2]).await["percentage"] == 100).await;
    fleet.admins[2].post(RESTART, json!({})).await.expect_ok();
    for base in fleet.bases() {
        let client = Client::new(&base);
        let version = async || {
            let ping = client.try_send(reqwest::Method::GET, "/system/ping", None, &[]).await;
            ping.map(|reply| reply.header("x-version-id")).unwrap_or_default()
        };
        until_within(ALL_WITHIN, "the newer program answers", async || version().await.contains(NEWER)).await;
    }
    until("the restart is done", async || fleet.admins[0].get(RESTART).await.expect(200)["state"] == "done").await;
    traffic.end(&fleet).await;
    for admin in &fleet.admins {
        assert_eq!(status(admin).await, json!({ "error": null, "percentage": 0 }), "all have restarted");
        let restarted = admin.get(RESTART).await.expect(200);
        assert!(
            restarted["servers"].as_array().unwrap().iter().all(|turn| turn["state"] == "restarted"),
            "{restarted}"
        );
    }
}

/// Returns the progress that a server tells.
async fn status(admin: &Client) -> Value {
    admin.get(STATUS).await.expect(200)
}

fn states(shown: &Value) -> Vec<&str> {
    let servers = shown["servers"].as_array();
    servers.into_iter().flatten().map(|server| server["state"].as_str().unwrap()).collect()
}
