//! Routes for accounts and teams that need a feature which this server does not have: other ways to sign in, terms of
//! service, uploads, and imports from other programs.

use std::collections::BTreeMap;

use quarterdeck_actors::error::AppError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{NO_DIRECTORY, NO_GROUPS, Refusal, absent, refuse};
use crate::base::lenient::or_default;
use crate::domain::accounts::require_access;
use crate::domain::session::Session;
use crate::domain::teams::team_access;
use crate::web::answer::{Answer, Json};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};
use crate::web::state::AppState;

use actix_web::web::Data;

const NO_TERMS: &str = "app.terms_of_service.get.no_rows.app_error";

pub(crate) const GROUPS_OF_USER: Operation =
    absent("GetGroupsByUserId", "Refuses: this server has no groups.", &[501]).handled_by(handler!(groups_of_user));

/// `GET /users/{user_id}/groups`.
pub(crate) async fn groups_of_user(_: Session) -> Refusal {
    refuse(NO_GROUPS)
}

pub(crate) const TERMS_OF_USER: Operation =
    absent("GetUserTermsOfService", "Refuses: this server has no terms of service of its own.", &[404])
        .handled_by(handler!(terms_of_user));

/// `GET /users/{user_id}/terms_of_service`.
pub(crate) async fn terms_of_user(_: Session) -> Refusal {
    refuse("app.user_terms_of_service.get_by_user.no_rows.app_error")
}

/// The decision of a user about terms of service.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = TermsOfServiceDecision)]
pub(crate) struct Decision {
    /// The id of the terms.
    #[serde(rename = "termsOfServiceId", default, deserialize_with = "or_default")]
    #[schema(required = true, nullable = false)]
    terms_of_service_id: Option<String>,
    /// True if the user accepts them.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, nullable = false)]
    accepted: Option<bool>,
}

pub(crate) const DECIDE: Operation =
    absent("RegisterTermsOfServiceAction", "Refuses: this server has no terms of service of its own.", &[400, 404])
        .body(Type::of::<Decision>(), "The decision.")
        .handled_by(handler!(decide_terms));

/// `POST /users/{user_id}/terms_of_service`.
pub(crate) async fn decide_terms(_: Session, body: Body) -> Refusal {
    let Decision { terms_of_service_id, accepted } = body.lenient().await;
    if terms_of_service_id.is_none() {
        return Err(AppError::invalid_body("termsOfServiceId"));
    }
    if accepted.is_none() {
        return Err(AppError::invalid_body("accepted"));
    }
    refuse(NO_TERMS)
}

pub(crate) const UPLOADS_OF_USER: Operation =
    Description::new(Tag::Accounts, "GetUploadsForUser", "Lists uploads under way: none, this server takes no files.")
        .responses(&[Response::json(200, Type::List(&Type::Object), "An empty list.")])
        .refusals(&[400, 403])
        .handled_by(handler!(uploads_of_user));

/// `GET /users/{user_id}/uploads`.
pub(crate) async fn uploads_of_user(request: Request, session: Session) -> Answer<[(); 0]> {
    let user_id = request.user_id(&session)?;
    let is_own = session.user_id() == user_id || session.is_local();
    if is_own { Ok(Json([])) } else { Err(AppError::new("api.user.get_uploads_for_user.forbidden.app_error")) }
}

/// Users by the id of a group channel.
#[derive(Serialize, ToSchema)]
#[schema(as = UsersByGroupChannel)]
pub(crate) struct ByChannel(BTreeMap<String, Vec<String>>);

pub(crate) const GROUP_CHANNELS: Operation = Description::new(
    Tag::Accounts,
    "GetUsersByGroupChannelIds",
    "Lists the users of group channels: none, this server has no such channels.",
)
.body(Type::NonEmptyList(&Type::String), "The ids of the channels.")
.responses(&[Response::json(200, Type::of::<ByChannel>(), "An empty object.")])
.refusals(&[400])
.handled_by(handler!(group_channels));

/// `POST /users/group_channels`.
pub(crate) async fn group_channels(_: Session, body: Body) -> Answer<ByChannel> {
    let ids: Vec<String> = body.unnamed_list().await?;
    if ids.is_empty() { Err(AppError::invalid_body("channel_ids")) } else { Ok(Json(ByChannel(BTreeMap::new()))) }
}

pub(crate) const OAUTH_OF_USER: Operation =
    absent("GetAuthorizedOAuthAppsForUser", "Refuses: this server is no OAuth provider.", &[400, 403, 501])
        .handled_by(handler!(oauth_of_user));

/// `GET /users/{user_id}/oauth/apps/authorized`.
pub(crate) async fn oauth_of_user(request: Request, session: Session, app: Data<AppState>) -> Refusal {
    let user_id = request.user_id(&session)?;
    require_access(&app.accounts, &session, &user_id).await?;
    refuse("api.oauth.allow_oauth.turn_off.app_error")
}

