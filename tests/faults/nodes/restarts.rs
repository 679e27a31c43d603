//! The restart of several servers, one after the other, from any of them. The servers of these tests run in one process, so
//! the test does what the program does: it stops a server that wants to restart, and starts it anew.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Pair, REASON};
use crate::support::waiting::{until, within};
use crate::support::{Client, TestServer, database};

const RESTART: &str = "/restart";
const ALL: &str = "/restart?servers=all";

/// The statement that makes a restart look as if its leader were gone.
const EXPIRE: &str = "UPDATE qd_restarts SET expiresat = qd_now() - 1";

#[actix_web::test]
async fn servers_restart_one_after_the_other_and_the_one_that_got_the_request_comes_last() {
    let Some(Pair { one, other, admin, .. }) = Pair::start().await else { return };
    let there = admin.at(&other.base);
    let begun = join_all([admin.post(ALL, json!({})), there.post("/restart?servers=all&within=60", json!({}))]).await;
    let mut statuses: Vec<u16> = begun.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "one of two administrators");
    let (leader, second) = if begun[0].status == 200 { (one, other) } else { (other, one) };
    let (leading, following) = (admin.at(&leader.base), admin.at(&second.base));
    within("the other one restarts", second.server.restart_wanted()).await;
    assert!(!wants_restart(&leader).await);
    let shown = following.get(RESTART).await.expect(200);
    assert_eq!((&shown["state"], states(&shown)), (&json!("running"), vec!["restarting", "waiting"]));
    following.post(ALL, json!({})).await.expect_refusal(409, "app.restart.in_progress.app_error");
    second.server.stop().await.unwrap();
    assert_eq!(states(&leading.get(RESTART).await.expect(200)), ["restarting", "waiting"]);
    assert!(!wants_restart(&leader).await);
    let second = leader.start_beside("").await;
    within("the one that got the request restarts", leader.server.restart_wanted()).await;
    let following = admin.at(&second.base);
    assert_eq!(states(&following.get(RESTART).await.expect(200)), ["restarted", "restarting"]);
    leader.server.stop().await.unwrap();
    let leader = second.start_beside("").await;
    until("it is done", async || state(&following).await == "done").await;
    assert_eq!(states(&admin.at(&leader.base).get(RESTART).await.expect(200)), ["restarted", "restarted"]);
    assert!(!wants_restart(&second).await && !wants_restart(&leader).await);
}

#[actix_web::test]
async fn one_named_server_restarts_from_any() {
    let Some(Pair { one, other, admin, .. }) = Pair::start().await else { return };
    let there = admin.at(&other.base);
    let name = own_name(&there).await;
    admin.post(&format!("{RESTART}?server={name}"), json!({})).await.expect_ok();
    within("it restarts", other.server.restart_wanted()).await;
    other.server.stop().await.unwrap();
    let _again = one.start_beside("").await;
    until("it is done", async || state(&admin).await == "done").await;
    assert!(!wants_restart(&one).await);
}

#[actix_web::test]
async fn a_server_that_does_not_come_back_ends_the_restart_and_the_others_stay_up() {
    let Some(Pair { one, other, admin, .. }) = Pair::start().await else { return };
    admin.post("/restart?servers=all&within=10", json!({})).await.expect_ok();
    within("the other one restarts", other.server.restart_wanted()).await;
    other.server.stop().await.unwrap();
    until("the restart ends", async || state(&admin).await == "stopped").await;
    let shown = admin.get(RESTART).await.expect(200);
    assert_eq!(states(&shown), ["failed", "waiting"]);
    assert_eq!((&shown["servers"][0]["reason"], &shown["servers"][1]["reason"]), (&json!("absent"), &Value::Null));
    assert!(!wants_restart(&one).await);
}

