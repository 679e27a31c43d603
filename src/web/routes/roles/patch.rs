//! The route that changes the permissions of a role.

use std::collections::HashSet;

use actix_web::web::Data;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::roles::Role;
use quarterdeck_actors::roles::built_in::{is_of_system, is_ordinary, is_permission};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::domain::announce;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::web::answer::{Answer, Json};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};
use crate::web::state::AppState;

/// The permissions that no request adds or removes. So the last administrator always keeps the right to undo a change.
const FIXED: [&str; 4] = [
    "manage_system",
    "manage_roles",
    "sysconsole_read_user_management_system_roles",
    "sysconsole_write_user_management_system_roles",
];

/// The roles of guests. Changing them needs a licence.
const GUESTS: [&str; 3] = ["system_guest", "team_guest", "channel_guest"];

/// The roles whose change needs `sysconsole_write_user_management_permissions`; others also need
/// `sysconsole_write_user_management_system_roles`.
const COMMON: [&str; 12] = [
    "team_admin",
    "channel_admin",
    "system_user",
    "team_user",
    "channel_user",
    "system_guest",
    "team_guest",
    "channel_guest",
    "playbook_admin",
    "playbook_member",
    "run_admin",
    "run_member",
];

const WRITE: &str = "sysconsole_write_user_management_permissions";
const WRITE_SYSTEM_ROLES: &str = "sysconsole_write_user_management_system_roles";

/// The number of times that a change is decided again, because another one came in between.
const MAX_ATTEMPTS: usize = 8;

const FAILED: &str = "app.role.save.update.app_error";

/// The permissions of a role. Other members of a role may be sent as well; they are ignored.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = RolePatch)]
pub(crate) struct Patch {
    /// All permissions that the role grants after the change. Absent, nothing changes.
    #[schema(nullable = false)]
    permissions: Option<Vec<String>>,
}

pub(crate) const PATCH: Operation =
    Description::new(Tag::Accounts, "PatchRole", "Replaces the permissions of a role. They hold at once.")
        .details(
            "Needs the permission `sysconsole_write_user_management_permissions`; for roles of administrators \
             `manage_system`.",
        )
        .body(Type::of::<Patch>(), "The permissions.")
        .responses(&[Response::json(200, Type::of::<Role>(), "The role after the change.")])
        .refusals(&[400, 403, 404, 500, 501])
        .handled_by(handler!(patch));

/// `PUT /roles/{role_id}/patch`: replaces the permissions of a role.
pub(crate) async fn patch(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Answer<Role> {
    let id = request.id("role_id")?;
    let Patch { permissions } = body.object("role").await?;
    for _ in 0..MAX_ATTEMPTS {
        let known = app.db.role(id).await.or_fail("app.role.get.app_error#unread")?;
        let (role, text) = known.ok_or_else(|| AppError::new("app.role.get.app_error"))?;
        audit.parameter("role", role.name.as_str());
        let change = Change::of(&role, permissions.as_deref());
        check(&session, &app, &role, change.as_ref())?;
        let Some(change) = change.filter(Change::is_one) else {
            audit.nothing();
            return Ok(Json(role));
        };
        let _announcing = app.actors.hub.announcing();
        let stored = app.db.set_permissions(id, &text, &change.permissions, wall_ms()).await.or_fail(FAILED)?;
        let Some(role) = stored else { continue };
        audit.parameter("added", change.added);
        audit.parameter("removed", change.removed);
        app.accounts.roles.put(role.clone());
        announce::role_updated(&app.actors.hub, &role).await;
        return Ok(Json(role));
    }
    Err(AppError::new(FAILED))
}

/// The change of a role's permissions.
struct Change {
    /// All permissions after the change, each once.
    permissions: Vec<String>,
    added: Vec<String>,
    removed: Vec<String>,
}

impl Change {
    fn of(role: &Role, wanted: Option<&[String]>) -> Option<Self> {
        let mut seen = HashSet::new();
        let permissions: Vec<String> = wanted?.iter().filter(|name| seen.insert(name.as_str())).cloned().collect();
        let before: HashSet<&str> = role.permissions.iter().map(String::as_str).collect();
        let added = permissions.iter().filter(|name| !before.contains(name.as_str())).cloned().collect();
        let removed = role.permissions.iter().filter(|name| !seen.contains(name.as_str())).cloned().collect();
        Some(Self { permissions, added, removed })
    }

    /// Returns true if anything changes.
    fn is_one(&self) -> bool {
        !(self.added.is_empty() && self.removed.is_empty())
    }
}

/// Refuses a change, in the order of the contract.
fn check(session: &Session, app: &AppState, role: &Role, change: Option<&Change>) -> Result<(), AppError> {
    session.require(if is_of_system(&role.name) { "manage_system" } else { WRITE })?;
    let license = app.actors.license.current();
    let is_guest = GUESTS.contains(&role.name.as_str());
    if is_guest && change.is_some() && license.is_none() {
        return Err(AppError::new("api.roles.patch_roles.license.error"));
    }
    if let Some(name) = change.and_then(Change::fixed) {
        let detail = format!("Cannot add or remove permission: {name}");
        return Err(AppError::new("api.roles.patch_roles.not_allowed_permission.error").detailed(detail));
    }
    let is_refused = license.is_some_and(|license| !license.features.has("guest_accounts_permissions"));
    if is_guest && is_refused {
        return Err(AppError::new("api.roles.patch_roles.license.error"));
    }
    session.require(if COMMON.contains(&role.name.as_str()) { WRITE } else { WRITE_SYSTEM_ROLES })?;
    let Some(change) = change else { return Ok(()) };
    if let Some(unknown) = change.added.iter().find(|name| !is_permission(name)) {
        let detail = format!("there is no permission {unknown:?}");
        return Err(AppError::new("app.role.save.invalid_role.app_error").detailed(detail));
    }
    // A caller who does not manage the system gives no role more than is usual for it, beyond what the caller has.
    let is_beyond =
        |name: &&String| !is_ordinary(name, &role.name) && !session.may(name) && !session.may("manage_system");
    match change.added.iter().find(is_beyond) {
        Some(name) => Err(session.refusal(name)),
        None => Ok(()),
    }
}

impl Change {
    /// Returns a permission of the change that no request adds or removes.
    fn fixed(&self) -> Option<&str> {
        let mut changed = self.added.iter().chain(&self.removed).map(String::as_str);
        changed.find(|name| FIXED.contains(name))
    }
}
