//! Tests of reading a licence and of putting it in force.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::client::{facts, told, told_to_anybody};
use super::*;
use crate::clock::{DAY_MS, HOUR_MS};
use crate::config::client::Tier;
use crate::waiting::until;

/// A table that a test can make unavailable. It holds the text of the licence in force.
#[derive(Default)]
struct Table {
    text: Mutex<Option<String>>,
    changes: AtomicUsize,
    is_away: AtomicBool,
}

impl Table {
    fn set(&self, text: Option<String>) -> BoxFuture<'static, Result<String, AppError>> {
        if self.is_away.load(Ordering::Relaxed) {
            return async { Err(AppError::new("app.system.save.app_error")) }.boxed();
        }
        *self.text.lock().unwrap() = text;
        let mark = self.changes.fetch_add(1, Ordering::Relaxed) + 1;
        async move { Ok(mark.to_string()) }.boxed()
    }

    /// Starts a server on this table.
    fn start(self: &Arc<Self>, found: Option<License>) -> LicenseHandle {
        let mark = self.changes.load(Ordering::Relaxed).to_string();
        LicenseHandle::start(self.clone(), Arc::new(Unsigned), (found, mark))
    }
}

impl LicenseStore for Table {
    fn install(&self, _: String, text: String, _: Option<String>) -> BoxFuture<'static, Result<String, AppError>> {
        self.set(Some(text))
    }

    fn remove(&self) -> BoxFuture<'static, Result<String, AppError>> {
        self.set(None)
    }

    fn load(&self) -> BoxFuture<'static, Result<StoredLicense, AppError>> {
        if self.is_away.load(Ordering::Relaxed) {
            return async { Err(AppError::new("app.license.get.app_error")) }.boxed();
        }
        let (mark, text) = (self.changes.load(Ordering::Relaxed).to_string(), self.text.lock().unwrap().clone());
        async { Ok(StoredLicense { mark, text }) }.boxed()
    }
}

/// Takes the text for the document.
struct Unsigned;

impl LicenseVerifier for Unsigned {
    fn verify(&self, text: &str) -> Result<License, AppError> {
        License::read(text.as_bytes())
    }
}

/// Returns a licence with this id, and its text.
fn named(id: &str) -> (License, String) {
    let mut document = document();
    document["id"] = id.into();
    (read(&document).unwrap(), document.to_string())
}

/// Returns the id of the licence in force.
fn id_of(handle: &LicenseHandle) -> Option<String> {
    handle.current().map(|license| license.id.clone())
}

const ID: &str = "abcdefghijklmnopqrstuvwxyz";

fn document() -> Value {
    json!({
        "id": ID, "issued_at": 1, "starts_at": 2, "expires_at": 1_000,
        "customer": { "id": "c", "name": "Anna", "email": "anna@example.org", "company": "Example" },
        "features": { "users": 10, "ldap": false }, "sku_name": "Enterprise", "sku_short_name": "enterprise",
    })
}

fn read(document: &Value) -> Result<License, AppError> {
    License::read(document.to_string().as_bytes())
}

#[test]
fn what_a_licence_does_not_name_is_filled_in() {
    let license = read(&document()).unwrap();
    let features = serde_json::to_value(&license.features).unwrap();
    assert_eq!((&features["ldap"], &features["mfa"], &features["cloud"]), (&json!(false), &json!(true), &json!(false)));
    assert_eq!((&features["auto_translation"], &features["users"]), (&Value::Null, &json!(10)));
    let mut modest = document();
    modest["features"] = json!({ "users": 1, "future_features": false });
    let modest = read(&modest).unwrap().features;
    assert!(!modest.has("mfa") && modest.has("announcement") && modest.has("theme_management"));
}

#[test]
fn clients_are_told_39_keys_and_strangers_7_fewer() {
    let license = read(&document()).unwrap();
    let all = told(Some(&license));
    assert_eq!((all.len(), all["IsLicensed"].as_str(), all["ExpiresAt"].as_str()), (39, "true", "1000"));
    let sanitized = told_to_anybody(Some(&license));
    assert_eq!((sanitized.len(), sanitized["Company"].as_str()), (32, "Example"));
    assert_eq!(told(None), told_to_anybody(None));
    let facts = facts(&license);
    assert!(facts.features.contains("ThemeManagement") && !facts.features.contains("LDAP"));
    assert_eq!(facts.tier, Tier::Enterprise);
}

