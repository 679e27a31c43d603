use std::sync::Arc;

use serde_json::json;

use super::super::Config;
use super::super::effective::Override;
use super::super::proposal::{ChangeMode, DecisionContext, Proposal, check, decide};
use super::super::table::placed;
use super::*;
use crate::error::AppError;

const LEVEL: &str = "LogSettings.ConsoleLevel";
const FOLDER: &str = "FileSettings.Directory";
const ADDRESS: &str = "ServiceSettings.ListenAddress";

fn context() -> DecisionContext {
    let fingerprint = Arc::new(|_: &str, _: &Value| String::new());
    DecisionContext {
        now_ms: 1,
        file_exists: Arc::new(|_: &str| true),
        is_served: Arc::new(|_: &str| false),
        fingerprint,
    }
}

fn document(values: &[(&str, Value)]) -> Document {
    let mut document = Document::new();
    for (path, value) in values {
        insert(&mut document, path, value.clone());
    }
    document
}

fn loaded(defaults: Defaults, document: Document, overrides: Overrides) -> Config {
    Config::compose_with(defaults, Some(Stored::new("one".to_owned(), document)), overrides).unwrap()
}

fn stored(values: &[(&str, Value)]) -> Config {
    loaded(Defaults::Today, document(values), Overrides::new())
}

fn written(running: &Config, mode: ChangeMode, body: Document) -> Result<Config, AppError> {
    let all = Arc::new(|_: &_| true);
    let proposal =
        Proposal { mode, body, may_write: all.clone(), may_read: all, is_local: true, may_keep_secrets: true };
    decide(running, &proposal, &context()).map(|decision| decision.config)
}

fn value<'a>(config: &'a Config, path: &str) -> Option<&'a Value> {
    given(&config.document, path)
}

#[test]
fn a_value_that_an_earlier_version_took_is_replaced_and_named() {
    let folder = "./data\u{3000}";
    for (path, found, used, words) in [
        (LEVEL, "LOUD", "DEBUG", "\"LOUD\" of LogSettings.ConsoleLevel is not allowed; \"DEBUG\" is used instead"),
        ("LogSettings.FileLevel", "", "INFO", "LogSettings.FileLevel is not allowed; \"INFO\" is used instead"),
        (ADDRESS, "127.1:9917", "127.0.0.1:9917", "\"127.1:9917\" of ServiceSettings.ListenAddress"),
        ("ServiceSettings.MinimumDesktopAppVersion", "5.0.0-01", "", "\"\" is used instead"),
        (
            FOLDER,
            folder,
            "./data\u{3000}/",
            "of FileSettings.Directory is not allowed in new documents; it stays in use",
        ),
        ("FileSettings.AmazonS3PathPrefix", " a", " a", "it stays in use"),
    ] {
        let config = stored(&[(path, json!(found))]);
        assert_eq!(value(&config, path), Some(&json!(used)), "{path}");
        check(&config, &context()).unwrap_or_else(|refusal| panic!("{path}: {}", refusal.id));
        let notices = config.notices();
        assert!(notices.len() == 1 && notices[0].contains(words), "{path}: {notices:?}");
    }
    let metrics = [("MetricsSettings.Enable", json!(true)), ("MetricsSettings.ListenAddress", json!("0.0.0:8067"))];
    assert_eq!(value(&stored(&metrics), metrics[1].0), Some(&json!("0.0.0.0:8067")));
    assert_eq!(stored(&[(LEVEL, json!("warn"))]).notices(), Vec::<String>::new());
}

#[test]
fn stored_log_levels_that_do_not_exist_are_left_out_and_named_and_new_ones_are_refused() {
    const TARGETS: &str = "LogSettings.AdvancedLoggingJSON";
    let targets = |ids: &[i64]| {
        let levels: Value = ids.iter().map(|id| json!({ "id": id, "name": "any" })).collect();
        json!({ "x": { "type": "console", "levels": levels } })
    };
    let config = stored(&[(TARGETS, targets(&[5, 99, 4711]))]);
    check(&config, &context()).unwrap();
    assert_eq!(value(&config, TARGETS), Some(&targets(&[5])));
    let words = "the stored log levels 99, 4711 of LogSettings.AdvancedLoggingJSON do not exist; its targets are used \
                 without them";
    assert_eq!(config.notices(), [words]);
    for mode in [ChangeMode::Patch, ChangeMode::Replace] {
        let refused = written(&config, mode, document(&[(TARGETS, targets(&[99]))])).unwrap_err();
        assert_eq!(refused.id, "model.config.is_valid.log.advanced_logging.parse");
        assert_eq!(refused.params, [("Error", "x: the level 99 does not exist".to_owned())]);
    }
    let pin = Override { value: targets(&[99]), place: "config.toml:3".to_owned() };
    assert!(check(&loaded(Defaults::Today, Document::new(), [(TARGETS.to_owned(), pin)].into()), &context()).is_err());
}

#[test]
fn a_pinned_value_has_no_remedy() {
    for (path, wrong) in [(LEVEL, "LOUD"), (FOLDER, " data"), (ADDRESS, "127.1:9917")] {
        let pin = Override { value: json!(wrong), place: "config.toml:3".to_owned() };
        let config = loaded(Defaults::Today, Document::new(), [(path.to_owned(), pin)].into());
        assert!(check(&config, &context()).is_err(), "{path}");
        assert_eq!(config.notices().len(), usize::from(config.stored.is_some_and(|stored| stored.document.is_empty())));
    }
}

