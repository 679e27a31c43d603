//! What every store can do, and how it tells what went wrong.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use quarterdeck_actors::storage::report::{Kind, Step, Trouble};

use super::endpoint::Endpoint;

/// What an operation gives.
pub(super) type Done<'a, T> = BoxFuture<'a, Result<T, Trouble>>;

/// A place that keeps objects under keys. Keys are relative to the prefix of the settings.
pub(super) trait Objects: Send + Sync {
    /// What it is, without secrets.
    fn about(&self) -> &About;

    /// The host behind it, if there is one.
    fn endpoint(&self) -> Option<Endpoint>;

    /// Finds the bucket and lists what is under the prefix; the step of the trouble tells how far it came.
    fn look(&self) -> Done<'_, ()>;

    /// Stores an object as a whole, or not at all.
    fn write<'a>(&'a self, key: &'a str, content: Bytes) -> Done<'a, ()>;

    /// Gives an object's content.
    fn read<'a>(&'a self, key: &'a str) -> Done<'a, Bytes>;

    /// Deletes an object; one that is not there counts as deleted.
    fn delete<'a>(&'a self, key: &'a str) -> Done<'a, ()>;
}

/// What a store is, in words that a report may show.
#[derive(Debug, Clone)]
pub(super) struct About {
    /// The name of the driver.
    pub(super) driver: &'static str,
    /// Where objects are kept.
    pub(super) target: String,
    /// On whose behalf.
    pub(super) identity: String,
    /// The changes that were made to the settings before use, in words.
    pub(super) note: Option<String>,
    /// How long one request may take.
    pub(super) patience: Duration,
    /// The setting that says where the host is.
    pub(super) place: &'static str,
    /// The setting that turns TLS on.
    pub(super) tls: &'static str,
}

/// Settings that no backend can be made from.
pub(super) fn unusable(cause: impl Into<String>, remedy: impl Into<String>) -> Trouble {
    Trouble { step: Step::Settings, kind: Kind::Unusable, code: None, cause: cause.into(), remedy: remedy.into() }
}

/// A step that took longer than it may.
pub(super) fn too_slow(step: Step, about: &About) -> Trouble {
    Trouble {
        step,
        kind: Kind::Other,
        code: Some("Timeout".to_owned()),
        cause: "no answer in time".to_owned(),
        remedy: format!(
            "Check that {} is right, that what is there works, and that nothing between holds its answers back.",
            about.place
        ),
    }
}

/// `prefix/key`, without doubled slashes; a key that would climb out of the prefix is reduced to its last element.
pub(super) fn joined(prefix: &str, key: &str) -> String {
    let climbs = key.split('/').any(|element| element == "..");
    let key = if climbs { key.rsplit('/').find(|element| *element != "..").unwrap_or_default() } else { key };
    match (prefix.trim_matches('/'), key) {
        ("", only) | (only, "") => only.to_owned(),
        (prefix, key) => format!("{prefix}/{key}"),
    }
}

/// A provider's own code, or the status where it gives none. What does not read like a code is not passed on: it may be
/// anything that a host says.
pub(super) fn code_or_status(code: Option<&str>, status: u16) -> String {
    code.filter(|code| is_code(code)).map_or_else(|| format!("HTTP {status}"), str::to_owned)
}

/// True when it is a short word of letters and digits, as codes of providers are.
pub(super) fn is_code(text: &str) -> bool {
    const LONGEST_CODE: usize = 64;
    let begins_well = text.starts_with(|first: char| first.is_ascii_alphabetic());
    begins_well && text.len() <= LONGEST_CODE && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// True when a prefix, or a part of it, is a step to another place: it would lead out of the bucket.
pub(super) fn climbs(prefix: &str) -> bool {
    prefix.split(['/', '\\']).any(|element| matches!(element, "." | ".."))
}
