//! Trial licences.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::json::to_json;
use quarterdeck_actors::license::client::{told, told_to_anybody};

use super::license::{MANAGE, note_refusal, put_in_force};
use crate::domain::accounts::known;
use crate::domain::audit::Audit;
use crate::domain::license::previous_trial;
use crate::domain::session::Session;
use crate::domain::trial_license::TrialRequest;
use crate::web::answer::{Done, json_body};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

const UNCHECKED: &str = "api.license.request-trial.can-start-trial.error";

pub(super) const INSTALL: Operation =
    Description::new(Tag::Configuration, "RequestTrialLicense", "Requests a trial licence and puts it in force.")
        .details("Needs the permission `manage_license_information`.")
        .body(Type::of::<TrialRequest>(), "The person and the organization that request it.")
        .responses(&[Response::json(200, STATUS_OK, "The licence is in force.")])
        .refusals(&[400, 403, 409, 451, 500])
        .handled_by(handler!(install));

/// `POST /trial-license`: requests a trial licence from the licence service and puts it in force.
pub(super) async fn install(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<Done, AppError> {
    session.require_unrestricted(MANAGE)?;
    // Without a public key the service's response could not be verified, so no data is sent to it.
    if !app.facts.verification_key.is_somebody() {
        return Err(AppError::new("api.license.upgrade_needed.app_error"));
    }
    let turn = app.outside.trials.turn(&app.facts.verification_key, &app.db, UNCHECKED).await?;
    let trial_request = TrialRequest::read(body.bytes())?;
    trial_request.check_short()?;
    let caller = known(&app.db, session.user_id()).await?;
    trial_request.check_long()?;
    let text = app.outside.trials.ask(&trial_request, &caller, app.prepared.diagnostic_id(), request.config()).await?;
    let license = app.facts.verification_key.open(text.as_bytes()).inspect_err(note_refusal)?;
    put_in_force(&app, &audit, license, text, Some(&turn)).await?;
    Ok(Done)
}

pub(super) const SHOW_PREVIOUS: Operation = Description::new(
    Tag::Configuration,
    "GetPrevTrialLicense",
    "Returns the trial licence that this installation had.",
)
.responses(&[Response::json(200, Type::Map(&Type::String), "Names and values, as in the client licence.")])
.refusals(&[403, 500])
.handled_by(handler!(show_previous));

/// `GET /trial-license/prev`: returns the part of the last trial licence that the caller may see, in force or not.
pub(super) async fn show_previous(session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    let trial = previous_trial(&app.facts.verification_key, &app.db).await.or_fail("app.license.get.app_error")?;
    let may_read = session.may("read_license_information");
    let shown: BTreeMap<_, _> = if may_read { told(trial.as_ref()) } else { told_to_anybody(trial.as_ref()) };
    Ok(json_body(to_json(&shown).or_fail("app.license.get.app_error")?))
}
