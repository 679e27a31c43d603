//! Documents that are expensive to process for their size. The tests assert that each walk over a submitted document is
//! linear.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Config;
use super::arbitrary::settings_of;
use super::difference::changes;
use super::document::Document;
use super::extras::without_extras;
use super::fixes::fixed;
use super::limits::check_limits;
use super::proposal::{ChangeMode, DecisionContext, Proposal, decide};
use super::restored::restored;
use super::secrets::{PLACEHOLDER, masked};
use super::shape::problems;
use super::table::defaults;
use crate::steps::assert_linear;

const HEADERS: &str = "ServiceSettings.TrustedProxyIPHeader";
const REPLICAS: &str = "SqlSettings.DataSourceReplicas";
const LAGS: &str = "SqlSettings.ReplicaLagSettings";
const PLUGINS: &str = "PluginSettings.Plugins";
const STATES: &str = "PluginSettings.PluginStates";
const LOCALES: &str = "LocalizationSettings.AvailableLocales";

/// Makes a document of about this number of elements, members or bytes.
type Shape = fn(usize) -> Document;

const SHAPES: [(&str, Shape); 16] = [
    ("equal elements", |size| with(HEADERS, json!(vec![""; size]))),
    ("different elements", |size| with(HEADERS, texts(size))),
    ("placeholders", |size| with(REPLICAS, json!(vec![PLACEHOLDER; size]))),
    ("placeholders between texts", |size| with(REPLICAS, between_texts(size))),
    ("elements of another kind", |size| with(HEADERS, json!(vec![1; size]))),
    ("sections with placeholders", |size| with(LAGS, sections(size))),
    ("equal sections with placeholders", |size| with(LAGS, json!(vec![json!({ "DataSource": PLACEHOLDER }); size]))),
    ("unknown members of sections", |size| with(LAGS, json!(vec![json!({ "Unknown": 1 }); size]))),
    ("many plugins", |size| with(PLUGINS, members(size, &json!({ "Token": PLACEHOLDER })))),
    ("a plugin of many members", |size| with(PLUGINS, json!({ "one": members(size, &json!(PLACEHOLDER)) }))),
    ("a plugin of many hosts", |size| with(PLUGINS, json!({ "one": { "Hosts": sections(size) } }))),
    ("a long id with many secrets", |size| with(PLUGINS, json!({ (long(size)): secrets(size) }))),
    ("a long id with many unknown members", |size| with(STATES, json!({ (long(size)): members(size, &json!(1)) }))),
    ("states of the wrong kind", |size| with(STATES, members(size, &json!(1)))),
    ("unknown members", |size| members(size, &json!(1)).as_object().unwrap().clone()),
    ("a list in a text", |size| {
        with(LOCALES, json!((0..size).map(|at| format!("l{at},")).collect::<Vec<_>>().concat()))
    }),
];

fn with(path: &str, value: Value) -> Document {
    settings_of(Document::new(), [(path, value)])
}

fn texts(size: usize) -> Value {
    (0..size).map(|at| format!("X-{at}")).collect()
}

fn between_texts(size: usize) -> Value {
    (0..size).map(|at| if at % 2 == 0 { PLACEHOLDER.to_owned() } else { at.to_string() }).collect()
}

fn sections(size: usize) -> Value {
    (0..size)
        .map(|at| json!({ "DataSource": PLACEHOLDER, "Token": PLACEHOLDER, "QueryTimeLag": at.to_string() }))
        .collect()
}

fn members(size: usize, value: &Value) -> Value {
    (0..size).map(|at| (format!("member{at:07}"), value.clone())).collect::<Document>().into()
}

fn secrets(size: usize) -> Value {
    (0..size).map(|at| (format!("secret{at:07}"), json!(PLACEHOLDER))).collect::<Document>().into()
}

fn long(size: usize) -> String {
    "x".repeat(size * 8)
}

/// Returns a stored document in which each list has `size` different elements.
fn stored(size: usize) -> Document {
    let sections: Value =
        (0..size).map(|at| json!({ "DataSource": "s", "Token": "t", "QueryTimeLag": at.to_string() })).collect();
    let given = [(REPLICAS, texts(size)), (LAGS, sections.clone()), (PLUGINS, json!({ "one": { "Hosts": sections } }))];
    settings_of(defaults(), given)
}

fn decided(mode: ChangeMode, body: Document) {
    let running = Config::from_overrides([]).unwrap();
    let proposal = Proposal {
        mode,
        body,
        may_write: Arc::new(|_| true),
        may_read: Arc::new(|_| true),
        is_local: false,
        may_keep_secrets: true,
    };
    let context = DecisionContext {
        now_ms: 1,
        file_exists: Arc::new(|_| false),
        is_served: Arc::new(|_| false),
        fingerprint: Arc::new(|_, value| value.to_string()),
    };
    // Most of these documents are refused. Only the number of steps matters here.
    let _ = decide(&running, &proposal, &context);
}

/// Walks over a submitted document, next to a stored one of about the same size.
type Walk = fn(Document, usize);

/// Each walk; the flag is true if it gets documents of any size, not only those within the limits.
const WALKS: [(&str, bool, Walk); 8] = [
    ("problems", true, |document, _| drop(problems(&document))),
    ("limits", true, |document, _| drop(check_limits(&document))),
    ("patch", true, |document, _| decided(ChangeMode::Patch, document)),
    ("replace", true, |document, _| decided(ChangeMode::Replace, document)),
    ("extras", true, |document, _| drop(without_extras(&document))),
    ("restored", false, |document, size| drop(restored(&document, &stored(size)))),
    ("masked", false, |document, _| drop(masked(&document))),
    ("changes", false, |document, size| {
        drop(changes(&stored(size), &fixed(&document), &|_, value| value.to_string()));
    }),
];

/// The base size. Four times this size is still within the limits.
const SIZE: usize = 250;

#[test]
fn every_walk_over_every_shape_is_linear() {
    for (shape, document) in SHAPES {
        for (walk, sees_any_size, run) in WALKS {
            let is_seen = sees_any_size || check_limits(&document(SIZE * 4)).is_ok();
            if is_seen {
                assert_linear(&format!("{walk} of {shape}"), SIZE, |size| run(document(size), size));
            }
        }
    }
}

/// Finds slow work whose steps are not counted: a quadratic loop over this many elements takes minutes.
#[test]
fn no_walk_over_a_document_of_the_largest_body_takes_long() {
    const ELEMENTS: usize = 40_000;
    for (shape, document) in SHAPES {
        for (walk, _, run) in WALKS.iter().filter(|(_, sees_any_size, _)| *sees_any_size) {
            let document = document(ELEMENTS);
            let begun = Instant::now();
            run(document, ELEMENTS);
            assert!(begun.elapsed() < Duration::from_secs(10), "{walk} of {shape}: {:?}", begun.elapsed());
        }
    }
}
