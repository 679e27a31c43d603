//! Users who are administrators for a moment: once the end of that is acknowledged, no server lets them act as one.

use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::spawn;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::time::timeout;

use super::record::{Phases, Record};
use super::removals::{REMOVED_WITHIN, Removal, decided, statuses};
use super::traffic::attempt;
use crate::support::Client;
use crate::support::quiet::pass;
use crate::support::waiting::until;

const ADMIN: &str = "system_user system_admin";
const USER: &str = "system_user";

/// The status of the answer to a user who is no administrator.
const REFUSAL: u16 = 403;

/// The time after a change without an answer in which the load balancer notices a server that is not ready.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// The time after a demotion in which servers without a fault refuse the user.
const REFUSED_WITHIN: Duration = REMOVED_WITHIN.saturating_add(Duration::from_secs(2));

/// Promotes and demotes users, one after the other, until the run is over. A user with a change that is not acknowledged, or
/// whom a server does not answer, is left alone, because a server that was frozen may make a change later. The next user
/// follows once servers answer.
pub(super) async fn demote(
    bases: Vec<String>,
    admin: Client,
    users: Vec<Client>,
    record: Rc<Record>,
    phases: Rc<Phases>,
) {
    let mut checks = Vec::new();
    for user in users {
        let at_all: Vec<Client> = bases.iter().map(|base| user.at(base)).collect();
        while !phases.is_writing_over.get() {
            let Some(before) = demote_once(&at_all, &admin, &user, &record).await else { break };
            let mut check = spawn(act_again(at_all.clone(), before, record.clone()));
            let Ok(checked) = timeout(REFUSED_WITHIN, &mut check).await else {
                checks.push(check);
                break;
            };
            checked.unwrap();
        }
        let is_answered = async || {
            pass(RETRY_DELAY).await;
            let reply = attempt(&admin, Method::GET, "/users/me", None).await;
            phases.is_writing_over.get() || reply.is_some_and(|reply| reply.status == 200)
        };
        until("servers answer", is_answered).await;
    }
    for check in join_all(checks).await {
        check.unwrap();
    }
}

fn path(user: &Client) -> String {
    format!("/users/{}/roles", user.user_id)
}

/// Promotes a user, who acts as administrator on each server, and demotes the user. Returns the statuses of the acts; `None`
/// if a change was not acknowledged.
async fn demote_once(at_all: &[Client], admin: &Client, user: &Client, record: &Record) -> Option<Vec<Option<u16>>> {
    let give = async |roles: &str| {
        let reply = attempt(admin, Method::PUT, &path(user), Some(json!({ "roles": roles }))).await;
        reply.filter(|reply| reply.status == 200).map(drop)
    };
    record.demoted.borrow_mut().remove(&user.user_id);
    give(ADMIN).await?;
    let before = statuses(at_all.iter().map(|client| attempt(client, Method::GET, "/config", None))).await;
    give(USER).await?;
    record.demoted.borrow_mut().insert(user.user_id.clone());
    Some(before)
}

/// Tries to act as administrator until each server has decided about it.
async fn act_again(at_all: Vec<Client>, before: Vec<Option<u16>>, record: Rc<Record>) {
    pass(REMOVED_WITHIN).await;
    let promote = async |client: &Client| {
        let send = async || attempt(client, Method::PUT, &path(client), Some(json!({ "roles": ADMIN }))).await;
        decided(REFUSAL, send).await
    };
    let after = join_all(at_all.iter().map(promote)).await;
    let removal = Removal { subject: "the act of a demoted user".to_owned(), refusal: REFUSAL, before, after };
    record.demotions.borrow_mut().push(removal);
}
