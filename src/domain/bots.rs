//! Bots of users: who manages them, and their changes.

use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::hub::HubHandle;
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::session::SessionSelection;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::base::bot::Bot;
use crate::base::cleaning::cleaned;
use crate::base::user::{User, in_lower_case, is_username};
use crate::domain::accounts::{Accounts, bot_account, drop_deleted, known, save_refusal};
use crate::domain::announce;
use crate::domain::session::Session;

const MAX_DISPLAY_NAME_CHARACTERS: usize = 64;
const MAX_DESCRIPTION_CHARACTERS: usize = 1024;

const MISSING: &str = "store.sql_bot.get.missing.app_error";

/// The fields of a bot that a client may send. Other fields are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub(crate) struct BotPatch {
    /// The name; 1 to 64 characters.
    username: Option<String>,
    /// The name for display.
    display_name: Option<String>,
    /// The description.
    description: Option<String>,
}

/// Returns a bot that the caller may change. To a caller who may not read it, it seems not to exist.
pub(crate) async fn managed(accounts: &Accounts, session: &Session, id: &str) -> Result<Bot, AppError> {
    let bot = found(accounts, id, true).await?;
    let (manages, reads) = if bot.owner_id == session.user_id() {
        ("manage_bots", "read_bots")
    } else {
        ("manage_others_bots", "read_others_bots")
    };
    match (session.may(manages), session.may(reads)) {
        (true, _) => Ok(bot),
        (false, true) => Err(session.refusal(manages)),
        (false, false) => Err(AppError::new(MISSING)),
    }
}

/// Returns a bot, as far as the caller may read it.
pub(crate) async fn readable(
    accounts: &Accounts,
    session: &Session,
    id: &str,
    includes_deleted: bool,
) -> Result<Bot, AppError> {
    let bot = found(accounts, id, includes_deleted).await?;
    let reads_own = bot.owner_id == session.user_id() && session.may("read_bots");
    let is_readable = session.may("read_others_bots") || reads_own;
    if is_readable { Ok(bot) } else { Err(AppError::new(MISSING)) }
}

/// Returns a bot.
pub(crate) async fn found(accounts: &Accounts, id: &str, includes_deleted: bool) -> Result<Bot, AppError> {
    let bot = accounts.db.bot(id, includes_deleted).await.or_fail("app.bot.getbot.internal_error")?;
    bot.ok_or_else(|| AppError::new(MISSING))
}

/// Makes a bot that the caller owns.
pub(crate) async fn create(
    (accounts, hub): (&Accounts, &HubHandle),
    session: &Session,
    patch: BotPatch,
) -> Result<Bot, AppError> {
    let description = patch.description.clone().unwrap_or_default();
    let bot = patch.apply(&bot_account(new_id(), wall_ms()), false)?;
    let created = accounts.db.create_bot(&bot, &description, session.user_id()).await;
    if !created.map_err(|failed| failed.refused_or(save_refusal))? {
        return Err(AppError::new("app.user.save.username_exists.app_error"));
    }
    announce::new_user(hub, &bot).await;
    found(accounts, &bot.id, false).await
}

/// Changes the given fields of a bot.
pub(crate) async fn edit(
    (accounts, hub): (&Accounts, &HubHandle),
    config: &Config,
    id: &str,
    patch: BotPatch,
) -> Result<Bot, AppError> {
    let description = patch.description.clone();
    let change = move |bot: &User| {
        if !bot.is_bot {
            return Err(AppError::new(MISSING));
        }
        patch.clone().apply(bot, true)
    };
    let stored = accounts.db.change_bot(id, description, wall_ms(), change).await;
    let stored = stored.map_err(|failed| failed.refused_or(save_refusal))?;
    let (_, after) = stored.ok_or_else(|| AppError::new("app.user.missing_account.const"))?;
    announce::user_updated(hub, config, &after).await;
    found(accounts, id, true).await
}

