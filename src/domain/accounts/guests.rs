//! Guests who become members, and members who become guests.

use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::hub::HubHandle;
use quarterdeck_actors::roles::built_in::DELEGATED;

use super::{Accounts, renew_roles};
use crate::base::team::DEFAULT_CHANNELS;
use crate::base::user::User;
use crate::domain::announce;
use crate::domain::session::Session;
use crate::store::StoreError;

const GUEST: &str = "system_guest";
const MEMBER: &str = "system_user";
const ADMIN: &str = "system_admin";

/// Makes a member of a guest, in all its teams and channels. Returns the account before and after.
pub(crate) async fn promote(
    (accounts, hub): (&Accounts, &HubHandle),
    config: &Config,
    session: &Session,
    user_id: &str,
) -> Result<(User, User), AppError> {
    let session = session.clone();
    let roles = move |user: &User, _: bool| {
        if !user.has_role(GUEST) {
            return Err(AppError::new("api.user.promote_guest_to_user.no_guest.app_error"));
        }
        super::protect_admin(&session, user)?;
        Ok(without(user, &[GUEST, MEMBER], MEMBER))
    };
    let failure = |error: StoreError| AppError::new("app.user.promote_guest.user_update.app_error").because(error);
    let stored = accounts.db.set_guest(user_id, false, &DEFAULT_CHANNELS, wall_ms(), roles).await;
    finish((accounts, hub), config, stored.map_err(|failed| failed.refused_or(failure))?).await
}

/// Makes a guest of a member, in all its teams and channels, without the roles of an administrator. Refuses it for the
/// last administrator. Returns the account before and after.
pub(crate) async fn demote(
    (accounts, hub): (&Accounts, &HubHandle),
    config: &Config,
    session: &Session,
    user_id: &str,
) -> Result<(User, User), AppError> {
    let session = session.clone();
    let roles = move |user: &User, has_other_admin: bool| {
        super::protect_admin(&session, user)?;
        if user.has_role(GUEST) {
            return Err(AppError::new("api.user.demote_user_to_guest.already_guest.app_error"));
        }
        if user.has_role(ADMIN) && !has_other_admin {
            return Err(AppError::new("app.user.update.lastAdmin.app_error"));
        }
        let lost: Vec<&str> = [MEMBER, ADMIN].into_iter().chain(DELEGATED).collect();
        Ok(without(user, &lost, GUEST))
    };
    let failure =
        |error: StoreError| AppError::new("app.user.demote_user_to_guest.user_update.app_error").because(error);
    let stored = accounts.db.set_guest(user_id, true, &[], wall_ms(), roles).await;
    finish((accounts, hub), config, stored.map_err(|failed| failed.refused_or(failure))?).await
}

/// Returns the roles of the user with `added` and without the `lost` ones.
fn without(user: &User, lost: &[&str], added: &str) -> String {
    let kept = user.roles.split_whitespace().filter(|role| !lost.contains(role));
    std::iter::once(added).chain(kept).collect::<Vec<_>>().join(" ")
}

async fn finish(
    (accounts, hub): (&Accounts, &HubHandle),
    config: &Config,
    stored: Option<(User, User)>,
) -> Result<(User, User), AppError> {
    let (before, after) = stored.ok_or_else(|| AppError::new("app.user.missing_account.const"))?;
    renew_roles(&accounts.sessions, &after.id, &after.roles).await;
    announce::user_updated(hub, config, &after).await;
    announce::roles_changed(hub, &after.id, &after.roles).await;
    let members = accounts.db.memberships(&after.id).await.or_fail("app.team.get_members.app_error")?;
    announce::memberships_changed((hub, &accounts.db), &after.id, members).await;
    Ok((before, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_keeps_no_role_of_an_administrator_and_other_roles_stay() {
        let user = |roles: &str| User { roles: roles.to_owned(), ..User::default() };
        let lost: Vec<&str> = [MEMBER, ADMIN].into_iter().chain(DELEGATED).collect();
        let all = format!("system_user {} quiz_master system_admin", DELEGATED.join(" "));
        assert_eq!(without(&user(&all), &lost, GUEST), "system_guest quiz_master");
        assert_eq!(without(&user("system_guest  quiz_master"), &[GUEST, MEMBER], MEMBER), "system_user quiz_master");
    }
}
