//! The checker: compares what the clients recorded with the database and the servers.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use super::buses::check_bus;
use super::configurations::{are_enough, check_readings, check_settings};
use super::facts::Fact;
use super::record::{Record, Span};
use super::removals::Removal;
use super::sockets::written;
use super::stand::Stand;
use super::traffic::attempt;
use crate::support::waiting::until;
use crate::support::{Client, database};

/// Fails if anything was lost, doubled, or is not the same everywhere.
pub(super) async fn check(stand: &Stand) {
    let (record, admin) = (&stand.record, &stand.admin);
    let order = published(stand).await;
    let mut violations = record.violations.take();
    violations.extend(check_writes(stand, record, &order).await);
    for span in record.spans.borrow().iter() {
        violations.extend(check_span(span, record, &order));
    }
    for removal in record.revocations.borrow().iter().chain(record.demotions.borrow().iter()) {
        violations.extend(removal.violations());
    }
    violations.extend(check_readings(stand).await);
    violations.extend(check_settings(stand).await);
    violations.extend(check_bus(stand).await);
    violations.extend(check_facts(stand).await);
    violations.extend(check_demoted(stand, record).await);
    violations.extend(check_trail(stand, admin).await);
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
    check_amount(record);
    let servers = async || {
        let mut lists = BTreeSet::new();
        for base in stand.bases() {
            let reply = attempt(&admin.at(&base), Method::GET, "/cluster/status", None).await;
            let nodes = reply.filter(|reply| reply.status == 200).map(|reply| reply.json()).unwrap_or_default();
            let nodes = nodes.as_array().cloned().unwrap_or_default();
            lists.insert(nodes.iter().map(|node| node["id"].to_string()).collect::<Vec<_>>());
        }
        lists.len() == 1 && lists.first().is_some_and(|nodes| nodes.len() == 3)
    };
    until("all servers list the same three", servers).await;
}

/// Returns the values of all published events with their places in the one order.
async fn published(stand: &Stand) -> BTreeMap<String, usize> {
    let bodies = stand.published().await;
    let changes = bodies.iter().filter(|body| body.contains("preferences_changed"));
    let values: Vec<String> =
        changes.filter_map(|body| written(&serde_json::from_str::<Value>(body).unwrap())).collect();
    let order: BTreeMap<String, usize> = values.iter().cloned().zip(0..).collect();
    assert_eq!(order.len(), values.len(), "an event was published twice");
    order
}

/// Acknowledged writes are stored, and their events are published.
async fn check_writes(stand: &Stand, record: &Record, order: &BTreeMap<String, usize>) -> Vec<String> {
    let sql = "SELECT value FROM preferences WHERE category = 'run'";
    let stored: BTreeSet<String> = database::texts(&stand.database.address(), sql).await.into_iter().collect();
    let mut violations = Vec::new();
    for write in record.writes.borrow().iter().filter(|write| write.is_acknowledged) {
        if !stored.contains(&write.value) {
            violations.push(format!("the acknowledged write {} is not stored", write.value));
        }
        if !order.contains_key(&write.value) {
            violations.push(format!("the event of the acknowledged write {} was never published", write.value));
        }
    }
    violations
}

/// After a greeting a client gets all events in their order, each once.
fn check_span(span: &Span, record: &Record, order: &BTreeMap<String, usize>) -> Vec<String> {
    let mut violations = Vec::new();
    let places: Vec<Option<&usize>> = span.values.iter().map(|value| order.get(value)).collect();
    for (pair, values) in places.windows(2).zip(span.values.windows(2)) {
        if let [Some(before), Some(after)] = pair
            && **after == **before + 1
        {
            continue;
        }
        violations.push(format!("a client got {} after {}, in one connection", values[1], values[0]));
    }
    let end = order.len();
    let first = places.first().map_or(end, |place| place.map_or(end, |place| *place));
    let is_missed = |place: &usize| *place < first && (span.is_last || !span.values.is_empty());
    for write in record.writes.borrow().iter().filter(|write| write.begun > span.greeted) {
        if order.get(&write.value).is_some_and(is_missed) {
            violations.push(format!("a client missed {} after its greeting", write.value));
        }
    }
    let last = places.last().map_or(end, |place| place.map_or(end, |place| *place + 1));
    if span.is_last && last != end {
        violations.push(format!("a connected client got {last} of {end} events"));
    }
    violations
}

