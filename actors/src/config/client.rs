//! The client configuration: a flat map of texts, with fewer keys for clients that have not logged in.

mod row;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::table;

/// The maximum length of a message, in characters.
const MAX_POST_SIZE: i64 = 16_383;

/// The kind of caller that requests the client configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// A caller without a session.
    Anonymous,
    /// A caller with a session, guests included.
    Authenticated,
}

/// Facts in the client configuration that are no settings.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The licence in force.
    pub license: Option<&'a LicenseFacts>,
    /// The running program.
    pub build: &'a Build,
    /// The id of the installation.
    pub diagnostic_id: &'a str,
    /// True if the server has never had an account.
    pub has_no_accounts: bool,
    /// The public key that clients check signatures with: DER in base64.
    pub signing_key: Option<&'a str>,
    /// The id of the terms of service in force.
    pub terms_of_service_id: Option<&'a str>,
    /// The time of the installation, in Unix milliseconds.
    pub installation_date_ms: Option<i64>,
    /// The number of the newest migration of the database.
    pub schema_version: Option<i64>,
    /// True if this installation was a team edition before.
    pub upgraded_from_te: bool,
    /// The environment: `production`, `test` or `dev`.
    pub service_environment: &'a str,
}

/// The facts about a licence that the client configuration needs.
#[derive(Debug, Clone, PartialEq)]
pub struct LicenseFacts {
    /// The features that are on, with their names in the client licence, such as `LDAP`.
    pub features: BTreeSet<String>,
    /// The tier of the licence.
    pub tier: Tier,
    /// True if it is for a hosted installation.
    pub is_cloud: bool,
    /// True if channels may be shared with other installations.
    pub has_shared_channels: bool,
}

/// The tiers of a licence. Each tier includes the earlier ones. The edition Entry has every feature, within limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each variant is the tier of that name")]
pub enum Tier {
    /// The tier of a licence whose edition has none, such as E20: only its single features count.
    Unknown,
    Professional,
    Enterprise,
    EnterpriseAdvanced,
    Entry,
}

/// The running program, as its clients see it.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// The version of the API, such as `11.6.0`.
    pub version: &'static str,
    /// The build number; for a release, its version.
    pub number: &'static str,
    /// The time of the build.
    pub date: &'static str,
    /// The commit of the build.
    pub hash: &'static str,
    /// The commit of the enterprise part.
    pub hash_enterprise: &'static str,
    /// True if it can load a licence.
    pub is_enterprise_ready: bool,
    /// True if its cryptography is FIPS-approved.
    pub is_fips: bool,
}

/// Returns the client configuration for `audience`: all keys with their values, in byte order.
pub fn client_config(document: &Map<String, Value>, audience: Audience, facts: &Facts<'_>) -> BTreeMap<String, String> {
    let mut told = hashed_part(document, audience, facts);
    let mut tell = |key: &str, value: String| told.insert(key.to_owned(), value);
    tell("NoAccounts", facts.has_no_accounts.to_string());
    if audience == Audience::Authenticated {
        tell("MaxPostSize", MAX_POST_SIZE.to_string());
        tell("UpgradedFromTE", facts.upgraded_from_te.to_string());
        tell("InstallationDate", facts.installation_date_ms.map(|date| date.to_string()).unwrap_or_default());
        if let Some(version) = facts.schema_version {
            tell("SchemaVersion", version.to_string());
        }
    }
    told
}

/// Returns the client configuration for `audience` without the keys that are looked up for each response.
pub fn hashed_part(document: &Map<String, Value>, audience: Audience, facts: &Facts<'_>) -> BTreeMap<String, String> {
    // If two rows with the same key apply, the later one wins.
    let rows = row::rows().iter().filter(|row| row.is_for(audience));
    let mut told: BTreeMap<String, String> = rows
        .filter_map(|row| Some((row.key.to_owned(), row.value(document, facts)?)))
        .chain(feature_flags(document))
        .collect();
    if let Some(key) = facts.signing_key {
        told.insert("AsymmetricSigningPublicKey".to_owned(), key.to_owned());
    }
    let has_terms = told.get("EnableCustomTermsOfService").is_some_and(|enabled| enabled == "true");
    if let Some(id) = facts.terms_of_service_id.filter(|_| has_terms) {
        told.insert("CustomTermsOfServiceId".to_owned(), id.to_owned());
    }
    told
}

/// Returns the JSON of the configuration for logged-in clients. Its hash is part of the version in each response, so
/// that clients notice a change.
pub fn version_basis(document: &Map<String, Value>, facts: &Facts<'_>) -> Vec<u8> {
    let told = hashed_part(document, Audience::Authenticated, facts);
    told.into_iter().map(|(key, value)| (key, Value::from(value))).collect::<Value>().to_string().into_bytes()
}

fn feature_flags(document: &Map<String, Value>) -> impl Iterator<Item = (String, String)> {
    table::settings().keys().filter_map(|path| {
        let name = path.strip_prefix("FeatureFlags.")?;
        let flag = row::setting(document, path)?;
        let text = flag.as_str().map_or_else(|| flag.to_string(), str::to_owned);
        Some((format!("FeatureFlag{name}"), text))
    })
}
