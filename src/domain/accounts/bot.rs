//! The bot that writes posts for the server itself.

use std::collections::BTreeMap;

use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;

use crate::base::user::User;
use crate::store::Db;

/// The username of the system bot.
const SYSTEM_BOT: &str = "system-bot";

const FAILED: &str = "app.user.get.app_error";

/// Returns the system bot, and creates it if necessary. Fails if a user has its name, or if it is deactivated.
pub(crate) async fn system_bot(db: &Db) -> Result<User, AppError> {
    let mut found = db.user_named(SYSTEM_BOT).await.or_fail(FAILED)?;
    if found.is_none() {
        db.add_bot(&proposed(wall_ms())).await.or_fail(FAILED)?;
        found = db.user_named(SYSTEM_BOT).await.or_fail(FAILED)?;
    }
    let usable = found.filter(|user| user.is_bot && user.delete_at == 0);
    usable.ok_or_else(|| AppError::new(FAILED).because("the name of the system bot is taken, or it is deactivated"))
}

fn proposed(now: i64) -> User {
    User {
        username: SYSTEM_BOT.to_owned(),
        email: format!("{SYSTEM_BOT}@localhost"),
        first_name: "System".to_owned(),
        ..bot_account(new_id(), now)
    }
}

/// Returns the account of a new bot, without its names. It has no password, so no one can log in to it.
pub(crate) fn bot_account(id: String, now: i64) -> User {
    User {
        id,
        create_at: now,
        update_at: now,
        last_password_update: now,
        roles: "system_user".to_owned(),
        locale: "en".to_owned(),
        notify_props: BTreeMap::new(),
        ..User::default()
    }
}
