//! Every setting with values at and beyond its ends: no response is a failure, the outcome is that of the rules, and a
//! server starts with every value that was taken.

use quarterdeck::server::Server;
use quarterdeck::settings::Sources;
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::table::{Kind, Setting, defaults, settings};
use serde_json::{Value, json};

use crate::support::configuration::{nested, put_at};
use crate::support::{Client, LocalServer, TestServer};

const WRONG_TYPE: &str = "api.context.invalid_body_param.app_error";

/// Numbers at which clocks, products and narrower types overflow.
const NUMBERS: [i64; 4] = [-1, 1 << 40, i64::MAX, i64::MIN];

/// Settings whose bounds hold only while another setting is on.
const CONDITIONAL: [&str; 9] = [
    "AutoTranslationSettings.TimeoutMs",
    "AutoTranslationSettings.Workers",
    "CacheSettings.RedisDB",
    "LdapSettings.MaximumLoginAttempts",
    "MessageExportSettings.BatchSize",
    "MessageExportSettings.ExportFromTimestamp",
    "SqlSettings.DataSource",
    "SqlSettings.DriverName",
    "ServiceSettings.UniqueEmojiReactionLimitPerPost",
];

#[actix_web::test]
async fn a_number_is_taken_or_refused_by_its_bounds_and_what_is_taken_starts_again() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    let mut tried = 0;
    for value in NUMBERS {
        let mut taken = json!({});
        for setting in of_kind(Kind::Int) {
            let answer = local.put("/config/patch?dry_run=true", nested(&setting.path, value)).await;
            tried += 1;
            let id = || answer.json()["id"].as_str().unwrap_or_default().to_owned();
            match answer.status {
                200 => put_at(&mut taken, &setting.path, value),
                400 => assert!(id().contains(".is_valid."), "{} = {value}: {}", setting.path, id()),
                status => panic!("{} = {value}: {status}", setting.path),
            }
            let is_pinned = !answer.header("x-config-ineffective").is_empty();
            if let Some(is_within) = is_within(setting, value).filter(|_| !is_pinned) {
                // Days and hours exclude each other.
                let is_paired = setting.path.starts_with("DataRetentionSettings.") && answer.status == 400;
                assert!(is_paired || (answer.status == 200) == is_within, "{} = {value}", setting.path);
            }
        }
        local.put("/config/patch", taken).await.expect(200);
        local.post("/config/reload", json!({})).await.expect(200);
        what_differs_from_the_defaults_can_be_sent_back(local).await;
        starts_again(server).await;
        local.put("/config", Value::Object(defaults())).await.expect(200);
    }
    assert!(tried > 400, "{tried}");
}

#[actix_web::test]
async fn a_blank_text_is_taken_or_refused_by_a_rule_and_what_is_taken_starts_again() {
    let LocalServer { server, local, .. } = &LocalServer::start().await;
    for blank in ["", "  "] {
        let mut taken = json!({});
        for setting in of_kind(Kind::String) {
            let answer = local.put("/config/patch?dry_run=true", nested(&setting.path, blank)).await;
            let id = || answer.json()["id"].as_str().unwrap_or_default().to_owned();
            match answer.status {
                200 => put_at(&mut taken, &setting.path, blank),
                400 => assert!(id().contains(".is_valid."), "{} = {blank:?}: {}", setting.path, id()),
                status => panic!("{} = {blank:?}: {status}", setting.path),
            }
        }
        local.put("/config/patch", taken).await.expect(200);
        local.post("/config/reload", json!({})).await.expect(200);
        what_differs_from_the_defaults_can_be_sent_back(local).await;
        starts_again(server).await;
        local.put("/config", Value::Object(defaults())).await.expect(200);
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

/// Returns true if the bounds of the table admit the value; `None` if they hold under a condition only.
fn is_within(setting: &Setting, value: i64) -> Option<bool> {
    if CONDITIONAL.contains(&setting.path.as_str()) {
        return None;
    }
    let bounds: Vec<Document> = serde_json::from_str(include_str!("../../../actors/src/config/settings.json")).unwrap();
    let row = bounds.into_iter().find(|row| row["json_path"] == setting.path.as_str()).unwrap();
    let end = |name: &str| row.get(name).and_then(Value::as_i64);
    (end("min").is_some() || end("max").is_some())
        .then(|| end("min").is_none_or(|min| min <= value) && end("max").is_none_or(|max| value <= max))
}
