//! The requests that a client may send over its WebSocket.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use quarterdeck_actors::clock::{Uptime, wall_ms};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::hub::{Connection, Greeting, Joined, Joining, Viewing};
use quarterdeck_actors::id::is_id;
use quarterdeck_actors::session::Session as Stored;
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use tracing::{debug, warn};

use super::close::Close;
use super::message::{ClientRequest, granted, refused};
use super::{Outcome, Wishes};
use crate::base::version::API_VERSION;
use crate::domain::accounts::check_mfa;
use crate::domain::session::{Session, resolve};
use crate::web::server_figures::ServerFigures;
use crate::web::state::AppState;

/// The maximum time until the reply to a client that reported the channels that it shows.
const VIEW_LIMIT: Duration = Duration::from_secs(1);

type Work = LocalBoxFuture<'static, Outcome>;

/// The actions that need a session, in the order of the documentation.
const ACTIONS: [(&str, Action); 7] = [
    ("ping", Action::Ping),
    ("user_typing", Action::Typing),
    ("user_update_active_status", Action::Activity),
    ("get_statuses", Action::Statuses),
    ("get_statuses_by_ids", Action::StatusesById),
    ("posted_notify_ack", Action::NotifyAck),
    ("get_server_figures", Action::ServerFigures),
];

#[derive(Debug, Clone, Copy)]
enum Action {
    Ping,
    Typing,
    Activity,
    Statuses,
    StatusesById,
    NotifyAck,
    ServerFigures,
}

/// Handles a request of a client that has not authenticated. Only the authentication request is handled; any other
/// request gets no reply.
pub(super) fn handle_unauthenticated(
    app: &Data<AppState>,
    wishes: &mut Wishes,
    request: ClientRequest,
) -> Option<Work> {
    let is_challenge = request.action == "authentication_challenge" && request.seq > 0;
    is_challenge.then(|| authenticate(app.clone(), std::mem::take(wishes), request).boxed_local())
}

/// Handles a request of an authenticated client. Requests that need no waiting are done at once.
pub(super) fn perform(
    app: &Data<AppState>,
    connection: &Arc<Connection>,
    session: &Arc<Stored>,
    request: ClientRequest,
) -> Option<Work> {
    let refuse = |id: &'static str| connection.reply(refused(request.seq, &AppError::new(id)));
    if request.action.is_empty() {
        refuse("api.web_socket_router.no_action.app_error");
        return None;
    }
    if request.seq <= 0 {
        refuse("api.web_socket_router.bad_seq.app_error");
        return None;
    }
    // The server has no plugins, so their requests (`custom_`) are ignored. An authenticated client need not
    // authenticate again.
    let is_ignored = request.action == "authentication_challenge" || request.action.starts_with("custom_");
    if is_ignored {
        return None;
    }
    if request.action == "presence" {
        connection.view(|viewing| set_viewing(viewing, &request));
        return view(app.clone(), connection.clone(), request.seq);
    }
    let known = ACTIONS.iter().find(|(name, _)| *name == request.action);
    let Some((_, action)) = known else {
        refuse("api.web_socket_router.bad_action.app_error");
        return None;
    };
    Some(answer(app.clone(), connection.clone(), session.clone(), *action, request).boxed_local())
}

async fn answer(
    app: Data<AppState>,
    connection: Arc<Connection>,
    stored: Arc<Stored>,
    action: Action,
    request: ClientRequest,
) -> Outcome {
    let config = app.actors.config.current();
    let session = match admitted(&app, &config, stored.token.expose()).await {
        Ok(Some(session)) => session,
        Ok(None) => {
            let refusal = AppError::new("api.web_socket_router.not_authenticated.app_error");
            connection.reply(refused(request.seq, &refusal));
            return Outcome::Done;
        }
        Err(failure) => {
            warn!(cause = %failure, "the session of a WebSocket could not be read");
            connection.reply(refused(request.seq, &AppError::new("api.context.invalid_token.error")));
            return Outcome::Done;
        }
    };
    let done = match action {
        Action::Ping => Ok(pong()),
        Action::Typing => type_in(&app, &session, &request).await,
        Action::Activity => be_active(&app, &session, &request).await,
        Action::Statuses => Ok(statuses(&app)),
        Action::StatusesById => statuses_of(&app, &request).await,
        Action::NotifyAck => Ok(Map::new()),
        Action::ServerFigures => server_figures(&app, &session, &request),
    };
    match done {
        Ok(data) => connection.reply(granted(request.seq, &data)),
        Err(refusal) => {
            debug!(action = request.action, cause = %refusal, "a WebSocket request was refused");
            connection.reply(refused(request.seq, &refusal));
        }
    }
    Outcome::Done
}