/// A change of the way in which an account signs in.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = SwitchRequest)]
pub(crate) struct Switch {
    /// The way until now: `email`, `ldap`, or the name of another service.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true)]
    current_service: String,
    /// The way from now on.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true)]
    new_service: String,
}

pub(crate) const SWITCH: Operation =
    absent("SwitchAccountType", "Refuses: accounts sign in with a password of this server.", &[400, 501])
        .body(Type::of::<Switch>(), "The two ways.")
        .handled_by(handler!(switch));

/// `POST /users/login/switch`.
pub(crate) async fn switch(body: Body) -> Refusal {
    const OAUTH: [&str; 5] = ["saml", "gitlab", "google", "office365", "openid"];
    let Switch { current_service, new_service } = body.lenient().await;
    match (current_service.as_str(), new_service.as_str()) {
        ("email", "ldap") => refuse("api.user.email_to_ldap.not_available.app_error"),
        ("ldap", "email") => refuse("api.user.ldap_to_email.not_available.app_error"),
        ("email", other) | (other, "email") if OAUTH.contains(&other) => {
            refuse("api.user.authorize_oauth_user.unsupported.app_error")
        }
        _ => Err(AppError::invalid_body("switch_request")),
    }
}

pub(crate) const DESKTOP_LOGIN: Operation =
    absent("LoginWithDesktopToken", "Refuses: tokens of the desktop application are for other sign-ins.", &[401])
        .handled_by(handler!(desktop_login));

/// `POST /users/login/desktop_token`.
pub(crate) async fn desktop_login() -> Refusal {
    refuse("app.desktop_token.validate.invalid")
}

pub(crate) const CLOUD_LOGIN: Operation =
    absent("LoginCWS", "Refuses: this server is not part of a cloud.", &[401]).handled_by(handler!(cloud_login));

/// `POST /users/login/cws`.
pub(crate) async fn cloud_login() -> Refusal {
    refuse("api.user.login_cws.license.error")
}

pub(crate) const CODE_EXCHANGE: Operation =
    absent("ExchangeSSOCode", "Refuses: this server has no single sign-on.", &[410]).handled_by(handler!(exchange));

/// `POST /users/login/sso/code-exchange`.
pub(crate) async fn exchange() -> Refusal {
    refuse("api.oauth.code_exchange.disabled.app_error")
}

pub(crate) const NOTIFY_ADMIN: Operation =
    absent("NotifyAdmin", "Refuses: this server is not part of a cloud.", &[403]).handled_by(handler!(notify_admin));

/// `POST /users/notify-admin` and `/users/trigger-notify-admin-posts`.
pub(crate) async fn notify_admin(_: Session) -> Refusal {
    refuse("api.cloud.app_error")
}

pub(crate) const TRIGGER: Operation =
    absent("TriggerNotifyAdmin", "Refuses: this server is not part of a cloud.", &[403])
        .handled_by(handler!(notify_admin));

pub(crate) const IMPORT_TEAM: Operation =
    absent("ImportTeam", "Refuses: this server imports nothing from other programs.", &[400, 403])
        .details("Needs the permission `import_team`.")
        .handled_by(handler!(import_team));

/// `POST /teams/{team_id}/import`.
pub(crate) async fn import_team(request: Request, session: Session, app: Data<AppState>) -> Refusal {
    let team_id = request.id("team_id")?;
    team_access(&app.accounts, &session, team_id).await?.require("import_team")?;
    refuse("api.team.import_team.unknown_import_from.app_error")
}

pub(crate) const SYNC_DIRECTORY: Operation =
    absent("SyncLdap", "Refuses: this server uses no directory.", &[501]).handled_by(handler!(directory));
pub(crate) const TEST_DIRECTORY: Operation =
    absent("TestLdap", "Refuses: this server uses no directory.", &[501]).handled_by(handler!(directory));
pub(crate) const MIGRATE_IDS: Operation =
    absent("MigrateIdLdap", "Refuses: this server uses no directory.", &[501]).handled_by(handler!(directory));

/// `POST /ldap/sync`, `/ldap/test` and `/ldap/migrateid`.
pub(crate) async fn directory(_: Session) -> Refusal {
    refuse(NO_DIRECTORY)
}

pub(crate) const RESET_SAML_DATA: Operation =
    absent("ResetSamlAuthDataToEmail", "Refuses: this server uses no SAML.", &[403, 501])
        .handled_by(handler!(reset_saml_data));

/// `POST /saml/reset_auth_data`.
pub(crate) async fn reset_saml_data(session: Session) -> Refusal {
    session.require("manage_system")?;
    refuse("api.admin.saml.not_available.app_error")
}
