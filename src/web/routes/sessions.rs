//! Open sessions: list, revoke, attach to a device.

use std::collections::BTreeMap;

use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::session::{Session as Stored, SessionSelection};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::users::user_in_path;
use crate::base::lenient::{or_default, required};
use crate::base::team::{Member, MemberView};
use crate::domain::accounts::{self, Device};
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::web::answer::{Answer, Done, Json};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

/// A session in a list. Its keys are in the order of Mattermost. Times are Unix milliseconds.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct Listed {
    /// The session's id.
    id: String,
    /// Always empty.
    token: &'static str,
    /// The time of the login.
    create_at: i64,
    /// The time at which it expires; 0 means never.
    expires_at: i64,
    /// The time of the last use.
    last_activity_at: i64,
    /// The user's id.
    user_id: String,
    /// The mobile device, as `platform:token`; empty for the web.
    device_id: String,
    /// The names of the system roles, separated by spaces.
    roles: String,
    /// True if an OAuth application holds it.
    is_oauth: bool,
    /// True if the device was notified of its end.
    expired_notify: bool,
    /// Free properties.
    props: BTreeMap<String, String>,
    /// The user's memberships in teams.
    team_members: Vec<MemberView>,
    /// Always false.
    local: bool,
}

/// The session to end.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = SessionChoice)]
pub(super) struct Choice {
    /// The session's id.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, min_length = 1)]
    session_id: String,
}

impl Listed {
    fn new(session: Stored, team_members: Vec<MemberView>) -> Self {
        Self {
            id: session.id,
            token: "",
            create_at: session.create_at,
            expires_at: session.expires_at,
            last_activity_at: session.last_activity_at,
            user_id: session.user_id,
            device_id: session.device_id,
            roles: session.roles,
            is_oauth: session.is_oauth,
            expired_notify: session.expired_notify,
            props: session.props,
            team_members,
            local: false,
        }
    }
}

pub(super) const LIST: Operation =
    Description::new(Tag::Accounts, "GetSessions", "Lists the user's sessions, the most recently used first.")
        .responses(&[Response::json(200, Type::List(&Type::of::<Listed>()), "The sessions, without their tokens.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(list));

/// `GET /users/{user_id}/sessions`: lists the user's sessions, the last used first.
pub(super) async fn list(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<Listed>> {
    const FAILED: &str = "app.session.get_sessions.app_error";
    let user_id = user_in_path(&request, &session, &app).await?;
    let sessions = app.db.sessions_of(&user_id).await.or_fail(FAILED)?;
    let members = app.db.memberships(&user_id).await.or_fail(FAILED)?;
    let teams: Vec<MemberView> = members.into_iter().filter(Member::is_active).map(MemberView::from).collect();
    Ok(Json(sessions.into_iter().map(|session| Listed::new(session, teams.clone())).collect()))
}

pub(super) const REVOKE: Operation =
    Description::new(Tag::Accounts, "RevokeSession", "Ends a session, and closes its sockets at once.")
        .body(Type::of::<Choice>(), "The session.")
        .responses(&[Response::json(200, STATUS_OK, "Ended.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(revoke));

/// `POST /users/{user_id}/sessions/revoke`: ends one of the user's sessions.
pub(super) async fn revoke(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<Done, AppError> {
    let user_id = user_in_path(&request, &session, &app).await?;
    let Choice { session_id } = body.lenient().await;
    let named = required("session_id", &session_id)?;
    let found = app.db.session_with_id_or_token(named).await.or_fail("app.session.get_sessions.app_error")?;
    let found = found.ok_or_else(|| AppError::new("app.session.get.app_error"))?;
    if found.user_id != user_id {
        return Err(AppError::invalid_url("user_id"));
    }
    // The body may name the token, which must not be recorded.
    audit.parameter("session_id", found.id.as_str());
    app.accounts.sessions.close(SessionSelection::Id(found.id)).await?;
    Ok(Done)
}

pub(super) const REVOKE_ALL_OF_USER: Operation =
    Description::new(Tag::Accounts, "RevokeAllSessions", "Ends all sessions of the user.")
        .responses(&[Response::json(200, STATUS_OK, "Ended.")])
        .refusals(&[400, 403, 500])
        .handled_by(handler!(revoke_all_of_user));

/// `POST /users/{user_id}/sessions/revoke/all`: ends every session of the user, including the caller's own.
pub(super) async fn revoke_all_of_user(
    request: Request,
    session: Session,
    app: Data<AppState>,
) -> Result<Done, AppError> {
    let user_id = user_in_path(&request, &session, &app).await?;
    app.accounts.sessions.close(SessionSelection::User { id: user_id, except: None }).await?;
    Ok(Done)
}

pub(super) const REVOKE_ALL: Operation =
    Description::new(Tag::Accounts, "RevokeSessionsFromAllUsers", "Ends the sessions of all users.")
        .details("Needs the permission `manage_system`.")
        .responses(&[Response::json(200, STATUS_OK, "Ended.")])
        .refusals(&[403, 500])
        .handled_by(handler!(revoke_all));

/// `POST /users/sessions/revoke/all`: ends all sessions of all users.
pub(super) async fn revoke_all(session: Session, app: Data<AppState>) -> Result<Done, AppError> {
    session.require("manage_system")?;
    app.accounts.sessions.close(SessionSelection::All).await?;
    Ok(Done)
}

pub(super) const ATTACH_DEVICE: Operation =
    Description::new(Tag::Accounts, "AttachDeviceExtraProps", "Attaches the caller's session to a mobile device.")
        .body(Type::of::<Device>(), "The device.")
        .responses(&[Response::json(200, STATUS_OK, "Attached.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(attach_device));

/// `PUT /users/sessions/device`: attaches the caller's session to a mobile device.
pub(super) async fn attach_device(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Result<Done, AppError> {
    let device = body.lenient::<Device>().await.checked()?;
    accounts::attach(&app.accounts.sessions, request.config(), &session, device).await?;
    Ok(Done)
}
