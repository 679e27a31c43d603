//! The requests of clients during a run, through the load balancer.

use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::spawn;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::checks::check_facts;
use super::demotions::demote;
use super::facts::{self, Fact};
use super::record::{Phases, Record, Write};
use super::sockets::Subscriber;
use super::stand::Stand;
use crate::support::quiet::pass;
use crate::support::{Client, Reply};

/// The time after which a client gives a request up.
pub(super) const REPLY_TIMEOUT: Duration = Duration::from_secs(8);

/// The time after an acknowledged revocation in which a server may still accept the token: 2 s, and a margin for a busy
/// machine.
pub(super) const REVOKED_WITHIN: Duration = Duration::from_millis(2_500);

/// The time without writes after which all servers are in the same state.
const QUIET: Duration = Duration::from_secs(5);

const WRITERS: usize = 2;
pub(super) const SUBSCRIBERS: usize = 9;

/// The settings that two clients change, one each.
pub(super) const SETTINGS: [&str; 2] = ["HelpLink", "AboutLink"];

pub(super) struct Traffic {
    phases: Rc<Phases>,
    writers: Vec<JoinHandle<()>>,
    subscribers: Vec<JoinHandle<()>>,
}

impl Traffic {
    pub(super) fn start(stand: &Stand) -> Self {
        let (admin, record, phases) = (&stand.admin, &stand.record, &stand.phases);
        let token = admin.token.clone().unwrap();
        let mut traffic = Self { phases: phases.clone(), writers: Vec::new(), subscribers: Vec::new() };
        for number in 0..SUBSCRIBERS {
            let subscriber = Subscriber::new(number, stand.balanced(), &token, record, phases);
            traffic.subscribers.push(spawn(subscriber.follow()));
        }
        for writer in 0..WRITERS {
            traffic.writers.push(spawn(write_values(writer, admin.clone(), record.clone(), phases.clone())));
        }
        for setting in SETTINGS {
            traffic.writers.push(spawn(write_setting(setting, admin.clone(), record.clone(), phases.clone())));
        }
        for fact in Fact::ALL {
            let work = facts::change(fact, admin.clone(), stand.subjects.clone(), record.clone(), phases.clone());
            traffic.writers.push(spawn(work));
        }
        let work = revoke(stand.bases(), admin.clone(), record.clone(), phases.clone());
        traffic.writers.push(spawn(work));
        let work = demote(stand.bases(), admin.clone(), stand.deputies.clone(), record.clone(), phases.clone());
        traffic.writers.push(spawn(work));
        traffic
    }

    /// Ends the writes, waits until all servers have to be in the same state, and ends the sockets.
    pub(super) async fn end(self, stand: &Stand) {
        self.phases.is_writing_over.set(true);
        for writer in join_all(self.writers).await {
            writer.unwrap();
        }
        facts::end_busy(&stand.admin, &stand.subjects, &stand.record).await;
        pass(QUIET).await;
        // Before the last changes, which servers may hear of although they missed earlier ones.
        for violation in check_facts(stand).await {
            stand.record.violation(violation);
        }
        facts::settle(&stand.admin, &stand.subjects, &stand.record).await;
        pass(QUIET).await;
        self.phases.is_over.set(true);
        for subscriber in join_all(self.subscribers).await {
            subscriber.unwrap();
        }
    }
}

/// Sends a request; `None` if no server answered in time.
pub(super) async fn attempt(client: &Client, method: Method, path: &str, body: Option<Value>) -> Option<Reply> {
    let sending = client.try_send(method, path, body.map(|body| body.to_string()), &[]);
    timeout(REPLY_TIMEOUT, sending).await.ok()?.ok()
}

async fn write_values(writer: usize, client: Client, record: Rc<Record>, phases: Rc<Phases>) {
    let mut number = 0;
    while !phases.is_writing_over.get() {
        number += 1;
        let (value, begun) = (format!("{writer}-{number}"), Instant::now());
        let preference = json!([{ "user_id": client.user_id, "category": "run", "name": value, "value": value }]);
        let reply = attempt(&client, Method::PUT, "/users/me/preferences", Some(preference)).await;
        let is_acknowledged = reply.is_some_and(|reply| reply.status == 200);
        record.writes.borrow_mut().push(Write { value, begun, is_acknowledged });
        sleep(Duration::from_millis(30)).await;
    }
}

async fn write_setting(setting: &'static str, client: Client, record: Rc<Record>, phases: Rc<Phases>) {
    let mut number = 0;
    while !phases.is_writing_over.get() {
        sleep(Duration::from_millis(250)).await;
        if phases.are_facts_paused.get() {
            continue;
        }
        number += 1;
        let change = json!({ "SupportSettings": { setting: format!("https://run.example/{number}") } });
        record.settings.borrow_mut().entry(setting).or_default().last = number;
        let reply = attempt(&client, Method::PUT, "/config/patch", Some(change)).await;
        let mut settings = record.settings.borrow_mut();
        let attempts = settings.entry(setting).or_default();
        match reply.map(|reply| reply.status) {
            Some(200) => (attempts.acknowledged, attempts.count) = (number, attempts.count + 1),
            Some(400..500) => {}
            _ => _ = attempts.unanswered.insert(number),
        }
    }
}

/// Makes access tokens, uses them on all servers, revokes them on one, and uses them again.
async fn revoke(bases: Vec<String>, client: Client, record: Rc<Record>, phases: Rc<Phases>) {
    let mut checks = Vec::new();
    while !phases.is_writing_over.get() {
        sleep(Duration::from_millis(200)).await;
        if phases.are_facts_paused.get() {
            continue;
        }
        let path = format!("/users/{}/tokens", client.user_id);
        let made = attempt(&client, Method::POST, &path, Some(json!({ "description": "run" }))).await;
        let Some(made) = made.filter(|made| made.status == 200).map(|made| made.json()) else { continue };
        let holder = client.with_token(made["token"].as_str().unwrap());
        let holders: Vec<Client> = bases.iter().map(|base| holder.at(base)).collect();
        join_all(holders.iter().map(|holder| attempt(holder, Method::GET, "/users/me", None))).await;
        let body = json!({ "token_id": made["id"] });
        let revoked = attempt(&client, Method::POST, "/users/tokens/revoke", Some(body)).await;
        if revoked.is_none_or(|revoked| revoked.status != 200) {
            continue;
        }
        checks.push(spawn(use_again(holders, record.clone())));
    }
    for check in join_all(checks).await {
        check.unwrap();
    }
}

async fn use_again(holders: Vec<Client>, record: Rc<Record>) {
    pass(REVOKED_WITHIN).await;
    for (node, reply) in join_all(holders.iter().map(|holder| attempt(holder, Method::GET, "/users/me", None)))
        .await
        .into_iter()
        .enumerate()
    {
        if reply.is_some_and(|reply| reply.status == 200) {
            record.violation(format!("server {node} accepted a token {REVOKED_WITHIN:?} after its revocation"));
        }
    }
    *record.revocations.borrow_mut() += 1;
}
