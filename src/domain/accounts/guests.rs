//! Guests: if they may log in, how they become members, and members become guests.

use std::sync::Arc;

use quarterdeck_actors::audit::{AuditRecord, AuditStore, Status};
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::draft::Draft;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::hub::HubHandle;
use quarterdeck_actors::license::document::License;
use quarterdeck_actors::roles::built_in::DELEGATED;
use serde_json::json;

use super::{Accounts, renew_roles, renew_sessions};
use crate::base::team::DEFAULT_CHANNELS;
use crate::base::user::User;
use crate::domain::announce;
use crate::domain::session::Session;
use crate::store::{Site, SiteRules, StoreError, own_record};

const GUEST: &str = "system_guest";
const MEMBER: &str = "system_user";
const ADMIN: &str = "system_admin";

/// The number of guests that one transaction deactivates.
const GUESTS_AT_ONCE: usize = 100;

/// Refuses the login of a guest unless the licence includes guest accounts and the settings allow them.
pub(super) fn check_guests_are_on(config: &Config, license: Option<&License>) -> Result<(), AppError> {
    if !license.is_some_and(|license| license.features.has("guest_accounts")) {
        return Err(AppError::new("api.user.login.guest_accounts.license.error"));
    }
    if config.view.guests.enable { Ok(()) } else { Err(AppError::new("api.user.login.guest_accounts.disabled.error")) }
}

/// Deactivates all guests and ends their sessions, a portion at a time, while `is_off`. Returns their number.
pub(crate) async fn deactivate_guests(
    (accounts, hub): (&Accounts, &HubHandle),
    is_off: impl Fn() -> bool,
) -> Result<usize, AppError> {
    const FAILED: &str = "app.user.update.app_error";
    let mut count = 0;
    loop {
        let guests = accounts.db.active_guests(GUESTS_AT_ONCE).await.or_fail(FAILED)?;
        if guests.is_empty() || !is_off() {
            return Ok(count);
        }
        let record = own_record("deactivateGuests", Status::Success, json!({ "user_ids": guests }));
        let deactivating = async { accounts.db.deactivate_guests(&guests, wall_ms()).await.or_fail(FAILED) };
        let deactivated = Draft::new(record.clone()).around(deactivating).await?;
        // Another server does the same, and a guest may have become a member since they were read.
        let (mut records, mut withdrawn) = (Vec::new(), Vec::new());
        if deactivated.is_empty() {
            withdrawn.push(record.id);
        } else {
            let parameters = json!({ "user_ids": deactivated });
            records.push(Arc::new(AuditRecord { parameters, ..record }));
        }
        accounts.db.append(records, withdrawn).await?;
        // The portion is counted whether or not the sockets can be told at once.
        count += deactivated.len();
        renew_sessions(&accounts.sessions, hub).await;
    }
}

/// Makes a member of a guest, in all its teams and channels. Refuses it beyond the limit for active accounts. Returns the
/// account before and after.
pub(crate) async fn promote(
    (accounts, hub): (&Accounts, &HubHandle),
    config: &Config,
    site_rules: SiteRules,
    (session, user_id): (&Session, &str),
) -> Result<(User, User), AppError> {
    let session = session.clone();
    let roles = move |site: &Site| {
        let user = &site.before;
        if !user.has_role(GUEST) {
            return Err(AppError::new("api.user.promote_guest_to_user.no_guest.app_error"));
        }
        super::protect_admin(&session, user)?;
        let roles = without(user, &[GUEST, MEMBER], MEMBER);
        site.keep_limit(&User { roles: roles.clone(), ..user.clone() })?;
        Ok(roles)
    };
    let failure = |error: StoreError| AppError::new("app.user.promote_guest.user_update.app_error").because(error);
    let stored = accounts.db.set_guest(user_id, false, &DEFAULT_CHANNELS, site_rules, wall_ms(), roles).await;
    finish((accounts, hub), config, stored.map_err(|failed| failed.refused_or(failure))?).await
}

/// Makes a guest of a member, in all its teams and channels, without the roles of an administrator. Refuses it for the
/// last administrator. Returns the account before and after.
pub(crate) async fn demote(
    (accounts, hub): (&Accounts, &HubHandle),
    config: &Config,
    site_rules: SiteRules,
    (session, user_id): (&Session, &str),
) -> Result<(User, User), AppError> {
    let session = session.clone();
    let roles = move |site: &Site| {
        let user = &site.before;
        super::protect_admin(&session, user)?;
        if user.has_role(GUEST) {
            return Err(AppError::new("api.user.demote_user_to_guest.already_guest.app_error"));
        }
        site.keep_administrator()?;
        let lost: Vec<&str> = [MEMBER, ADMIN].into_iter().chain(DELEGATED).collect();
        Ok(without(user, &lost, GUEST))
    };
    let failure =
        |error: StoreError| AppError::new("app.user.demote_user_to_guest.user_update.app_error").because(error);
    let stored = accounts.db.set_guest(user_id, true, &[], site_rules, wall_ms(), roles).await;
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
