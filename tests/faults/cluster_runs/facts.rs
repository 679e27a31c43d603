//! Facts that clients of a run change, and on which all servers must agree: the permissions of a role, a status, the busy
//! flag, the licence, and the memberships of a user.

use std::rc::Rc;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::record::{Phases, Record};
use super::traffic::{REPLY_TIMEOUT, attempt};
use crate::support::license::{FORM, form};
use crate::support::teams::newcomer;
use crate::support::waiting::until;
use crate::support::{Client, Reply};

/// The time between two changes of one fact.
const PACE: Duration = Duration::from_millis(500);

const PERMISSION: &str = "read_audits";
const STATUSES: [&str; 3] = ["away", "dnd", "offline"];

/// A fact that one client changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fact {
    /// True if members have the permission `read_audits`.
    Permission,
    /// The status of a user without a socket.
    Status,
    Busy,
    License,
    /// The statuses of requests that need a team and a channel of it.
    Membership,
}

/// The changes of a fact.
#[derive(Default, Clone)]
pub(super) struct Changes {
    pub(super) acknowledged: Option<Value>,
    pub(super) count: u32,
    /// The values of changes without an answer. A server that was frozen may make them later than the next ones.
    unanswered: Vec<Value>,
}

/// Users, roles and texts that changes name.
pub(super) struct Subjects {
    pub(super) user_id: String,
    /// The user whose memberships change.
    pub(super) member: Client,
    /// A team by invitation, and a channel that all its members have.
    pub(super) team: String,
    pub(super) channel: String,
    /// The role of all members.
    pub(super) role: Value,
    pub(super) license: String,
}

impl Fact {
    pub(super) const ALL: [Self; 5] = [Self::Permission, Self::Status, Self::Busy, Self::License, Self::Membership];

    /// Returns the value after a change.
    fn value(self, number: usize) -> Value {
        let is_odd = number % 2 == 1;
        match self {
            Self::Permission | Self::Busy => json!(is_odd),
            Self::Status => json!(STATUSES[number % STATUSES.len()]),
            Self::License => json!(is_odd.to_string()),
            Self::Membership => {
                let status = if is_odd { 200 } else { 403 };
                json!([status, status])
            }
        }
    }

    /// Changes the fact. Returns `None` if no server answered in time.
    async fn change(self, number: usize, client: &Client, subjects: &Subjects) -> Option<Reply> {
        let is_odd = number % 2 == 1;
        match self {
            Self::Permission => {
                let mut permissions = subjects.role["permissions"].as_array().unwrap().clone();
                permissions.extend(is_odd.then(|| json!(PERMISSION)));
                let path = format!("/roles/{}/patch", subjects.role["id"].as_str().unwrap());
                attempt(client, Method::PUT, &path, Some(json!({ "permissions": permissions }))).await
            }
            Self::Status => {
                let body = json!({ "user_id": subjects.user_id, "status": self.value(number) });
                attempt(client, Method::PUT, &format!("/users/{}/status", subjects.user_id), Some(body)).await
            }
            Self::Busy if is_odd => attempt(client, Method::POST, "/server_busy?seconds=3600", Some(json!({}))).await,
            Self::Busy => attempt(client, Method::DELETE, "/server_busy", None).await,
            Self::License if is_odd => {
                let body = form("license", "application/octet-stream", &subjects.license);
                let sending = client.try_send(Method::POST, "/license", Some(body), &[("Content-Type", FORM)]);
                timeout(REPLY_TIMEOUT, sending).await.ok()?.ok()
            }
            Self::License => attempt(client, Method::DELETE, "/license", None).await,
            Self::Membership => {
                let members = format!("/teams/{}/members", subjects.team);
                if is_odd {
                    let body = newcomer(&subjects.team, &subjects.member);
                    attempt(client, Method::POST, &members, Some(body)).await
                } else {
                    attempt(client, Method::DELETE, &format!("{members}/{}", subjects.member.user_id), None).await
                }
            }
        }
    }

