use serde::Deserialize;
use serde_json::json;

use super::demand::Form;
use super::*;
use crate::config::table;
use case::{Case, document_with, failures_of};

mod case;
mod content;
mod export;
mod files;
mod general;
mod search;
mod service;
mod sign_in;

/// The number of rules that refuse a load, as every version of the program did.
const REFUSING_RULES: usize = 170;

/// Asserts that `is_right` accepts the texts in `right` and refuses those in `wrong`.
pub(super) fn assert_form(is_right: fn(&str) -> bool, right: &[&str], wrong: &[&str]) {
    for text in right {
        assert!(is_right(text), "{text:?} is right");
    }
    for text in wrong {
        assert!(!is_right(text), "{text:?} is wrong");
    }
}

fn cases() -> Vec<Case> {
    let groups = [
        general::cases(),
        files::cases(),
        sign_in::cases(),
        service::cases(),
        search::cases(),
        export::cases(),
        content::cases(),
    ];
    groups.into_iter().flatten().collect()
}

#[test]
fn the_defaults_keep_every_rule() {
    assert_eq!(failures_of(&table::defaults()), []);
}

#[test]
fn a_wrong_value_breaks_its_rule_alone_and_the_nearest_right_one_breaks_none() {
    for case in cases() {
        assert_eq!(failures_of(&case.broken()), [case.failure()], "{} = {}", case.pointer, case.wrong);
        assert_eq!(failures_of(&case.kept()), [], "{} = {}", case.pointer, case.right);
    }
}

#[test]
fn every_rule_is_tried_and_in_the_same_order() {
    let mut tried: Vec<_> = cases().iter().map(|case| (case.pointer, case.id)).collect();
    tried.dedup();
    let rules: Vec<_> = rules().iter().map(|(demand, id)| (demand.pointer, *id)).collect();
    // Two rules have the same setting and id if the contract has one rule with a gap in its range.
    let mut wanted = rules.clone();
    wanted.dedup();
    assert_eq!(tried, wanted);
}

#[test]
fn what_is_missing_unset_or_of_another_kind_counts_as_its_default() {
    assert_eq!(failures_of(&Map::new()), []);
    let document = document_with(&[
        ("/TeamSettings/MaxUsersPerTeam", json!(null)),
        ("/TeamSettings/SiteName", json!(0)),
        ("/SqlSettings/DriverName", json!(null)),
        ("/ContentFlaggingSettings/AdditionalSettings", json!(null)),
    ]);
    assert_eq!(failures_of(&document), []);
}

#[test]
fn several_failures_come_in_the_order_of_the_contract() {
    let document = document_with(&[
        ("/ContentFlaggingSettings/AdditionalSettings/Reasons", json!([])),
        ("/ServiceSettings/SiteURL", json!("a.com")),
        ("/SqlSettings/DriverName", json!("mysql")),
        ("/ServiceSettings/ReadTimeout", json!(0)),
        ("/MetricsSettings/ClientSideUserIds", json!(["a", "b", "c", "d", "e", "f"])),
    ]);
    let ids: Vec<_> = failures_of(&document).iter().map(|failure| failure.id).collect();
    let expected = [
        "model.config.is_valid.metrics_client_side_user_ids.app_error",
        "model.config.is_valid.metrics_client_side_user_id.app_error",
        "model.config.is_valid.sql_driver.app_error",
        "model.config.is_valid.read_timeout.app_error",
        "model.config.is_valid.site_url.app_error",
        "model.config.is_valid.content_flagging.reasons_not_set.app_error",
    ];
    assert_eq!(ids, expected);
}

/// A rule that refuses a load keeps installations from starting. The number of such rules never grows: a new rule says
/// with `at_load` what a load does with a stored value that an earlier version took.
#[test]
fn no_new_rule_refuses_a_load() {
    let rules: Vec<&Rule> = ORDER.iter().copied().flatten().flat_map(leaves).collect();
    let refusing = |rule: &&&Rule| matches!(rule, Rule::Plain { at_load: AtLoad::Refused, .. });
    assert_eq!(rules.iter().filter(refusing).count(), REFUSING_RULES);
}

fn leaves(rule: &'static Rule) -> Vec<&'static Rule> {
    match rule {
        Rule::Plain { .. } => vec![rule],
        Rule::When(_, rules) => rules.iter().flat_map(leaves).collect(),
    }
}

#[test]
fn every_setting_that_a_rule_names_exists() {
    let known = table::settings();
    for (demand, _) in rules() {
        assert!(known.contains_key(&settings::dotted(demand.pointer)), "{}", demand.pointer);
    }
}

/// The bounds in the table of settings.
#[derive(Deserialize)]
struct Bounds {
    json_path: String,
    min: Option<i64>,
    max: Option<i64>,
    #[serde(default)]
    allowed: Vec<Value>,
}

#[test]
fn every_bound_in_the_table_of_settings_is_a_rule() {
    // The first setting is lowered instead of refused; the others accept values that this server adds.
    let differ =
        ["ServiceSettings.UniqueEmojiReactionLimitPerPost", "SqlSettings.DriverName", "FileSettings.DriverName"];
    let all: Vec<Bounds> = serde_json::from_str(include_str!("../settings.json")).unwrap();
    for bounds in all.iter().filter(|bounds| !differ.contains(&bounds.json_path.as_str())) {
        let rules = rules();
        let forms: Vec<Form> = rules
            .iter()
            .filter(|(demand, _)| settings::dotted(demand.pointer) == bounds.json_path)
            .map(|(demand, _)| demand.form)
            .collect();
        let holds = |wanted: &dyn Fn(&Form) -> bool| forms.iter().any(wanted);
        let has_least = |least| holds(&|form| matches!(form, Form::Range(min, _) if *min == least));
        let has_max = |limit| holds(&|form| matches!(form, Form::Range(_, max) if *max == limit));
        let lists = |value: &Value| {
            holds(&|form| matches!(form, Form::Flag(wanted) if value == wanted))
                || holds(&|form| matches!(form, Form::OneOf(texts) if texts.iter().any(|text| value == text)))
        };
        assert!(bounds.min.is_none_or(has_least), "the least of {}", bounds.json_path);
        assert!(bounds.max.is_none_or(has_max), "the maximum of {}", bounds.json_path);
        assert!(bounds.allowed.iter().all(lists), "the values of {}", bounds.json_path);
    }
}

/// Returns all plain rules, in order, with the ids of their failures.
fn rules() -> Vec<(&'static demand::Demand, &'static str)> {
    ORDER.iter().copied().flat_map(plain).collect()
}

fn plain(rules: &'static [Rule]) -> Vec<(&'static demand::Demand, &'static str)> {
    let expand = |rule: &'static Rule| match rule {
        Rule::Plain { demand, id, .. } => vec![(demand, *id)],
        Rule::When(_, rules) => plain(rules),
    };
    rules.iter().flat_map(expand).collect()
}
