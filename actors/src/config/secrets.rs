//! Secrets in a configuration: readers get a placeholder, which is replaced with the secret when it is submitted.

use std::sync::LazyLock;

use serde_json::Value;

use super::column::Mask;
use super::document::{Document, below, steps};
use super::shown::may_contain_password;
use super::table::{Kind, Node, Setting, settings, tree};
use crate::redis_address::RedisAddress;
use crate::secret::Secret;
use crate::steps::{counted, walked};

/// The text in place of a secret in a response. It is long enough to pass the checks of length.
pub const PLACEHOLDER: &str = "********************************";

/// Words that mark a key of a plugin's settings as secret, because plugins do not declare their secrets to this server.
const SECRET_WORDS: [&str; 5] = ["secret", "token", "password", "key", "salt"];

/// The setting whose value is secret if it contains a password. New values cannot contain one, stored values of earlier
/// versions can.
const REDIS_ADDRESS: &str = "CacheSettings.RedisAddress";

static SECRETS: LazyLock<Vec<&'static Setting>> =
    LazyLock::new(|| settings().values().filter(|setting| setting.mask.is_some()).collect());

/// Returns `document` with the placeholder in place of each secret.
pub fn masked(document: &Document) -> Document {
    let mut masked = document.clone();
    each(&mut masked, &mut |_, mask, secret| {
        let is_shown = mask == Mask::NonEmpty && *secret == "";
        if !is_shown {
            *secret = Value::from(PLACEHOLDER);
        }
    });
    masked
}

/// Returns all secret texts in `document`, at any depth, without empty ones.
pub fn texts(document: &Document) -> Vec<Secret> {
    let mut texts = Vec::new();
    each(&mut document.clone(), &mut |_, _, secret| texts_in(secret, &mut texts));
    texts
}

fn texts_in(value: &Value, texts: &mut Vec<Secret>) {
    match value {
        Value::String(text) if !text.is_empty() => texts.push(Secret::new(text.as_str())),
        Value::Array(items) => items.iter().for_each(|item| texts_in(item, texts)),
        Value::Object(members) => members.values().for_each(|member| texts_in(member, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Calls `visit` with the path, the mask and the value of each secret that is not null.
pub(super) fn each(document: &mut Document, visit: &mut dyn FnMut(&str, Mask, &mut Value)) {
    for setting in SECRETS.iter() {
        let Some(mask) = setting.mask else { continue };
        let steps: Vec<&str> = steps(&setting.path).collect();
        let Some((section, rest)) = steps.split_first() else { continue };
        let Some(value) = document.get_mut(*section) else { continue };
        each_at(value, section, rest, &mut |path, value| each_of(mask, value, path, visit));
    }
    let redis_address = document.get_mut("CacheSettings").and_then(|section| section.get_mut("RedisAddress"));
    if let Some(address) = redis_address.filter(|address| is_address_with_password(address)) {
        visit(REDIS_ADDRESS, Mask::Always, address);
    }
    each_extra(document, tree(), "", &mut |path, value| visit(path, Mask::Keys, value));
}

/// Returns true for an address in a form that earlier versions stored, if it may contain a password. An address that is
/// valid today contains none.
fn is_address_with_password(address: &Value) -> bool {
    let is_valid = address.as_str().is_some_and(|address| RedisAddress::parse(address).is_ok());
    !is_valid && may_contain_password(address)
}

/// Visits the secrets among keys that the table does not know. They are recognised by name, as the settings of plugins
/// are.
fn each_extra(section: &mut Document, node: &Node, path: &str, visit: &mut dyn FnMut(&str, &mut Value)) {
    for (key, value) in section {
        let path = below(path, key);
        match (node.children.get(key.as_str()), value) {
            (None, value) if is_secret(key, value) => visit(&path, value),
            (None, value) => each_key(value, &path, visit),
            (Some(node), Value::Object(section)) if node.kind() == Kind::Object => {
                each_extra(section, node, &path, visit);
            }
            (Some(_), _) => {}
        }
    }
}

/// Returns true if a setting is a secret or a list that contains some.
pub(super) fn holds_secrets(setting: &Setting) -> bool {
    let is_above =
        |secret: &&Setting| secret.path.strip_prefix(&setting.path).is_some_and(|rest| rest.starts_with("[]"));
    setting.mask.is_some() || SECRETS.iter().any(is_above)
}

fn each_at(value: &mut Value, path: &str, steps: &[&str], visit: &mut dyn FnMut(&str, &mut Value)) {
    match steps.split_first() {
        None => visit(path, value),
        Some((&"[]", rest)) => {
            for (position, element) in counted(value.as_array_mut().into_iter().flatten()).enumerate() {
                each_at(element, &format!("{path}[{position}]"), rest, visit);
            }
        }
        Some((key, rest)) => {
            if let Some(value) = value.get_mut(*key) {
                each_at(value, &below(path, key), rest, visit);
            }
        }
    }
}

fn each_of(mask: Mask, value: &mut Value, path: &str, visit: &mut dyn FnMut(&str, Mask, &mut Value)) {
    match mask {
        Mask::Always | Mask::NonEmpty if value.is_null() => {}
        Mask::Always | Mask::NonEmpty => visit(path, mask, value),
        Mask::Elements => each_at(value, path, &["[]"], &mut |path, value| visit(path, mask, value)),
        Mask::Keys => {
            for (id, settings) in value.as_object_mut().into_iter().flatten() {
                each_key(settings, &below(path, id), &mut |path, value| visit(path, mask, value));
            }
        }
    }
}

fn each_key(value: &mut Value, path: &str, visit: &mut dyn FnMut(&str, &mut Value)) {
    match value {
        Value::Object(settings) => {
            for (key, value) in settings {
                let path = below(path, key);
                if is_secret(key, value) {
                    visit(&path, value);
                } else {
                    each_key(value, &path, visit);
                }
            }
        }
        Value::Array(_) => {
            for (position, element) in counted(value.as_array_mut().into_iter().flatten()).enumerate() {
                each_key(element, &format!("{path}[{position}]"), visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Returns the place and the value of each secret below a plugin's settings. The place is that of `path` and the keys
/// below it.
pub(super) fn below_plugin(settings: &Value, path: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    each_key(&mut settings.clone(), path, &mut |path, secret| found.push((path.to_owned(), secret.clone())));
    found
}

fn is_secret(key: &str, value: &Value) -> bool {
    walked(key.len());
    let key = key.to_lowercase();
    let is_switch = value.is_null() || value.is_boolean();
    !is_switch && SECRET_WORDS.iter().any(|word| key.contains(word))
}

#[cfg(test)]
mod tests;
