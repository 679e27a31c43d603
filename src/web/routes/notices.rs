//! Routes that list product notices and mark them as viewed.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::json::to_json;
use quarterdeck_actors::notices::MAX_ID_CHARACTERS;
use quarterdeck_actors::notices::conditions::{Client, Reader, Site};
use quarterdeck_actors::notices::feed::{Notice, Shown};
use quarterdeck_actors::notices::versions::read_version;

use crate::base::preference::Preference;
use crate::base::version::API_VERSION;
use crate::domain::session::Session;
use crate::domain::teams::team_access;
use crate::web::answer::{Done, json_body};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Query, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

/// The largest number of viewed notices that are stored for a user. Those that are no longer in the feed are deleted
/// from time to time.
const MAX_VIEWINGS: usize = 5000;

const VIEWS_FAILED: &str = "api.system.update_viewed_notices.failed";
const NOT_EVALUATED: &str = "api.system.update_notices.validating_failed";

pub(super) const LIST: Operation =
    Description::new(Tag::System, "GetNotices", "Lists the product notices that the caller has not seen yet.")
        .queries(&[
            Query::required("clientVersion", Type::String, "The version of the client."),
            Query::optional("locale", Type::String, "The language. Notices that lack it are in English."),
            Query::required(
                "client",
                Type::OneOf(&["web", "desktop", "mobile-ios", "mobile-android"]),
                "The type of the client.",
            ),
        ])
        .responses(&[Response::json(200, Type::List(&Type::of::<Shown<'_>>()), "The notices.")])
        .refusals(&[400, 500])
        .handled_by(handler!(list));

/// `GET /system/notices/{team_id}`: lists the notices for the caller that the caller has not viewed yet.
pub(super) async fn list(request: Request, session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    let team_id = request.id("team_id")?;
    let query = |name| request.query(name).unwrap_or_default();
    let client = Client::named(&query("client")).ok_or_else(|| AppError::invalid_body("client"))?;
    let is_system_admin = session.may("manage_system");
    let is_team_admin = team_access(&app.accounts, &session, team_id).await?.may("manage_team");
    let settings = &request.config().view.announcement;
    let is_off_for_users = !settings.user_notices_enabled && !is_system_admin;
    let is_off_for_admins = !settings.admin_notices_enabled && (is_system_admin || is_team_admin);
    if is_off_for_users || is_off_for_admins {
        return Ok(json_body(b"[]".to_vec()));
    }
    let viewings = app.db.viewings(session.user_id()).await.or_fail(VIEWS_FAILED)?;
    let notices = app.actors.notices.current();
    let preferences = if notices.list.iter().any(Notice::needs_preferences) {
        app.db.preferences(session.user_id()).await.or_fail(NOT_EVALUATED)?
    } else {
        Vec::new()
    };
    let reader = Reader {
        client,
        client_version: &query("clientVersion"),
        is_system_admin,
        is_team_admin,
        preference: &|category, name| found(&preferences, category, name),
    };
    let license = app.actors.license.current();
    let version = read_version(API_VERSION).ok_or_else(|| AppError::new(NOT_EVALUATED))?;
    let site = Site {
        version: &version,
        sku: license.as_ref().map_or("", |license| &license.sku_short_name),
        is_cloud: license.as_ref().is_some_and(|license| license.features.has("cloud")),
        config: &request.config().document,
        now_s: wall_ms() / 1000,
    };
    let shown = notices.shown(&query("locale"), &viewings, &reader, &site)?;
    Ok(json_body(to_json(&shown).or_fail("api.marshal_error")?))
}

pub(super) const VIEW: Operation =
    Description::new(Tag::System, "MarkNoticesViewed", "Marks notices as seen by the caller.")
        .body(Type::List(&Type::String), "The ids of the notices.")
        .responses(&[Response::json(200, STATUS_OK, "Stored.")])
        .refusals(&[400, 500])
        .handled_by(handler!(view));

/// `PUT /system/notices/view`: notes that the caller viewed these notices once more, even if they are not in the feed.
pub(super) async fn view(session: Session, app: Data<AppState>, body: Body) -> Result<Done, AppError> {
    let ids: Option<Vec<String>> = serde_json::from_slice(&body.bytes()?).or_fail("api.payload.parse.error")?;
    let mut ids = ids.unwrap_or_default();
    ids.sort();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Done);
    }
    let known = app.db.viewings(session.user_id()).await.or_fail(VIEWS_FAILED)?;
    let others = known.iter().filter(|viewing| ids.binary_search(&viewing.notice_id).is_err()).count();
    if others + ids.len() > MAX_VIEWINGS {
        return Err(AppError::new(VIEWS_FAILED).because("too many notices"));
    }
    let can_be_stored = |id: &String| id.chars().count() <= MAX_ID_CHARACTERS && !id.contains('\0');
    if !ids.iter().all(can_be_stored) {
        return Err(AppError::new(VIEWS_FAILED).because("the id of a notice is too long or not a string"));
    }
    app.db.add_viewings(session.user_id(), &ids, wall_ms() / 1000).await.or_fail(VIEWS_FAILED)?;
    Ok(Done)
}

fn found<'a>(preferences: &'a [Preference], category: &str, name: &str) -> Option<&'a str> {
    let preference = preferences.iter().find(|known| known.category == category && known.name == name);
    preference.map(|preference| preference.value.as_str())
}
