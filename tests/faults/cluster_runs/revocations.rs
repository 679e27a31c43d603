//! Access tokens that all servers accept until one of them revokes them.

use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::spawn;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::time::sleep;

use super::record::{Phases, Record};
use super::removals::{REMOVED_WITHIN, Removal, decided, statuses};
use super::traffic::attempt;
use crate::support::Client;
use crate::support::quiet::pass;

/// The time between two tokens.
const PACE: Duration = Duration::from_millis(200);

/// Creates access tokens, uses them on all servers, revokes them on one, and uses them again until all servers refused
/// them.
pub(super) async fn revoke(bases: Vec<String>, client: Client, record: Rc<Record>, phases: Rc<Phases>) {
    let mut checks = Vec::new();
    while !phases.is_writing_over.get() {
        sleep(PACE).await;
        if phases.are_facts_paused.get() {
            continue;
        }
        let path = format!("/users/{}/tokens", client.user_id);
        let made = attempt(&client, Method::POST, &path, Some(json!({ "description": "run" }))).await;
        let Some(made) = made.filter(|made| made.status == 200).map(|made| made.json()) else { continue };
        let holder = client.with_token(made["token"].as_str().unwrap());
        let holders: Vec<Client> = bases.iter().map(|base| holder.at(base)).collect();
        let before = statuses(holders.iter().map(|holder| attempt(holder, Method::GET, "/users/me", None))).await;
        let body = json!({ "token_id": made["id"] });
        let revoked = attempt(&client, Method::POST, "/users/tokens/revoke", Some(body)).await;
        if revoked.is_some_and(|revoked| revoked.status == 200) {
            checks.push(spawn(use_again(holders, before, record.clone())));
        }
    }
    for check in join_all(checks).await {
        check.unwrap();
    }
}

async fn use_again(holders: Vec<Client>, before: Vec<Option<u16>>, record: Rc<Record>) {
    const REFUSAL: u16 = 401;
    pass(REMOVED_WITHIN).await;
    let use_one =
        async |holder: &Client| decided(REFUSAL, async || attempt(holder, Method::GET, "/users/me", None).await).await;
    let after = join_all(holders.iter().map(use_one)).await;
    let removal = Removal { subject: "a revoked token".to_owned(), refusal: REFUSAL, before, after };
    record.revocations.borrow_mut().push(removal);
}
