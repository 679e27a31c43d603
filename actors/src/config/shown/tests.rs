use serde_json::json;

use super::super::document::insert;
use super::super::table::{defaults, placed};
use super::*;

fn object(value: &Value) -> Document {
    value.as_object().unwrap().clone()
}

#[test]
fn a_text_without_a_mark_and_every_secret_is_hidden_whatever_it_is() {
    let mut document = defaults();
    let mut expected = Vec::new();
    for setting in placed() {
        let value = match setting.kind {
            Kind::String => json!("canary"),
            Kind::Strings => json!(["canary"]),
            Kind::Map => json!({ "canary": { "canary": "canary" } }),
            Kind::RawJson => json!({ "canary": "canary" }),
            Kind::Objects => json!([{ "DataSource": "canary", "canary": true }]),
            Kind::Bool | Kind::Int | Kind::Object => continue,
        };
        let may_be_shown = setting.mask.is_none() && setting.shown.is_some();
        if !may_be_shown {
            insert(&mut document, &setting.path, value);
            expected.push(setting.path.clone());
        }
    }
    document.insert("CanarySettings".to_owned(), json!({ "Key": "canary" }));
    let (shown, hidden) = shown(&document);
    let text = Value::Object(shown).to_string();
    assert!(!text.contains("canary"), "{text}");
    for path in expected {
        assert!(hidden.iter().any(|hidden| hidden.path.starts_with(&path)), "{path}");
    }
    assert!(hidden.iter().any(|hidden| hidden.path == "*"));
}

#[test]
fn a_text_that_may_contain_a_password_is_known_by_its_form() {
    for text in [
        "redis://chat:canary@cache",
        "cache.redis.windows.net:6380,password=canary,ssl=True",
        "redis://cache:6379/0?Password=canary",
    ] {
        for value in [json!(text), json!([text]), json!({ "Key": text })] {
            assert!(may_contain_password(&value), "{value}");
        }
    }
    for value in [json!("cache:6379"), json!("anna@example.org"), json!(["a:b"]), json!(null), json!(1)] {
        assert!(!may_contain_password(&value), "{value}");
    }
}

#[test]
fn a_password_in_an_address_is_hidden_wherever_it_stands() {
    for (address, is_read) in [
        ("postgres://user:canary@host/canary", true),
        ("postgres://user@host/canary?password=canary", true),
        // The store refuses a password that is given twice.
        ("postgres://user:canary@host/canary?password=canary", false),
    ] {
        let mut document = defaults();
        for setting in placed().filter(|setting| matches!(setting.kind, Kind::String | Kind::Strings)) {
            let value = if setting.kind == Kind::String { json!(address) } else { json!([address]) };
            insert(&mut document, &setting.path, value);
        }
        let text = Value::Object(shown(&document).0).to_string();
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(text.contains("postgres://****:****@host/****"), is_read, "{address}");
    }
}

#[test]
fn what_is_harmless_is_shown_and_what_is_of_another_kind_is_left_out() {
    let document = object(&json!({
        "ServiceSettings": { "SiteURL": "https://chat.example", "EnableLocalMode": true, "SessionCacheInMinutes": "canary" },
        "EmailSettings": { "SMTPPassword": "", "SMTPServer": null },
        "SqlSettings": { "DriverName": "postgres", "AtRestEncryptKey": "" },
    }));
    let (shown, hidden) = shown(&document);
    let expected = json!({
        "ServiceSettings": { "SiteURL": "https://chat.example", "EnableLocalMode": true },
        "EmailSettings": { "SMTPPassword": "", "SMTPServer": null },
        "SqlSettings": { "DriverName": "postgres", "AtRestEncryptKey": PLACEHOLDER },
    });
    assert_eq!(Value::Object(shown), expected);
    let paths: Vec<&str> = hidden.iter().map(|hidden| hidden.path.as_str()).collect();
    assert_eq!(paths, ["ServiceSettings.SessionCacheInMinutes", "SqlSettings.AtRestEncryptKey"]);
}
