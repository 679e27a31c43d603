//! Requires that a caller enters a secret again before the server sends it to another host than before.
//!
//! A stored or pinned secret is sent only to the host where it is in use. Otherwise a caller who may test or save
//! settings, but may not read all of them, could redirect it to a server of their own.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{Document, below, given};
use super::secrets::{PLACEHOLDER, below_plugin};
use super::shape::pointer_below;
use crate::steps::counted;

/// The companions of the secret of an identity provider.
macro_rules! open_id {
    ($section:literal) => {
        [
            concat!($section, ".Id"),
            concat!($section, ".AuthEndpoint"),
            concat!($section, ".TokenEndpoint"),
            concat!($section, ".UserAPIEndpoint"),
            concat!($section, ".DiscoveryEndpoint"),
        ]
    };
}

/// The host that a secret is sent to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Destination {
    /// The host that other settings name. These are its companions; they also decide how the secret is sent.
    To(&'static [&'static str]),
    /// The host that the secret itself names, as a data source does. It cannot go to another host without being entered
    /// again.
    WhereItSays,
    /// Each value of the map contains secrets and hosts of its own.
    Within,
    /// No host: the secret is not sent, or clients may know it.
    Nowhere,
}

/// Each secret of the table of settings, with its host. A test checks that none is missing.
const ROWS: [(&str, Destination); 26] = [
    // Clients receive it.
    ("ServiceSettings.GoogleDeveloperKey", Destination::Nowhere),
    // Clients receive it.
    ("ServiceSettings.GiphySdkKey", Destination::Nowhere),
    // The server does not call this service.
    ("ServiceSettings.SplitKey", Destination::Nowhere),
    ("SqlSettings.DataSource", Destination::To(&["SqlSettings.DriverName"])),
    ("SqlSettings.DataSourceReplicas", Destination::To(&["SqlSettings.DriverName"])),
    ("SqlSettings.DataSourceSearchReplicas", Destination::To(&["SqlSettings.DriverName"])),
    ("SqlSettings.ReplicaLagSettings[].DataSource", Destination::WhereItSays),
    // The server has no search engine, and a key is never sent.
    ("ElasticsearchSettings.ClientKey", Destination::Nowhere),
    // It is used for encryption on this machine.
    ("SqlSettings.AtRestEncryptKey", Destination::Nowhere),
    // It is used for signatures on this machine.
    ("FileSettings.PublicLinkSalt", Destination::Nowhere),
    (
        "FileSettings.AmazonS3SecretAccessKey",
        Destination::To(&[
            "FileSettings.AmazonS3Endpoint",
            "FileSettings.AmazonS3Region",
            "FileSettings.AmazonS3Bucket",
            "FileSettings.AmazonS3SSL",
            "FileSettings.AmazonS3SignV2",
            "FileSettings.AmazonS3AccessKeyId",
            INSECURE,
        ]),
    ),
    (
        "FileSettings.AzureAccessKey",
        Destination::To(&[
            "FileSettings.AzureStorageAccount",
            "FileSettings.AzureContainer",
            "FileSettings.AzureEndpoint",
            "FileSettings.AzureCloud",
            "FileSettings.AzureSSL",
            INSECURE,
        ]),
    ),
    (
        "FileSettings.ExportAmazonS3SecretAccessKey",
        Destination::To(&[
            "FileSettings.ExportAmazonS3Endpoint",
            "FileSettings.ExportAmazonS3Region",
            "FileSettings.ExportAmazonS3Bucket",
            "FileSettings.ExportAmazonS3SSL",
            "FileSettings.ExportAmazonS3SignV2",
            "FileSettings.ExportAmazonS3AccessKeyId",
            INSECURE,
        ]),
    ),
    (
        "FileSettings.ExportAzureAccessKey",
        Destination::To(&[
            "FileSettings.ExportAzureStorageAccount",
            "FileSettings.ExportAzureContainer",
            "FileSettings.ExportAzureEndpoint",
            "FileSettings.ExportAzureCloud",
            "FileSettings.ExportAzureSSL",
            INSECURE,
        ]),
    ),
    (
        "EmailSettings.SMTPPassword",
        Destination::To(&[
            "EmailSettings.SMTPServer",
            "EmailSettings.SMTPPort",
            "EmailSettings.ConnectionSecurity",
            "EmailSettings.SMTPUsername",
            "EmailSettings.SkipServerCertificateVerification",
        ]),
    ),
    ("GitLabSettings.Secret", Destination::To(&open_id!("GitLabSettings"))),
    ("GoogleSettings.Secret", Destination::To(&open_id!("GoogleSettings"))),
    ("Office365Settings.Secret", Destination::To(&open_id!("Office365Settings"))),
    ("OpenIdSettings.Secret", Destination::To(&open_id!("OpenIdSettings"))),
    (
        "LdapSettings.BindPassword",
        Destination::To(&[
            "LdapSettings.LdapServer",
            "LdapSettings.LdapPort",
            "LdapSettings.ConnectionSecurity",
            "LdapSettings.SkipCertificateVerification",
            "LdapSettings.BindUsername",
        ]),
    ),
    (
        "CacheSettings.RedisPassword",
        Destination::To(&["CacheSettings.CacheType", "CacheSettings.RedisAddress", INSECURE]),
    ),
    (
        "ElasticsearchSettings.Password",
        Destination::To(&[
            "ElasticsearchSettings.ConnectionURL",
            "ElasticsearchSettings.Username",
            "ElasticsearchSettings.Sniff",
            "ElasticsearchSettings.SkipTLSVerification",
            "ElasticsearchSettings.CA",
        ]),
    ),
    (
        "MessageExportSettings.GlobalRelaySettings.SMTPPassword",
        Destination::To(&[
            "MessageExportSettings.GlobalRelaySettings.CustomerType",
            "MessageExportSettings.GlobalRelaySettings.SMTPUsername",
            "MessageExportSettings.GlobalRelaySettings.CustomSMTPServerName",
            "MessageExportSettings.GlobalRelaySettings.CustomSMTPPort",
        ]),
    ),
    ("PluginSettings.Plugins", Destination::Within),
    (
        "ImageProxySettings.RemoteImageProxyOptions",
        Destination::To(&["ImageProxySettings.ImageProxyType", "ImageProxySettings.RemoteImageProxyURL"]),
    ),
    (
        "AutoTranslationSettings.LibreTranslate.APIKey",
        Destination::To(&["AutoTranslationSettings.Provider", "AutoTranslationSettings.LibreTranslate.URL"]),
    ),
];

