//! Users who are administrators for a moment: once the end of that is acknowledged, no server lets them act as one.

use std::rc::Rc;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::record::{Phases, Record};
use super::traffic::{REVOKED_WITHIN, attempt};
use crate::support::Client;
use crate::support::quiet::pass;

const ADMIN: &str = "system_user system_admin";
const USER: &str = "system_user";

/// Promotes and demotes users, one after the other, until the run is over. A user with a change that no server answered is
/// left alone, because a server that was frozen may make that change later.
pub(super) async fn demote(
    bases: Vec<String>,
    admin: Client,
    users: Vec<Client>,
    record: Rc<Record>,
    phases: Rc<Phases>,
) {
    for user in users {
        let at_all: Vec<Client> = bases.iter().map(|base| user.at(base)).collect();
        let path = format!("/users/{}/roles", user.user_id);
        let give = async |roles: &str| {
            let reply = attempt(&admin, Method::PUT, &path, Some(json!({ "roles": roles }))).await;
            reply.is_some_and(|reply| reply.status == 200)
        };
        while !phases.is_writing_over.get() {
            record.demoted.borrow_mut().remove(&user.user_id);
            if !give(ADMIN).await {
                break;
            }
            join_all(at_all.iter().map(|client| attempt(client, Method::GET, "/config", None))).await;
            if !give(USER).await {
                break;
            }
            record.demoted.borrow_mut().insert(user.user_id.clone());
            pass(REVOKED_WITHIN).await;
            let promotion = json!({ "roles": ADMIN });
            let attempts = at_all.iter().map(|client| attempt(client, Method::PUT, &path, Some(promotion.clone())));
            let replies = join_all(attempts).await;
            for (node, reply) in replies.iter().enumerate() {
                if reply.as_ref().is_some_and(|reply| reply.status == 200) {
                    let since = format!("{REVOKED_WITHIN:?} after that was taken");
                    record.violation(format!("server {node} let a user act as administrator {since}"));
                }
            }
            *record.demotions.borrow_mut() += 1;
            if replies.iter().any(Option::is_none) {
                break;
            }
        }
    }
}
