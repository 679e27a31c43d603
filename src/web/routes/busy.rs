//! Routes for the busy flag: while it is set, the server refuses requests that can wait.

use actix_web::web::Data;
use quarterdeck_actors::busy::MAX_BUSY_S;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::error::{AppError, OrFail};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::{datetime, format_description};
use utoipa::ToSchema;

use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::web::answer::{Answer, Done, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

const DEFAULT_S: i64 = 3600;

/// The end that clients receive while the server is not busy: the zero time of Go.
const NEVER: OffsetDateTime = datetime!(0001-01-01 00:00 UTC);

/// The text format of the end, as clients expect it.
const TIME: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short] [month repr:short] [day padding:none] [hour]:[minute]:[second] +0000 UTC [year]"
);

/// The busy flag. Its keys are in the order of Mattermost.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = Server_Busy)]
pub(super) struct Flag {
    /// True if the server is marked as busy.
    busy: bool,
    /// The end of that time, in Unix seconds.
    expires: i64,
    /// The end of that time as text.
    expires_ts: String,
}

impl Flag {
    fn new(until_ms: Option<i64>) -> Result<Self, AppError> {
        let end = until_ms.map(|until_ms| OffsetDateTime::from_unix_timestamp(until_ms.div_euclid(1000)));
        let end = end.transpose().or_fail("api.marshal_error")?.unwrap_or(NEVER);
        let expires_ts = end.format(TIME).or_fail("api.marshal_error")?;
        Ok(Self { busy: until_ms.is_some(), expires: end.unix_timestamp(), expires_ts })
    }
}

pub(super) const MARK: Operation = Description::new(
    Tag::System,
    "SetServerBusy",
    "Marks the server as busy. Less important requests are then refused.",
)
.details("Needs the permission `manage_system`.")
.queries(&[Query::optional(
    "seconds",
    Type::Integer,
    "The duration in seconds, from 1 to 86,400. The default is 3,600.",
)])
.responses(&[Response::json(200, STATUS_OK, "Marked as busy.")])
.refusals(&[400, 403, 500])
.handled_by(handler!(mark));

/// `POST /server_busy`: marks the server as busy for a number of seconds from now. Replaces an earlier end.
pub(super) async fn mark(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<Done, AppError> {
    session.require("manage_system")?;
    let seconds = seconds(request.query("seconds"))?;
    audit.parameter("seconds", seconds);
    app.actors.busy.mark(wall_ms().saturating_add(seconds * 1000)).await?;
    Ok(Done)
}

pub(super) const SHOW: Operation =
    Description::new(Tag::System, "GetServerBusyExpires", "Tells until when the server is marked as busy.")
        .details("Needs the permission `manage_system`.")
        .responses(&[Response::json(200, Type::of::<Flag>(), "The mark.")])
        .refusals(&[403])
        .handled_by(handler!(show));

/// `GET /server_busy`: returns true if the server is busy, and the end of that time.
pub(super) async fn show(session: Session, app: Data<AppState>) -> Answer<Flag> {
    session.require("manage_system")?;
    Ok(Json(Flag::new(app.actors.busy.until())?))
}

pub(super) const CLEAR: Operation =
    Description::new(Tag::System, "ClearServerBusy", "Removes the mark that the server is busy.")
        .details("Needs the permission `manage_system`.")
        .responses(&[Response::json(200, STATUS_OK, "The server is not marked as busy.")])
        .refusals(&[403, 500])
        .handled_by(handler!(clear));

/// `DELETE /server_busy`: marks the server as not busy. Succeeds also if it was not busy.
pub(super) async fn clear(session: Session, app: Data<AppState>) -> Result<Done, AppError> {
    session.require("manage_system")?;
    app.actors.busy.clear().await?;
    Ok(Done)
}

fn seconds(given: Option<String>) -> Result<i64, AppError> {
    let number = given.map_or(Ok(DEFAULT_S), |text| text.parse());
    let seconds = number.ok().filter(|seconds| (1..=MAX_BUSY_S).contains(seconds));
    seconds.ok_or_else(|| AppError::invalid_url("seconds must be 1 - 86400"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_second_and_a_text_and_none_is_the_zero_time() {
        let busy = Flag::new(Some(1_700_000_000_999)).unwrap();
        assert_eq!((busy.busy, busy.expires), (true, 1_700_000_000));
        assert_eq!(busy.expires_ts, "Tue Nov 14 22:13:20 +0000 UTC 2023");
        assert_eq!(Flag::new(Some(1_709_510_400_000)).unwrap().expires_ts, "Mon Mar 4 00:00:00 +0000 UTC 2024");
        let idle =
            Flag { busy: false, expires: -62_135_596_800, expires_ts: "Mon Jan 1 00:00:00 +0000 UTC 0001".into() };
        assert_eq!(Flag::new(None).unwrap(), idle);
    }

    #[test]
    fn an_hour_is_what_nobody_asks_for_and_a_day_the_most() {
        let of = |text: &str| seconds(Some(text.to_owned())).map_err(|refusal| refusal.id);
        assert_eq!(seconds(None).unwrap(), 3600);
        assert_eq!((of("1"), of("86400"), of("+60"), of("060")), (Ok(1), Ok(86_400), Ok(60), Ok(60)));
        for refused in ["0", "-1", "86401", "1.5", "1e3", "0x10", "9223372036854775808", " 5", "five"] {
            assert_eq!(of(refused).unwrap_err(), "api.context.invalid_url_param.app_error", "{refused}");
        }
    }
}
