//! Reports of clients about their own speed. Mattermost counts them with a licence only; this server accepts and drops
//! them.

use quarterdeck_actors::error::AppError;

use crate::domain::session::Session;
use crate::web::answer::Done;
use crate::web::request::Body;
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};

pub(super) const DROP: Operation = Description::new(
    Tag::System,
    "SubmitPerformanceReport",
    "Accepts a report of a client about its own speed, and drops it.",
)
.optional_body(Type::Object, "The report.")
.responses(&[Response::json(200, STATUS_OK, "Accepted.")])
.refusals(&[400])
.handled_by(handler!(accept));

/// `POST /client_perf`: reads the report within the limits of a body, and drops it.
pub(super) async fn accept(_: Session, body: Body) -> Result<Done, AppError> {
    body.bytes()?;
    Ok(Done)
}
