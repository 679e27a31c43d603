//! The restart of the servers, one after the other, during a run.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::calm;
use super::resuming::clients_resume;
use super::stand::Stand;
use super::traffic::attempt;
use crate::support::waiting::{until, until_within};
use crate::support::{Client, database};

/// The time for the restart of all servers, on a busy machine.
const ALL_WITHIN: Duration = Duration::from_mins(3);

/// Restarts all servers one after the other, from one of them and then from another one, and kills the leader of a third
/// restart.
pub(super) async fn restart_servers(stand: &mut Stand) {
    clients_resume(stand, 2, async |stand| restart_all(stand, 2).await).await;
    calm(stand).await;
    restart_all(stand, 1).await;
    // The first server is the leader.
    kill_the_leader(stand).await;
}

/// Restarts all servers from one of them.
async fn restart_all(stand: &Stand, leader: usize) {
    let clients = clients(stand).await;
    let before = ids(stand).await;
    let name = stand.listed(leader).await["name"].clone();
    clients[leader].post("/restart?servers=all", json!({})).await.expect_ok();
    let refused = clients[leader].post("/restart?servers=all", json!({})).await;
    refused.expect_refusal(409, "app.restart.in_progress.app_error");
    let is_done = async || progress(&clients[leader]).await.is_some_and(|progress| progress["state"] == "done");
    until_within(ALL_WITHIN, "all servers are restarted", is_done).await;
    stand.all_ready().await;
    let progress = progress(&clients[leader]).await.unwrap();
    assert_eq!(progress["leader"], name, "{progress}");
    let turns = progress["servers"].as_array().unwrap();
    assert_eq!(turns.len(), 3, "{progress}");
    assert!(turns.iter().all(|turn| turn["state"] == "restarted" && turn["reason"].is_null()), "{progress}");
    assert_eq!(turns[2]["name"], name, "the server that got the request comes last");
    let after = ids(stand).await;
    let is_new = |(name, id): (&String, &String)| before.get(name).is_some_and(|before| before != id);
    assert!(after.len() == 3 && after.iter().all(is_new), "{before:?} {after:?}");
}

/// Restarts all servers from the first one, and kills that one during the first restart: the third server is not restarted.
async fn kill_the_leader(stand: &mut Stand) {
    let clients = clients(stand).await;
    let before = ids(stand).await;
    clients[0].post("/restart?servers=all", json!({})).await.expect_ok();
    let is_restarting = async || {
        let progress = progress(&clients[0]).await;
        progress.is_some_and(|progress| progress["servers"][0]["state"] == "restarting")
    };
    until("the first server restarts", is_restarting).await;
    stand.kill(0).await;
    let seen = async || {
        for client in &clients[1..] {
            if let Some(progress) = progress(client).await {
                return Some(progress);
            }
        }
        None
    };
    until("it is abandoned", async || seen().await.is_some_and(|progress| progress["state"] == "abandoned")).await;
    let progress = seen().await.unwrap();
    assert_eq!(progress["servers"][1]["state"], "waiting", "{progress}");
    let waiting = progress["servers"][1]["name"].as_str().unwrap();
    stand.start_node(0).await;
    stand.all_ready().await;
    let after = ids(stand).await;
    assert_eq!(before.get(waiting), after.get(waiting), "no further server restarted");
}

/// Returns an administrator at each server.
async fn clients(stand: &Stand) -> Vec<Client> {
    let mut clients = Vec::new();
    for base in stand.bases() {
        clients.push(Client::new(&base).log_in("admin").await);
    }
    clients
}

/// Returns the ids of the servers by name.
pub(super) async fn ids(stand: &Stand) -> BTreeMap<String, String> {
    let rows = database::texts(&stand.database.address(), "SELECT name || ' ' || id FROM qd_nodes").await;
    rows.iter().filter_map(|row| row.split_once(' ')).map(|(name, id)| (name.to_owned(), id.to_owned())).collect()
}

/// Returns the progress; `None` while the server does not answer.
async fn progress(client: &Client) -> Option<Value> {
    let reply = attempt(client, Method::GET, "/restart", None).await;
    reply.filter(|reply| reply.status == 200).map(|reply| reply.json())
}
