//! Routes that read the audit trail.

pub(super) mod verification;

use actix_web::web::Data;
use quarterdeck_actors::clock::MINUTE_MS;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::is_id;
use tracing::warn;

use super::users::user_in_path;
use crate::domain::session::Session;
use crate::store::{AuditEntry, FullEntry};
use crate::web::answer::{Answer, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, PAGE, PER_PAGE, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

const FAILED: &str = "app.audit.get.finding.app_error";

pub(super) const LIST: Operation = Description::new(Tag::System, "GetAudits", "Lists audit records, the newest first.")
    .details(
        "Needs the permission `read_audits`. With `request_id`, which is an extension of the API, only the records of \
         that request are listed, as far as they are among the 20,000 newest ones up to a minute after `at`.",
    )
    .queries(&[
        PAGE,
        PER_PAGE,
        Query::optional("request_id", Type::String, "The id of a request, as `X-Request-Id` has it."),
        Query::optional("at", Type::Integer, "The time of that request, in Unix milliseconds. The default is now."),
    ])
    .responses(&[Response::json(200, Type::List(&Type::of::<AuditEntry>()), "The page.")])
    .refusals(&[400, 403, 500])
    .handled_by(handler!(list));

/// `GET /audits`: lists the audit records, the newest first; of one request, if `request_id` names it.
pub(super) async fn list(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<AuditEntry>> {
    session.require("read_audits")?;
    let Some(request_id) = request.query("request_id") else {
        catch_up(&app).await;
        return Ok(Json(app.db.audits(request.paging()).await.or_fail(FAILED)?));
    };
    if !is_id(&request_id) {
        return Err(AppError::invalid_url("request_id"));
    }
    let at = match request.query("at") {
        Some(text) => text.parse().map_err(|_| AppError::invalid_url("at"))?,
        None => i64::MAX,
    };
    // The record of a request is made at its end, later than its first lines in the log.
    let until = i64::saturating_add(at, MINUTE_MS);
    catch_up(&app).await;
    Ok(Json(app.db.audits_of_request(&request_id, until, request.paging()).await.or_fail(FAILED)?))
}

pub(super) const LIST_OF_USER: Operation =
    Description::new(Tag::Accounts, "GetUserAudits", "Lists the audit records of what one user did, the newest first.")
        .queries(&[PAGE, PER_PAGE])
        .responses(&[Response::json(200, Type::List(&Type::of::<AuditEntry>()), "The page.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(list_of_user));

/// `GET /users/{user_id}/audits`: lists the audit records of what one user did, the newest first.
pub(super) async fn list_of_user(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<AuditEntry>> {
    let user_id = user_in_path(&request, &session, &app).await?;
    // Records wait 100 ms at most. Any user may send this request, so it makes the trail write them sooner only for
    // those who read the whole trail.
    if session.may("read_audits") {
        catch_up(&app).await;
    }
    Ok(Json(app.db.audits_of(&user_id, request.paging()).await.or_fail(FAILED)?))
}

pub(super) const SHOW: Operation = Description::new(Tag::System, "GetAudit", "Returns one audit record in full.")
    .details("An extension of the API. Needs the permission `manage_system`.")
    .responses(&[Response::json(200, Type::of::<FullEntry>(), "The record, with the values before and after.")])
    .refusals(&[400, 403, 404, 500])
    .handled_by(handler!(show));

/// `GET /audits/{audit_id}`: returns one audit record, with the values before and after the change.
pub(super) async fn show(request: Request, session: Session, app: Data<AppState>) -> Answer<FullEntry> {
    let id = request.id("audit_id")?;
    // The values before and after need a higher permission than the list of records.
    session.require("manage_system")?;
    catch_up(&app).await;
    let record = app.db.audit(id).await.or_fail(FAILED)?;
    record.map(|entry| Json(entry.into())).ok_or_else(|| AppError::new("app.audit.get.missing.app_error"))
}

/// Stores the records that still wait in memory, so that the reader sees the most recent ones.
async fn catch_up(app: &AppState) {
    if let Err(cause) = app.trail.audit.flush().await {
        warn!(cause = %cause, "the last audit records could not be stored; the response may lack them");
    }
}
