//! Changes that last only if they are confirmed: an extension of the API.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::config::confirmation::{Confirm, MAX_CONFIRM_S, MIN_CONFIRM_S, missing, of_version};
use quarterdeck_actors::config::saving::TakenBackBy;
use quarterdeck_actors::error::AppError;

use super::document::{author, written};
use crate::domain::accounts::admitted_settings;
use crate::domain::audit::Audit;
use crate::domain::config_access::require_any_write;
use crate::domain::session::Session;
use crate::store::VersionRecord;
use crate::web::answer::{Answer, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::schema::ConfigSchema;
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
    let (author, admitted) =
        ((session.user_id().to_owned(), session.is_local()), request.config().version().to_owned());
    app.actors.config.confirm(id.clone(), author, admitted, app.facts.decision_context()).await?;
    let record = app.facts.versions.record(&id).await?;
    record.map(Json).ok_or_else(|| AppError::new("app.config.version.missing.app_error"))
}

pub(crate) const TAKE_BACK: Operation = Description::new(
    Tag::Configuration,
    "TakeBackConfig",
    "Takes a change that waits for its confirmation back at once.",
)
.details(
    "An extension of the API. Needs any permission to write in the system console, and either the user who made the \
     change or the permission `manage_system`, which does not suffice while administrators are restricted. As at the end of the time, only settings that still have the value \
     that the change gave them get the earlier one. Nothing restarts: settings that came into force at a start are \
     listed by `config/pending_restart`.",
)
.responses(&[Response::json(200, Type::of::<ConfigSchema>(), "The configuration that is now in force.")])
.refusals(&[400, 403, 404, 409, 500])
.handled_by(handler!(take_back));

/// `DELETE /config/versions/{version_id}/confirm`: takes the change that made this version back before its time is
/// over.
pub(crate) async fn take_back(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<HttpResponse, AppError> {
    let id = request.id("version_id")?;
    require_any_write(&session)?;
    app.facts.versions.known(id).await?;
    let waiting = of_version(app.actors.config.confirmation().await?, id)?;
    // Taking back does not ask who may write which setting, so restricted administrators end only their own changes.
    waiting.check_end_by(session.user_id(), session.may("manage_system") && !session.is_restricted())?;
    let admits = admitted_settings(&app.accounts, &session).await?;
    let by = TakenBackBy { author: author(&request, &session, "taken_back"), admits };
    let saved = app.actors.config.take_back(waiting, Some(by), app.facts.decision_context()).await?;
    written(&session, &app, &audit, &saved.ok_or_else(missing)?).await
}

/// Returns the confirmation that the request asks for; `None` if the change lasts without one.
pub(super) fn wanted(request: &Request, audit: &Audit) -> Result<Option<Confirm>, AppError> {
    let Some(text) = request.query("confirm_within") else { return Ok(None) };
    let within_s = text.parse().ok().filter(|seconds| (MIN_CONFIRM_S..=MAX_CONFIRM_S).contains(seconds));
    let within_s = within_s.ok_or_else(|| AppError::invalid_url("confirm_within must be 10 - 3600"))?;
    audit.parameter("confirm_within", within_s);
    Ok(Some(Confirm { within_s, is_running: true }))
}
