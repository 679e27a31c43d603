//! Routes for the versions of the configuration: an extension of the API.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::config::difference::{Change, changes};
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::proposal::ChangeMode;
use quarterdeck_actors::config::saving::{Wanted, Write};
use quarterdeck_actors::config::secrets::masked;
use quarterdeck_actors::error::{AppError, OrFail};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::confirmation::{self, CONFIRM_WITHIN};
use super::document::{COMMENT, author, expected_by, written};
use crate::domain::accounts::admitted_settings;
use crate::domain::audit::Audit;
use crate::domain::config_access::proposal_of;
use crate::domain::session::Session;
use crate::store::VersionRecord;
use crate::web::answer::{Answer, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, PAGE, PER_PAGE, Response, Tag, Type, handler};
use crate::web::schema::ConfigSchema;
use crate::web::state::AppState;

/// A version of the configuration.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfigVersionDocument)]
pub(crate) struct VersionDocument {
    /// The document, with masked secrets.
    #[schema(value_type = ConfigSchema)]
    config: Document,
    /// The record of the version, or null if there is none.
    #[schema(required = true, value_type = Option<VersionRecord>)]
    version: Value,
}

pub(crate) const LIST: Operation = Description::new(
    Tag::Configuration,
    "GetConfigVersions",
    "Lists the versions of the configuration, the newest first.",
)
.details("An extension of the API. Needs the permission `manage_system`.")
.queries(&[PAGE, PER_PAGE])
.responses(&[Response::json(200, Type::List(&Type::of::<VersionRecord>()), "The page.")])
.refusals(&[403, 500])
.handled_by(handler!(list));

/// `GET /config/versions`: lists the records of the versions, the newest first.
pub(crate) async fn list(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<VersionRecord>> {
    session.require("manage_system")?;
    app.facts.versions.records(request.paging()).await.map(Json)
}

pub(crate) const SHOW: Operation = Description::new(
    Tag::Configuration,
    "GetConfigVersion",
    "Returns a version of the configuration with its document. Secrets are placeholders.",
)
.details("An extension of the API. Needs the permission `manage_system`.")
.responses(&[Response::json(200, Type::of::<VersionDocument>(), "The version.")])
.refusals(&[400, 403, 404, 500])
.handled_by(handler!(show));

/// `GET /config/versions/{version_id}`: returns a version with its document; secrets are masked.
pub(crate) async fn show(request: Request, session: Session, app: Data<AppState>) -> Answer<VersionDocument> {
    session.require("manage_system")?;
    let id = request.id("version_id")?;
    let version = app.facts.versions.known(id).await?;
    let record = serde_json::to_value(app.facts.versions.record(id).await?).or_fail("api.marshal_error")?;
    Ok(Json(VersionDocument { config: masked(&version.document), version: record }))
}

pub(crate) const COMPARE: Operation = Description::new(
    Tag::Configuration,
    "CompareConfigVersions",
    "Lists the differences between two versions of the configuration.",
)
.details("An extension of the API. Needs the permission `manage_system`.")
.responses(&[Response::json(200, Type::List(&Type::of::<Change>()), "One entry for each setting.")])
.refusals(&[400, 403, 404, 500])
.handled_by(handler!(compare));

/// `GET /config/versions/{version_id}/difference/{other_id}`: returns the changes between two versions.
pub(crate) async fn compare(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<Change>> {
    session.require("manage_system")?;
    let before = app.facts.versions.known(request.id("version_id")?).await?;
    let after = app.facts.versions.known(request.id("other_id")?).await?;
    Ok(Json(changes(&before.document, &after.document, &*app.facts.decision_context().fingerprint)))
}

pub(crate) const ROLL_BACK: Operation = Description::new(
    Tag::Configuration,
    "RollBackConfig",
    "Puts an earlier version of the configuration in force, as a new version.",
)
.details(
    "An extension of the API. Needs the permission `manage_system`. With the header `If-Match`, only if that version is \
     in force.",
)
.queries(&[COMMENT, CONFIRM_WITHIN])
.responses(&[Response::json(200, Type::of::<ConfigSchema>(), "The configuration that is now in force.")])
.refusals(&[400, 403, 404, 409, 412, 500])
.handled_by(handler!(roll_back));

/// `POST /config/versions/{version_id}/rollback`: puts an earlier version in force again, as a new version.
pub(crate) async fn roll_back(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<HttpResponse, AppError> {
    session.require_unrestricted("manage_system")?;
    let confirm = confirmation::wanted(&request, &audit)?;
    let body: Document = app.facts.versions.known(request.id("version_id")?).await?.document;
    let proposal = proposal_of(ChangeMode::Restore, body, &session);
    let author = author(&request, &session, "rollback");
    let expected = expected_by(&request);
    let (wanted, context) = (Wanted::Proposal(proposal), app.facts.decision_context());
    let admits = admitted_settings(&app.accounts, &session).await?;
    let write = Write { wanted, author, expected, base: None, is_dry_run: false, confirm, admits, context };
    let saved = app.actors.config.write(write).await?;
    written(&session, &app, &audit, &saved).await
}
