//! Routes for the versions of the configuration: an extension of the API.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::config::difference::changes;
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::proposal::Manner;
use quarterdeck_actors::config::secrets::masked;
use quarterdeck_actors::config::{Stored, Write};
use quarterdeck_actors::error::AppError;
use serde_json::{Value, json};

use super::document::{author, written};
use crate::domain::audit::Audit;
use crate::domain::config_access::proposal_of;
use crate::domain::session::Session;
use crate::store::{VersionRecord, changes_json};
use crate::web::answer::{Answer, Json};
use crate::web::request::Request;
use crate::web::state::AppState;

/// `GET /config/versions`: lists the records of the versions, the newest first.
pub(crate) async fn list(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<VersionRecord>> {
    session.require("manage_system")?;
    app.facts.versions.records(request.paging()).await.map(Json)
}

/// `GET /config/versions/{version_id}`: returns a version with its document; secrets are masked.
pub(crate) async fn show(request: Request, session: Session, app: Data<AppState>) -> Answer<Value> {
    session.require("manage_system")?;
    let id = request.id("version_id")?;
    let version = known(&app, id).await?;
    let record = app.facts.versions.record(id).await?;
    Ok(Json(json!({ "version": record, "config": masked(&version.document) })))
}

/// `GET /config/versions/{version_id}/difference/{other_id}`: returns the changes between two versions.
pub(crate) async fn compare(request: Request, session: Session, app: Data<AppState>) -> Answer<Value> {
    session.require("manage_system")?;
    let before = known(&app, request.id("version_id")?).await?;
    let after = known(&app, request.id("other_id")?).await?;
    let changes = changes(&before.document, &after.document, &*app.facts.surroundings().fingerprint);
    Ok(Json(changes_json(&changes)))
}

/// `POST /config/versions/{version_id}/rollback`: puts an earlier version in force again, as a new version.
pub(crate) async fn roll_back(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<HttpResponse, AppError> {
    session.require_unrestricted("manage_system")?;
    let body: Document = known(&app, request.id("version_id")?).await?.document;
    let proposal = proposal_of(Manner::Restore, body, &session);
    let author = author(&request, &session, "rollback");
    let write = Write { proposal, author, expected: None, is_dry_run: false, around: app.facts.surroundings() };
    let decision = app.actors.config.write(write).await?;
    written(&session, &app, &audit, &decision).await
}

/// Returns the version with that id. Fails if it does not exist.
async fn known(app: &AppState, id: &str) -> Result<Stored, AppError> {
    app.facts.versions.version(id).await?.ok_or_else(|| AppError::new("app.config.version.missing.app_error"))
}
