//! The picture of an account.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use actix_web::web::Data;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::storage::FileBackend;
use quarterdeck_actors::storage::settings::Store;
use serde_json::Value;
use std::sync::Arc;
use tracing::warn;
use utoipa::ToSchema;

use crate::base::user::User;
use crate::domain::accounts::{known, require_access_or_bot};
use crate::domain::announce;
use crate::domain::audit::Audit;
use crate::domain::picture::{UNSTORED, change, drawn, fitted, is_uploaded, place_of, stored};
use crate::domain::session::Session;
use crate::web::answer::Done;
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::routes::route::MAX_PICTURE_BYTES;
use crate::web::state::AppState;
use crate::web::upload::{Part, Upload};

pub(in crate::web::routes) const A_DAY: HeaderValue = HeaderValue::from_static("max-age=86400, private");
const FIVE_MINUTES: HeaderValue = HeaderValue::from_static("max-age=300, private");
pub(in crate::web::routes) const PNG: HeaderValue = HeaderValue::from_static("image/png");

const NO_STORAGE: &str = "api.user.upload_profile_user.storage.app_error";
const UNREADABLE_FORM: &str = "api.user.upload_profile_user.parse.app_error";

pub(crate) const SHOW: Operation = Description::new(Tag::Accounts, "GetProfileImage", "Returns the picture of a user.")
    .details("Without an uploaded picture, one is drawn from the id.")
    .responses(&[
        Response::media(200, "image/png", "The picture."),
        Response::empty(304, "The client's copy of the picture is current."),
    ])
    .refusals(&[400, 404, 500])
    .handled_by(handler!(show));

/// `GET /users/{user_id}/image`: returns the picture of a user.
pub(crate) async fn show(request: Request, session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    let user = known(&app.db, &request.user_id(&session)?).await?;
    let tag = user.last_picture_update.to_string();
    let is_known = request.entity_tags(IF_NONE_MATCH).is_some_and(|named| named.matches(&tag));
    if is_known {
        return Ok(HttpResponse::NotModified()
            .insert_header((ETAG, tag))
            .insert_header((CACHE_CONTROL, A_DAY))
            .finish());
    }
    match in_store(&app, &user).await {
        Some(picture) => Ok(png(picture, A_DAY, Some(tag))),
        // The picture exists, but the store does not give it now.
        None if is_uploaded(&user) => Ok(png(drawn(&user.id)?, FIVE_MINUTES, None)),
        None => Ok(png(drawn(&user.id)?, A_DAY, Some(tag))),
    }
}

pub(crate) const SHOW_DEFAULT: Operation =
    Description::new(Tag::Accounts, "GetDefaultProfileImage", "Returns the picture that is drawn from a user's id.")
        .responses(&[Response::media(200, "image/png", "The picture.")])
        .refusals(&[400, 404, 500])
        .handled_by(handler!(show_default));

/// `GET /users/{user_id}/image/default`: returns the picture that is drawn from the id.
pub(crate) async fn show_default(
    request: Request,
    session: Session,
    app: Data<AppState>,
) -> Result<HttpResponse, AppError> {
    let user = known(&app.db, &request.user_id(&session)?).await?;
    Ok(png(drawn(&user.id)?, A_DAY, None))
}

/// The form with a picture.
#[derive(ToSchema)]
#[schema(as = ProfileImageUpload)]
pub(crate) struct Form {
    /// The picture: PNG, JPEG, GIF or BMP, at most 8 MiB and 24 megapixels.
    #[schema(value_type = String, format = Binary)]
    #[expect(dead_code, reason = "it describes the form")]
    image: Part,
}

pub(crate) const REPLACE: Operation =
    Description::new(Tag::Accounts, "SetProfileImage", "Stores a picture for a user, cut to a square of 128 pixels.")
        .details("Own account, or the permission `edit_other_users`.")
        .form(Type::of::<Form>(), "The picture.")
        .responses(&[Response::json(200, STATUS_OK, "Stored.")])
        .refusals(&[400, 403, 404, 409, 413, 500, 501])
        .handled_by(handler!(replace));