/// Activates or deactivates a bot. A deactivated one loses all its sessions.
pub(crate) async fn set_active(
    (accounts, hub): (&Accounts, &HubHandle),
    config: &Config,
    id: &str,
    is_active: bool,
) -> Result<Bot, AppError> {
    let now = wall_ms();
    let delete_at = if is_active { 0 } else { now };
    let is_new = accounts.db.set_bot_deleted(id, delete_at, now).await.or_fail("app.user.update.app_error")?;
    if !is_active {
        drop_deleted(&accounts.sessions, SessionSelection::User { id: id.to_owned(), except: None }).await;
    }
    if is_new {
        announce::user_switched(hub, config, &known(&accounts.db, id).await?).await;
    }
    found(accounts, id, true).await
}

/// Gives a bot another owner, who must be a person.
pub(crate) async fn assign(accounts: &Accounts, session: &Session, id: &str, owner_id: &str) -> Result<Bot, AppError> {
    let owner = known(&accounts.db, owner_id).await?;
    if owner.is_bot {
        return Err(session.refusal("assign_bot"));
    }
    let failure = |error| AppError::new("app.bot.patchbot.internal_error").because(error);
    accounts.db.assign_bot(id, owner_id, wall_ms()).await.map_err(|failed| failed.refused_or(failure))?;
    found(accounts, id, true).await
}

impl BotPatch {
    /// Returns the account of a bot with the given fields. A bot that exists keeps a name that is older than the rule.
    fn apply(self, bot: &User, exists: bool) -> Result<User, AppError> {
        let is_renamed = self.username.is_some();
        let username = self.username.map_or_else(|| bot.username.clone(), |name| in_lower_case(&cleaned(name)));
        let first_name = self.display_name.map_or_else(|| bot.first_name.clone(), cleaned);
        let description = self.description.unwrap_or_default();
        let rules = [
            ("model.bot.is_valid.username.app_error", (exists && !is_renamed) || is_username(&username)),
            // Mattermost has this id for the display name too.
            ("model.bot.is_valid.user_id.app_error", first_name.chars().count() <= MAX_DISPLAY_NAME_CHARACTERS),
            ("model.bot.is_valid.description.app_error", description.chars().count() <= MAX_DESCRIPTION_CHARACTERS),
        ];
        if let Some((id, _)) = rules.iter().find(|(_, is_met)| !is_met) {
            return Err(AppError::new(*id));
        }
        let email = if is_renamed { format!("{username}@localhost") } else { bot.email.clone() };
        Ok(User { username, email, first_name, ..bot.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bot_is_checked_and_its_address_follows_its_name() {
        let bot = User { username: "Old Name".to_owned(), email: "a@b.c".to_owned(), ..User::default() };
        let patch = |username: Option<&str>, display_name: &str, description: &str| BotPatch {
            username: username.map(str::to_owned),
            display_name: Some(display_name.to_owned()),
            description: Some(description.to_owned()),
        };
        let changed = patch(Some(" Robot"), "R", "").apply(&bot, true).unwrap();
        assert_eq!((changed.username.as_str(), changed.email.as_str()), ("robot", "robot@localhost"));
        let kept = patch(None, "R", "").apply(&bot, true).unwrap();
        assert_eq!((kept.username.as_str(), kept.email.as_str()), ("Old Name", "a@b.c"));
        let refused = |patch: BotPatch, exists| patch.apply(&bot, exists).unwrap_err().id.into_owned();
        assert_eq!(refused(patch(None, "R", ""), false), "model.bot.is_valid.username.app_error");
        assert_eq!(refused(patch(Some("a b"), "R", ""), true), "model.bot.is_valid.username.app_error");
        let long = "ä".repeat(65);
        assert_eq!(refused(patch(Some("a"), &long, ""), true), "model.bot.is_valid.user_id.app_error");
        let long = "ä".repeat(1025);
        assert_eq!(refused(patch(Some("a"), "", &long), true), "model.bot.is_valid.description.app_error");
    }
}
