//! Routes that move accounts to another login service. They refuse: this server has none.

use std::collections::BTreeMap;

use quarterdeck_actors::error::AppError;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::base::lenient::or_default;
use crate::domain::session::Session;
use crate::web::answer::Done;
use crate::web::request::Body;
use crate::web::routes::operation::{Description, Operation, Tag, Type, handler};

/// The login services that accounts are moved from, beside the one that they are moved to.
const SERVICES: [&str; 4] = ["email", "gitlab", "google", "office365"];

/// Accounts to move to LDAP.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = MigrationToLdap)]
pub(crate) struct ToLdap {
    /// The login service of the accounts.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true)]
    from: String,
    /// True to move accounts whose match is not certain.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, nullable = false)]
    force: Option<bool>,
    /// The field by which accounts are matched.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, nullable = false)]
    match_field: Option<String>,
}

pub(crate) const TO_LDAP: Operation =
    Description::new(Tag::Accounts, "MigrateAuthToLdap", "Refuses: this server uses no directory.")
        .body(Type::of::<ToLdap>(), "The accounts.")
        .refusals(&[400, 403, 501])
        .handled_by(handler!(to_ldap));

/// `POST /users/migrate_auth/ldap`.
pub(crate) async fn to_ldap(session: Session, body: Body) -> Result<Done, AppError> {
    let ToLdap { from, force, match_field } = body.lenient().await;
    check_from(&from, "saml")?;
    force.ok_or_else(|| AppError::invalid_body("force"))?;
    match_field.ok_or_else(|| AppError::invalid_body("match_field"))?;
    session.require("manage_system")?;
    Err(AppError::new("api.admin.ldap.not_available.app_error"))
}

/// Accounts to move to SAML.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = MigrationToSaml)]
pub(crate) struct ToSaml {
    /// The login service of the accounts.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true)]
    from: String,
    /// True to match accounts by their addresses.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, nullable = false)]
    auto: Option<bool>,
    /// The name of each address at the login service.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, nullable = false, value_type = Option<BTreeMap<String, String>>)]
    matches: Option<BTreeMap<String, Value>>,
}

pub(crate) const TO_SAML: Operation =
    Description::new(Tag::Accounts, "MigrateAuthToSaml", "Refuses: this server uses no SAML.")
        .body(Type::of::<ToSaml>(), "The accounts.")
        .refusals(&[400, 403, 501])
        .handled_by(handler!(to_saml));

/// `POST /users/migrate_auth/saml`.
pub(crate) async fn to_saml(session: Session, body: Body) -> Result<Done, AppError> {
    let ToSaml { from, auto, matches } = body.lenient().await;
    check_from(&from, "ldap")?;
    auto.ok_or_else(|| AppError::invalid_body("auto"))?;
    matches.ok_or_else(|| AppError::invalid_body("matches"))?;
    session.require("manage_system")?;
    Err(AppError::new("api.admin.saml.not_available.app_error"))
}

fn check_from(from: &str, other: &str) -> Result<(), AppError> {
    let is_known = from == other || SERVICES.contains(&from);
    if is_known { Ok(()) } else { Err(AppError::invalid_body("from")) }
}
