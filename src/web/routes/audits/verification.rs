//! Routes about the verification of the audit trail.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::audit::verification::Report;
use crate::domain::session::Session;
use crate::web::answer::{Answer, Json, Reply};
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};
use crate::web::state::AppState;

/// The knowledge of a server about the audit trail.
#[derive(Serialize, ToSchema)]
#[schema(as = ServerAuditVerification)]
pub(crate) struct OfServer {
    /// The name of the server that answers. Each server on a database verifies the trail itself.
    node_name: String,
    #[serde(flatten)]
    report: Report,
}

pub(crate) const SHOW: Operation =
    Description::new(Tag::System, "GetAuditVerification", "Tells if the audit trail is as the servers wrote it.")
        .details(
            "An extension of the API. Needs the permission `read_audits`. The server verifies the whole trail a minute \
             after its start and once a day, and the rows that were added every 10 minutes. A row that was changed after \
             its verification is found by the next one of the whole trail (`whole_at`).",
        )
        .responses(&[Response::json(200, Type::of::<OfServer>(), "What the last verification found.")])
        .refusals(&[403])
        .handled_by(handler!(show));

/// `GET /audits/verification`: returns what the last verification of the trail found, and the progress of a running
/// one.
pub(crate) async fn show(session: Session, app: Data<AppState>) -> Answer<OfServer> {
    session.require("read_audits")?;
    Ok(Json(of_server(&app, app.trail.verification.report())))
}

pub(crate) const BEGIN: Operation = Description::new(
    Tag::System,
    "VerifyAudits",
    "Begins a verification of the whole audit trail.",
)
.details(
    "An extension of the API. Needs the permission `manage_system`. A server runs one verification at a time: if \
             one of the whole trail is under way, it goes on without delays, and no second one begins.",
)
.responses(&[Response::json(202, Type::of::<OfServer>(), "The verification is under way.")])
.refusals(&[403])
.handled_by(handler!(begin));

/// `POST /audits/verification`: begins a verification of the whole trail, unless one is under way.
pub(crate) async fn begin(session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    session.require("manage_system")?;
    super::catch_up(&app).await;
    // A short trail may be verified before the response is made.
    let mut answer = Json(of_server(&app, app.trail.verification.request())).reply()?;
    *answer.status_mut() = StatusCode::ACCEPTED;
    Ok(answer)
}

fn of_server(app: &AppState, report: Report) -> OfServer {
    OfServer { node_name: app.node().1, report }
}
