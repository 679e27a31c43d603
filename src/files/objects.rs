//! The operations that every file store has, and helpers for its errors.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use quarterdeck_actors::storage::report::{Kind, Step, StepFailure};

use super::endpoint::Endpoint;

/// The result of an operation.
pub(super) type Done<'a, T> = BoxFuture<'a, Result<T, StepFailure>>;

/// A store of objects under keys. The keys are relative to the prefix in the settings.
pub(super) trait Objects: Send + Sync {
    /// Returns the description of the store, without secrets.
    fn about(&self) -> &StoreDescription;

    /// Returns the host of the store, if it has one.
    fn endpoint(&self) -> Option<Endpoint>;

    /// Finds the bucket and lists the objects under the prefix. On failure, the failure names the step that failed.
    fn look(&self) -> Done<'_, ()>;

    /// Stores an object completely, or not at all.
    fn write<'a>(&'a self, key: &'a str, content: Bytes) -> Done<'a, ()>;

    /// Returns the content of an object.
    fn read<'a>(&'a self, key: &'a str) -> Done<'a, Bytes>;

    /// Deletes an object. A missing object counts as deleted.
    fn delete<'a>(&'a self, key: &'a str) -> Done<'a, ()>;
}

/// The description of a store that a report may show.
#[derive(Debug, Clone)]
pub(super) struct StoreDescription {
    /// The name of the driver.
    pub(super) driver: &'static str,
    /// The place where objects are stored.
    pub(super) target: String,
    /// The identity that the store is used with.
    pub(super) identity: String,
    /// The changes made to the settings before use, in words.
    pub(super) note: Option<String>,
    /// The timeout of one request.
    pub(super) request_timeout: Duration,
    /// The name of the setting with the host.
    pub(super) place: &'static str,
    /// The name of the setting that turns TLS on.
    pub(super) tls: &'static str,
}

/// Returns the failure for settings that no backend can use.
pub(super) fn unusable(cause: impl Into<String>, remedy: impl Into<String>) -> StepFailure {
    StepFailure { step: Step::Settings, kind: Kind::Unusable, code: None, cause: cause.into(), remedy: remedy.into() }
}

/// Returns the failure for a step that timed out.
pub(super) fn too_slow(step: Step, about: &StoreDescription) -> StepFailure {
    StepFailure {
        step,
        kind: Kind::Other,
        code: Some("Timeout".to_owned()),
        cause: "no response in time".to_owned(),
        remedy: format!(
            "Check {}, that the store works, and that no proxy or firewall delays its responses.",
            about.place
        ),
    }
}

/// Returns `prefix/key` without doubled slashes. A key with `..` is reduced to its last element.
pub(super) fn joined(prefix: &str, key: &str) -> String {
    let climbs = key.split('/').any(|element| element == "..");
    let key = if climbs { key.rsplit('/').find(|element| *element != "..").unwrap_or_default() } else { key };
    match (prefix.trim_matches('/'), key) {
        ("", only) | (only, "") => only.to_owned(),
        (prefix, key) => format!("{prefix}/{key}"),
    }
}

/// Returns true if a response is an HTML page, as proxies, login forms and consoles send. Stores send XML, some of them
/// with the wrong content type.
pub(super) fn is_page(content_type: Option<&str>, body: &[u8]) -> bool {
    let begins_with = |text: &[u8], word: &str| {
        text.get(..word.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(word.as_bytes()))
    };
    let has_type = content_type.is_some_and(|kind| begins_with(kind.trim_start().as_bytes(), "text/html"));
    let body = body.trim_ascii_start();
    let is_xml = ["<?xml", "<Error"].iter().any(|word| begins_with(body, word));
    (has_type && !is_xml) || ["<!doctype html", "<html"].iter().any(|word| begins_with(body, word))
}

/// Returns the failure for an HTML page instead of the response of a store.
pub(super) fn page(step: Step, status: u16, store: &str, about: &StoreDescription, is_tls: bool) -> StepFailure {
    // Before the first successful list it is not known that the store itself answers.
    let step = if step == Step::List { Step::Authenticate } else { step };
    let tls = if is_tls { String::new() } else { format!(" If it expects TLS, turn {} on.", about.tls) };
    StepFailure {
        step,
        kind: Kind::Other,
        code: Some(format!("HTTP {status}")),
        cause: "the response is an HTML page, as a proxy, a login form or a console sends it".to_owned(),
        remedy: format!(
            "Set {} to the host and port of {store} itself, and let a proxy between pass its requests on.{tls}",
            about.place
        ),
    }
}

/// Returns the provider's error code, or the HTTP status without one. A text that does not look like a code is not
/// passed on, because a hostile host can put anything there.
pub(super) fn code_or_status(code: Option<&str>, status: u16) -> String {
    code.filter(|code| is_code(code)).map_or_else(|| format!("HTTP {status}"), str::to_owned)
}

/// Returns true for a short word of letters and digits, as the providers' error codes are.
pub(super) fn is_code(text: &str) -> bool {
    const MAX_CODE_CHARACTERS: usize = 64;
    let begins_well = text.starts_with(|first: char| first.is_ascii_alphabetic());
    begins_well && text.len() <= MAX_CODE_CHARACTERS && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Returns true when the prefix contains `.` or `..` as an element, which could lead out of the bucket.
pub(super) fn climbs(prefix: &str) -> bool {
    prefix.split(['/', '\\']).any(|element| matches!(element, "." | ".."))
}
