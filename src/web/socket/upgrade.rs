//! The request that opens a WebSocket: checks in the order of the contract, then the switch of protocols.

use actix_http::ws::hash_key;
use actix_web::http::header::{
    CONNECTION, HOST, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use actix_web::http::{Method, StatusCode, Version};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use data_encoding::BASE64;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::id::is_id;

use super::origin::{Admission, admission};
use super::{Socket, Wishes, actions, known, unknown};
use crate::domain::session::Session;
use crate::web::line;
use crate::web::origins::Page;
use crate::web::pipeline::COOKIE;
use crate::web::request::{Request, header_of};
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

/// The version of the WebSocket protocol. Every refusal names it in a header.
pub(crate) const VERSION: HeaderValue = HeaderValue::from_static("13");

const REFUSED: &str = "api.web_socket.connect.upgrade.app_error";
const FOREIGN: &str = "app.socket.origin.app_error";

/// Returns true if an error is the refusal of an upgrade.
pub(crate) fn is_refusal(failure: &AppError) -> bool {
    failure.id == REFUSED || failure.id == FOREIGN
}

pub(crate) const OPEN: Operation = Description::new(Tag::System, "ConnectWebSocket", "Opens the WebSocket.")
    .details(
        "The guide to the WebSocket describes the frames. With `connection_id` and \
         `sequence_number`, the server resumes a connection or tells the client at once that it \
         cannot.",
    )
    .queries(&[
        Query::optional("connection_id", Type::String, "The connection to resume."),
        Query::optional("sequence_number", Type::Integer, "The number of the next event that the client expects."),
        Query::optional(
            "posted_ack",
            Type::Boolean,
            "The client acknowledges posts: `posted` has the member `should_ack`.",
        ),
        Query::optional("disconnect_err_code", Type::String, "The reason why the last connection ended."),
    ])
    .responses(&[Response::empty(101, "The connection is a WebSocket from now on.")])
    .refusals(&[400, 403, 503])
    .handled_by(handler!(open));

/// Opens a WebSocket. A caller with a session is connected to the hub at once.
pub(crate) async fn open(
    request: Request,
    http: HttpRequest,
    incoming: Payload,
    app: Data<AppState>,
) -> Result<HttpResponse, AppError> {
    let (key, admission) = check_handshake(&request, &http)?;
    let wishes = Wishes { resume: wanted(&request)?, acknowledges: request.is_literally_true("posted_ack") };
    if let Some(code) = request.query("disconnect_err_code").and_then(|text| text.parse().ok()) {
        app.actors.hub.counts().note_break(code);
    }
    let permit = app.actors.hub.socket_permit().ok_or_else(|| AppError::new("app.socket.too_many.app_error"))?;
    // A token in a cookie takes precedence, so a request with the cookie has the cookie's session. For a page of
    // another site that session is not used.
    let is_unwitting = admission == Admission::WithoutCookie && request.cookie(COOKIE).is_some();
    let session = request.context.session.as_ref().filter(|_| !is_unwitting);
    let may_connect = match session {
        Some(session) => actions::may_connect(&app, request.config(), session).await?,
        None => false,
    };
    // A user who must set one-time codes up gets a socket without events, as a client without a session does.
    let session = session.filter(|_| may_connect).and_then(Session::stored_shared);
    let client = match session {
        Some(session) => {
            let joined = actions::join(&app, &session, wishes).await?;
            known(&app, joined.guard, session)
        }
        None => unknown(wishes),
    };
    let mut answer = HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS);
    answer.upgrade("websocket").insert_header((SEC_WEBSOCKET_ACCEPT, accept(key)?));
    Ok(answer.body(Socket::new(incoming, app, client, line::end_of_input(&http), permit)))
}

/// Returns the client's key, and whether the page that opens the socket may use its visitor's cookie.
fn check_handshake<'a>(request: &Request, http: &'a HttpRequest) -> Result<(&'a str, Admission), AppError> {
    let lists = |name: HeaderName, token: &str| {
        let mut values = http.headers().get_all(name).filter_map(|value| value.to_str().ok());
        values.any(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
    };
    let is_upgrade = http.method() == Method::GET
        && http.version() == Version::HTTP_11
        && lists(CONNECTION, "upgrade")
        && lists(UPGRADE, "websocket")
        && lists(SEC_WEBSOCKET_VERSION, "13");
    if !is_upgrade {
        return Err(AppError::new(REFUSED));
    }
    let host = header_of(http, HOST.as_str()).unwrap_or_default();
    let admission = admission(&request.config().view.service, &Page::of(http.headers()), host);
    if admission == Admission::Refused {
        return Err(AppError::new(FOREIGN));
    }
    let key = header_of(http, SEC_WEBSOCKET_KEY.as_str()).unwrap_or_default();
    let is_key = BASE64.decode(key.as_bytes()).is_ok_and(|bytes| bytes.len() == 16);
    if is_key { Ok((key, admission)) } else { Err(AppError::new(REFUSED)) }
}

fn accept(key: &str) -> Result<HeaderValue, AppError> {
    HeaderValue::from_bytes(&hash_key(key.as_bytes())).map_err(|_| AppError::new(REFUSED))
}

/// Returns the connection that the client wants to resume. Without a connection id the sequence number is not read.
fn wanted(request: &Request) -> Result<Option<(String, i64)>, AppError> {
    let Some(id) = request.query("connection_id") else { return Ok(None) };
    if !is_id(&id) {
        return Err(AppError::invalid_url("connection_id"));
    }
    let seq = request.query("sequence_number").and_then(|text| text.parse().ok());
    seq.map(|seq| Some((id, seq))).ok_or_else(|| AppError::invalid_url("sequence_number"))
}