#[actix_web::test]
async fn a_server_that_fails_after_it_was_back_ends_the_restart() {
    let Some(pair) = Pair::start().await else { return };
    let third = pair.one.start_beside("").await;
    pair.admin.post(ALL, json!({})).await.expect_ok();
    within("the first one restarts", pair.other.server.restart_wanted()).await;
    pair.other.server.stop().await.unwrap();
    let again = pair.one.start_beside("").await;
    within("the second one restarts", third.server.restart_wanted()).await;
    again.server.stop().await.unwrap();
    third.server.stop().await.unwrap();
    let third = pair.one.start_beside("").await;
    until("the restart ends", async || state(&pair.admin).await == "stopped").await;
    let shown = pair.admin.get(RESTART).await.expect(200);
    assert_eq!(
        (states(&shown), &shown["servers"][0]["reason"]),
        (vec!["failed", "restarted", "waiting"], &json!("absent"))
    );
    assert!(!wants_restart(&pair.one).await && !wants_restart(&third).await);
}

#[actix_web::test]
async fn a_silent_server_is_named_and_ends_the_restart_and_an_older_one_is_named_and_skipped() {
    let Some(pair) = Pair::start().await else { return };
    add_node(&pair, "mute").await;
    pair.admin.post(ALL, json!({})).await.expect_ok();
    until("the restart ends", async || state(&pair.admin).await == "stopped").await;
    let shown = pair.admin.get(RESTART).await.expect(200);
    assert_eq!(
        (states(&shown), &shown["servers"][0]["reason"]),
        (vec!["failed", "waiting", "waiting"], &json!("silent"))
    );
    assert!(!wants_restart(&pair.one).await && !wants_restart(&pair.other).await);

    // Answers as a version does that does not know the question.
    pair.admin.post(ALL, json!({})).await.expect_ok();
    let answer = "SELECT qd_answer(id, 'mute', 0, 'unknown', '')::text FROM qd_questions WHERE 'mute' = ANY (targets)";
    until("it answers", async || !pair.one.texts(answer).await.is_empty()).await;
    within("the next one restarts", pair.other.server.restart_wanted()).await;
    let shown = pair.admin.get(RESTART).await.expect(200);
    assert_eq!(states(&shown), ["skipped", "restarting", "waiting"]);
    assert_eq!(shown["servers"][0], json!({ "name": "mute", "state": "skipped", "reason": "unknown" }));
}

#[actix_web::test]
async fn a_restart_whose_leader_is_gone_is_abandoned_and_restarts_no_further_server() {
    let Some(pair) = Pair::start().await else { return };
    let there = pair.at_other(&pair.admin);
    let third = pair.one.start_beside("").await;
    pair.admin.post(ALL, json!({})).await.expect_ok();
    within("the first one restarts", pair.other.server.restart_wanted()).await;
    pair.execute(EXPIRE).await;
    for client in [&pair.admin, &there] {
        let shown = client.get(RESTART).await.expect(200);
        assert_eq!((&shown["state"], states(&shown)), (&json!("abandoned"), vec!["restarting", "waiting", "waiting"]));
    }
    // The next one can begin, and the leader of the first one, which was only frozen, does not go on with it.
    let named = format!("{RESTART}?server={}", own_name(&there).await);
    pair.admin.post(&named, json!({})).await.expect_ok();
    within("the server of the second one restarts", pair.other.server.restart_wanted()).await;
    pair.other.server.stop().await.unwrap();
    let _again = pair.one.start_beside("").await;
    until("the second one is done", async || state(&pair.admin).await == "done").await;
    assert!(!wants_restart(&pair.one).await && !wants_restart(&third).await);
}

#[actix_web::test]
async fn a_leader_that_stops_restarts_no_further_server_and_begins_no_restart() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let leader = TestServer::start_with("[Quarterdeck]\nDrainSeconds = 600\n").await;
    let admin = leader.admin().await;
    let (second, third) = (leader.start_beside("").await, leader.start_beside("").await);
    admin.post(ALL, json!({})).await.expect_ok();
    within("the second one restarts", second.server.restart_wanted()).await;
    let hurry = Arc::new(Notify::new());
    let (server, hurried) = (leader.server, hurry.clone());
    let stopped = actix_web::rt::spawn(async move { server.stop_sooner_on(hurried.notified()).await });
    let there = admin.at(&third.base);
    until("it is abandoned", async || state(&there).await == "abandoned").await;
    admin.post(ALL, json!({})).await.expect_refusal(409, "app.restart.stopping.app_error");
    assert!(!wants_restart(&third).await);
    hurry.notify_one();
    stopped.await.unwrap().unwrap();
}

