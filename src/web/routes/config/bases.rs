//! The versions that sessions were given, which all servers of a database know.

use quarterdeck_actors::clock::Uptime;
use quarterdeck_actors::cluster::Message;
use quarterdeck_actors::error::AppError;

use crate::domain::session::Session;
use crate::web::state::AppState;

/// Returns the version on which a document of the session is based, whichever server gave it; `None` if none gave one.
/// A server that does not hear of the others refuses the document: without its base, it would replace the changes of
/// others.
pub(super) async fn base_of(app: &AppState, session: &Session) -> Result<Option<String>, AppError> {
    if !app.actors.cluster.caught_up().await {
        return Err(AppError::new("app.config.base_unknown.app_error"));
    }
    Ok(app.actors.config.base_of(session.id()))
}

/// Puts the active version in force before it is shown, if this server has heard nothing of the others for a while, or has
/// not read the version that it heard of. Fails if the store cannot be read.
pub(super) async fn catch_up(app: &AppState) -> Result<(), AppError> {
    let hears = app.actors.cluster.trust().holds(Uptime::now());
    app.actors.config.catch_up(hears, app.facts.decision_context()).await
}

/// Notes the version on which the next document of the session is based, on all servers. The response to a change waits
/// until it is on the bus, as it waits for events.
pub(super) async fn note_base(app: &AppState, session: &Session, version: &str) {
    if app.actors.config.note_base(session.id(), version) {
        let (session_id, version) = (session.id().to_owned(), version.to_owned());
        app.actors.cluster.publish(Message::Given { session_id, version }).await;
    }
}

/// Does the same for a response that changes nothing: it is on the bus before the caller has the version.
pub(super) async fn give_base(app: &AppState, session: &Session, version: &str) {
    let publications = app.actors.cluster.publications();
    note_base(app, session, version).await;
    publications.settled().await;
}
