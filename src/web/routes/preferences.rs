//! Routes for the preferences of an account.

use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};

use super::users::user_in_path;
use crate::base::preference::{Preference, all_belong_to, check_count};
use crate::domain::announce;
use crate::domain::session::Session;
use crate::web::answer::{Answer, Done, Json};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

pub(super) const LIST: Operation = Description::new(Tag::Accounts, "GetPreferences", "Lists the user's preferences.")
    .responses(&[Response::json(200, Type::List(&Type::of::<Preference>()), "The preferences.")])
    .refusals(&[400, 403, 500])
    .handled_by(handler!(list));

/// `GET /users/{user_id}/preferences`: lists all preferences.
pub(super) async fn list(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<Preference>> {
    let user_id = user_in_path(&request, &session, &app).await?;
    Ok(Json(app.db.preferences(&user_id).await.or_fail("app.preference.get_all.app_error")?))
}

pub(super) const LIST_CATEGORY: Operation = Description::new(
    Tag::Accounts,
    "GetPreferencesByCategory",
    "Lists the user's preferences in one category. An empty category is answered 404.",
)
.responses(&[Response::json(200, Type::List(&Type::of::<Preference>()), "The preferences.")])
.refusals(&[400, 403, 404, 500])
.handled_by(handler!(list_category));

/// `GET /users/{user_id}/preferences/{category}`: lists the preferences of a category. Fails if the category is empty.
pub(super) async fn list_category(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<Preference>> {
    let user_id = user_in_path(&request, &session, &app).await?;
    let found = app.db.preferences_in(&user_id, request.path("category")).await;
    let found = found.or_fail("app.preference.get_category.app_error")?;
    if found.is_empty() {
        return Err(AppError::new("api.preference.preferences_category.get.app_error"));
    }
    Ok(Json(found))
}

pub(super) const SHOW: Operation =
    Description::new(Tag::Accounts, "GetPreferencesByCategoryByName", "Returns one preference of the user.")
        .responses(&[Response::json(200, Type::of::<Preference>(), "The preference.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(show));

/// `GET /users/{user_id}/preferences/{category}/name/{name}`: returns one preference.
pub(super) async fn show(request: Request, session: Session, app: Data<AppState>) -> Answer<Preference> {
    let user_id = user_in_path(&request, &session, &app).await?;
    let found = app.db.preference(&user_id, request.path("category"), request.path("name")).await;
    let found = found.or_fail("app.preference.get_all.app_error")?;
    found.map(Json).ok_or_else(|| AppError::new("app.preference.get.app_error"))
}

pub(super) const SAVE: Operation =
    Description::new(Tag::Accounts, "UpdatePreferences", "Stores preferences of the user.")
        .body(Type::NonEmptyList(&Type::of::<Preference>()), "At most 100 preferences.")
        .responses(&[Response::json(200, STATUS_OK, "Stored.")])
        .refusals(&[400, 403, 500])
        .handled_by(handler!(save));

/// `PUT /users/{user_id}/preferences`: stores the preferences in the body.
pub(super) async fn save(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Result<Done, AppError> {
    let user_id = user_in_path(&request, &session, &app).await?;
    let preferences = own(&user_id, body, "api.preference.update_preferences.set.app_error").await?;
    let preferences: Vec<Preference> = preferences.into_iter().map(Preference::mended).collect();
    preferences.iter().try_for_each(Preference::check)?;
    let is_saved = app.db.save_preferences(&user_id, &preferences).await;
    if !is_saved.or_fail("app.preference.save.updating.app_error")? {
        return Err(AppError::new("app.preference.save.too_many.app_error"));
    }
    announce::preferences_changed(&app.actors.hub, &user_id, &preferences).await;
    Ok(Done)
}

pub(super) const DELETE: Operation =
    Description::new(Tag::Accounts, "DeletePreferences", "Deletes preferences of the user.")
        .body(Type::NonEmptyList(&Type::of::<Preference>()), "At most 100 preferences. Their values are ignored.")
        .responses(&[Response::json(200, STATUS_OK, "Deleted.")])
        .refusals(&[400, 403, 500])
        .handled_by(handler!(delete));

/// `POST /users/{user_id}/preferences/delete`: deletes the preferences in the body.
pub(super) async fn delete(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Result<Done, AppError> {
    let user_id = user_in_path(&request, &session, &app).await?;
    let preferences = own(&user_id, body, "api.preference.delete_preferences.delete.app_error").await?;
    app.db.delete_preferences(&user_id, &preferences).await.or_fail("app.preference.delete.app_error")?;
    announce::preferences_deleted(&app.actors.hub, &user_id, &preferences).await;
    Ok(Done)
}

/// Returns the preferences in the body. Refuses the preferences of another user, with the error `foreign`.
async fn own(user_id: &str, body: Body, foreign: &'static str) -> Result<Vec<Preference>, AppError> {
    let preferences: Vec<Preference> = body.list("preferences").await?;
    check_count(&preferences)?;
    if all_belong_to(user_id, &preferences) { Ok(preferences) } else { Err(AppError::new(foreign)) }
}