/// `POST /users/{user_id}/image`: stores a picture.
pub(crate) async fn replace(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    upload: Upload<MAX_PICTURE_BYTES>,
) -> Result<Done, AppError> {
    let id = request.user_id(&session)?;
    require_access_or_bot(&app.accounts, &session, &id).await?;
    let store = store(&app, request.config(), [NO_STORAGE, UNSTORED])?;
    let file = upload.file("image", UNREADABLE_FORM).await?;
    let file = file.ok_or_else(|| AppError::new("api.user.upload_profile_user.no_file.app_error"))?;
    audit.parameter("filename", file.name);
    let user = app.db.user(&id).await.or_fail("app.user.get.app_error")?;
    let user = user.ok_or_else(|| AppError::invalid_url("user_id"))?;
    if belongs_to_directory(&user, request.config()) {
        return Err(AppError::new("api.user.upload_profile_user.login_provider_attribute_set.app_error"));
    }
    let uploader = if session.is_local() { "local" } else { session.user_id() };
    let picture = fitted(uploader, file.bytes).await?;
    complete(&request, &app, &*store, &id, Some(picture)).await
}

pub(crate) const REMOVE: Operation =
    Description::new(Tag::Accounts, "SetDefaultProfileImage", "Removes the uploaded picture of a user.")
        .details("Own account, or the permission `edit_other_users`.")
        .responses(&[Response::json(200, STATUS_OK, "Removed.")])
        .refusals(&[400, 403, 404, 500, 501])
        .handled_by(handler!(remove));

/// `DELETE /users/{user_id}/image`: removes the picture, so that the drawn one is shown.
pub(crate) async fn remove(request: Request, session: Session, app: Data<AppState>) -> Result<Done, AppError> {
    let id = request.user_id(&session)?;
    require_access_or_bot(&app.accounts, &session, &id).await?;
    let store = store(&app, request.config(), [NO_STORAGE, UNSTORED])?;
    known(&app.db, &id).await?;
    complete(&request, &app, &*store, &id, None).await
}

/// Stores or removes a picture, and tells the clients.
async fn complete(
    request: &Request,
    app: &AppState,
    store: &dyn FileBackend,
    id: &str,
    picture: Option<Vec<u8>>,
) -> Result<Done, AppError> {
    let user = change(&app.db, store, id, picture).await?;
    announce::user_updated(&app.actors.hub, request.config(), &user).await;
    Ok(Done)
}

/// Returns the picture that was uploaded for a user. A store that does not give it is treated as one without it.
async fn in_store(app: &AppState, user: &User) -> Option<Vec<u8>> {
    let stores = app.actors.files.current();
    let backend = stores.in_service(Store::Files)?.backend.as_ref().ok()?;
    stored(&**backend, user).await
}

/// Removes the stored picture of a user who is deleted. The deletion goes on if the store fails, and the log says so.
pub(super) async fn remove_stored(app: &AppState, config: &Config, user_id: &str) {
    let Ok(store) = store(app, config, [NO_STORAGE, UNSTORED]) else { return };
    if let Err(cause) = store.remove(&place_of(user_id)).await {
        warn!(user_id, %cause, "the picture of a deleted account could not be removed");
    }
}

/// Returns the store for pictures. `refusals` are the error ids without one in the settings, and of one that cannot be
/// used.
pub(in crate::web::routes) fn store(
    app: &AppState,
    config: &Config,
    [none, unusable]: [&'static str; 2],
) -> Result<Arc<dyn FileBackend>, AppError> {
    if !has_store(config) {
        return Err(AppError::new(none));
    }
    let stores = app.actors.files.current();
    let in_service = stores.in_service(Store::Files).ok_or_else(|| AppError::new(none))?;
    in_service.backend.clone().or_fail(unusable)
}

/// Returns true if the settings name a store for files.
pub(in crate::web::routes) fn has_store(config: &Config) -> bool {
    !text(config, "FileSettings", "DriverName").is_empty()
}

/// Returns true if a directory determines the picture of the account.
fn belongs_to_directory(user: &User, config: &Config) -> bool {
    let section = config.document.get("SamlSettings").and_then(|section| section.get("EnableSyncWithLdap"));
    let is_synced = section.and_then(Value::as_bool).unwrap_or_default();
    let is_of_directory = user.auth_service == "ldap" || (user.auth_service == "saml" && is_synced);
    is_of_directory && !text(config, "LdapSettings", "PictureAttribute").is_empty()
}

fn text<'a>(config: &'a Config, section: &str, name: &str) -> &'a str {
    let value = config.document.get(section).and_then(|section| section.get(name));
    value.and_then(Value::as_str).unwrap_or_default()
}

fn png(picture: Vec<u8>, cached: HeaderValue, tag: Option<String>) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, PNG)).insert_header((CACHE_CONTROL, cached));
    if let Some(tag) = tag {
        answer.insert_header((ETAG, tag));
    }
    answer.body(picture)
}
