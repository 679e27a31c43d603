use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::config::document::{Document, insert};
use crate::config::proposal::{ChangeMode, DecisionContext, Proposal, decide};
use crate::config::restored::restored;
use crate::config::secrets::PLACEHOLDER;
use crate::config::table::{Kind, settings};
use crate::config::{Author, Config, Override, Stored, Version};
use crate::session::{Session, SessionSelection};

#[test]
fn a_secret_does_not_print_itself() {
    assert_eq!(format!("{:?}", Secret::new("canary")), "Secret(***)");
}

#[test]
fn secrets_are_equal_when_their_texts_are() {
    assert_eq!(Secret::new("canary"), Secret::new("canary"));
    for other in ["canarx", "Canary", "canary ", "canar", ""] {
        assert_ne!(Secret::new("canary"), Secret::new(other));
    }
}

/// Returns a document with a recognisable value for every secret and for a key beside the settings.
fn document() -> Document {
    let mut document = Document::new();
    for setting in settings().values().filter(|setting| setting.mask.is_some() && !setting.path.contains('[')) {
        let value = match setting.kind {
            Kind::Strings => json!(["canary"]),
            Kind::Map => json!({ "plugin": { "canary": "canary" } }),
            Kind::Bool | Kind::Int | Kind::String | Kind::Object | Kind::Objects | Kind::RawJson => json!("canary"),
        };
        insert(&mut document, &setting.path, value);
    }
    insert(&mut document, "OwnSettings.Token", json!("canary"));
    document
}

#[test]
fn no_type_that_holds_secrets_prints_one() {
    let stored = Stored::new("version".to_owned(), document());
    let pinned = Override { value: json!("canary"), place: "config.toml:1".to_owned() };
    let overrides = crate::config::Overrides::from([("EmailSettings.SMTPPassword".to_owned(), pinned.clone())]);
    let config = Config::compose(Some(stored.clone()), overrides).unwrap();
    let context = DecisionContext {
        now_ms: 1,
        file_exists: Arc::new(|_| true),
        is_served: Arc::new(|_| false),
        fingerprint: Arc::new(|_: &str, value: &Value| format!("fingerprint {}", value != "")),
    };
    let mut body = Document::new();
    insert(&mut body, "PluginSettings.Plugins", json!({ "plugin": { "Zugang": "canary", "Url": "canary" } }));
    insert(&mut body, "OpenIdSettings.Secret", json!("canary"));
    let proposal = Proposal {
        mode: ChangeMode::Patch,
        body: body.clone(),
        may_write: Arc::new(|_| true),
        may_read: Arc::new(|_| true),
        is_local: true,
        may_keep_secrets: true,
    };
    let empty = Config::from_overrides([]).unwrap();
    let decision = decide(&empty, &proposal, &context).unwrap();
    let author = Author {
        user_id: String::new(),
        session_id: String::new(),
        address: String::new(),
        source: "cli",
        comment: String::new(),
    };
    let version = Version {
        stored: stored.clone(),
        replaces: None,
        at: 1,
        author,
        confirmation: None,
        takes_back: None,
        changes: decision.changes.iter().filter(|change| change.path == "OpenIdSettings.Secret").cloned().collect(),
    };
    assert_eq!(version.changes.len(), 1);
    let mut placeholders = Document::new();
    insert(&mut placeholders, "EmailSettings.SMTPPassword", json!(PLACEHOLDER));
    let session = Session {
        id: "session".to_owned(),
        token: Secret::new("canary"),
        create_at: 1,
        expires_at: 1,
        last_activity_at: 1,
        user_id: "user".to_owned(),
        device_id: "apple:canary".to_owned(),
        roles: String::new(),
        is_oauth: false,
        expired_notify: false,
        props: [("csrf".to_owned(), "canary".to_owned())].into(),
    };
    for text in [
        format!("{stored:?}"),
        format!("{pinned:?}"),
        format!("{:?}", config.overrides),
        format!("{config:?}"),
        format!("{:?}", config.view),
        format!("{decision:?}"),
        format!("{version:?}"),
        format!("{:?}", restored(&placeholders, &document())),
        format!("{session:?}"),
        format!("{:?}", SessionSelection::Token(Secret::new("canary"))),
    ] {
        assert!(!text.contains("canary"), "{text}");
    }
}
