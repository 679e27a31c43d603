//! The audit trail.

use actix_web::web::Data;
use quarterdeck_actors::error::OrFail;
use tracing::warn;

use crate::answer::{Answer, Json};
use crate::request::Request;
use crate::session::Session;
use crate::state::AppState;
use crate::store::AuditEntry;

/// `GET /audits`: what happened, the newest first.
pub(super) async fn list(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<AuditEntry>> {
    session.require("read_audits")?;
    // Whoever looks sees what was done before, also within the last moment.
    if let Err(cause) = app.audit.flush().await {
        warn!(cause = %cause, "the audit trail is read without its end");
    }
    Ok(Json(app.db.audits(request.paging()).await.or_fail("app.audit.get.finding.app_error")?))
}
