//! The table of the client configuration: one row for each key, with the way its value is made.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::{Audience, Facts, LicenseFacts, Tier};
use crate::config::table;

/// The columns are key, audience, sources, encoding, conditions, and the value if a condition fails.
const ROWS: &str = include_str!("../client.tsv");

static TABLE: LazyLock<Vec<Row>> = LazyLock::new(|| {
    ROWS.lines().skip(1).filter_map(|line| Row::read(&line.split('\t').collect::<Vec<_>>())).collect()
});

static DEFAULTS: LazyLock<Map<String, Value>> = LazyLock::new(table::defaults);

/// The features that every hosted installation has, for any licence.
const CLOUD_FEATURES: [&str; 2] = ["GoogleOAuth", "Office365OAuth"];

/// The default retention in hours: a year.
const RETENTION_HOURS: i64 = 365 * 24;

/// One key of the client configuration.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) key: &'static str,
    pub(super) is_public: bool,
    /// The paths of settings; for a constant its text, for a fact its name.
    pub(super) sources: Vec<&'static str>,
    pub(super) encoding: Encoding,
    pub(super) conditions: Vec<Condition>,
    /// The value if a condition fails; `None` leaves the key out.
    pub(super) otherwise: Option<&'static str>,
}

/// The way a value is made from its sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Constant,
    Fact,
    /// True if all the settings are on.
    Bool,
    Number,
    Text,
    /// A list joined by commas; empty unless all the earlier sources are on.
    Comma,
    /// The text without slashes at its end.
    Address,
    /// True if the text is not empty.
    IsSet,
    /// True if the value is that of a new installation.
    IsDefault,
    /// The hours if they are positive, else the days as hours, else a year.
    Hours,
    /// The client id in the scope that mobile apps request.
    IntuneScope,
}

/// A condition for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    License,
    Feature(&'static str),
    Tier(Tier),
    SharedChannels,
    /// Intune is on and its section is complete.
    Intune,
}

/// Returns all rows, in the order of the table.
pub(super) fn rows() -> &'static [Row] {
    &TABLE
}

/// Returns the value of a setting, or its default if the document has none.
pub(super) fn setting<'a>(document: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    at(document, path).filter(|value| !value.is_null()).or_else(|| at(&DEFAULTS, path))
}

// A key of a map, such as the id of a plugin, may itself contain dots.
fn at<'a>(section: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    section.get(path).or_else(|| {
        path.match_indices('.')
            .find_map(|(dot, _)| at(section.get(path.get(..dot)?)?.as_object()?, path.get(dot + 1..)?))
    })
}

impl Row {
    fn read(cells: &[&'static str]) -> Option<Self> {
        let [key, audience, source, encoding, conditions, otherwise] = cells else { return None };
        let conditions = conditions.split(' ').filter(|condition| *condition != "-");
        let encoding = Encoding::named(encoding)?;
        let is_constant = encoding == Encoding::Constant;
        Some(Self {
            key,
            is_public: *audience == "A+U",
            sources: if is_constant { vec![source.trim_matches('"')] } else { source.split(' ').collect() },
            encoding,
            conditions: conditions.map(Condition::named).collect::<Option<_>>()?,
            otherwise: otherwise.strip_prefix('"').and_then(|text| text.strip_suffix('"')),
        })
    }

    pub(super) fn is_for(&self, audience: Audience) -> bool {
        self.is_public || audience == Audience::Authenticated
    }

    /// Returns the value of the key, or `None` if the key is left out.
    pub(super) fn value(&self, document: &Map<String, Value>, facts: &Facts<'_>) -> Option<String> {
        let applies = self.conditions.iter().all(|condition| condition.holds(document, facts.license));
        if applies { self.encoded(document, facts) } else { self.otherwise.map(str::to_owned) }
    }

    fn encoded(&self, document: &Map<String, Value>, facts: &Facts<'_>) -> Option<String> {
        let (source, guards) = self.sources.split_last()?;
        let is_on = |path: &&str| setting(document, path).and_then(Value::as_bool).unwrap_or_default();
        Some(match self.encoding {
            Encoding::Constant => (*source).to_owned(),
            Encoding::Fact => fact(source, facts)?,
            Encoding::Bool => self.sources.iter().all(is_on).to_string(),
            Encoding::Number => number(document, source).to_string(),
            Encoding::Text => text(document, source).to_owned(),
            Encoding::Comma if guards.iter().all(is_on) => joined(document, source),
            Encoding::Comma => String::new(),
            Encoding::Address => text(document, source).trim_end_matches('/').to_owned(),
            Encoding::IsSet => (!text(document, source).is_empty()).to_string(),
            Encoding::IsDefault => (setting(document, source) == at(&DEFAULTS, source)).to_string(),
            Encoding::Hours => {
                let hours = guards.iter().map(|path| number(document, path));
                let days = number(document, source).saturating_mul(24);
                hours.chain([days]).find(|hours| *hours > 0).unwrap_or(RETENTION_HOURS).to_string()
            }
            Encoding::IntuneScope => format!("api://{}/login.mattermost", text(document, source)),
        })
    }
}

impl Encoding {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "constant" => Self::Constant,
            "fact" => Self::Fact,
            "b" => Self::Bool,
            "n" => Self::Number,
            "s" => Self::Text,
            "comma" => Self::Comma,
            "address" => Self::Address,
            "is_set" => Self::IsSet,
            "is_default" => Self::IsDefault,
            "hours" => Self::Hours,
            "intune_scope" => Self::IntuneScope,
            _ => return None,
        })
    }
}

