//! What is remembered of the store and of other servers.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::error::AppError;

use super::config::never_cached;
use crate::answer::{Done, Reply};
use crate::session::Session;
use crate::state::AppState;

/// `POST /caches/invalidate`: empties every cache; what was in it is read again when it is next needed.
pub(super) async fn invalidate(session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    session.require_unrestricted("invalidate_caches")?;
    app.sessions.doubt().await?;
    app.presence.doubt();
    app.analytics.forget().await?;
    app.links.clear();
    app.releases.clear().await;
    app.prepared.make_anew(&app.config);
    app.license.tell().await?;
    Done.reply().map(never_cached)
}
