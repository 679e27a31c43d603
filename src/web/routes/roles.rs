//! Routes for roles.

pub(super) mod patch;

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::roles::Role;

use crate::domain::session::Session;
use crate::web::answer::{Answer, Json};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};
use crate::web::state::AppState;

const MAX_NAMES: usize = 100;
const MAX_NAME_CHARACTERS: usize = 64;

pub(super) const LIST: Operation = Description::new(Tag::Accounts, "GetAllRoles", "Lists all roles.")
    .details("Needs the permission `manage_system`.")
    .responses(&[Response::json(200, Type::List(&Type::of::<Role>()), "The roles.")])
    .refusals(&[403, 500])
    .handled_by(handler!(list));

/// `GET /roles`: lists every role.
pub(super) async fn list(session: Session, app: Data<AppState>) -> Answer<Vec<Role>> {
    session.require("manage_system")?;
    Ok(Json(app.accounts.roles.current().all().into_iter().cloned().collect()))
}

pub(super) const SHOW: Operation = Description::new(Tag::Accounts, "GetRole", "Returns a role.")
    .responses(&[Response::json(200, Type::of::<Role>(), "The role.")])
    .refusals(&[400, 404])
    .handled_by(handler!(show));

/// `GET /roles/{role_id}`: returns a role.
pub(super) async fn show(request: Request, _: Session, app: Data<AppState>) -> Answer<Role> {
    let id = request.id("role_id")?;
    let roles = app.accounts.roles.current();
    let role = roles.with_id(id).ok_or_else(|| AppError::new("app.role.get.app_error"))?;
    Ok(Json(role.clone()))
}

pub(super) const SHOW_NAMED: Operation =
    Description::new(Tag::Accounts, "GetRoleByName", "Returns the role with the given name.")
        .responses(&[Response::json(200, Type::of::<Role>(), "The role.")])
        .refusals(&[400, 404])
        .handled_by(handler!(show_named));

/// `GET /roles/name/{role_name}`: returns a role by its name.
pub(super) async fn show_named(request: Request, _: Session, app: Data<AppState>) -> Answer<Role> {
    let name = request.path("role_name");
    if !is_role_name(name) {
        return Err(AppError::invalid_url("role_name"));
    }
    let roles = app.accounts.roles.current();
    let role = roles.named(name).ok_or_else(|| AppError::new("app.role.get_by_name.app_error"))?;
    Ok(Json(role.clone()))
}

pub(super) const LIST_NAMED: Operation =
    Description::new(Tag::Accounts, "GetRolesByNames", "Lists the roles with the given names.")
        .body(Type::NonEmptyList(&Type::String), "The names.")
        .responses(&[Response::json(200, Type::List(&Type::of::<Role>()), "The roles that exist.")])
        .refusals(&[400])
        .handled_by(handler!(list_named));

/// `POST /roles/names`: returns the roles with those names. Blank and unknown names are left out.
pub(super) async fn list_named(_: Session, app: Data<AppState>, body: Body) -> Answer<Vec<Role>> {
    let mut names: Vec<String> = body.unnamed_list().await?;
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Err(AppError::invalid_body("rolenames"));
    }
    if names.len() > MAX_NAMES {
        return Err(AppError::new("api.roles.get_multiple_by_name_too_many.request_error")
            .with("MaxNames", MAX_NAMES.to_string()));
    }
    names.retain(|name| !name.trim().is_empty());
    if names.iter().any(|name| !is_role_name(name)) {
        return Err(AppError::invalid_body("rolename"));
    }
    let roles = app.accounts.roles.current();
    Ok(Json(names.iter().filter_map(|name| roles.named(name)).cloned().collect()))
}

fn is_role_name(name: &str) -> bool {
    let has_alphabet = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    (1..=MAX_NAME_CHARACTERS).contains(&name.len()) && has_alphabet
}
