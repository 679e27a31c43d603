//! The audit trail.

use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use serde_json::Value;
use tracing::warn;

use crate::domain::session::Session;
use crate::store::AuditEntry;
use crate::web::answer::{Answer, Json};
use crate::web::request::Request;
use crate::web::state::AppState;

const FAILED: &str = "app.audit.get.finding.app_error";

/// `GET /audits`: what happened, the newest first.
pub(super) async fn list(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<AuditEntry>> {
    session.require("read_audits")?;
    catch_up(&app).await;
    Ok(Json(app.db.audits(request.paging()).await.or_fail(FAILED)?))
}

/// `GET /audits/{audit_id}`: everything that is recorded of one event, with what was before and after.
pub(super) async fn show(request: Request, session: Session, app: Data<AppState>) -> Answer<Value> {
    let id = request.id("audit_id")?;
    // What was before and after is not for everybody who may read that something happened.
    session.require("manage_system")?;
    catch_up(&app).await;
    let record = app.db.audit(id).await.or_fail(FAILED)?;
    Ok(Json(record.ok_or_else(|| AppError::new("app.audit.get.missing.app_error"))?.shown()))
}

/// Whoever looks sees what was done before, also within the last moment.
async fn catch_up(app: &AppState) {
    if let Err(cause) = app.trail.audit.flush().await {
        warn!(cause = %cause, "the audit trail is read without its end");
    }
}
