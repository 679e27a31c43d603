//! Users who are administrators for a moment: once the end of that is acknowledged, no server lets them act as one.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::record::{Phases, Record};
use super::traffic::{REVOKED_WITHIN, attempt};
use crate::support::Client;
use crate::support::quiet::pass;
use crate::support::waiting::until;

const ADMIN: &str = "system_user system_admin";
const USER: &str = "system_user";

/// The time after a change without an answer in which the load balancer notices a server that is not ready.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// Promotes and demotes users, one after the other, until the run is over. A user with a change that is not acknowledged is
/// left alone, because a server that was frozen may make that change later. The next user follows once servers answer.
pub(super) async fn demote(
    bases: Vec<String>,
    admin: Client,
    users: Vec<Client>,
    record: Rc<Record>,
    phases: Rc<Phases>,
) {
    for user in users {
        while !phases.is_writing_over.get() && demote_once(&bases, &admin, &user, &record).await {}
        let is_answered = async || {
            pass(RETRY_DELAY).await;
            let reply = attempt(&admin, Method::GET, "/users/me", None).await;
            phases.is_writing_over.get() || reply.is_some_and(|reply| reply.status == 200)
        };
        until("servers answer", is_answered).await;
    }
}

/// Promotes and demotes a user, who then tries to act as administrator on each server. Returns true if each change was
/// acknowledged and each attempt was answered, so that none is made later.
async fn demote_once(bases: &[String], admin: &Client, user: &Client, record: &Record) -> bool {
    let at_all: Vec<Client> = bases.iter().map(|base| user.at(base)).collect();
    let path = format!("/users/{}/roles", user.user_id);
    let give = async |roles: &str| {
        let reply = attempt(admin, Method::PUT, &path, Some(json!({ "roles": roles }))).await;
        reply.is_some_and(|reply| reply.status == 200)
    };
    record.demoted.borrow_mut().remove(&user.user_id);
    if !give(ADMIN).await {
        return false;
    }
    join_all(at_all.iter().map(|client| attempt(client, Method::GET, "/config", None))).await;
    if !give(USER).await {
        return false;
    }
    record.demoted.borrow_mut().insert(user.user_id.clone());
    pass(REVOKED_WITHIN).await;
    let promotion = json!({ "roles": ADMIN });
    let attempts = at_all.iter().map(|client| attempt(client, Method::PUT, &path, Some(promotion.clone())));
    let replies = join_all(attempts).await;
    let statuses: Vec<Option<u16>> = replies.iter().map(|reply| reply.as_ref().map(|reply| reply.status)).collect();
    for (node, _) in statuses.iter().enumerate().filter(|(_, status)| **status == Some(200)) {
        record
            .violation(format!("server {node} let a user act as administrator {REVOKED_WITHIN:?} after the demotion"));
    }
    let is_refused = statuses.contains(&Some(403));
    *record.demotions.borrow_mut() += u32::from(is_refused);
    !statuses.contains(&None)
}