fn pong() -> Map<String, Value> {
    object(json!({ "text": "pong", "version": API_VERSION, "server_time": wall_ms(), "node_id": "" }))
}

/// Replies to a client once events of channels that it does not show are left out.
fn view(app: Data<AppState>, connection: Arc<Connection>, seq: i64) -> Option<Work> {
    let reply = move |connection: &Connection| connection.reply(granted(seq, &Map::new()));
    if !(connection.is_exact() && connection.needs_exceptions()) {
        reply(&connection);
        return None;
    }
    let wait = async move {
        // Later is no harm: the client gets events that it does not show.
        let _ = timeout(VIEW_LIMIT, app.actors.hub.inexact(&connection)).await;
        reply(&connection);
        Outcome::Done
    };
    Some(wait.boxed_local())
}

/// The length of an id, in characters. A longer text is not an id.
const MAX_ID_CHARACTERS: usize = 26;

/// Notes the channels that the user is viewing. Values that are not text, or are too long for an id, are ignored.
fn set_viewing(viewing: &mut Viewing, request: &ClientRequest) {
    let told = |name: &str| request.text(name).filter(|id| id.len() <= MAX_ID_CHARACTERS).map(str::to_owned);
    if let Some(channel) = told("channel_id") {
        viewing.channel = Some(channel);
    }
    if let Some(thread) = told("thread_channel_id") {
        let is_thread_view = request.truth("is_thread_view").unwrap_or_default();
        let place = if is_thread_view { &mut viewing.thread_view } else { &mut viewing.side };
        *place = Some(thread);
    }
}

/// Publishes the event `typing` to the members of a channel.
async fn type_in(app: &AppState, session: &Session, request: &ClientRequest) -> Result<Map<String, Value>, AppError> {
    crate::domain::accounts::extend(&app.accounts.sessions, &app.actors.config.current(), session).await;
    if app.actors.busy.until().is_some() {
        return Err(AppError::new("api.websocket_handler.server_busy.app_error"));
    }
    let refusal = || invalid("channel_id");
    let channel_id = request.text("channel_id").filter(|id| is_id(id)).ok_or_else(refusal)?;
    let may = crate::domain::channels::may(&app.accounts, session, channel_id, "create_post").await?;
    if !may {
        return Err(refusal());
    }
    let parent_id = request.text("parent_id").unwrap_or_default();
    crate::domain::announce::typing(&app.actors.hub, session.user_id(), channel_id, parent_id).await;
    Ok(Map::new())
}

async fn be_active(app: &AppState, session: &Session, request: &ClientRequest) -> Result<Map<String, Value>, AppError> {
    let is_active = request.truth("user_is_active").ok_or_else(|| invalid("user_is_active"))?;
    let is_manual = request.truth("manual").unwrap_or_default();
    app.actors.presence.active(session.user_id(), is_active, is_manual).await?;
    Ok(Map::new())
}

/// Returns the status of every user whom this server knows not to be offline.
fn statuses(app: &AppState) -> Map<String, Value> {
    app.actors.presence.all().into_iter().map(|(user_id, status)| (user_id, Value::from(status))).collect()
}

async fn statuses_of(app: &AppState, request: &ClientRequest) -> Result<Map<String, Value>, AppError> {
    let ids = request.data.get("user_ids").and_then(Value::as_array).ok_or_else(|| invalid("user_ids"))?;
    // Elements that are not text are skipped.
    let ids: Vec<String> = ids.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if ids.is_empty() {
        return Err(invalid("user_ids"));
    }
    let statuses = app.actors.presence.of(&ids).await?;
    Ok(statuses.into_iter().map(|status| (status.user_id, Value::from(status.presence))).collect())
}

/// Returns the figures of this server after the sample with the number `after`; without it, those of the last hour.
fn server_figures(app: &AppState, session: &Session, request: &ClientRequest) -> Result<Map<String, Value>, AppError> {
    session.require("get_analytics")?;
    let known = request.data.get("after").map_or(Some(0), Value::as_u64).ok_or_else(|| invalid("after"))?;
    let figures = serde_json::to_value(ServerFigures::after(known, app)).or_fail("api.marshal_error")?;
    Ok(object(figures))
}