#[test]
fn a_value_that_every_version_refused_is_refused_still() {
    let config = stored(&[("TeamSettings.MaxUsersPerTeam", json!(0)), (ADDRESS, json!("256.1.1.1:80"))]);
    assert_eq!(check(&config, &context()).unwrap_err().failures.len(), 2);
}

#[test]
fn requests_with_such_a_value_are_refused_unless_it_stays_as_it_is() {
    let running = stored(&[(LEVEL, json!("LOUD")), (FOLDER, json!("./data "))]);
    for (path, wrong) in [(LEVEL, "LOUD"), (FOLDER, "./other "), (ADDRESS, "127.1:9917")] {
        for mode in [ChangeMode::Patch, ChangeMode::Replace] {
            let refused = written(&running, mode, document(&[(path, json!(wrong))])).unwrap_err();
            assert!(refused.id.contains(".is_valid."), "{path}: {}", refused.id);
        }
    }
    let renamed = written(&running, ChangeMode::Patch, document(&[("TeamSettings.SiteName", json!("new"))])).unwrap();
    assert_eq!(value(&renamed, FOLDER), Some(&json!("./data /")));
    assert_eq!(value(&renamed, LEVEL), Some(&json!("DEBUG")));
    let saved = renamed.stored.clone().unwrap().document;
    assert_eq!(given(&saved, LEVEL), Some(&json!("DEBUG")), "the next save stores what is used");
    let sent_back = written(&running, ChangeMode::Replace, running.document.clone()).unwrap();
    assert_eq!(sent_back.document, running.document);
    let mended = written(&renamed, ChangeMode::Patch, document(&[(FOLDER, json!("./data/"))])).unwrap();
    assert_eq!(mended.notices(), Vec::<String>::new());
    assert!(written(&mended, ChangeMode::Patch, document(&[(FOLDER, json!("./data /"))])).is_err());
}

#[test]
fn an_earlier_version_with_such_values_is_restored_with_the_same_remedies() {
    let earlier =
        document(&[(LEVEL, json!("LOUD")), (FOLDER, json!("./data ")), ("TeamSettings.SiteName", json!("one"))]);
    let restored = written(&stored(&[]), ChangeMode::Restore, earlier).unwrap();
    assert_eq!(value(&restored, "TeamSettings.SiteName"), Some(&json!("one")));
    assert_eq!(value(&restored, LEVEL), Some(&json!("DEBUG")));
    assert_eq!(value(&restored, FOLDER), Some(&json!("./data /")));
}

#[test]
fn a_key_that_earlier_versions_did_not_read_stops_no_installation() {
    let unread = json!({
        "TeamSettings": { "siteNAME": "x".repeat(40), "maxusersperteam": 7 },
        "servicesettings": { "SiteURL": 5, "ReadTimeout": 0 },
        "LogSettings": { "AdvancedLoggingJSON": { "console": { "type": "console", "Levels": "all" } } },
    });
    let unread = unread.as_object().unwrap();
    let config = loaded(Defaults::Earlier, unread.clone(), Overrides::new());
    check(&config, &context()).unwrap();
    assert_eq!(value(&config, "TeamSettings.SiteName"), Some(&json!("Mattermost")));
    assert_eq!(value(&config, "TeamSettings.MaxUsersPerTeam"), Some(&json!(7)), "a right value counts");
    let dropped: Vec<String> = config.remedies.into_iter().map(|remedy| remedy.path).collect();
    let paths = [
        "ServiceSettings.SiteURL",
        "TeamSettings.SiteName",
        "ServiceSettings.ReadTimeout",
        "LogSettings.AdvancedLoggingJSON",
    ];
    assert_eq!(dropped, paths);
    let new = loaded(Defaults::Today, unread.clone(), Overrides::new());
    assert!(check(&new, &context()).is_err(), "a new installation has no earlier version");
}

#[test]
fn no_rule_makes_a_default_break() {
    // The marks of the rules are few. A new one is added with a case above.
    let marked = ["ConsoleLevel", "FileLevel", "ListenAddress", "MinimumDesktopAppVersion", "Directory", "PathPrefix"];
    let texts = placed().filter(|setting| setting.kind == Kind::String);
    for setting in texts {
        let config = stored(&[(&setting.path, json!(" \u{1}:x "))]);
        let is_marked = marked.iter().any(|marked| setting.path.ends_with(marked));
        assert!(config.remedies.is_empty() || is_marked, "{}", setting.path);
    }
}

#[test]
fn a_stored_address_with_a_password_is_named_without_it() {
    let redis = |address: &str| {
        let values = [("CacheSettings.CacheType", json!("redis")), ("CacheSettings.RedisAddress", json!(address))];
        stored(&values).notices().concat()
    };
    for address in ["redis://chat:planted@cache", "chat:planted@cache:6379", "http://chat:planted@cache"] {
        let notice = redis(address);
        assert!(
            notice.contains("(not shown) of CacheSettings.RedisAddress") && !notice.contains("planted"),
            "{notice}"
        );
    }
    assert!(redis("cache/1").contains("\"cache/1\" of CacheSettings.RedisAddress"));
}
