//! A licence: the product, the customer and the dates.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::features::Features;
use crate::clock::HOUR_MS;
use crate::error::{AppError, OrFail};
use crate::id::is_id;
use crate::steps::walked;

/// The maximum length of a stored licence's signed text, in bytes.
pub const MAX_SIGNED_TEXT_BYTES: usize = 10_000;

/// The time by which the clock of the signer may be ahead, in milliseconds: a licence that starts within it has started.
const MAX_CLOCK_DIFFERENCE_MS: i64 = HOUR_MS;

const INVALID: &str = "api.license.add_license.invalid.app_error";

/// A licence, with defaults for absent members. Its members are in the order of the API's contract.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct License {
    /// Its id. Only an id of 26 characters can be stored.
    pub id: String,
    /// The time of issue, in Unix milliseconds.
    pub issued_at: i64,
    /// The time from which it can be installed, in Unix milliseconds.
    pub starts_at: i64,
    /// The time until which it can be installed, in Unix milliseconds.
    pub expires_at: i64,
    /// The customer.
    pub customer: Customer,
    /// The licensed features.
    #[schema(value_type = Object)]
    pub features: Features,
    /// The name of the product, for display.
    pub sku_name: String,
    /// The short name of the product: `E10`, `E20`, `professional`, `enterprise`, `advanced` or `entry`.
    pub sku_short_name: String,
    /// True if it is a trial.
    pub is_trial: bool,
    /// True if it is for a government.
    pub is_gov_sku: bool,
    /// True if accounts beyond the number of seats and `extra_users` are refused.
    pub is_seat_count_enforced: bool,
    /// The number of accounts allowed beyond the number of seats.
    pub extra_users: Option<i64>,
    /// The token that a hosted installation was made with.
    pub signup_jwt: Option<String>,
    /// Limits of a hosted installation.
    #[schema(value_type = Option<Object>)]
    pub limits: Option<Value>,
}

/// The customer of a licence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LicenseCustomer)]
pub struct Customer {
    /// The seller's id of the customer.
    #[serde(default, deserialize_with = "or_nothing")]
    #[schema(required = true)]
    pub id: String,
    /// The name of a person.
    #[serde(default, deserialize_with = "or_nothing")]
    #[schema(required = true)]
    pub name: String,
    /// The person's e-mail address.
    #[serde(default, deserialize_with = "or_nothing")]
    #[schema(required = true)]
    pub email: String,
    /// The name of a company.
    #[serde(default, deserialize_with = "or_nothing")]
    #[schema(required = true)]
    pub company: String,
}

/// The document as it is signed; members may be absent.
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

/// Reads a member; `null` counts as absent.
fn or_nothing<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl License {
    /// Reads a document whose signature the caller has verified.
    pub fn read(document: &[u8]) -> Result<Self, AppError> {
        const UNREADABLE: &str = "api.unmarshal_error";
        // The first character is checked, because serde accepts a list for a structure as well.
        let is_object = document.trim_ascii_start().first() == Some(&b'{');
        if !is_object {
            return Err(AppError::new(UNREADABLE).because("the licence is not a JSON object"));
        }
        walked(document.len());
        let payload: Payload = serde_json::from_slice(document).or_fail(UNREADABLE)?;
        let features = payload.features.ok_or_else(|| lacks("features"))?;
        let features = Features::read(&features)
            .ok_or_else(|| AppError::new(UNREADABLE).because("a feature has the wrong type"))?;
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

    /// Returns the number of seats. A licence without this number is invalid.
    pub fn seats(&self) -> Result<i64, AppError> {
        self.features.users.ok_or_else(|| lacks("number of users"))
    }

    /// Returns the maximum number of accounts, or `None` if the licence does not enforce it.
    pub fn max_seats(&self) -> Option<i64> {
        let max = self.features.users.unwrap_or_default().saturating_add(self.extra_users.unwrap_or_default());
        self.is_seat_count_enforced.then_some(max)
    }

    /// Refuses a licence with fewer seats than accounts in use, and a licence that cannot be installed at `now`.
    pub fn check(&self, used: i64, now: i64) -> Result<(), AppError> {
        let seats = self.seats()?;
        if used > seats {
            let refusal = AppError::new("api.license.add_license.unique_users.app_error");
            return Err(refusal.with("Users", seats.to_string()).with("Count", used.to_string()));
        }
        self.check_dates(now)
    }

    /// Refuses a licence that has expired at `now` or has not started then.
    pub fn check_dates(&self, now: i64) -> Result<(), AppError> {
        if self.expires_at < now {
            return Err(AppError::new("api.license.add_license.expired.app_error"));
        }
        let has_started = self.starts_at <= now.saturating_add(MAX_CLOCK_DIFFERENCE_MS);
        if has_started {
            return Ok(());
        }
        Err(AppError::new("api.license.add_license.expired.app_error#not_started"))
    }

    /// Refuses a licence whose id or text does not fit into the store.
    pub fn check_row(&self, text: &str) -> Result<(), AppError> {
        if !is_id(&self.id) {
            return Err(AppError::new("model.license_record.is_valid.id.app_error"));
        }
        let is_too_long = text.len() > MAX_SIGNED_TEXT_BYTES;
        if is_too_long { Err(AppError::new("model.license_record.is_valid.bytes.app_error")) } else { Ok(()) }
    }

    /// Returns the ratio of `active` accounts to seats, in thousandths, rounded; 0 without seats.
    pub fn load(&self, active: i64) -> i64 {
        let seats = self.features.users.unwrap_or_default();
        if seats <= 0 { 0 } else { (active.saturating_mul(2_000).saturating_add(seats)) / seats.saturating_mul(2) }
    }
}

/// Returns the refusal of a signed document without `member`.
fn lacks(member: &'static str) -> AppError {
    AppError::new(INVALID).with("Member", member).because(format!("the licence has no {member}"))
}
