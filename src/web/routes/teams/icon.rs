//! The picture of a team.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::storage::FileBackend;
use quarterdeck_actors::storage::settings::Store;
use serde_json::json;
use tracing::warn;

use super::edit::managed;
use super::known;
use crate::base::team::Team;
use crate::domain::announce::{self, TeamEvent};
use crate::domain::audit::Audit;
use crate::domain::picture::{ICON_UNSTORED, change_icon, fitted, place_of_team, stored_icon};
use crate::domain::session::Session;
use crate::domain::teams::team_access;
use crate::web::answer::Done;
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::routes::route::MAX_PICTURE_BYTES;
use crate::web::routes::users::picture::{A_DAY, Form, PNG, has_store, store};
use crate::web::state::AppState;
use crate::web::upload::Upload;

const NO_STORAGE: &str = "api.team.set_team_icon.storage.app_error";

pub(crate) const SHOW: Operation = Description::new(Tag::Accounts, "GetTeamIcon", "Returns the picture of a team.")
    .responses(&[
        Response::media(200, "image/png", "The picture."),
        Response::empty(304, "The client's copy of the picture is current."),
    ])
    .refusals(&[400, 403, 404, 500, 501])
    .handled_by(handler!(show));

/// `GET /teams/{team_id}/image`: returns the picture of a team.
pub(crate) async fn show(request: Request, session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    let team = known(&app, request.id("team_id")?).await?;
    if !team.is_open() {
        team_access(&app.accounts, &session, &team.id).await?.require("view_team")?;
    }
    let tag = team.last_team_icon_update.to_string();
    let is_known = request.entity_tags(IF_NONE_MATCH).is_some_and(|named| named.matches(&tag));
    if is_known && team.last_team_icon_update > 0 {
        return Ok(HttpResponse::NotModified()
            .insert_header((ETAG, tag))
            .insert_header((CACHE_CONTROL, A_DAY))
            .finish());
    }
    if !has_store(request.config()) {
        return Err(AppError::new("api.team.get_team_icon.filesettings_no_driver.app_error"));
    }
    let picture = in_store(&app, &team).await;
    let picture = picture.ok_or_else(|| AppError::new("api.team.get_team_icon.read_file.app_error"))?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, PNG)).insert_header((CACHE_CONTROL, A_DAY)).insert_header((ETAG, tag));
    Ok(answer.body(picture))
}

pub(crate) const REPLACE: Operation =
    Description::new(Tag::Accounts, "SetTeamIcon", "Stores a picture for a team, cut to a square of 128 pixels.")
        .details("Needs the permission `manage_team`.")
        .form(Type::of::<Form>(), "The picture.")
        .responses(&[Response::json(200, STATUS_OK, "Stored.")])
        .refusals(&[400, 403, 404, 413, 500, 501])
        .handled_by(handler!(replace));

/// `POST /teams/{team_id}/image`: stores a picture.
pub(crate) async fn replace(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    upload: Upload<MAX_PICTURE_BYTES>,
) -> Result<Done, AppError> {
    let team_id = request.id("team_id")?;
    managed(&app, &session, team_id).await?;
    let store = store(&app, request.config(), [NO_STORAGE, ICON_UNSTORED])?;
    let file = upload.file("image", "api.team.set_team_icon.parse.app_error").await?;
    let file = file.ok_or_else(|| AppError::new("api.team.set_team_icon.no_file.app_error"))?;
    audit.parameter("filename", file.name);
    known(&app, team_id).await?;
    let uploader = if session.is_local() { "local" } else { session.user_id() };
    let picture = fitted(uploader, file.bytes).await.map_err(of_team)?;
    complete(&app, &audit, &*store, team_id, Some(picture)).await
}

pub(crate) const REMOVE: Operation =
    Description::new(Tag::Accounts, "RemoveTeamIcon", "Removes the picture of a team.")
        .details("Needs the permission `manage_team`.")
        .responses(&[Response::json(200, STATUS_OK, "Removed.")])
        .refusals(&[400, 403, 404, 500, 501])
        .handled_by(handler!(remove));

/// `DELETE /teams/{team_id}/image`: removes the picture.
pub(crate) async fn remove(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<Done, AppError> {
    let team_id = request.id("team_id")?;
    managed(&app, &session, team_id).await?;
    let store = store(&app, request.config(), [NO_STORAGE, ICON_UNSTORED])?;
    known(&app, team_id).await?;
    complete(&app, &audit, &*store, team_id, None).await
}

/// Stores or removes a picture, and tells the clients.
async fn complete(
    app: &AppState,
    audit: &Audit,
    store: &dyn FileBackend,
    team_id: &str,
    picture: Option<Vec<u8>>,
) -> Result<Done, AppError> {
    let team = change_icon(&app.db, store, team_id, picture).await?;
    audit.made(json!({ "id": team.id, "last_team_icon_update": team.last_team_icon_update }));
    announce::team_changed(&app.actors.hub, TeamEvent::Update, &team).await;
    Ok(Done)
}

/// Removes the stored picture of a team that is deleted. The deletion goes on if the store fails, and the log says so.
pub(super) async fn remove_stored(app: &AppState, request: &Request, team: &Team) {
    let Ok(store) = store(app, request.config(), [NO_STORAGE, ICON_UNSTORED]) else { return };
    if team.last_team_icon_update > 0
        && let Err(cause) = store.remove(&place_of_team(&team.id)).await
    {
        warn!(team_id = team.id, %cause, "the picture of a deleted team could not be removed");
    }
}

async fn in_store(app: &AppState, team: &Team) -> Option<Vec<u8>> {
    let stores = app.actors.files.current();
    let backend = stores.in_service(Store::Files)?.backend.as_ref().ok()?;
    stored_icon(&**backend, team).await
}

/// Returns the error of a team's picture for one of an account's.
fn of_team(refusal: AppError) -> AppError {
    let id = match refusal.id.as_ref() {
        "api.user.upload_profile_user.decode_config.app_error" | "api.user.upload_profile_user.decode.app_error" => {
            "api.team.set_team_icon.decode.app_error"
        }
        "api.user.upload_profile_user.too_large.app_error#pixels" => "api.team.set_team_icon.too_large.app_error",
        "api.user.upload_profile_user.encode.app_error" => "api.team.set_team_icon.encode.app_error",
        _ => return refusal,
    };
    AppError::new(id).because(refusal)
}
