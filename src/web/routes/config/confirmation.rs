//! Changes that last only if they are confirmed: an extension of the API.

use actix_web::web::Data;
use quarterdeck_actors::config::confirmation::{Confirm, MAX_CONFIRM_S, MIN_CONFIRM_S};
use quarterdeck_actors::error::AppError;

use crate::domain::audit::Audit;
use crate::domain::config_access::require_any_write;
use crate::domain::session::Session;
use crate::store::VersionRecord;
use crate::web::answer::{Answer, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

pub(super) const CONFIRM_WITHIN: Query = Query::optional(
    "confirm_within",
    Type::Integer,
    "The time in seconds, 10 to 3600, in which the change must be confirmed, or the server takes it back.",
);

pub(crate) const CONFIRM: Operation = Description::new(
    Tag::Configuration,
    "ConfirmConfig",
    "Confirms a change that the server takes back otherwise.",
)
.details(
    "An extension of the API. Needs any permission to write in the system console, and the user who made the change. \
     A change that comes into force at a start is confirmed after that start.",
)
.responses(&[Response::json(200, Type::of::<VersionRecord>(), "The version; it may still wait for a start.")])
.refusals(&[400, 403, 404, 409, 500])
.handled_by(handler!(confirm));

/// `POST /config/versions/{version_id}/confirm`: confirms the change that made this version.
pub(crate) async fn confirm(request: Request, session: Session, app: Data<AppState>) -> Answer<VersionRecord> {
    let id = request.id("version_id")?.to_owned();
    require_any_write(&session)?;
    app.facts.versions.known(&id).await?;
    app.actors.config.confirm(id.clone(), session.user_id().to_owned(), session.is_local()).await?;
    let record = app.facts.versions.record(&id).await?;
    record.map(Json).ok_or_else(|| AppError::new("app.config.version.missing.app_error"))
}

/// Returns the confirmation that the request asks for; `None` if the change lasts without one.
pub(super) fn wanted(request: &Request, audit: &Audit) -> Result<Option<Confirm>, AppError> {
    let Some(text) = request.query("confirm_within") else { return Ok(None) };
    let within_s = text.parse().ok().filter(|seconds| (MIN_CONFIRM_S..=MAX_CONFIRM_S).contains(seconds));
    let within_s = within_s.ok_or_else(|| AppError::invalid_url("confirm_within must be 10 - 3600"))?;
    audit.parameter("confirm_within", within_s);
    Ok(Some(Confirm { within_s, is_running: true }))
}
