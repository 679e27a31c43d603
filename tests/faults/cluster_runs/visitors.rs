//! Users who open a socket for a moment, again and again. All servers show them as online, and as offline afterwards.

use std::rc::Rc;
use std::time::Duration;

use reqwest::Method;
use tokio::time::timeout;

use super::record::{Phases, Record};
use super::stand::Stand;
use super::traffic::{QUIET, attempt};
use crate::support::Client;
use crate::support::quiet::pass;
use crate::support::waiting::until;
use crate::support::websocket::{WebSocket, upgrade};

/// The duration of a visit, and of the time between two of them.
const STAY: Duration = Duration::from_millis(800);
const AWAY: Duration = Duration::from_millis(400);

/// The time in which a server without a fault opens a socket.
const OPENED_WITHIN: Duration = Duration::from_secs(4);

/// Opens sockets for a moment until the run is over.
pub(super) async fn visit(bases: Vec<String>, visitor: Client, record: Rc<Record>, phases: Rc<Phases>) {
    while !phases.is_writing_over.get() {
        if let Ok(Some(socket)) = timeout(OPENED_WITHIN, open(&visitor)).await {
            pass(STAY).await;
            let statuses = statuses(&visitor, &bases).await;
            *record.visits.borrow_mut() += u32::from(statuses.iter().flatten().any(|status| status == "online"));
            socket.cut();
        }
        pass(AWAY).await;
    }
}

async fn open(visitor: &Client) -> Option<WebSocket> {
    let token = visitor.token.as_ref().unwrap();
    WebSocket::attempt(&visitor.base, &upgrade("", &format!("Authorization: Bearer {token}\r\n"))).await
}

/// Opens a socket of each visitor, each at another server, until all servers show them as online.
pub(super) async fn last_visits(stand: &Stand) -> Vec<String> {
    let mut sockets = Vec::new();
    for (visitor, base) in stand.visitors.iter().zip(stand.bases()) {
        sockets.push(open(&visitor.at(&base)).await);
    }
    let are_online = until("they are online", async || check_visitors(stand, "online").await.is_empty());
    let is_in_time = timeout(QUIET, are_online).await.is_ok();
    if is_in_time { Vec::new() } else { check_visitors(stand, "online").await }
}

/// All servers show all visitors with this status.
pub(super) async fn check_visitors(stand: &Stand, wanted: &str) -> Vec<String> {
    let mut violations = Vec::new();
    for visitor in &stand.visitors {
        violations.extend(violation(&statuses(visitor, &stand.bases()).await, wanted));
    }
    violations
}

/// Returns the status of a visitor on each server; `None` without an answer.
async fn statuses(visitor: &Client, bases: &[String]) -> Vec<Option<String>> {
    let mut statuses = Vec::new();
    for base in bases {
        let path = format!("/users/{}/status", visitor.user_id);
        let reply = attempt(&visitor.at(base), Method::GET, &path, None).await.filter(|reply| reply.status == 200);
        statuses.push(reply.and_then(|reply| reply.json()["status"].as_str().map(str::to_owned)));
    }
    statuses
}

fn violation(statuses: &[Option<String>], wanted: &str) -> Option<String> {
    let are_all = statuses.iter().all(|status| status.as_deref() == Some(wanted));
    (!are_all).then(|| format!("a user is {statuses:?} on the servers, and not {wanted}"))
}

#[test]
fn a_server_with_another_status_or_without_one_is_a_violation() {
    let is_violation =
        |statuses: [Option<&str>; 3]| violation(&statuses.map(|one| one.map(str::to_owned)), "offline").is_some();
    assert!(!is_violation([Some("offline"); 3]));
    assert!(is_violation([Some("offline"), Some("online"), Some("offline")]));
    assert!(is_violation([Some("offline"), Some("offline"), None]));
}