/// If this setting is true, certificates of file stores are not checked.
const INSECURE: &str = "ServiceSettings.EnableInsecureOutgoingConnections";

/// Settings that switch the check of certificates off if they are true. Several secrets can share one.
pub(super) const UNCHECKED: [&str; 4] = [
    INSECURE,
    "EmailSettings.SkipServerCertificateVerification",
    "LdapSettings.SkipCertificateVerification",
    "ElasticsearchSettings.SkipTLSVerification",
];

/// Further settings that a test of a store depends on. A secret that is not in use must not be sent either.
const TRIED_WITH: [(&str, &[&str]); 4] = [
    ("FileSettings.AmazonS3SecretAccessKey", &["FileSettings.DriverName"]),
    ("FileSettings.AzureAccessKey", &["FileSettings.DriverName", "FileSettings.AzureAuthMode"]),
    ("FileSettings.ExportAmazonS3SecretAccessKey", &["FileSettings.ExportDriverName"]),
    ("FileSettings.ExportAzureAccessKey", &["FileSettings.ExportDriverName", "FileSettings.ExportAzureAuthMode"]),
];

/// Returns true if the running secret at `secret_path` may replace a placeholder in `submitted`.
///
/// The secret must exist, and each of its companions must be submitted as it is in force. A secret without a row is
/// never reusable.
pub fn reusable(secret_path: &str, submitted: &Document, running: &Document) -> bool {
    let secret = given(running, secret_path).and_then(Value::as_str);
    let is_there = secret.is_some_and(|secret| !secret.is_empty() && secret != PLACEHOLDER);
    is_there && goes_where_it_goes(secret_path, submitted, running)
}

/// Returns true if the secret would be sent to its present host: each of its companions is submitted as it is in force.
pub fn goes_where_it_goes(secret_path: &str, submitted: &Document, running: &Document) -> bool {
    let Some(Destination::To(companions)) = destination(secret_path) else { return false };
    let tried_with = TRIED_WITH.iter().find(|(secret, _)| *secret == secret_path).map_or(&[][..], |(_, paths)| paths);
    // This setting is not part of the tested section; its value in force applies to the test as well.
    let submitted_ones = companions.iter().chain(tried_with).filter(|path| **path != INSECURE);
    let is_as_in_force = |path: &&str| given(submitted, path).is_some_and(|value| given(running, path) == Some(value));
    submitted_ones.copied().all(|path| is_as_in_force(&path))
}

