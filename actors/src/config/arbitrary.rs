//! Generators of documents for property tests: any setting with any value of its type.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::document::{Document, insert};
use super::table::{Kind, Setting, defaults, placed};

/// Generates documents in which every setting has a value.
pub(super) fn documents() -> impl Strategy<Value = Document> {
    let settings: Vec<&Setting> = leaves().collect();
    let values: Vec<BoxedStrategy<Value>> = settings.iter().map(|setting| values(setting)).collect();
    values.prop_map(move |values| {
        settings_of(defaults(), settings.iter().map(|setting| setting.path.as_str()).zip(values))
    })
}

/// Generates documents in which some settings have a value or null.
pub(super) fn patches() -> impl Strategy<Value = Document> {
    let settings: Vec<&Setting> = leaves().collect();
    subsequence(settings, 0..40).prop_flat_map(|settings| {
        let values: Vec<BoxedStrategy<Value>> =
            settings.iter().map(|setting| prop_oneof![9 => values(setting), 1 => Just(Value::Null)].boxed()).collect();
        values.prop_map(move |values| {
            settings_of(Document::new(), settings.iter().map(|setting| setting.path.as_str()).zip(values))
        })
    })
}

/// Returns `document` with these settings.
pub(super) fn settings_of<'a>(
    mut document: Document,
    settings: impl IntoIterator<Item = (&'a str, Value)>,
) -> Document {
    for (path, value) in settings {
        insert(&mut document, path, value);
    }
    document
}

fn leaves() -> impl Iterator<Item = &'static Setting> {
    placed().filter(|setting| setting.kind != Kind::Object)
}

fn values(setting: &Setting) -> BoxedStrategy<Value> {
    match setting.kind {
        Kind::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Kind::Int => prop_oneof![Just(0), Just(i64::MAX), any::<i64>()].prop_map(Value::from).boxed(),
        Kind::String => texts(),
        Kind::Strings => vec(texts(), 0..4).prop_map(Value::from).boxed(),
        Kind::Objects => vec(texts(), 0..3)
            .prop_map(|texts| texts.into_iter().map(|text| json!({"DataSource": text, "QueryTimeLag": null})).collect())
            .boxed(),
        Kind::Map if setting.path.ends_with("PluginStates") => keyed(
            select(vec!["playbooks", "com.example.plugin"]),
            any::<bool>().prop_map(|truth| json!({"Enable": truth})).boxed(),
        ),
        Kind::Map if setting.path.ends_with("EventTargetMapping") => {
            keyed(select(vec!["flagged", "removed"]), vec(texts(), 0..3).prop_map(Value::from).boxed())
        }
        Kind::Map => keyed(select(vec!["com.example.plugin", "secretplugin"]), plugin_settings()),
        Kind::RawJson => select(vec![json!({}), json!([]), json!(""), json!({"console": {"type": "tcp"}})]).boxed(),
        Kind::Object => unreachable!("sections are no leaves"),
    }
}

fn texts() -> BoxedStrategy<Value> {
    let known = select(vec!["", "0", "PLAIN", "regular", "local", "https://chat.example/", "/help", " "]);
    prop_oneof![known.prop_map(Value::from), "[a-z,:/. *]{0,40}".prop_map(Value::from)].boxed()
}

fn plugin_settings() -> BoxedStrategy<Value> {
    let keys = select(vec!["ApiToken", "clientsecret", "Name", "Hosts", "EncryptionKey", "Null"]);
    let leaf = prop_oneof![
        texts(),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null)
    ];
    let value = leaf.prop_recursive(2, 8, 3, move |inner| {
        prop_oneof![vec(inner.clone(), 0..3).prop_map(Value::from), keyed(keys.clone(), inner.boxed())]
    });
    keyed(select(vec!["ApiToken", "clientsecret", "Name", "Hosts"]), value.boxed())
}

fn keyed(keys: impl Strategy<Value = &'static str> + 'static, values: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    btree_map(keys.prop_map(str::to_owned), values, 0..3).prop_map(|map| map.into_iter().collect()).boxed()
}