#[test]
fn the_editions_have_an_order_and_shared_channels_begin_with_professional() {
    let of = |edition: &str| {
        let mut document = document();
        document["sku_short_name"] = json!(edition);
        document["features"] = json!({ "users": 10, "shared_channels": false, "future_features": false });
        facts(&read(&document).unwrap())
    };
    let editions = ["E20", "professional", "enterprise", "advanced", "entry"].map(of);
    assert!(editions.windows(2).all(|pair| pair[0].tier < pair[1].tier), "{editions:?}");
    assert_eq!(editions.map(|facts| facts.has_shared_channels), [false, true, true, true, true]);
    let mut single = document();
    single["sku_short_name"] = json!("E20");
    single["features"] = json!({ "users": 10, "shared_channels": true });
    assert!(facts(&read(&single).unwrap()).has_shared_channels, "a single feature counts without an edition");
}

#[test]
fn what_is_no_licence_is_refused() {
    let deep = format!("{{\"limits\":{}", "[".repeat(100_000));
    for broken in ["", "[]", "null", "{", deep.as_str(), r#"{"features":{"users":"ten"},"customer":{}}"#] {
        assert_eq!(License::read(broken.as_bytes()).unwrap_err().id, "api.unmarshal_error");
    }
    for lacking in [r#"{"customer":{}}"#, r#"{"features":{"users":1}}"#] {
        let refusal = License::read(lacking.as_bytes()).unwrap_err();
        assert_eq!(refusal.id, "api.license.add_license.invalid.app_error");
    }
}

#[test]
fn seats_come_before_the_end_and_both_before_the_row() {
    let license = read(&document()).unwrap();
    let refused = |used, now| license.check(used, now).map_err(|refusal| refusal.id);
    assert_eq!(refused(10, 1_000), Ok(()));
    assert_eq!(refused(11, 1_001).unwrap_err(), "api.license.add_license.unique_users.app_error");
    assert_eq!(refused(10, 1_001).unwrap_err(), "api.license.add_license.expired.app_error");
    let not_started = "api.license.add_license.expired.app_error#not_started";
    assert_eq!((refused(10, 2 - HOUR_MS), refused(10, 1 - HOUR_MS).unwrap_err().as_ref()), (Ok(()), not_started));
    assert!(license.check_row(&"x".repeat(10_000)).is_ok());
    let too_long = license.check_row(&"x".repeat(10_001)).unwrap_err();
    assert_eq!(too_long.id, "model.license_record.is_valid.bytes.app_error");
    assert_eq!((license.load(0), license.load(3), license.load(11)), (0, 300, 1_100));
}

#[actix_rt::test]
async fn a_licence_is_in_force_once_stored_until_it_is_removed_and_survives_a_crash() {
    let table = Arc::new(Table::default());
    let handle = table.start(None);
    let license = handle.install(read(&document()).unwrap(), "text".to_owned(), None).await.unwrap();
    assert!(handle.is_current(Some(&license)) && table.text.lock().unwrap().as_deref() == Some("text"));
    handle.vitals().crash();
    until("the actor is rebuilt", async || handle.vitals().restarts() > 0).await;
    assert!(handle.is_current(Some(&license)));
    handle.remove().await.unwrap();
    handle.remove().await.unwrap();
    assert!(handle.is_current(None) && table.text.lock().unwrap().is_none());
}

#[actix_rt::test]
async fn a_server_follows_what_another_one_installed_and_removes_also_what_it_does_not_know() {
    let table = Arc::new(Table::default());
    let (one, other) = (table.start(None), table.start(None));
    let (license, text) = named("first");
    one.install(license, text, None).await.unwrap();
    assert_eq!(id_of(&other), None);
    other.remove().await.unwrap();
    assert_eq!((id_of(&other), table.text.lock().unwrap().clone()), (None, None), "removed although it was not known");
    one.refresh().await.unwrap();
    assert_eq!(id_of(&one), None);
    let (license, text) = named("second");
    one.install(license, text, None).await.unwrap();
    let mut changes = other.follow();
    other.refresh().await.unwrap();
    assert_eq!(id_of(&other).as_deref(), Some("second"));
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    other.refresh().await.unwrap();
    assert!(!changes.has_changed().unwrap(), "what is known is not published again");
    table.is_away.store(true, Ordering::Relaxed);
    assert_eq!(other.refresh().await.unwrap_err().id, "app.license.get.app_error");
    assert_eq!(id_of(&other).as_deref(), Some("second"));
}