/// A fact has the value of its last acknowledged change, or of one without an answer, on all servers.
pub(super) async fn check_facts(stand: &Stand) -> Vec<String> {
    let (record, admin) = (&stand.record, &stand.admin);
    let mut violations = Vec::new();
    let facts = record.facts.borrow().clone();
    for fact in Fact::ALL {
        let mut values = Vec::new();
        for base in stand.bases() {
            values.push(fact.read(&admin.at(&base), &stand.subjects).await);
        }
        let are_equal = values.windows(2).all(|pair| pair[0] == pair[1]);
        let may_be = |value: &Value| facts.get(&fact).is_some_and(|changes| changes.may_end_with(value));
        if !are_equal || !values[0].as_ref().is_some_and(may_be) {
            let acknowledged = facts.get(&fact).map(|changes| changes.acknowledged.clone());
            violations.push(format!("{fact:?} is {values:?} on the servers, and {acknowledged:?} was acknowledged"));
        }
    }
    violations
}

/// A user whose demotion was acknowledged is no administrator at the end. A server that was frozen during the user's own
/// attempt refuses it when it goes on.
async fn check_demoted(stand: &Stand, record: &Record) -> Vec<String> {
    let sql = "SELECT id FROM users WHERE roles LIKE '%system_admin%'";
    let administrators = database::texts(&stand.database.address(), sql).await;
    let demoted = record.demoted.borrow();
    let are_both = administrators.iter().filter(|id| demoted.contains(*id));
    are_both.map(|id| format!("the user {id} was demoted and is an administrator again")).collect()
}

/// The audit trail is one chain, whichever server wrote its rows.
async fn check_trail(stand: &Stand, admin: &Client) -> Option<String> {
    const PATH: &str = "/audits/verification";
    let admin = admin.at(&stand.bases()[0]);
    admin.post(PATH, json!({})).await.expect(202);
    until("the trail is verified", async || admin.get(PATH).await.expect(200)["is_running"] == false).await;
    let report = admin.get(PATH).await.expect(200);
    (report["state"] != "intact").then(|| format!("the audit trail: {report}"))
}

/// A run in which little happened proves little.
fn check_amount(record: &Record) {
    let (acknowledged, spans) = (record.acknowledged(), record.spans.borrow().len());
    let changes: u64 = record.settings.borrow().values().map(|attempts| attempts.count).sum();
    let facts: Vec<u32> = record.facts.borrow().values().map(|changes| changes.count).collect();
    let proofs = |removals: &[Removal]| removals.iter().map(Removal::proofs).sum::<usize>();
    let (revocations, demotions) = (proofs(&record.revocations.borrow()), proofs(&record.demotions.borrow()));
    let (readings, visits) = (record.readings.borrow(), *record.visits.borrow());
    let amount = format!(
        "{acknowledged} writes, {changes} changes, {} readings of them, {facts:?} of facts, {visits} visits, \
         {revocations} revocations, {demotions} demotions, {spans} greetings, {} resumptions",
        readings.len(),
        record.resumptions.borrow()
    );
    println!("{amount}");
    let are_removed = revocations > 2 && demotions > 0;
    let are_changed = changes > 3 && facts.len() == Fact::ALL.len() && facts.iter().all(|count| *count > 1);
    let are_enough = acknowledged > 20 && spans > 5 && visits > 3 && are_enough(&readings);
    assert!(are_removed && are_changed && are_enough, "{amount}");
}

#[test]
fn a_gap_a_repetition_and_a_missed_beginning_or_end_are_violations() {
    use tokio::time::{Duration, Instant};

    use super::record::Write;

    let greeted = Instant::now();
    let values = ["a", "b", "c", "d"].map(str::to_owned);
    let order: BTreeMap<String, usize> = values.iter().cloned().zip(0..).collect();
    let record = Record::default();
    for (value, begun) in values.iter().zip([0, 2, 2, 2]) {
        let begun = greeted + Duration::from_secs(begun);
        record.writes.borrow_mut().push(Write { value: value.clone(), begun, is_acknowledged: true });
    }
    let greeted = greeted + Duration::from_secs(1);
    let violations = |got: &[&str], is_last: bool| {
        let values = got.iter().map(|value| (*value).to_owned()).collect();
        check_span(&Span { greeted, values, is_last }, &record, &order).len()
    };
    for complete in [&["a", "b", "c", "d"][..], &["b", "c", "d"]] {
        assert_eq!(violations(complete, true), 0, "{complete:?}");
    }
    assert_eq!(violations(&["b", "c"], false), 0, "the connection ended");
    assert_eq!(violations(&[], false), 0, "the connection ended before");
    assert_eq!(violations(&["b", "d"], true), 1, "a gap");
    assert_eq!(violations(&["b", "b", "c", "d"], true), 1, "a repetition");
    assert_eq!(violations(&["b", "d", "c"], false), 2, "another order");
    assert_eq!(violations(&["c", "d"], true), 1, "a missed beginning");
    assert_eq!(violations(&["b", "c"], true), 1, "a missed end");
    assert_eq!(violations(&[], true), 3, "a connected client that got nothing");
}
