//! Releases of this server.

use actix_web::web::Data;

use crate::answer::{Answer, Json};
use crate::releases::Release;
use crate::request::Request;
use crate::session::Session;
use crate::state::AppState;

/// `GET /latest_version`: the latest release that the configured source knows.
pub(super) async fn show_latest(request: Request, session: Session, app: Data<AppState>) -> Answer<Release> {
    session.require_unrestricted("manage_system")?;
    let asked = app.outside.releases.latest(&app.outside.outbound, &request.config().view.service);
    request.while_awaited(asked).await?.map(Json)
}