fn invalid(name: &'static str) -> AppError {
    AppError::new("api.websocket_handler.invalid_param.app_error").with("Name", name)
}

/// Authenticates a client by its token, and connects it to the hub.
async fn authenticate(app: Data<AppState>, wishes: Wishes, request: ClientRequest) -> Outcome {
    let Some(token) = request.text("token") else { return Outcome::Drop };
    let config = app.actors.config.current();
    let session = match admitted(&app, &config, token).await {
        Ok(found) => found.and_then(|session| session.stored_shared()),
        Err(failure) => {
            warn!(cause = %failure, "the session of a WebSocket could not be read");
            None
        }
    };
    let Some(session) = session else { return Outcome::Drop };
    match join(&app, &session, wishes).await {
        Ok(Joined { guard, .. }) => {
            let reply = granted(request.seq, &Map::new());
            Outcome::Authenticated { guard, session, reply }
        }
        Err(refusal) if refusal.id == "app.socket.too_many_of_user.app_error" => Outcome::Close(Close::TOO_MANY),
        Err(failure) => {
            warn!(cause = %failure, "a WebSocket client could not join the hub");
            Outcome::Drop
        }
    }
}

/// Connects a client to the hub, or resumes its earlier connection.
pub(super) async fn join(app: &AppState, session: &Arc<Stored>, wishes: Wishes) -> Result<Joined, AppError> {
    let look_up = async || {
        let found = app.accounts.sessions.find(session.token.expose(), Uptime::now()).await?;
        found.ok_or_else(|| AppError::new("api.context.session_expired.app_error"))
    };
    let pending_join = app.actors.hub.begin_join(&session.user_id);
    // The session is read again, because its roles may have changed since the request was admitted.
    let session = look_up().await?;
    let memberships = app.db.memberships_of(&session.user_id).await.or_fail("app.socket.memberships.app_error")?;
    let version = app.prepared.current(&app.actors.config).version.clone();
    let greeting = Greeting {
        server_version: version.to_str().unwrap_or_default().to_owned(),
        server_hostname: app.facts.hostname.clone(),
    };
    let Wishes { resume, acknowledges } = wishes;
    let mut joining = Joining { pending_join, session, memberships, resume, acknowledges, greeting };
    let joined = match app.actors.sockets.resume(&mut joining).await {
        Some(joined) => joined,
        None => app.actors.hub.join(joining).await?,
    };
    // The session may have ended during the join. The hub received that revocation before it knew this connection, so
    // the session is checked once more.
    look_up().await?;
    Ok(joined)
}

/// Reads the session of a connection again, because it may have been extended or revoked.
pub(super) fn check_session(app: Data<AppState>, connection: Arc<Connection>, stored: Arc<Stored>) -> Work {
    let check = async move {
        let (config, epoch) = (app.actors.config.current(), app.actors.hub.epoch());
        let found = match admitted(&app, &config, stored.token.expose()).await {
            Ok(found) => found.and_then(|session| session.stored_shared()),
            Err(failure) => {
                // The check is repeated soon. A connection does not end because the session store is unavailable.
                warn!(cause = %failure, "the session of a WebSocket could not be read");
                return Outcome::Done;
            }
        };
        let Some(fresh) = found else {
            return Outcome::Close(Close::because(quarterdeck_actors::hub::End::SessionEnded));
        };
        if let Err(failure) = app.actors.hub.renew_session(&connection, epoch, fresh.clone()).await {
            warn!(cause = %failure, "the hub did not receive the renewed session of a WebSocket");
        }
        Outcome::Checked(fresh)
    };
    check.boxed_local()
}

/// Returns the session of a token, unless its user must set one-time codes up first.
async fn admitted(app: &AppState, config: &Config, token: &str) -> Result<Option<Session>, AppError> {
    let Some(session) = resolve(&app.accounts, config, token).await? else { return Ok(None) };
    Ok(may_connect(app, config, &session).await?.then_some(session))
}

/// Returns false if the user must set one-time codes up before events are sent.
pub(super) async fn may_connect(app: &AppState, config: &Config, session: &Session) -> Result<bool, AppError> {
    match check_mfa(&app.db, &app.actors.license, config, session).await {
        Ok(()) => Ok(true),
        Err(refusal) if refusal.id == "api.context.mfa_required.app_error" => Ok(false),
        Err(failure) => Err(failure),
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
