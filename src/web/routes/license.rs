//! The licence.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::clock::{DAY_MS, wall_ms};
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::license::document::License;
use serde::Serialize;
use serde_json::json;

use super::config::packed;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::web::answer::{Answer, Created, Done, Json};
use crate::web::request::Request;
use crate::web::state::AppState;
use crate::web::upload::Upload;

/// Whoever was there within so many milliseconds counts as active: 31 days.
const MONTH_MS: i64 = 31 * DAY_MS;

pub(super) const MANAGE: &str = "manage_license_information";

/// The refusal of a trial when nobody can say whether there was one before.
const UNCHECKED: &str = "api.license.add_license.open.app_error#unchecked";

/// `POST /license`: puts a signed licence in force; one that is refused leaves the one in force as it is.
pub(super) async fn install(
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    upload: Upload,
) -> Result<Created<License>, AppError> {
    session.require_unrestricted(MANAGE)?;
    let file = upload.file("license").await?;
    let file = file.ok_or_else(|| AppError::new("api.license.add_license.no_file.app_error"))?;
    audit.parameter("filename", file.name);
    let license = app.facts.signatory.open(&file.bytes)?;
    let is_refused_twice = license.is_only_once() && !session.is_local();
    let _turn = if is_refused_twice {
        Some(app.outside.trials.turn(&app.facts.signatory, &app.db, UNCHECKED).await?)
    } else {
        None
    };
    let text = String::from_utf8_lossy(&file.bytes).into_owned();
    let license = put_in_force(&app, &audit, license, text).await?;
    Ok(Created(License::clone(&license)))
}

/// Puts a licence whose signature was found good in force, once nothing else speaks against it.
pub(super) async fn put_in_force(
    app: &AppState,
    audit: &Audit,
    license: License,
    text: String,
) -> Result<Arc<License>, AppError> {
    license.seats()?;
    let taken = app.db.taken_seats().await.or_fail("api.license.add_license.invalid_count.app_error")?;
    license.check(taken, wall_ms())?;
    license.check_row(&text)?;
    let license = app.actors.license.install(license, text).await?;
    audit.made(json!({ "id": license.id, "sku_short_name": license.sku_short_name }));
    Ok(license)
}

/// `DELETE /license`: ends the licence in force, also when there is none.
pub(super) async fn remove(session: Session, app: Data<AppState>) -> Result<Done, AppError> {
    session.require_unrestricted(MANAGE)?;
    app.actors.license.remove().await?;
    Ok(Done)
}

/// `GET /license/client`: what clients need to know of the licence, in bytes made when it was published.
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

/// How much of the licence is used.
#[derive(Serialize)]
pub(super) struct Load {
    /// Active accounts, in thousandths of those that the licence is for.
    load: i64,
}

/// `GET /license/load_metric`: how many of the accounts that the licence is for were active within a month.
pub(super) async fn show_load(_: Session, app: Data<AppState>) -> Answer<Load> {
    let Some(license) = app.actors.license.current() else { return Ok(Json(Load { load: 0 })) };
    let active = app.db.active_since(wall_ms() - MONTH_MS).await.or_fail("api.license.load_metric.app_error")?;
    Ok(Json(Load { load: license.load(active) }))
}