#[actix_rt::test]
async fn a_licence_that_cannot_be_used_leaves_the_earlier_one_in_force() {
    let table = Arc::new(Table::default());
    let (license, text) = named("first");
    table.set(Some(text)).await.unwrap();
    let handle = table.start(Some(license));
    table.set(Some("unreadable".to_owned())).await.unwrap();
    for _ in 0..2 {
        handle.refresh().await.unwrap();
        assert_eq!(id_of(&handle).as_deref(), Some("first"));
    }
    handle.remove().await.unwrap();
    assert_eq!((id_of(&handle), table.text.lock().unwrap().clone()), (None, None));
}

#[actix_rt::test]
async fn a_licence_of_the_environment_stays_until_a_server_installs_or_removes_one_and_a_crash_changes_nothing() {
    let table = Arc::new(Table::default());
    table.set(Some(named("stored").1)).await.unwrap();
    let handle = table.start(Some(named("environment").0));
    handle.refresh().await.unwrap();
    handle.vitals().crash();
    until("the actor is rebuilt", async || handle.vitals().restarts() > 0).await;
    handle.refresh().await.unwrap();
    assert_eq!(id_of(&handle).as_deref(), Some("environment"));
    // Another server removed the licence: the store is as empty as it may have been before, and the mark is another.
    table.set(None).await.unwrap();
    handle.refresh().await.unwrap();
    assert_eq!(id_of(&handle), None);
}

#[actix_rt::test]
async fn what_cannot_be_stored_is_not_published() {
    let table = Arc::new(Table::default());
    let handle = table.start(None);
    let license = handle.install(read(&document()).unwrap(), String::new(), None).await.unwrap();
    table.is_away.store(true, Ordering::Relaxed);
    assert!(handle.remove().await.is_err());
    assert!(handle.install(read(&document()).unwrap(), String::new(), None).await.is_err());
    assert!(handle.is_current(Some(&license)));
}

#[test]
fn a_trial_says_so_or_has_the_usual_length_and_another_length_was_agreed_upon() {
    let of = |is_trial: bool, duration: i64| {
        let mut document = document();
        document["is_trial"] = is_trial.into();
        document["expires_at"] = (2 + duration).into();
        let license = read(&document).unwrap();
        (license.is_for_trying(), license.is_only_once())
    };
    for usual in [30 * DAY_MS + 8 * HOUR_MS, 31 * DAY_MS - 1_000] {
        assert_eq!((of(false, usual), of(true, usual)), ((true, true), (true, true)));
        assert_eq!(of(false, usual + 1), (false, false));
    }
    assert_eq!((of(true, 30 * DAY_MS - 1_000), of(true, 30 * DAY_MS - 999)), ((true, false), (true, true)));
    assert_eq!((of(true, 32 * DAY_MS - 1_000), of(true, 32 * DAY_MS - 1_001)), ((true, false), (true, true)));
    assert_eq!((of(false, 365 * DAY_MS), of(true, i64::MAX - 2)), ((false, false), (true, false)));
}

#[test]
fn a_document_takes_steps_in_proportion_to_its_length_whatever_is_in_it() {
    type Shape = fn(usize) -> String;
    let shapes: [(&str, Shape); 6] = [
        ("members", |size| numbered(size, '9')),
        ("features", |size| format!(r#""features":{{{}"users":5}},"#, numbered(size, '1'))),
        ("the same feature", |size| format!(r#""features":{{{}"users":5}},"#, r#""ldap":true,"#.repeat(size))),
        ("lists in lists", |size| format!(r#""limits":{}"#, "[".repeat(size))),
        ("a text of escapes", |size| format!(r#""sku_name":"{}","#, r"\\".repeat(size))),
        ("a text that does not end", |size| format!(r#""sku_name":"{}"#, r"\".repeat(size))),
    ];
    for (what, shape) in shapes {
        crate::steps::assert_linear(what, 1_000, |size| {
            let document = format!(r#"{{{}"customer":{{}},"features":{{"users":5}}}}"#, shape(size));
            let _ = License::read(document.as_bytes());
        });
    }
}

/// Returns `size` members with distinct names.
fn numbered(size: usize, value: char) -> String {
    (0..size).fold(String::new(), |text, at| text + &format!("\"member{at:07}\":{value},"))
}
