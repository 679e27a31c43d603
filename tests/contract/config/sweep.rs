//! Every setting with values at and beyond its ends: no response is a failure, the outcome is that of the rules, and a
//! server starts with every value that was taken.

use quarterdeck::server::Server;
use quarterdeck::settings::Sources;
use quarterdeck_actors::config::table::{Kind, Setting, defaults, settings};
use serde_json::{Value, json};

use crate::support::configuration::{nested, put_at};
use crate::support::{Client, LocalServer, TestServer};

const WRONG_TYPE: &str = "api.context.invalid_body_param.app_error";

/// Numbers at which clocks, products and narrower types overflow, by their names in the table of outcomes.
const NUMBERS: [(&str, i64); 4] = [("-1", -1), ("2^40", 1 << 40), ("max", i64::MAX), ("min", i64::MIN)];

/// Texts without a visible character, by their names in the table of outcomes.
const BLANKS: [(&str, &str); 2] = [("empty", ""), ("spaces", "  ")];

/// The refused values: setting, names of values, error id. All other values are taken. The rules of Mattermost refuse
/// these, and those of `docs/differences.md`.
const OUTCOMES: &str = include_str!("outcomes.tsv");

#[actix_web::test]
async fn a_number_has_the_outcome_of_the_table_and_what_is_taken_starts_again() {
    let running = LocalServer::start().await;
    let mut tried = 0;
    for (name, value) in NUMBERS {
        tried += sweep(&running, Kind::Int, (name, json!(value))).await;
    }
    assert!(tried > 400, "{tried}");
}

#[actix_web::test]
async fn a_blank_text_has_the_outcome_of_the_table_and_what_is_taken_starts_again() {
    let running = LocalServer::start().await;
    let mut tried = 0;
    for (name, value) in BLANKS {
        tried += sweep(&running, Kind::String, (name, json!(value))).await;
    }
    assert!(tried > 400, "{tried}");
}

/// Gives each setting of a type this value. Returns the number of settings that no file or variable fixes.
async fn sweep(LocalServer { server, local, .. }: &LocalServer, kind: Kind, (name, value): (&str, Value)) -> usize {
    let (mut taken, mut wrong, mut tried) = (json!({}), Vec::new(), 0);
    for setting in of_kind(kind) {
        let answer = local.put("/config/patch?dry_run=true", nested(&setting.path, value.clone())).await;
        let is_fixed = !answer.header("x-config-ineffective").is_empty();
        if is_fixed {
            continue;
        }
        tried += 1;
        let outcome = match answer.status {
            200 => String::new(),
            400 => answer.json()["id"].as_str().unwrap().to_owned(),
            status => panic!("{} = {value}: {status}", setting.path),
        };
        if outcome.is_empty() {
            put_at(&mut taken, &setting.path, value.clone());
        }
        if outcome != expected(&setting.path, name) {
            wrong.push(format!("{}\t{name}\t{outcome}", setting.path));
        }
    }
    assert!(wrong.is_empty(), "these outcomes are not those of the table:\n{}", wrong.join("\n"));
    local.put("/config/patch", taken).await.expect(200);
    local.post("/config/reload", json!({})).await.expect(200);
    what_differs_from_the_defaults_can_be_sent_back(local).await;
    starts_again(server).await;
    local.put("/config", Value::Object(defaults())).await.expect(200);
    tried
}

/// Returns the error id with which the value is refused; empty if it is taken.
fn expected(path: &str, name: &str) -> &'static str {
    let row = OUTCOMES.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut columns = line.split('\t');
        let (setting, names, id) = (columns.next()?, columns.next()?, columns.next()?);
        (setting == path && names.split(' ').any(|one| one == name)).then_some(id)
    });
    row.unwrap_or_default()
}

