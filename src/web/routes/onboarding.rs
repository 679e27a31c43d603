//! The onboarding of the first administrator.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};
use utoipa::ToSchema;

use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::web::answer::{Done, Json, Reply};
use crate::web::request::Body;
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

const SETUP_COMPLETE: &str = "FirstAdminSetupComplete";
const ORGANIZATION: &str = "OrganizationName";

/// The largest length of an organization's name, in characters, which is the width of the column.
const MAX_NAME_CHARACTERS: usize = 1024;

/// A stored fact of the server.
#[derive(Serialize, ToSchema)]
pub(super) struct System {
    /// The name.
    name: &'static str,
    /// The value, as text.
    value: String,
}

/// The result of the onboarding.
#[derive(Deserialize, ToSchema)]
pub(super) struct Onboarding {
    /// The name of the organization.
    #[serde(default)]
    #[schema(required = true, nullable = false, min_length = 1)]
    organization: Option<String>,
    /// The chosen plugins. This server has none.
    #[serde(default)]
    install_plugins: Option<Vec<String>>,
}

pub(super) const SHOW: Operation = Description::new(
    Tag::System,
    "GetOnboardingComplete",
    "Tells if the first administrator has completed the onboarding.",
)
.details("Needs the permission `manage_system`.")
.responses(&[Response::json(200, Type::of::<System>(), "`FirstAdminSetupComplete` with `true` or `false` as text.")])
.refusals(&[403, 500])
.handled_by(handler!(show));

/// `GET /system/onboarding/complete`: returns `true` or `false`, as text.
pub(super) async fn show(session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    session.require("manage_system")?;
    let stored = app.db.system(SETUP_COMPLETE).await.or_fail("app.system.get_onboarding_request.app_error")?;
    Json(System { name: SETUP_COMPLETE, value: stored.unwrap_or_else(|| "false".to_owned()) }).reply()
}

pub(super) const COMPLETE: Operation = Description::new(
    Tag::System,
    "CompleteOnboarding",
    "Stores that the first administrator has completed the onboarding.",
)
.details("Needs the permission `manage_system`.")
.body(Type::of::<Onboarding>(), "The name of the organization.")
.responses(&[Response::json(200, STATUS_OK, "Stored.")])
.refusals(&[400, 403, 500])
.handled_by(handler!(complete));

/// `POST /system/onboarding/complete`: stores that the onboarding is complete, with the name of the organization.
///
/// This server has no plugins; the number of requested ones is logged.
pub(super) async fn complete(
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<Done, AppError> {
    if !session.may("manage_system") {
        return Err(AppError::new("app.system.complete_onboarding_request.no_first_user"));
    }
    let onboarding = decoded(body).await?;
    let organization = onboarding.organization.unwrap_or_default();
    audit.parameter("organization", organization.as_str());
    if organization.is_empty() {
        return Err(AppError::new("api.error_no_organization_name_provided_for_self_hosted_onboarding"));
    }
    let plugins = onboarding.install_plugins.unwrap_or_default();
    if !plugins.is_empty() {
        info!(plugins = plugins.len(), "plugins were requested at onboarding; this server has none");
    }
    let name: String = organization.chars().take(MAX_NAME_CHARACTERS).collect();
    if let Err(cause) = app.db.set_system(ORGANIZATION, &name).await {
        warn!(%cause, "the organization name could not be stored");
    }
    let saved = app.db.set_system(SETUP_COMPLETE, "true").await;
    saved.or_fail("api.error_set_first_admin_complete_setup")?;
    Ok(Done)
}

async fn decoded(body: Body) -> Result<Onboarding, AppError> {
    const BROKEN: &str = "app.system.complete_onboarding_request.app_error";
    body.object("onboarding").await.map_err(|refusal| match refusal.id.as_ref() {
        "api.context.invalid_body_param.app_error" => AppError::new(BROKEN).because(refusal),
        _ => refusal,
    })
}
