//! The configuration, as clients see it during a run: no server goes back to an earlier version, and none is behind for
//! longer than the limit.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::record::{Attempts, Phases, Record};
use super::stand::Stand;
use super::traffic::attempt;
use crate::support::config_place::version_of;
use crate::support::quiet::pass;
use crate::support::{Client, Reply, database};

/// The settings that two clients change, one each.
pub(super) const SETTINGS: [&str; 2] = ["HelpLink", "AboutLink"];

/// The time after which no server shows a replaced version: a server that cannot hear the others for as long reads the active
/// one first. It counts up to the begin of a request, so a busy machine does not lengthen it.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(2);

/// The time between two changes of a setting, and between two readings of a server.
const PACE: Duration = Duration::from_millis(250);
const READING_PACE: Duration = Duration::from_millis(500);

/// The version of the configuration that a server told.
pub(super) struct Reading {
    /// `None` for the answer to a change, which came through the load balancer.
    node: Option<usize>,
    sent: Instant,
    answered: Instant,
    version: String,
}

/// Changes a setting until the run is over.
pub(super) async fn write(setting: &'static str, client: Client, record: Rc<Record>, phases: Rc<Phases>) {
    let mut number = 0;
    while !phases.is_writing_over.get() {
        sleep(PACE).await;
        if phases.are_facts_paused.get() {
            continue;
        }
        number += 1;
        let change = json!({ "SupportSettings": { setting: format!("https://run.example/{number}") } });
        record.settings.borrow_mut().entry(setting).or_default().last = number;
        let sent = Instant::now();
        let reply = attempt(&client, Method::PUT, "/config/patch", Some(change)).await;
        record.readings.borrow_mut().extend(reply.as_ref().and_then(|reply| Reading::of(None, sent, reply)));
        let mut settings = record.settings.borrow_mut();
        let attempts = settings.entry(setting).or_default();
        match reply.map(|reply| reply.status) {
            Some(200) => (attempts.acknowledged, attempts.count) = (number, attempts.count + 1),
            Some(400..500) => {}
            _ => _ = attempts.unanswered.insert(number),
        }
    }
}

/// Reads the version of a server until the run is over.
pub(super) async fn watch(node: usize, client: Client, record: Rc<Record>, phases: Rc<Phases>) {
    while !phases.is_over.get() {
        let sent = Instant::now();
        let reply = attempt(&client, Method::GET, "/config", None).await;
        record.readings.borrow_mut().extend(reply.and_then(|reply| Reading::of(Some(node), sent, &reply)));
        pass(READING_PACE).await;
    }
}

/// All servers have the active version. A setting has the value of the last acknowledged change, of a later one, or of one
/// without an answer.
pub(super) async fn check_settings(stand: &Stand) -> Vec<String> {
    let (record, mut violations) = (&stand.record, Vec::new());
    let active = "SELECT id FROM configurations WHERE active";
    let active: BTreeSet<String> = database::texts(&stand.database.address(), active).await.into_iter().collect();
    let mut versions = BTreeSet::new();
    for base in stand.bases() {
        let Some(reply) = attempt(&stand.admin.at(&base), Method::GET, "/config", None).await else {
            violations.push(format!("{base} gave no configuration"));
            continue;
        };
        let config = reply.expect(200);
        versions.insert(version_of(&reply));
        for setting in SETTINGS {
            let attempts = record.settings.borrow().get(setting).cloned().unwrap_or_default();
            let value = config["SupportSettings"][setting].as_str().unwrap_or_default();
            let number: u64 = value.strip_prefix("https://run.example/").map_or(0, |number| number.parse().unwrap());
            if !attempts.may_end_with(number) {
                violations.push(format!("{setting} is {value}, and change {} was acknowledged", attempts.acknowledged));
            }
        }
    }
    if versions != active {
        violations.push(format!("the servers have the configurations {versions:?}, and {active:?} is active"));
    }
    violations
}

/// Compares the readings of a run with the order in which versions became active.
pub(super) async fn check_readings(stand: &Stand) -> Vec<String> {
    let versions = "SELECT id FROM configurations ORDER BY createat";
    let versions = database::texts(&stand.database.address(), versions).await;
    // Before the first change there is no stored version.
    let order: BTreeMap<String, usize> = std::iter::once("default".to_owned()).chain(versions).zip(0..).collect();
    violations(&stand.record.readings.borrow(), &order)
}