#[test]
fn each_row_of_the_table_of_outcomes_names_a_setting_and_values_of_its_type() {
    for line in OUTCOMES.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [path, names, id] = columns[..] else { panic!("{line}") };
        let setting = settings().get(path).unwrap_or_else(|| panic!("{path} is no setting"));
        let is_number = setting.kind == Kind::Int;
        let numbers = NUMBERS.iter().map(|(name, _)| *name).filter(|_| is_number);
        let blanks = BLANKS.iter().map(|(name, _)| *name).filter(|_| !is_number);
        let known: Vec<&str> = numbers.chain(blanks).collect();
        assert!(names.split(' ').all(|name| known.contains(&name)) && !id.is_empty(), "{line}");
    }
}

#[actix_web::test]
async fn null_changes_nothing_and_each_wrong_type_is_refused_with_its_place() {
    let LocalServer { local, .. } = &LocalServer::start().await;
    let before = local.get("/config").await;
    let wrong = |setting: &Setting| match setting.kind {
        Kind::RawJson => None,
        Kind::Int => Some(vec![json!(1.5), json!(9_223_372_036_854_775_808_u64), json!("1"), json!(" ")]),
        Kind::Bool => Some(vec![json!(1), json!("true"), json!("")]),
        Kind::String => Some(vec![json!(1), json!(true), json!([])]),
        Kind::Strings | Kind::Objects => Some(vec![json!("one"), json!({}), json!([1])]),
        Kind::Object | Kind::Map => Some(vec![json!("one"), json!([]), json!(1)]),
    };
    for round in 0..4 {
        let mut body = json!({});
        let mut places = Vec::new();
        for setting in placed() {
            if let Some(value) = wrong(setting).and_then(|values| values.get(round).cloned()) {
                places.push(format!("/{}", setting.path.replace('.', "/")));
                put_at(&mut body, &setting.path, value);
            }
        }
        let refused = local.put("/config/patch", body.clone()).await;
        refused.expect_refusal(400, WRONG_TYPE);
        let errors = refused.json()["errors"].clone();
        let named: Vec<&str> =
            errors.as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        let is_named = |place: &String| named.iter().any(|named| named.strip_prefix(place.as_str()).is_some());
        let missing: Vec<&String> = places.iter().filter(|place| !is_named(place)).collect();
        assert!(missing.is_empty() || named.len() >= 200, "{missing:?}");
        local.put("/config", body).await.expect_refusal(400, WRONG_TYPE);
    }
    let mut nulls = json!({});
    placed().for_each(|setting| put_at(&mut nulls, &setting.path, Value::Null));
    let after = local.put("/config/patch", nulls).await;
    assert_eq!(after.header("etag"), before.header("etag"));
    assert_eq!(local.config().await, before.json());
}

/// Starts a second server with the stored configuration. Only one server can listen at the local socket.
async fn starts_again(server: &TestServer) {
    let variables = vec![("MM_SERVICESETTINGS_ENABLELOCALMODE".to_owned(), "false".to_owned())];
    let sources = Sources::isolated(Some(server.folder().join("config.toml")), variables);
    drop(Server::start(sources.load().unwrap(), sources).await.unwrap());
}

async fn what_differs_from_the_defaults_can_be_sent_back(local: &Client) {
    let before = local.get("/config").await;
    let differing = local.get("/config?remove_defaults=true").await.expect(200);
    let after = local.put("/config", differing).await;
    assert_eq!((after.status, after.header("etag")), (200, before.header("etag")));
    assert_eq!(local.config().await, before.json());
}

/// Returns the settings of this type that a request can change.
fn of_kind(kind: Kind) -> impl Iterator<Item = &'static Setting> {
    placed().filter(move |setting| setting.kind == kind && !setting.path.starts_with("FeatureFlags."))
}

/// Returns the settings that are part of every document, without nested sections.
fn placed() -> impl Iterator<Item = &'static Setting> {
    settings().values().filter(|setting| setting.kind != Kind::Object && !setting.path.contains(['[', '<']))
}
