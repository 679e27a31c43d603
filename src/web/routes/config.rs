//! The configuration, and the part of it that clients receive.

mod bases;
pub(super) mod confirmation;
pub(super) mod document;
mod headers;
pub(super) mod migrate;
pub(super) mod origins;
pub(super) mod schema;
mod stores;
pub(super) mod versions;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpResponse, HttpResponseBuilder};

use quarterdeck_actors::config::difference::changes;
use quarterdeck_actors::error::AppError;

use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::web::answer::outgoing::Outgoing;
use crate::web::answer::{Done, JSON, Reply};
use crate::web::prepared::Packed;
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

const NEVER_CACHED: HeaderValue = HeaderValue::from_static("no-cache, no-store, must-revalidate");

pub(super) const RELOAD: Operation = Description::new(
    Tag::Configuration,
    "ReloadConfig",
    "Reads the stored configuration, `config.toml` and the environment again.",
)
.details("Needs the permission `reload_config`.")
.responses(&[Response::json(200, STATUS_OK, "The configuration that was read is in force.")])
.refusals(&[400, 403, 500])
.handled_by(handler!(reload));

/// `POST /config/reload`: reads the store, `config.toml` and the environment again. If the result is refused, nothing
/// changes.
pub(super) async fn reload(session: Session, app: Data<AppState>, audit: Audit) -> Result<HttpResponse, AppError> {
    session.require_unrestricted("reload_config")?;
    let (before, context) = (app.actors.config.current(), app.facts.decision_context());
    let after = app.actors.config.reload(context.clone()).await?;
    let changes = changes(&before.document, &after.document, &*context.fingerprint);
    audit.settings(&changes);
    let mut answer = Done.reply().map(never_cached)?;
    stores::tell_stores(&mut answer, &app, &changes).await;
    Ok(answer)
}

/// Forbids clients and proxies to cache a response.
pub(super) fn never_cached(mut answer: HttpResponse) -> HttpResponse {
    answer.headers_mut().insert(CACHE_CONTROL, NEVER_CACHED);
    answer
}

pub(super) const SHOW_TO_CLIENTS: Operation =
    Description::new(Tag::Configuration, "GetClientConfig", "Returns the settings that clients need.")
        .queries(&[Query::optional("format", Type::String, "`old`, sent by older clients; no other format exists.")])
        .responses(&[Response::json(200, Type::Map(&Type::String), "Names and values, all as text.")])
        .handled_by(handler!(show_to_clients));

/// `GET /config/client`: returns the configuration for clients, from bytes made when it was published.
pub(super) async fn show_to_clients(request: Request, session: Option<Session>, app: Data<AppState>) -> HttpResponse {
    let prepared = app.prepared.current(&app.actors.config);
    packed(&request, if session.is_some() { &prepared.authenticated_config } else { &prepared.anonymous_config })
}

/// Returns a prepared body, with or without gzip. It counts against no budget, because all responses share it.
pub(super) fn packed(request: &Request, body: &Packed) -> HttpResponse {
    packed_as(request, body, HttpResponse::Ok().insert_header((CONTENT_TYPE, JSON)))
}

/// Adds a prepared body to a response whose headers are already set.
pub(super) fn packed_as(request: &Request, body: &Packed, answer: &mut HttpResponseBuilder) -> HttpResponse {
    if request.accepts_gzip() {
        answer.insert_header((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        answer.body(Outgoing::bytes(body.gzip().clone()))
    } else {
        answer.body(Outgoing::bytes(body.plain.clone()))
    }
}
