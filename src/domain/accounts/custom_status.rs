//! The custom status of an account, which is one of its properties.

use quarterdeck_actors::error::AppError;

use super::maps;
use super::signup::refusal;
use crate::base::custom_status::PROPERTY;
use crate::base::user::User;
use crate::store::{Changed, Db};

/// Stores a custom status as JSON, or an empty text for none. Returns the account before and after it.
pub(crate) async fn set_custom_status(db: &Db, id: &str, status: String, now: i64) -> Result<(User, User), AppError> {
    let change = move |stored: &User| {
        let mut user = stored.clone();
        user.props.insert(PROPERTY.to_owned(), status.clone());
        maps::check(stored, &user)?;
        Ok(Some(user))
    };
    let outcome = db.change_profile(id, now, change).await;
    match outcome.map_err(|failed| failed.refused_or(refusal))? {
        Changed::Stored(accounts) => Ok(*accounts),
        Changed::MovedOn | Changed::Gone => Err(AppError::new("app.user.missing_account.const")),
    }
}