    /// Returns the value that a server has.
    pub(super) async fn read(self, client: &Client, subjects: &Subjects) -> Option<Value> {
        let get = async |path: &str| {
            let reply = attempt(client, Method::GET, path, None).await;
            reply.filter(|reply| reply.status == 200).map(|reply| reply.json())
        };
        match self {
            Self::Permission => {
                let role = get("/roles/name/system_user").await?;
                Some(json!(role["permissions"].as_array()?.contains(&json!(PERMISSION))))
            }
            Self::Status => {
                let status = get(&format!("/users/{}/status", subjects.user_id)).await?;
                Some(status["status"].clone())
            }
            Self::Busy => get("/server_busy").await.map(|flag| flag["busy"].clone()),
            Self::License => get("/license/client?format=old").await.map(|license| license["IsLicensed"].clone()),
            Self::Membership => memberships(&subjects.member.at(&client.base), subjects).await,
        }
    }
}

/// Returns the statuses of requests of a user, of which one needs the team and the other one a channel of it.
async fn memberships(member: &Client, subjects: &Subjects) -> Option<Value> {
    let of_team = attempt(member, Method::GET, &format!("/teams/{}", subjects.team), None).await?.status;
    let typing = json!({ "channel_id": subjects.channel });
    let of_channel = attempt(member, Method::POST, "/users/me/typing", Some(typing)).await?.status;
    Some(json!([of_team, of_channel]))
}

impl Changes {
    fn note(&mut self, value: Value, status: Option<u16>) {
        match status {
            Some(200 | 201) => (self.acknowledged, self.count) = (Some(value), self.count + 1),
            Some(400..500) => {}
            _ => self.unanswered.push(value),
        }
    }

    /// Notes an acknowledged change that no other one can follow.
    fn settle(&mut self, value: Value) {
        self.acknowledged = Some(value);
        self.unanswered.clear();
    }

    /// Returns true if the fact may have this value.
    pub(super) fn may_end_with(&self, value: &Value) -> bool {
        self.acknowledged.as_ref() == Some(value) || self.unanswered.contains(value)
    }
}

/// Removes the busy flag: while servers are busy, they do not announce changes of statuses.
pub(super) async fn end_busy(client: &Client, subjects: &Subjects, record: &Record) {
    let is_removed = async || {
        let status = Fact::Busy.change(0, client, subjects).await.map(|reply| reply.status);
        record.facts.borrow_mut().entry(Fact::Busy).or_default().note(json!(false), status);
        status == Some(200)
    };
    until("the busy flag is removed", is_removed).await;
}

/// Changes each fact twice more, until that is acknowledged. No server is frozen and has an earlier change left to make, so
/// the fact has that value afterwards. It is another one than before the last change.
pub(super) async fn settle(client: &Client, subjects: &Subjects, record: &Record) {
    for fact in Fact::ALL {
        for number in [1, 2] {
            let is_acknowledged = async || {
                let status = fact.change(number, client, subjects).await.map(|reply| reply.status);
                // The user is no member after a change without an answer.
                matches!(status, Some(200 | 201 | 404))
            };
            until("a last change is acknowledged", is_acknowledged).await;
        }
        record.facts.borrow_mut().entry(fact).or_default().settle(fact.value(2));
    }
}

/// Changes a fact until the run is over.
pub(super) async fn change(fact: Fact, client: Client, subjects: Rc<Subjects>, record: Rc<Record>, phases: Rc<Phases>) {
    let mut number = 0;
    while !phases.is_writing_over.get() {
        sleep(PACE).await;
        if !phases.are_facts_paused.get() {
            number += 1;
            let reply = fact.change(number, &client, &subjects).await;
            // A server that reads it has it in its cache.
            fact.read(&client, &subjects).await;
            let mut facts = record.facts.borrow_mut();
            facts.entry(fact).or_default().note(fact.value(number), reply.map(|reply| reply.status));
        }
    }
}

#[test]
fn a_fact_ends_with_its_last_change_or_one_without_an_answer() {
    let mut changes = Changes::default();
    for (value, status) in [("a", Some(200)), ("b", None), ("c", Some(503)), ("d", Some(201)), ("e", Some(403))] {
        changes.note(json!(value), status);
    }
    let allowed = ["a", "b", "c", "d", "e"].map(|value| changes.may_end_with(&json!(value)));
    assert_eq!((allowed, changes.count), ([false, true, true, true, false], 2));
    changes.settle(json!("e"));
    let allowed = ["a", "b", "c", "d", "e"].map(|value| changes.may_end_with(&json!(value)));
    assert_eq!(allowed, [false, false, false, false, true]);
}