impl Condition {
    fn named(name: &'static str) -> Option<Self> {
        Some(match name.split_once(':').unwrap_or((name, "")) {
            ("license", "") => Self::License,
            ("feature", feature) => Self::Feature(feature),
            ("tier", "Professional") => Self::Tier(Tier::Professional),
            ("tier", "Enterprise") => Self::Tier(Tier::Enterprise),
            ("tier", "EnterpriseAdvanced") => Self::Tier(Tier::EnterpriseAdvanced),
            ("shared_channels", "") => Self::SharedChannels,
            ("intune", "") => Self::Intune,
            _ => return None,
        })
    }

    fn holds(self, document: &Map<String, Value>, license: Option<&LicenseFacts>) -> bool {
        match self {
            Self::License => license.is_some(),
            Self::Feature(name) => license.is_some_and(|license| {
                license.features.contains(name) || (license.is_cloud && CLOUD_FEATURES.contains(&name))
            }),
            Self::Tier(tier) => license.is_some_and(|license| license.tier >= tier),
            Self::SharedChannels => license.is_some_and(|license| license.has_shared_channels),
            Self::Intune => has_intune(document),
        }
    }
}

fn has_intune(document: &Map<String, Value>) -> bool {
    let is_on = setting(document, "IntuneSettings.Enable").and_then(Value::as_bool).unwrap_or_default();
    let names_its_owner = is_uuid(text(document, "IntuneSettings.TenantId"));
    let names_its_client = is_uuid(text(document, "IntuneSettings.ClientId"));
    let has_a_provider = ["office365", "saml"].contains(&text(document, "IntuneSettings.AuthService"));
    is_on && names_its_owner && names_its_client && has_a_provider
}

fn is_uuid(text: &str) -> bool {
    let is_hexadecimal = text.chars().all(|letter| letter == '-' || letter.is_ascii_hexdigit());
    is_hexadecimal && text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
}

fn fact(name: &str, facts: &Facts<'_>) -> Option<String> {
    Some(match name {
        "version" => facts.build.version.to_owned(),
        "build_number" => facts.build.number.to_owned(),
        "build_date" => facts.build.date.to_owned(),
        "build_hash" => facts.build.hash.to_owned(),
        "build_hash_enterprise" => facts.build.hash_enterprise.to_owned(),
        "is_enterprise_ready" => facts.build.is_enterprise_ready.to_string(),
        "is_fips" => facts.build.is_fips.to_string(),
        "diagnostic_id" => facts.diagnostic_id.to_owned(),
        "service_environment" => facts.service_environment.to_owned(),
        _ => return None,
    })
}

fn number(document: &Map<String, Value>, path: &str) -> i64 {
    setting(document, path).and_then(Value::as_i64).unwrap_or_default()
}

fn text<'a>(document: &'a Map<String, Value>, path: &str) -> &'a str {
    setting(document, path).and_then(Value::as_str).unwrap_or_default()
}

fn joined(document: &Map<String, Value>, path: &str) -> String {
    let items = setting(document, path).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}
