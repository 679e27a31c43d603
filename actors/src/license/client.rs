//! The client licence: a flat map of texts, with fewer keys for callers without the permission to read the licence.

use std::collections::BTreeMap;

use super::document::License;
use crate::config::client::{LicenseFacts, Tier};

/// The keys that only callers with the permission to read the licence get.
const READERS_ONLY: [&str; 7] = ["Id", "Name", "Email", "IssuedAt", "StartsAt", "ExpiresAt", "SkuName"];

/// Returns all keys with their values, in byte order.
pub fn told(license: Option<&License>) -> BTreeMap<&'static str, String> {
    let Some(license) = license else { return BTreeMap::from([("IsLicensed", false.to_string())]) };
    let facts = [
        ("IsLicensed", true.to_string()),
        ("Id", license.id.clone()),
        ("SkuName", license.sku_name.clone()),
        ("SkuShortName", license.sku_short_name.clone()),
        ("Users", license.features.users.unwrap_or_default().to_string()),
        ("IssuedAt", license.issued_at.to_string()),
        ("StartsAt", license.starts_at.to_string()),
        ("ExpiresAt", license.expires_at.to_string()),
        ("Name", license.customer.name.clone()),
        ("Email", license.customer.email.clone()),
        ("Company", license.customer.company.clone()),
        ("IsTrial", license.is_trial.to_string()),
        ("IsGovSku", license.is_gov_sku.to_string()),
    ];
    facts.into_iter().chain(license.features.told().map(|(key, is_on)| (key, is_on.to_string()))).collect()
}

/// Returns the keys that every caller gets.
pub fn told_to_anybody(license: Option<&License>) -> BTreeMap<&'static str, String> {
    let mut told = told(license);
    told.retain(|key, _| !READERS_ONLY.contains(key));
    told
}

/// Returns the facts about the licence on which the client configuration depends.
pub fn facts(license: &License) -> LicenseFacts {
    let tier = tier(license);
    LicenseFacts {
        features: license.features.known_to_rules(),
        tier,
        is_cloud: license.features.has("cloud"),
        has_shared_channels: license.features.has("shared_channels") || tier >= Tier::Professional,
    }
}

fn tier(license: &License) -> Tier {
    match license.sku_short_name.as_str() {
        "professional" => Tier::Professional,
        "enterprise" => Tier::Enterprise,
        "advanced" => Tier::EnterpriseAdvanced,
        "entry" => Tier::Entry,
        _ => Tier::Unknown,
    }
}
