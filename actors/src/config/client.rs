//! What clients are told of the configuration: a flat map of texts, smaller for those who have not logged in.

mod row;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::table;

/// The longest message that clients may post, in characters.
const MAX_POST_SIZE: i64 = 16_383;

/// Who asks for the client configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Anybody.
    Anonymous,
    /// Whoever has a session, guests included.
    Authenticated,
}

/// What the client configuration tells besides the settings.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The licence that is loaded.
    pub license: Option<&'a LicenseFacts>,
    /// The program that runs.
    pub build: &'a Build,
    /// The id of the installation.
    pub diagnostic_id: &'a str,
    /// Whether nobody has ever had an account here.
    pub has_no_accounts: bool,
    /// The public key that clients check signatures with: DER in base64.
    pub signing_key: Option<&'a str>,
    /// The terms of service in force.
    pub terms_of_service_id: Option<&'a str>,
    /// When the server was installed, as Unix milliseconds.
    pub installation_date_ms: Option<i64>,
    /// The highest migration that the database has.
    pub schema_version: Option<i64>,
    /// Whether this was a team edition once.
    pub upgraded_from_te: bool,
    /// `production`, `test` or `dev`.
    pub service_environment: &'a str,
}

/// What a licence allows.
#[derive(Debug, Clone, PartialEq)]
pub struct LicenseFacts {
    /// The features that are on, under the names of the client licence, such as `LDAP`.
    pub features: BTreeSet<String>,
    /// How much was bought.
    pub tier: Tier,
    /// Whether it is for a hosted installation.
    pub is_cloud: bool,
    /// Whether channels may be shared with other installations.
    pub has_shared_channels: bool,
}

/// The tiers of a licence; each has what those before it have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each variant is the tier of that name")]
pub enum Tier {
    /// Less than any tier below; also for a licence that names none of them.
    Entry,
    Professional,
    Enterprise,
    EnterpriseAdvanced,
}

/// The program that runs, as its clients know it.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// The version of the API, such as `11.6.0`.
    pub version: &'static str,
    /// The number of the build; of a release, its version.
    pub number: &'static str,
    /// When it was built.
    pub date: &'static str,
    /// The commit it was built from.
    pub hash: &'static str,
    /// The commit of the enterprise part.
    pub hash_enterprise: &'static str,
    /// Whether it can load a licence.
    pub is_enterprise_ready: bool,
    /// Whether its cryptography is the approved one.
    pub is_fips: bool,
}

/// What `audience` is told: every key with its value, in byte order.
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

/// What `audience` is told, without the keys that are looked up for each answer.
pub fn hashed_part(document: &Map<String, Value>, audience: Audience, facts: &Facts<'_>) -> BTreeMap<String, String> {
    // A later row of the same key wins, where it applies.
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

/// The bytes whose hash is in the version of every answer, so that clients notice a change: JSON of the fuller part.
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
