//! Accounts of people that become bots, and bots that become accounts of people.

use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::hub::HubHandle;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::session::SessionSelection;

use super::edit::changed;
use super::signup::{is_domain_allowed, refusal};
use super::{Accounts, drop_deleted, known};
use crate::base::user::{Profile, User, in_lower_case};
use crate::domain::announce;
use crate::store::{Site, SiteRules, StoreError};

/// Makes a bot of an account. All its sessions end, and it has no password any more. Refuses it for the last
/// administrator, after whom no one could log in.
pub(crate) async fn convert_to_bot(
    (accounts, hub): (&Accounts, &HubHandle),
    config: &Config,
    site_rules: SiteRules,
    user_id: &str,
) -> Result<User, AppError> {
    let check = |site: &Site| {
        if site.before.is_bot {
            return Err(AppError::new("app.bot.createbot.internal_error").because("the account is a bot"));
        }
        site.keep_administrator()
    };
    let failure = |error: StoreError| AppError::new("app.bot.createbot.internal_error").because(error);
    let converted = accounts.db.convert_to_bot(user_id, site_rules, wall_ms(), check).await;
    if !converted.map_err(|failed| failed.refused_or(failure))? {
        return Err(AppError::new("app.user.missing_account.const"));
    }
    end_sessions(accounts, user_id).await;
    let bot = known(&accounts.db, user_id).await?;
    announce::user_updated(hub, config, &bot).await;
    Ok(bot)
}

/// Makes an account of a bot, with a password and the given fields, and on demand as a system administrator. Refuses it
/// beyond the limit for active accounts. Returns the account before and after.
pub(crate) async fn convert_to_user(
    (accounts, hub): (&Accounts, &HubHandle),
    config: &Config,
    site_rules: SiteRules,
    user_id: &str,
    (profile, hash, becomes_admin): (Profile, Secret, bool),
) -> Result<(User, User), AppError> {
    let is_admitted = profile.email.as_deref().is_none_or(|email| is_domain_allowed(&in_lower_case(email), config));
    let change = move |site: &Site| {
        let bot = &site.before;
        if !bot.is_bot {
            return Err(AppError::new("store.sql_bot.get.missing.app_error"));
        }
        let user = changed(bot, profile.clone(), is_admitted)?;
        let is_new_admin = becomes_admin && !user.has_role("system_admin");
        let roles = if is_new_admin { format!("{} system_admin", user.roles) } else { user.roles.clone() };
        let user = User { roles, is_bot: false, ..user };
        site.keep_limit(&user)?;
        Ok(user)
    };
    let stored = accounts.db.convert_to_user(user_id, &hash, site_rules, wall_ms(), change).await;
    let stored = stored.map_err(|failed| failed.refused_or(refusal))?;
    let (before, after) = stored.ok_or_else(|| AppError::new("store.sql_bot.get.missing.app_error"))?;
    // Sessions of its access tokens are exempt from the setting for the tokens of people.
    end_sessions(accounts, user_id).await;
    announce::user_updated(hub, config, &after).await;
    Ok((before, after))
}

async fn end_sessions(accounts: &Accounts, user_id: &str) {
    drop_deleted(&accounts.sessions, SessionSelection::User { id: user_id.to_owned(), except: None }).await;
}
