//! Tests of the report: its JSON against the schema, and its page.

mod browser;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;
use crate::remote::Remote;
use crate::run::attack::{AttackFacts, StatusCount};
use crate::run::condition::Condition;
use crate::run::engine::{Pace, Plan};
use crate::run::failure::Failed;
use crate::run::outcome::Load;
use crate::run::recorder::{Recorder, Sample};
use crate::run::saturation::Saturation;
use crate::run::sockets::SocketFacts;
use crate::run::target::Facts;
use crate::run::usage::{Reading, Usage};
use crate::run::visits::VisitFacts;

const MS: Duration = Duration::from_millis(1);

/// Returns the outcome of a run of ten seconds with one failure in a hundred requests.
pub(crate) fn outcome(latency_ms: u32) -> Outcome {
    let from = Instant::now();
    let mut recorder = Recorder::new(from, MS * 10_000, vec![false, true]).unwrap();
    for number in 0..1000_u32 {
        let intended = from + MS * (number * 10);
        let outcome = if number % 100 == 99 { Err(Failed::response(503, br#"{"id":"<b>"}"#)) } else { Ok(100) };
        let ended = intended + MS * (latency_ms + number % 7);
        recorder.add(&Sample { request: 0, intended, sent: Some(intended), ended, outcome });
    }
    recorder.finish(from + MS * 10_050);
    let reading = |half: u32| Reading {
        at: MS * (half * 500),
        // So small a part of a core has the longest labels.
        cpu: MS * (half * 30),
        resident_kb: u64::from(50_000 + half),
        descriptors: Some(40),
        postgres_cpu: (half > 40).then_some(MS),
    };
    let readings: Vec<_> = (0..=20).map(reading).collect();
    let target = Facts {
        url: "http://127.0.0.1:8065/".to_owned(),
        program: Some("/a/quarterdeck".to_owned()),
        engine: Some("SQLite"),
        nodes: None,
        version: Some("11.6.0".to_owned()),
        tls: Some("TLS 1.3, TLS13_AES_256_GCM_SHA384".to_owned()),
        unknown: vec!["A figure is unknown.".to_owned()],
    };
    let names = [("one".to_owned(), false), ("two".to_owned(), true)];
    let plan = Plan {
        remote: Remote::Resolved(Vec::new(), None),
        pace: Pace::Open { per_second: 100.0 },
        users: 8,
        burst: 1,
        warmup: MS * 2000,
        duration: MS * 10_000,
        timeout: MS * 10_000,
        seed: 1,
    };
    let load = Load::new(&plan, 0);
    let saturation = Saturation {
        busy: 0.2,
        late_start_p99_us: 100,
        late_start_max_us: 200,
        unstarted: 0,
        loop_lag_p99_us: 300,
        loop_lag_max_us: 400,
    };
    let sockets = SocketFacts { opened: 7, failed: 0, events: 3, skipped: 0, repeated: 0, bytes_each: Some(9000) };
    let usage = Usage::of(&readings, 1000, 2);
    let statuses = vec![StatusCount { status: 408, count: 3 }];
    let attack = AttackFacts { kind: "head-slow".to_owned(), attackers: 2, attempts: 5, without_response: 2, statuses };
    recorder.visits = VisitFacts { greeted: 5, resumed: 2, ..VisitFacts::default() };
    Outcome {
        visits: Some(recorder.visits),
        attack: Some(vec![attack]),
        sockets: Some(sockets),
        ..Outcome::new(target, load, &names, &recorder, &saturation, usage)
    }
}

fn report(sides: Vec<Side>) -> Report {
    let scenario = Scenario { name: "a<b".to_owned(), about: "A test & more.".to_owned() };
    let ratios = match sides.len() {
        2 => vec![Ratio { figure: "p99", ratio: 0.5, low: 0.4, high: 0.6 }],
        _ => Vec::new(),
    };
    let conditions = ["p99>1ms", "failures>50%"].map(|text| Condition::read(text).unwrap());
    let outcome = sides.first().map(|side: &Side| side.outcome.clone());
    let verdicts = outcome.iter().flat_map(|outcome| conditions.iter().map(|one| one.verdict(outcome, &ratios)));
    let verdicts = verdicts.collect();
    Report::new(scenario, Environment::read(), sides, ratios, verdicts)
}

fn one() -> Report {
    report(vec![Side { name: "target".to_owned(), outcome: outcome(5) }])
}

#[test]
fn the_json_of_a_report_fits_its_schema() {
    let schema: Value = serde_json::from_str(include_str!("../../../report.schema.json")).unwrap();
    let both = report(["a", "b"].map(|name| Side { name: name.to_owned(), outcome: outcome(5) }).to_vec());
    assert_eq!(violations(&schema, &schema, &serde_json::to_value(both).unwrap(), "report"), [""; 0]);
    let mut report = serde_json::to_value(one()).unwrap();
    assert_eq!(violations(&schema, &schema, &report, "report"), [""; 0]);
    report["sides"][0]["outcome"]["usage"] = Value::Null;
    report["sides"][0]["outcome"]["sockets"] = Value::Null;
    assert_eq!(violations(&schema, &schema, &report, "report"), [""; 0]);
    for (pointer, value) in [
        ("/format", json!(2)),
        ("/sides", json!([])),
        ("/sides/0/outcome/total/count", json!(-1)),
        ("/sides/0/outcome/total/failures/0/status", json!("503")),
        ("/sides/0/outcome/load/kind", json!("ajar")),
        ("/environment", json!({})),
        ("/surprise", json!(1)),
    ] {
        let mut broken = report.clone();
        match broken.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => broken["surprise"] = value,
        }
        assert!(!violations(&schema, &schema, &broken, "report").is_empty(), "{pointer}");
    }
}

#[test]
fn the_page_loads_nothing_and_has_every_chart() {
    let html = page::page(&one());
    for title in [
        "Latency",
        "Latency by percentile",
        "Throughput",
        "Failures",
        "Processor time of the server",
        "Resident memory of the server",
    ] {
        assert!(html.contains(&format!("<figcaption>{title}</figcaption>")), "{title}");
    }
    assert!(html.contains("prefers-color-scheme: dark") && html.contains("default-src 'none'"));
    let loads = ["<script", "<link", "<img", "url(", "@import", "http-equiv=\"refresh\""];
    assert!(loads.iter().all(|load| !html.contains(load)));
    assert!(
        html.contains("<p class=\"bad\">Fails: p99&gt;1ms: it is ")
            && html.contains("Holds: failures&gt;50%: it is 1.0000 %.")
    );
    let unused = "<tr><td>two (background)</td><td>0</td><td>-</td><td>-</td>";
    assert!(html.contains(unused), "a request that was never sent has no figures: {html}");
    // Texts of a server are no markup.
    assert!(html.contains("503 &lt;b&gt;") && html.contains("Load test a&lt;b") && !html.contains("<b>"), "{html}");
}

#[test]
fn two_servers_stand_in_the_same_charts() {
    let side = |name: &str, latency_ms| Side { name: name.to_owned(), outcome: outcome(latency_ms) };
    let html = page::page(&report(vec![side("target", 5), side("baseline", 9)]));
    assert!(html.contains("<li class=\"c0\">target</li><li class=\"c1\">baseline</li>"));
    assert!(html.contains("Comparison over time") && html.contains("<h2>baseline</h2>"));
    assert!(html.contains("<td>p99</td><td>0.5</td><td>0.4 to 0.6</td>"), "{html}");
}

#[test]
fn a_report_is_written_into_a_new_folder() {
    let folder = crate::compare::Folder::new().unwrap();
    let place = folder.path().join("a/b");
    one().write(&place).unwrap();
    let json: Value = serde_json::from_slice(&std::fs::read(place.join("report.json")).unwrap()).unwrap();
    assert_eq!((&json["format"], &json["is_valid"]), (&json!(3), &json!(true)));
    assert!(std::fs::read_to_string(place.join("report.html")).unwrap().starts_with("<!doctype html>"));
}

/// Returns the places where a value breaks a schema. Knows the words that the schema of the report uses, and no others.
fn violations(root: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    let words = schema.as_object().unwrap();
    for (word, rule) in words {
        let holds = match word.as_str() {
            "$schema" | "$defs" | "title" | "description" => true,
            "$ref" => {
                let target = root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap();
                found.extend(violations(root, target, value, place));
                true
            }
            "type" => {
                let kinds = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
                kinds.iter().any(|kind| is_a(value, kind))
            }
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "oneOf" => {
                let fits = |one: &&Value| violations(root, one, value, place).is_empty();
                rule.as_array().unwrap().iter().filter(fits).count() == 1
            }
            "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| !items.is_empty()),
            "required" => rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
            "properties" => {
                for (name, member) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = rule.get(name) {
                        found.extend(violations(root, schema, member, &format!("{place}.{name}")));
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = schema.get("properties").unwrap();
                value.as_object().is_none_or(|members| members.keys().all(|name| known.get(name).is_some()))
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(violations(root, rule, item, &format!("{place}[{index}]")));
                }
                true
            }
            other => panic!("the test does not know {other}"),
        };
        if !holds {
            found.push(format!("{place}: {word}"));
        }
    }
    found
}

fn is_a(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        other => panic!("the test does not know {other}"),
    }
}