/// Returns the paths of each secret together with its companions, which are taken back together or not at all.
pub(super) fn units() -> impl Iterator<Item = Vec<&'static str>> {
    ROWS.iter().filter_map(|(secret, destination)| match destination {
        Destination::To(companions) => Some([&[*secret][..], *companions].concat()),
        Destination::WhereItSays | Destination::Within | Destination::Nowhere => None,
    })
}

/// Returns the settings that name the host of the secret and the way to it.
pub fn companions(secret_path: &str) -> &'static [&'static str] {
    match destination(secret_path) {
        Some(Destination::To(companions)) => companions,
        Some(Destination::WhereItSays | Destination::Within | Destination::Nowhere) | None => &[],
    }
}

fn destination(secret_path: &str) -> Option<Destination> {
    ROWS.iter().find(|(secret, _)| *secret == secret_path).map(|(_, goes)| *goes)
}

/// A secret that a change redirects to another host although it was not entered with the change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KeptSecret {
    /// The path of the secret.
    pub(super) path: String,
    /// The path as a JSON pointer.
    pub(super) pointer: String,
}

/// Returns the secrets that a change redirects to another host although they were not entered with the change.
///
/// `entered` is the submitted document, with its placeholders. A secret counts as entered if it is there in clear. This
/// includes a pinned secret, because no other text can replace it.
pub(super) fn kept(running: &Document, after: &Document, entered: &Document) -> Vec<KeptSecret> {
    let mut kept = Vec::new();
    for (path, goes) in ROWS {
        match goes {
            Destination::To(companions) => {
                let Some(secret) = given(running, path).filter(|secret| is_something(secret)) else { continue };
                let stays = given(after, path) == Some(secret) && given(entered, path) != Some(secret);
                let moves = companions.iter().any(|companion| given(running, companion) != given(after, companion));
                if stays && moves {
                    kept.push(KeptSecret { path: path.to_owned(), pointer: pointer_of(path) });
                }
            }
            Destination::Within => kept.extend(kept_within(path, running, after, entered)),
            Destination::WhereItSays | Destination::Nowhere => {}
        }
    }
    kept
}

/// Returns the keys of a map whose value changes around a secret that was not entered.
fn kept_within(path: &str, running: &Document, after: &Document, entered: &Document) -> Vec<KeptSecret> {
    let [running, after, entered] =
        [running, after, entered].map(|document| given(document, path).and_then(Value::as_object));
    let (Some(running), Some(after)) = (running, after) else { return Vec::new() };
    let changes = counted(running.iter()).filter(|(key, before)| {
        let (after, entered) = (after.get(*key), entered.and_then(|entered| entered.get(*key)));
        after.is_some_and(|after| after != *before && keeps_secret(before, after, entered))
    });
    let told = |key: &String| KeptSecret { path: below(path, key), pointer: pointer_below(&pointer_of(path), key) };
    changes.map(|(key, _)| told(key)).collect()
}

/// Returns true if a secret of a plugin stays although it was not entered, as a placeholder or by being left out.
fn keeps_secret(before: &Value, after: &Value, entered: Option<&Value>) -> bool {
    let secrets = |value: &Value| below_plugin(value, "").into_iter().filter(|(_, secret)| is_any(secret));
    let after: BTreeMap<String, Value> = secrets(after).collect();
    let entered: BTreeMap<String, Value> = entered.into_iter().flat_map(|entered| secrets(entered)).collect();
    let mut stay = secrets(before).filter(|(place, secret)| after.get(place) == Some(secret));
    stay.any(|(place, secret)| entered.get(&place) != Some(&secret))
}

fn is_any(secret: &Value) -> bool {
    *secret != "" && *secret != PLACEHOLDER
}

fn pointer_of(path: &str) -> String {
    path.split('.').fold(String::new(), |pointer, key| pointer_below(&pointer, key))
}

fn is_something(secret: &Value) -> bool {
    match secret {
        Value::String(text) => !text.is_empty() && text != PLACEHOLDER,
        Value::Array(elements) => !elements.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests;
