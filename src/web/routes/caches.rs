//! The caches of the server.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::cluster::Message;
use quarterdeck_actors::error::{AppError, OrFail};

use super::config::never_cached;
use crate::domain::announce;
use crate::domain::session::Session;
use crate::web::answer::{Done, Reply};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, handler};
use crate::web::state::AppState;

pub(super) const INVALIDATE: Operation = Description::new(Tag::Environment, "InvalidateCaches", "Empties every cache.")
    .details("Needs the permission `invalidate_caches`.")
    .responses(&[Response::json(200, STATUS_OK, "The caches are empty.")])
    .refusals(&[403, 500])
    .handled_by(handler!(invalidate));

/// `POST /caches/invalidate`: clears every cache on all servers. The values are read again when they are needed.
pub(super) async fn invalidate(session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    session.require_unrestricted("invalidate_caches")?;
    invalidate_caches(&app).await?;
    app.actors.cluster.publish(Message::Caches).await;
    Done.reply().map(never_cached)
}

/// Clears every cache of this server.
pub(crate) async fn invalidate_caches(app: &AppState) -> Result<(), AppError> {
    app.accounts.sessions.invalidate();
    let _announcing = app.actors.hub.announcing();
    let read = app.accounts.roles.begin_read();
    for role in app.accounts.roles.renew(read, app.db.roles().await.or_fail("app.role.get_all.app_error")?) {
        announce::role_updated(&app.actors.hub, &role).await;
    }
    app.actors.presence.invalidate();
    app.actors.analytics.invalidate().await?;
    app.outside.links.clear();
    app.outside.releases.clear().await;
    app.prepared.make_anew(&app.actors.config);
    app.actors.license.refresh().await?;
    app.actors.busy.refresh().await?;
    app.actors.license.republish().await?;
    Ok(())
}
