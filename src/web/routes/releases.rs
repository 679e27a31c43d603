//! The route that shows the latest release of this server.

use actix_web::web::Data;

use crate::domain::session::Session;
use crate::outbound::releases::Release;
use crate::web::answer::{Answer, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};
use crate::web::state::AppState;

pub(super) const SHOW_LATEST: Operation = Description::new(
    Tag::System,
    "GetLatestVersion",
    "Returns the latest release, as published at the configured URL.",
)
.responses(&[Response::json(200, Type::of::<Release>(), "The release. It is cached for some time.")])
.refusals(&[500])
.handled_by(handler!(show_latest));

/// `GET /latest_version`: returns the latest release from the configured source.
pub(super) async fn show_latest(request: Request, session: Session, app: Data<AppState>) -> Answer<Release> {
    session.require_unrestricted("manage_system")?;
    let latest = app.outside.releases.latest(&app.outside.outbound, &request.config().view.service);
    request.while_awaited(latest).await?.map(Json)
}
