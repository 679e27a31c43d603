//! Routes that install, remove and show the licence.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::clock::{DAY_MS, wall_ms};
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::license::document::License;
use serde::Serialize;
use serde_json::json;
use tracing::warn;
use utoipa::ToSchema;

use super::config::packed;
use crate::base::error_text::{sent, text_of};
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::domain::trial_license::Turn;
use crate::web::answer::{Answer, Created, Done, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;
use crate::web::upload::{Part, Upload};

/// The time within which a user must have been active to count as active, in milliseconds: 31 days.
const MONTH_MS: i64 = 31 * DAY_MS;

pub(super) const MANAGE: &str = "manage_license_information";

/// The refusal of a trial licence when the server cannot find out if there was an earlier one.
const UNCHECKED: &str = "api.license.add_license.open.app_error#unchecked";

/// The form that installs a licence.
#[derive(ToSchema)]
#[schema(as = LicenseUpload)]
pub(super) struct Form {
    /// The signed licence.
    #[schema(value_type = String, format = Binary)]
    license: Part,
}

impl Form {
    async fn read(upload: Upload) -> Result<Self, AppError> {
        let file = upload.file("license", "api.license.add_license.open.app_error").await?;
        let license = file.ok_or_else(|| AppError::new("api.license.add_license.no_file.app_error"))?;
        Ok(Self { license })
    }
}

pub(super) const INSTALL: Operation = Description::new(
    Tag::Configuration,
    "UploadLicenseFile",
    "Puts a signed licence in force. If it is refused, the licence in force stays.",
)
.details("Needs the permission `manage_license_information`.")
.form(Type::of::<Form>(), "The licence.")
.responses(&[Response::json(201, Type::of::<License>(), "The licence that is now in force.")])
.refusals(&[400, 403, 409, 500])
.handled_by(handler!(install));

/// `POST /license`: puts a signed licence in force. If it is refused, the licence in force stays.
pub(super) async fn install(
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    upload: Upload,
) -> Result<Created<License>, AppError> {
    session.require_unrestricted(MANAGE)?;
    let Form { license: file } = Form::read(upload).await?;
    audit.parameter("filename", file.name);
    let license = app.facts.verification_key.open(&file.bytes).inspect_err(note_refusal)?;
    let is_refused_twice = license.is_only_once() && !session.is_local();
    let turn = if is_refused_twice {
        Some(app.outside.trials.turn(&app.facts.verification_key, &app.db, UNCHECKED).await?)
    } else {
        None
    };
    let text = String::from_utf8_lossy(&file.bytes).into_owned();
    let license = put_in_force(&app, &audit, license, text, turn.as_ref()).await?;
    Ok(Created(License::clone(&license)))
}

/// Puts a licence in force whose signature has been verified, after all other checks. A trial has a `turn`.
pub(super) async fn put_in_force(
    app: &AppState,
    audit: &Audit,
    license: License,
    text: String,
    turn: Option<&Turn<'_>>,
) -> Result<Arc<License>, AppError> {
    license.seats().inspect_err(note_refusal)?;
    let taken = app.db.taken_seats().await.or_fail("api.license.add_license.invalid_count.app_error")?;
    license.check(taken, wall_ms()).and_then(|()| license.check_row(&text)).inspect_err(note_refusal)?;
    let license = app.actors.license.install(license, text, turn.map(|turn| turn.mark.clone())).await?;
    audit.made(json!({ "id": license.id, "sku_short_name": license.sku_short_name }));
    Ok(license)
}

/// Logs why a licence is refused. The operator who signed it may not be the caller.
pub(super) fn note_refusal(refusal: &AppError) {
    warn!(error.id = sent(&refusal.id), reason = text_of(refusal), "a license is refused");
}

pub(super) const REMOVE: Operation =
    Description::new(Tag::Configuration, "RemoveLicenseFile", "Removes the licence in force, if there is one.")
        .details("Needs the permission `manage_license_information`.")
        .responses(&[Response::json(200, STATUS_OK, "No licence is in force.")])
        .refusals(&[403, 500])
        .handled_by(handler!(remove));

/// `DELETE /license`: removes the licence in force. Succeeds also if there is none.
pub(super) async fn remove(session: Session, app: Data<AppState>) -> Result<Done, AppError> {
    session.require_unrestricted(MANAGE)?;
    app.actors.license.remove().await?;
    Ok(Done)
}

pub(super) const SHOW_TO_CLIENTS: Operation =
    Description::new(Tag::Configuration, "GetClientLicense", "Returns the facts about the licence that clients need.")
        .queries(&[Query::required("format", Type::OneOf(&["old"]), "The format; only one exists.")])
        .responses(&[Response::json(200, Type::Map(&Type::String), "Names and values, all as text.")])
        .refusals(&[400, 501])
        .handled_by(handler!(show_to_clients));

/// `GET /license/client`: returns the licence for clients, from bytes made when it was published.
pub(super) async fn show_to_clients(
    request: Request,
    session: Option<Session>,
    app: Data<AppState>,
) -> Result<HttpResponse, AppError> {
    match request.query("format").as_deref() {
        None => return Err(AppError::new("api.license.client.old_format.app_error")),
        Some("old") => {}
        Some(_) => return Err(AppError::new("api.license.client.other_format.app_error")),
    }
    let prepared = app.prepared.current(&app.actors.config);
    let may_read = session.is_some_and(|session| session.may("read_license_information"));
    Ok(packed(&request, if may_read { &prepared.whole_license } else { &prepared.anonymous_license }))
}

/// The part of the licensed accounts that is in use.
#[derive(Serialize, ToSchema)]
#[schema(as = LicenseLoad)]
pub(super) struct Load {
    /// Active accounts, in thousandths of the number of licensed accounts.
    load: i64,
}

pub(super) const SHOW_LOAD: Operation = Description::new(
    Tag::Configuration,
    "GetLicenseLoadMetric",
    "Returns the share of the licence's seats that is used, in thousandths.",
)
.responses(&[Response::json(200, Type::of::<Load>(), "The load; 0 without a licence.")])
.refusals(&[500])
.handled_by(handler!(show_load));

/// `GET /license/load_metric`: returns the part of the licensed accounts that was active within a month.
pub(super) async fn show_load(_: Session, app: Data<AppState>) -> Answer<Load> {
    let Some(license) = app.actors.license.current() else { return Ok(Json(Load { load: 0 })) };
    let active = app.db.active_since(wall_ms() - MONTH_MS).await.or_fail("api.license.load_metric.app_error")?;
    Ok(Json(Load { load: license.load(active) }))
}
