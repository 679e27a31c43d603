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
use super::configurations::{self, SETTINGS};
use super::demotions::demote;
use super::facts::{self, Fact};
use super::record::{Phases, Record, Write};
use super::revocations::revoke;
use super::sockets::Subscriber;
use super::stand::Stand;
use super::visitors::{check_visitors, last_visits, visit};
use crate::support::quiet::pass;
use crate::support::{Client, Reply};

/// The time after which a client gives a request up.
pub(super) const REPLY_TIMEOUT: Duration = Duration::from_secs(8);

/// The time without writes after which all servers are in the same state.
pub(super) const QUIET: Duration = Duration::from_secs(5);

const WRITERS: usize = 2;
pub(super) const SUBSCRIBERS: usize = 9;

pub(super) struct Traffic {
    phases: Rc<Phases>,
    writers: Vec<JoinHandle<()>>,
    readers: Vec<JoinHandle<()>>,
}

impl Traffic {
    pub(super) fn start(stand: &Stand) -> Self {
        let (admin, record, phases) = (&stand.admin, &stand.record, &stand.phases);
        let token = admin.token.clone().unwrap();
        let mut traffic = Self { phases: phases.clone(), writers: Vec::new(), readers: Vec::new() };
        for number in 0..SUBSCRIBERS {
            let subscriber = Subscriber::new(number, stand.balanced(), &token, record, phases);
            traffic.readers.push(spawn(subscriber.follow()));
        }
        for writer in 0..WRITERS {
            traffic.writers.push(spawn(write_values(writer, admin.clone(), record.clone(), phases.clone())));
        }
        for setting in SETTINGS {
            let work = configurations::write(setting, admin.clone(), record.clone(), phases.clone());
            traffic.writers.push(spawn(work));
        }
        for (node, base) in stand.bases().iter().enumerate() {
            let work = configurations::watch(node, admin.at(base), record.clone(), phases.clone());
            traffic.readers.push(spawn(work));
        }
        for visitor in &stand.visitors {
            let work = visit(stand.bases(), visitor.at(stand.balanced()), record.clone(), phases.clone());
            traffic.writers.push(spawn(work));
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
        stand.record.note_violations(check_facts(stand).await);
        facts::settle(&stand.admin, &stand.subjects, &stand.record).await;
        stand.record.note_violations(last_visits(stand).await);
        pass(QUIET).await;
        stand.record.note_violations(check_visitors(stand, "offline").await);
        self.phases.is_over.set(true);
        for reader in join_all(self.readers).await {
            reader.unwrap();
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
