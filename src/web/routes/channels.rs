//! The route that lists the channels of all teams, for administrators.

use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use serde::Serialize;
use utoipa::ToSchema;

use crate::base::channel::ChannelOfTeam;
use crate::base::team::DEFAULT_CHANNELS;
use crate::domain::session::Session;
use crate::store::ChannelFilter;
use crate::web::answer::{Answer, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, PAGE, PER_PAGE, Query, Response, Tag, Type, handler};
use crate::web::routes::teams::search::RETENTION;
use crate::web::state::AppState;

/// The permissions of which one is enough.
const READERS: [&str; 2] = ["sysconsole_read_user_management_groups", "sysconsole_read_user_management_channels"];

/// Mattermost's filter by group. It is refused, because this server has no groups, and the list would be wrong.
const UNSUPPORTED: &str = "not_associated_to_group";

/// A page of channels; with the number of all channels if the caller asks for it.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = ChannelList)]
pub(super) enum Listing {
    Plain(Vec<ChannelOfTeam>),
    Counted(Counted),
}

/// A page of channels, and the number of all channels.
#[derive(Serialize, ToSchema)]
#[schema(as = CountedChannels)]
pub(super) struct Counted {
    /// The page.
    channels: Vec<ChannelOfTeam>,
    /// The number of all channels.
    total_count: i64,
}

pub(super) const LIST: Operation =
    Description::new(Tag::Accounts, "GetAllChannels", "Lists the public and private channels of all teams.")
        .details(
            "Needs the permission `sysconsole_read_user_management_groups` or \
             `sysconsole_read_user_management_channels`.",
        )
        .queries(&[
            PAGE,
            PER_PAGE,
            Query::optional("include_deleted", Type::Boolean, "Includes archived channels."),
            Query::optional(
                "include_total_count",
                Type::Boolean,
                "Returns an object that also holds the number of channels.",
            ),
            Query::optional(
                "exclude_default_channels",
                Type::Boolean,
                "Leaves out the channels that every member of a team joins.",
            ),
            Query::optional(
                "exclude_policy_constrained",
                Type::Boolean,
                "Has no effect: there are no retention policies. It needs the permission to read them.",
            ),
            Query::optional(
                "access_control_policy_enforced",
                Type::Boolean,
                "Only channels with an access policy: none, because there are no such policies.",
            ),
        ])
        .responses(&[Response::json(200, Type::of::<Listing>(), "The page.")])
        .refusals(&[400, 403, 500])
        .handled_by(handler!(list));

/// `GET /channels`: lists the channels of all teams.
pub(super) async fn list(request: Request, session: Session, app: Data<AppState>) -> Answer<Listing> {
    if !READERS.iter().any(|permission| session.may(permission)) {
        return Err(AppError::new("api.context.permissions.app_error").detailed(format!(
            "userId={}, permission={}",
            session.user_id(),
            READERS.join(",")
        )));
    }
    if request.is_true("exclude_policy_constrained") {
        session.require(RETENTION)?;
    }
    if request.query(UNSUPPORTED).is_some() {
        return Err(AppError::invalid_url(UNSUPPORTED));
    }
    let is_counted = request.is_true("include_total_count");
    if request.is_true("access_control_policy_enforced") {
        return Ok(Json(listing(Vec::new(), is_counted.then_some(0))));
    }
    let without = if request.is_true("exclude_default_channels") { &DEFAULT_CHANNELS[..] } else { &[] };
    let filter = ChannelFilter { includes_deleted: request.is_true("include_deleted"), without };
    let channels = app.db.channels(filter, request.paging()).await;
    let channels = channels.or_fail("app.channel.get_all_channels.app_error")?;
    if !is_counted {
        return Ok(Json(listing(channels, None)));
    }
    let total_count = app.db.channel_count(filter).await;
    let total_count = total_count.or_fail("app.channel.get_all_channels_count.app_error")?;
    Ok(Json(listing(channels, Some(total_count))))
}

fn listing(channels: Vec<ChannelOfTeam>, total_count: Option<i64>) -> Listing {
    match total_count {
        Some(total_count) => Listing::Counted(Counted { channels, total_count }),
        None => Listing::Plain(channels),
    }
}
