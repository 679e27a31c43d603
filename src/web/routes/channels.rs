//! The route that lists the channels of all teams, for administrators.

use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use serde::Serialize;
use utoipa::ToSchema;

use crate::base::channel::ChannelOfTeam;
use crate::domain::session::Session;
use crate::web::answer::{Answer, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, PAGE, PER_PAGE, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

/// The permissions of which one is enough.
const READERS: [&str; 2] = ["sysconsole_read_user_management_groups", "sysconsole_read_user_management_channels"];

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
        ])
        .responses(&[Response::json(200, Type::of::<Listing>(), "The page.")])
        .refusals(&[403, 500])
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
    let includes_deleted = request.is_true("include_deleted");
    let channels = app.db.channels(includes_deleted, request.paging()).await;
    let channels = channels.or_fail("app.channel.get_all_channels.app_error")?;
    if !request.is_true("include_total_count") {
        return Ok(Json(Listing::Plain(channels)));
    }
    let total_count = app.db.channel_count(includes_deleted).await;
    let total_count = total_count.or_fail("app.channel.get_all_channels_count.app_error")?;
    Ok(Json(Listing::Counted(Counted { channels, total_count })))
}
