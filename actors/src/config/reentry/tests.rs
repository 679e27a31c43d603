use serde_json::json;

use super::super::document::{found, insert, remove};
use super::super::secrets::masked;
use super::super::table::{defaults, settings};
use super::*;

const PASSWORD: &str = "EmailSettings.SMTPPassword";

/// The secrets that a client may test with a placeholder.
const TRIED: [&str; 5] = [
    PASSWORD,
    "FileSettings.AmazonS3SecretAccessKey",
    "FileSettings.AzureAccessKey",
    "FileSettings.ExportAmazonS3SecretAccessKey",
    "FileSettings.ExportAzureAccessKey",
];

fn running(password: &str) -> Document {
    let mut running = defaults();
    insert(&mut running, PASSWORD, json!(password));
    running
}

fn kept_paths(running: &Document, after: &Document, entered: &Document) -> Vec<String> {
    kept(running, after, entered).into_iter().map(|kept| kept.path).collect()
}

fn companions(secret: &str) -> &'static [&'static str] {
    match destination(secret) {
        Some(Destination::To(companions)) => companions,
        Some(Destination::WhereItSays | Destination::Within | Destination::Nowhere) | None => &[],
    }
}

fn change(document: &mut Document, path: &str) {
    let value = found(document, path).unwrap();
    *value = match value {
        Value::Bool(is_on) => json!(!*is_on),
        Value::Null => json!(true),
        Value::Number(_) => json!(4711),
        Value::String(_) | Value::Array(_) | Value::Object(_) => json!("other"),
    };
}

#[test]
fn every_secret_has_a_row_and_its_companions_are_settings_that_are_none() {
    let secrets: Vec<&str> =
        settings().values().filter(|setting| setting.mask.is_some()).map(|setting| setting.path.as_str()).collect();
    for secret in &secrets {
        assert!(destination(secret).is_some(), "{secret}: say in ROWS where it goes, or that it goes nowhere");
    }
    for (secret, goes) in ROWS {
        assert!(secrets.contains(&secret), "{secret}");
        assert!(!matches!(goes, Destination::To([])), "{secret}");
        for path in companions(secret) {
            assert!(settings()[*path].mask.is_none(), "{path}");
        }
    }
    assert_eq!(secrets.len(), ROWS.len());
}

#[test]
fn a_secret_is_reused_where_every_companion_is_as_in_force() {
    let running = running("hunter2");
    assert!(reusable(PASSWORD, &masked(&running), &running));
    let mut submitted = masked(&running);
    insert(&mut submitted, "EmailSettings.FeedbackName", json!("Another"));
    assert!(reusable(PASSWORD, &submitted, &running), "what is no companion may differ");
}

#[test]
fn a_companion_that_differs_or_is_missing_asks_for_the_secret_in_a_test() {
    for secret in TRIED {
        let mut running = defaults();
        insert(&mut running, secret, json!("hunter2"));
        assert!(reusable(secret, &masked(&running), &running), "{secret}");
        for path in companions(secret).iter().filter(|path| **path != INSECURE) {
            let mut changed = masked(&running);
            change(&mut changed, path);
            assert!(!reusable(secret, &changed, &running), "{path} changed");
            let mut lacking = masked(&running);
            remove(&mut lacking, path);
            assert!(!reusable(secret, &lacking, &running), "{path} missing");
        }
    }
    for (secret, paths) in TRIED_WITH {
        let mut running = defaults();
        insert(&mut running, secret, json!("hunter2"));
        for path in paths {
            let mut changed = masked(&running);
            change(&mut changed, path);
            assert!(!reusable(secret, &changed, &running), "{path} changed");
        }
    }
}

#[test]
fn what_is_not_there_and_what_has_no_companions_is_not_reused() {
    let with_none = running("");
    assert!(!reusable(PASSWORD, &with_none, &with_none));
    let other = running("hunter2");
    assert!(!reusable("FileSettings.PublicLinkSalt", &other, &other));
}