/// A server never tells an earlier version than before, and a version that a server told is in force on all after the limit.
fn violations(readings: &[Reading], order: &BTreeMap<String, usize>) -> Vec<String> {
    let place = |reading: &Reading| order.get(&reading.version).copied();
    let check = |reading: &Reading| {
        let must_be_known = |other: &&Reading| {
            let is_same = other.node.is_some() && other.node == reading.node;
            let limit = if is_same { Duration::ZERO } else { IN_FORCE_WITHIN };
            other.answered + limit <= reading.sent
        };
        let known = readings.iter().filter(must_be_known).max_by_key(|other| place(other));
        let Some(own) = place(reading) else {
            return Some(format!("server {:?} told the unknown version {}", reading.node, reading.version));
        };
        let newer = known.filter(|known| place(known) > Some(own))?;
        Some(format!(
            "server {:?} told version {own} {:?} after server {:?} had told version {:?}",
            reading.node,
            reading.sent - newer.answered,
            newer.node,
            place(newer)
        ))
    };
    readings.iter().filter_map(check).collect()
}

/// Returns true if each server told several versions.
pub(super) fn are_enough(readings: &[Reading]) -> bool {
    let versions = |node: usize| {
        let own = readings.iter().filter(|reading| reading.node == Some(node));
        own.map(|reading| &reading.version).collect::<BTreeSet<_>>().len()
    };
    (0..3).all(|node| versions(node) > 2)
}

impl Reading {
    /// Returns the version in an answer that has one.
    fn of(node: Option<usize>, sent: Instant, reply: &Reply) -> Option<Self> {
        (reply.status == 200).then(|| Self { node, sent, answered: Instant::now(), version: version_of(reply) })
    }
}

impl Attempts {
    /// Returns true if the setting may have this value at the end of the run.
    fn may_end_with(&self, number: u64) -> bool {
        (self.acknowledged..=self.last).contains(&number) || self.unanswered.contains(&number)
    }
}

#[test]
fn a_setting_ends_with_its_last_change_or_one_that_had_no_answer() {
    let attempts = Attempts { last: 9, acknowledged: 8, count: 6, unanswered: [3, 7, 9].into() };
    let allowed: Vec<u64> = (0..12).filter(|number| attempts.may_end_with(*number)).collect();
    assert_eq!(allowed, [3, 7, 8, 9]);
}

#[test]
fn a_version_that_goes_back_or_is_behind_for_long_is_a_violation() {
    let order: BTreeMap<String, usize> = ["a", "b", "c"].map(str::to_owned).into_iter().zip(0..).collect();
    let begun = Instant::now();
    let count = |readings: &[(usize, u64, &str)]| {
        let reading = |(node, ms, version): &(usize, u64, &str)| {
            let sent = begun + Duration::from_millis(*ms);
            Reading {
                node: Some(*node),
                sent,
                answered: sent + Duration::from_millis(100),
                version: (*version).to_owned(),
            }
        };
        violations(&readings.iter().map(reading).collect::<Vec<_>>(), &order).len()
    };
    assert_eq!(count(&[(0, 0, "a"), (0, 200, "b"), (0, 400, "c"), (1, 2_400, "b"), (1, 2_600, "c")]), 0);
    assert_eq!(count(&[(0, 0, "b"), (0, 200, "a"), (0, 400, "b")]), 1, "a server went back");
    assert_eq!(count(&[(0, 0, "b"), (1, 2_099, "a")]), 0, "within the limit");
    assert_eq!(count(&[(0, 0, "b"), (1, 2_100, "a")]), 1, "another server is behind");
    assert_eq!(count(&[(0, 0, "b"), (1, 2_100, "a"), (1, 2_300, "a"), (1, 2_500, "c")]), 2, "it is behind for long");
    assert_eq!(count(&[(0, 0, "x")]), 1, "a version that no server stored");
    let of_change = Reading { node: None, sent: begun, answered: begun, version: "c".to_owned() };
    let sent = begun + IN_FORCE_WITHIN;
    let behind = Reading { node: Some(0), sent, answered: sent, version: "b".to_owned() };
    assert_eq!(violations(&[of_change, behind], &order).len(), 1, "an acknowledged change is not in force");
}

#[test]
fn servers_that_tell_one_version_only_prove_nothing() {
    let now = Instant::now();
    let reading =
        |node, version: &str| Reading { node: Some(node), sent: now, answered: now, version: version.to_owned() };
    let all = (0..9).map(|number| reading(number % 3, &format!("{number}"))).collect::<Vec<_>>();
    assert!(are_enough(&all) && !are_enough(&all[..8]));
}
