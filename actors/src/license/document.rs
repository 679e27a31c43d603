//! A licence: what was bought, by whom, and from when to when.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::features::Features;
use crate::error::{AppError, OrFail};
use crate::id::is_id;
use crate::steps::walked;

/// The longest licence that can be stored: its signed text, in characters.
pub const LONGEST_TEXT: usize = 10_000;

const INVALID: &str = "api.license.add_license.invalid.app_error";

/// A licence, with what it does not name filled in; its members in the order of the contract.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct License {
    /// Its id: 26 characters, or else it cannot be stored.
    pub id: String,
    /// When it was made, in Unix milliseconds.
    pub issued_at: i64,
    /// From when it is meant to hold, in Unix milliseconds; nothing is refused before.
    pub starts_at: i64,
    /// Until when it can be installed, in Unix milliseconds.
    pub expires_at: i64,
    /// Who bought it.
    pub customer: Customer,
    /// What it allows.
    pub features: Features,
    /// What was bought, for people.
    pub sku_name: String,
    /// What was bought: `E10`, `E20`, `professional`, `enterprise`, `advanced` or `entry`.
    pub sku_short_name: String,
    /// Whether it is for trying out.
    pub is_trial: bool,
    /// Whether it is for a government.
    pub is_gov_sku: bool,
    /// Whether no more accounts can be made than were bought.
    pub is_seat_count_enforced: bool,
    /// How many accounts there may be beyond those that were bought.
    pub extra_users: Option<i64>,
    /// What a hosted installation was made with.
    pub signup_jwt: Option<String>,
    /// Limits of a hosted installation.
    pub limits: Option<Value>,
}

/// Who bought a licence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Customer {
    /// The seller's id of the customer.
    #[serde(deserialize_with = "or_nothing")]
    pub id: String,
    /// The name of a person.
    #[serde(deserialize_with = "or_nothing")]
    pub name: String,
    /// The person's e-mail address.
    #[serde(deserialize_with = "or_nothing")]
    pub email: String,
    /// The name of a company.
    #[serde(deserialize_with = "or_nothing")]
    pub company: String,
}

/// The document as it may come.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    #[serde(deserialize_with = "or_nothing")]
    id: String,
    #[serde(deserialize_with = "or_nothing")]
    issued_at: i64,
    #[serde(deserialize_with = "or_nothing")]
    starts_at: i64,
    #[serde(deserialize_with = "or_nothing")]
    expires_at: i64,
    customer: Option<Customer>,
    features: Option<Map<String, Value>>,
    #[serde(deserialize_with = "or_nothing")]
    sku_name: String,
    #[serde(deserialize_with = "or_nothing")]
    sku_short_name: String,
    #[serde(deserialize_with = "or_nothing")]
    is_trial: bool,
    #[serde(deserialize_with = "or_nothing")]
    is_gov_sku: bool,
    #[serde(deserialize_with = "or_nothing")]
    is_seat_count_enforced: bool,
    extra_users: Option<i64>,
    signup_jwt: Option<String>,
    limits: Option<Value>,
}

/// A member that is `null` counts as absent.
fn or_nothing<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl License {
    /// Reads a document whose signature was found good.
    pub fn read(document: &[u8]) -> Result<Self, AppError> {
        const UNREADABLE: &str = "api.unmarshal_error";
        // What it begins with is checked, because serde takes a list for a structure as well.
        let is_object = document.trim_ascii_start().first() == Some(&b'{');
        if !is_object {
            return Err(AppError::new(UNREADABLE).because("the licence is no JSON object"));
        }
        walked(document.len());
        let payload: Payload = serde_json::from_slice(document).or_fail(UNREADABLE)?;
        let lacks = |what: &'static str| AppError::new(INVALID).because(format!("the licence has no {what}"));
        let features = payload.features.ok_or_else(|| lacks("features"))?;
        let features = Features::read(&features)
            .ok_or_else(|| AppError::new(UNREADABLE).because("a feature is of the wrong kind"))?;
        Ok(Self {
            id: payload.id,
            issued_at: payload.issued_at,
            starts_at: payload.starts_at,
            expires_at: payload.expires_at,
            customer: payload.customer.ok_or_else(|| lacks("customer"))?,
            features,
            sku_name: payload.sku_name,
            sku_short_name: payload.sku_short_name,
            is_trial: payload.is_trial,
            is_gov_sku: payload.is_gov_sku,
            is_seat_count_enforced: payload.is_seat_count_enforced,
            extra_users: payload.extra_users,
            signup_jwt: payload.signup_jwt,
            limits: payload.limits,
        })
    }

    /// How many accounts it is for; a licence that does not say is none.
    pub fn seats(&self) -> Result<i64, AppError> {
        self.features.users.ok_or_else(|| AppError::new(INVALID).because("the licence has no number of users"))
    }

    /// How many seats there may be taken when an account is made; `None` when there may be more than were bought.
    pub fn most_seats(&self) -> Option<i64> {
        let most = self.features.users.unwrap_or_default().saturating_add(self.extra_users.unwrap_or_default());
        self.is_seat_count_enforced.then_some(most)
    }

    /// Refuses a licence for fewer accounts than are in use, and one that is over at `now`.
    pub fn check(&self, used: i64, now: i64) -> Result<(), AppError> {
        let seats = self.seats()?;
        if used > seats {
            let refusal = AppError::new("api.license.add_license.unique_users.app_error");
            return Err(refusal.with("Users", seats.to_string()).with("Count", used.to_string()));
        }
        let is_over = self.expires_at < now;
        if is_over { Err(AppError::new("api.license.add_license.expired.app_error")) } else { Ok(()) }
    }

    /// Refuses what there is no room for in the store.
    pub fn check_row(&self, text: &str) -> Result<(), AppError> {
        if !is_id(&self.id) {
            return Err(AppError::new("model.license_record.is_valid.id.app_error"));
        }
        let is_too_long = text.len() > LONGEST_TEXT;
        if is_too_long { Err(AppError::new("model.license_record.is_valid.bytes.app_error")) } else { Ok(()) }
    }

    /// Thousandths of the accounts it is for that `active` are, rounded; 0 when it is for none.
    pub fn load(&self, active: i64) -> i64 {
        let seats = self.features.users.unwrap_or_default();
        if seats <= 0 { 0 } else { (active.saturating_mul(2_000).saturating_add(seats)) / seats.saturating_mul(2) }
    }
}
