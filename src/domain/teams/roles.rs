//! The roles of a member in a team.

use quarterdeck_actors::error::AppError;
use quarterdeck_actors::hub::HubHandle;
use quarterdeck_actors::roles::Roles;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::base::team::Member;
use crate::base::user::MAX_ROLES_BYTES;
use crate::domain::accounts::Accounts;
use crate::domain::announce;
use crate::store::StoreError;

/// The built-in roles of a member, each on or off.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[schema(as = TeamSchemeRoles)]
pub(crate) struct SchemeRoles {
    /// True for an administrator of the team.
    #[serde(default)]
    scheme_admin: bool,
    /// Must be true: only a guest is no member.
    #[serde(default)]
    scheme_user: bool,
    /// Must be false: `users/{user_id}/demote` makes a guest.
    #[serde(default)]
    scheme_guest: bool,
}

/// Replaces the roles of a member with those in `text`, separated by spaces. Returns the membership before and after.
pub(crate) async fn set_roles(
    (accounts, hub): (&Accounts, &HubHandle),
    team_id: &str,
    user_id: &str,
    text: String,
) -> Result<(Member, Member), AppError> {
    let roles = accounts.roles.current();
    change((accounts, hub), team_id, user_id, move |member| with_roles(&roles, member, &text)).await
}

/// Switches the built-in roles of a member. The other roles stay. Returns the membership before and after.
pub(crate) async fn set_scheme_roles(
    (accounts, hub): (&Accounts, &HubHandle),
    team_id: &str,
    user_id: &str,
    chosen: SchemeRoles,
) -> Result<(Member, Member), AppError> {
    change((accounts, hub), team_id, user_id, move |member| with_scheme_roles(member, chosen)).await
}

async fn change(
    (accounts, hub): (&Accounts, &HubHandle),
    team_id: &str,
    user_id: &str,
    changed: impl Fn(&Member) -> Result<Member, AppError> + Send + Sync + 'static,
) -> Result<(Member, Member), AppError> {
    let failure = |error: StoreError| AppError::new("app.team.save_member.save.app_error").because(error);
    let outcome = accounts.db.change_member(team_id, user_id, changed).await;
    let outcome = outcome.map_err(|failed| failed.refused_or(failure))?;
    let (before, after) = outcome.ok_or_else(|| AppError::new("app.team.get_member.missing.app_error"))?;
    announce::memberships_changed((hub, &accounts.db), user_id, vec![after.clone()]).await;
    Ok((before, after))
}

fn with_roles(roles: &Roles, member: &Member, text: &str) -> Result<Member, AppError> {
    let mut changed = Member { is_guest: false, is_user: false, is_admin: false, ..member.clone() };
    let [of_guests, of_users, of_admins] = member.scheme_roles();
    let mut others = Vec::new();
    for name in text.split_whitespace() {
        let role = roles.named(name).filter(|role| role.delete_at == 0);
        let role = role.ok_or_else(|| AppError::new("app.role.get_by_name.app_error#body"))?;
        match name {
            _ if !role.scheme_managed => others.push(name),
            _ if name == of_admins => changed.is_admin = true,
            _ if name == of_users => changed.is_user = true,
            _ if name == of_guests => changed.is_guest = true,
            _ => return Err(AppError::new("api.channel.update_team_member_roles.scheme_role.app_error")),
        }
    }
    if changed.is_guest && changed.is_user {
        return Err(AppError::new("api.team.update_team_member_roles.guest_and_user.app_error"));
    }
    if changed.is_guest != member.is_guest {
        return Err(AppError::new("api.channel.update_team_member_roles.changing_guest_role.app_error"));
    }
    let is_nothing = !changed.is_guest && !changed.is_user;
    if is_nothing {
        return Err(AppError::new("api.team.update_team_member_roles.unset_user_scheme.app_error"));
    }
    changed.roles = others.join(" ");
    let fits = changed.roles.len() <= MAX_ROLES_BYTES;
    if fits { Ok(changed) } else { Err(AppError::new("model.team_member.is_valid.roles_limit.app_error")) }
}

fn with_scheme_roles(member: &Member, chosen: SchemeRoles) -> Result<Member, AppError> {
    if member.is_guest {
        return Err(AppError::new("api.team.update_team_member_roles.guest.app_error"));
    }
    if chosen.scheme_guest {
        return Err(AppError::new("api.team.update_team_member_roles.user_and_guest.app_error"));
    }
    if !chosen.scheme_user {
        return Err(AppError::new("api.team.update_team_member_roles.unset_user_scheme.app_error"));
    }
    Ok(Member { is_user: true, is_admin: chosen.scheme_admin, ..member.clone() })
}
