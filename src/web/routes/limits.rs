//! The limits of the server: numbers of accounts, and the age of posts.

use actix_web::web::Data;
use quarterdeck_actors::error::OrFail;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::accounts::{MAX_ACTIVE_ACCOUNTS, RECOMMENDED_ACCOUNTS};
use crate::domain::session::Session;
use crate::web::answer::{Answer, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};
use crate::web::state::AppState;

/// The limits of the server. 0 means no limit.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServerLimits {
    /// The number of accounts above which administrators see a warning.
    max_users_limit: i64,
    /// The number of accounts above which no account can be created.
    max_users_hard_limit: i64,
    /// The number of active accounts; 0 for callers who are no administrators.
    active_user_count: i64,
    /// The number of guests in a single channel, whom a licence does not count; 0 for callers who are no administrators.
    single_channel_guest_count: i64,
    /// The number of guests in a single channel that the licence admits.
    single_channel_guest_limit: i64,
    /// The number of posts that users see.
    post_history_limit: i64,
    /// The time of the oldest post that users see, in Unix milliseconds.
    last_accessible_post_time: i64,
}

pub(super) const SHOW: Operation =
    Description::new(Tag::System, "GetServerLimits", "Returns the limits for accounts and posts.")
        .responses(&[Response::json(200, Type::of::<ServerLimits>(), "The limits.")])
        .refusals(&[500])
        .handled_by(handler!(show));

/// `GET /limits/server`: returns the limits of the server.
pub(super) async fn show(request: Request, session: Session, app: Data<AppState>) -> Answer<ServerLimits> {
    const FAILED: &str = "app.limits.get_app_limits.user_count.store_error";
    let license = app.actors.license.current();
    let (max_users_limit, max_users_hard_limit) = match &license {
        None => (RECOMMENDED_ACCOUNTS, MAX_ACTIVE_ACCOUNTS),
        Some(license) => license.max_seats().map_or((0, 0), |max| (license.features.users.unwrap_or_default(), max)),
    };
    let limits = ServerLimits { max_users_limit, max_users_hard_limit, ..ServerLimits::default() };
    if !(session.may("manage_system") && session.may("sysconsole_read_user_management_users")) {
        return Ok(Json(limits));
    }
    let people = app.db.people_count().await.or_fail(FAILED)?;
    let Some(license) = license.filter(|_| request.config().view.guests.enable) else {
        return Ok(Json(ServerLimits { active_user_count: people, ..limits }));
    };
    let seats = app.db.taken_seats().await.or_fail(FAILED)?;
    Ok(Json(ServerLimits {
        active_user_count: seats,
        single_channel_guest_count: (people - seats).max(0),
        single_channel_guest_limit: license.features.users.unwrap_or_default(),
        ..limits
    }))
}
