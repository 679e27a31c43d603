//! What clients are told of the licence: a flat map of texts, smaller for those who may not read about it.

use std::collections::BTreeMap;

use super::document::License;
use crate::config::client::{LicenseFacts, Tier};

/// What only those see who may read about the licence.
const KEPT_BACK: [&str; 7] = ["Id", "Name", "Email", "IssuedAt", "StartsAt", "ExpiresAt", "SkuName"];

/// Everything there is to tell: every key with its value, in byte order.
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

/// What anybody is told.
pub fn told_to_anybody(license: Option<&License>) -> BTreeMap<&'static str, String> {
    let mut told = told(license);
    told.retain(|key, _| !KEPT_BACK.contains(key));
    told
}

/// What the client configuration depends on.
pub fn facts(license: &License) -> LicenseFacts {
    LicenseFacts {
        features: license.features.known_to_rules(),
        tier: match license.sku_short_name.as_str() {
            "professional" => Tier::Professional,
            "enterprise" => Tier::Enterprise,
            "advanced" => Tier::EnterpriseAdvanced,
            _ => Tier::Entry,
        },
        is_cloud: license.features.has("cloud"),
        has_shared_channels: license.features.has("shared_channels"),
    }
}