#[test]
fn a_change_of_any_companion_keeps_the_secret_unless_it_is_entered_in_the_same_request() {
    for (secret, _) in ROWS {
        for companion in companions(secret) {
            let mut running = defaults();
            // This setting has a default, which would count as a stored secret.
            insert(&mut running, "SqlSettings.DataSource", json!(""));
            let is_list = given(&running, secret).is_some_and(Value::is_array);
            let value = if is_list { json!(["hunter2"]) } else { json!("hunter2") };
            insert(&mut running, secret, value.clone());
            let mut after = running.clone();
            change(&mut after, companion);
            let entered = |value: Value| {
                let mut entered = Document::new();
                insert(&mut entered, secret, value);
                entered
            };
            assert_eq!(kept_paths(&running, &after, &Document::new()), [secret], "{companion}");
            assert_eq!(kept_paths(&running, &after, &entered(json!(PLACEHOLDER))), [secret], "{companion}");
            assert_eq!(kept_paths(&running, &after, &entered(json!("a guess"))), [secret], "pinned: {companion}");
            assert!(kept_paths(&running, &after, &entered(value)).is_empty(), "{companion}");
            let other = if is_list { json!(["new"]) } else { json!("new") };
            insert(&mut after, secret, other.clone());
            assert!(kept_paths(&running, &after, &entered(other)).is_empty(), "{companion}");
            assert!(kept_paths(&running, &running, &Document::new()).is_empty());
        }
    }
}

#[test]
fn nothing_is_kept_where_no_secret_is_set_and_where_nothing_moves() {
    let running = running("");
    let mut after = running.clone();
    change(&mut after, "EmailSettings.SMTPServer");
    assert!(kept_paths(&running, &after, &Document::new()).is_empty());
    let running = super::tests::running("hunter2");
    let mut after = running.clone();
    change(&mut after, "EmailSettings.FeedbackName");
    assert!(kept_paths(&running, &after, &Document::new()).is_empty());
}

#[test]
fn the_settings_of_a_plugin_change_around_a_placeholder_only_as_a_whole() {
    let plugins = |value: Value| json!({ "PluginSettings": { "Plugins": value } }).as_object().unwrap().clone();
    let running =
        plugins(json!({ "one": { "Url": "https://own.example", "Token": "hunter2" }, "two": { "Token": "t" } }));
    let after =
        plugins(json!({ "one": { "Url": "https://evil.example", "Token": "hunter2" }, "two": { "Token": "t" } }));
    let entered = plugins(json!({ "one": { "Url": "https://evil.example", "Token": PLACEHOLDER } }));
    assert_eq!(kept_paths(&running, &after, &entered), ["PluginSettings.Plugins.one"]);
    assert_eq!(kept(&running, &after, &entered)[0].pointer, "/PluginSettings/Plugins/one");
    let same = plugins(json!({ "one": { "Url": "https://own.example", "Token": PLACEHOLDER } }));
    assert!(kept_paths(&running, &running, &same).is_empty());
    let clear = plugins(json!({ "one": { "Url": "https://evil.example", "Token": "hunter2" } }));
    assert!(kept_paths(&running, &after, &clear).is_empty());
    let left_out = plugins(json!({ "one": { "Url": "https://evil.example" } }));
    assert_eq!(kept_paths(&running, &after, &left_out), ["PluginSettings.Plugins.one"]);
    assert!(kept_paths(&running, &running, &left_out).is_empty());
    let replaced =
        plugins(json!({ "one": { "Url": "https://evil.example", "Token": "own" }, "two": { "Token": "t" } }));
    assert!(kept_paths(&running, &replaced, &replaced).is_empty());
    let removed = plugins(json!({ "one": { "Url": "https://evil.example" }, "two": { "Token": "t" } }));
    assert!(kept_paths(&running, &removed, &Document::new()).is_empty());
}