#[actix_web::test]
async fn a_turn_and_an_end_that_the_database_does_not_store_at_once_are_stored_later() {
    const TRIES: &str = "SELECT last_value FROM tries";
    const REFUSE: &str = "CREATE TRIGGER refuse BEFORE UPDATE ON qd_restarts FOR EACH ROW EXECUTE FUNCTION refuse()";
    const ACCEPT: &str = "DROP TRIGGER refuse ON qd_restarts";
    let Some(pair) = Pair::start().await else { return };
    add_node(&pair, "mute").await;
    // A sequence also counts what is rolled back.
    pair.execute(
        "CREATE SEQUENCE tries; CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM nextval('tries'); RAISE EXCEPTION 'refused'; END $$",
    )
    .await;
    let tries = async || pair.one.texts(TRIES).await[0].parse::<u64>().unwrap();
    pair.execute(REFUSE).await;
    pair.admin.post(ALL, json!({})).await.expect_ok();
    until("the turn is refused twice", async || tries().await > 1).await;
    pair.execute(ACCEPT).await;
    let target = "SELECT target::text FROM qd_restarts";
    until("the turn is stored", async || pair.one.texts(target).await == ["mute"]).await;
    pair.execute(REFUSE).await;
    let before = tries().await;
    until("the end is refused", async || tries().await > before).await;
    pair.execute(ACCEPT).await;
    until("the end is stored", async || state(&pair.admin).await == "stopped").await;
    let shown = pair.admin.get(RESTART).await.expect(200);
    assert_eq!(shown["servers"][0], json!({ "name": "mute", "state": "failed", "reason": "silent" }));
}

#[actix_web::test]
async fn a_question_restarts_a_server_only_when_it_is_its_turn() {
    let Some(pair) = Pair::start().await else { return };
    let ask = "SELECT qd_ask('asked', 'test', 'restart_server', 'none', 1000, ARRAY(SELECT id::text FROM qd_nodes), 60000, 16)";
    pair.execute(ask).await;
    let answers = "SELECT state FROM qd_answers WHERE question = 'asked'";
    until("both refuse", async || pair.one.texts(answers).await == ["failed", "failed"]).await;
    assert!(!wants_restart(&pair.one).await && !wants_restart(&pair.other).await);
}

/// Adds a node that started before the others and does not end.
async fn add_node(pair: &Pair, name: &str) {
    let node = format!(
        "INSERT INTO qd_nodes SELECT '{name}', '{name}', '', '', '', '', 0, 0, qd_now() + 1000000, 0 FROM qd_nodes LIMIT 1"
    );
    pair.execute(&node).await;
}

async fn wants_restart(server: &TestServer) -> bool {
    timeout(Duration::ZERO, server.server.restart_wanted()).await.is_ok()
}

async fn state(client: &Client) -> String {
    client.get(RESTART).await.expect(200)["state"].as_str().unwrap().to_owned()
}

fn states(progress: &Value) -> Vec<&str> {
    progress["servers"].as_array().unwrap().iter().map(|turn| turn["state"].as_str().unwrap()).collect()
}

/// Returns the name of the server of a client.
async fn own_name(client: &Client) -> String {
    let name = async || {
        let nodes = client.get("/cluster/status").await.expect(200);
        let own = nodes.as_array().unwrap().iter().find(|node| node["is_self"] == true).cloned();
        own.map(|own| own["name"].as_str().unwrap().to_owned())
    };
    until("the server lists itself", async || name().await.is_some()).await;
    name().await.unwrap()
}
