//! Changes of a profile. They are decided on the current row, and only changed columns are written.

use std::collections::BTreeMap;

use quarterdeck_actors::error::AppError;

use super::{SELECT, later, user};
use crate::base::user::User;
use crate::store::{Db, Row, Statement, StoreError, Subject, Transaction, Value, json_of, statement};

/// The result of a change of a profile.
pub(crate) enum Changed {
    /// The change is stored; holds the account before and after it.
    Stored(Box<(User, User)>),
    /// The account is no longer in the state that the caller checked; nothing was stored.
    MovedOn,
    /// The account does not exist.
    Gone,
}

impl Db {
    /// Applies `change` to the current profile and stores the result; unchanged columns are not written. `change`
    /// returns `None` when the account is no longer in the state that the caller checked.
    pub(crate) async fn change_profile(
        &self,
        id: &str,
        now: i64,
        change: impl Fn(&User) -> Result<Option<User>, AppError> + Send + Sync + 'static,
    ) -> Result<Changed, StoreError> {
        let kind = self.kind();
        let decide = move |answers: &[Vec<Row>]| {
            let Some(row) = answers.first().and_then(|rows| rows.first()) else { return Ok(Vec::new()) };
            let before = user(row.clone())?;
            let changed = change(&before).map_err(|refusal| StoreError::Refused(Box::new(refusal)))?;
            let Some(after) = changed else { return Ok(Vec::new()) };
            let mut statements = vec![difference(&before, &after, now), selection(&before.id)];
            statements.extend(Self::renaming(kind, &before, &after));
            Ok(statements)
        };
        let transaction = Transaction::decided(vec![selection(id)], decide).lock_exclusive(Subject::User(id));
        let mut answers = self.transaction(transaction).await?.into_iter();
        let mut next = || answers.next().and_then(|rows| rows.into_iter().next()).map(user).transpose();
        let before = next()?;
        // Skips the result of the update, which has no rows.
        next()?;
        Ok(match (before, next()?) {
            (None, _) => Changed::Gone,
            (Some(_), None) => Changed::MovedOn,
            (Some(before), Some(after)) => Changed::Stored(Box::new((before, after))),
        })
    }
}

/// Returns the statement that reads an account.
pub(in crate::store) fn selection(id: &str) -> Statement {
    statement(format!("{SELECT} WHERE u.id = $1"), vec![id.into()])
}

/// Returns the statement that writes the columns that differ. Its text is always the same, so it can be prepared once.
pub(super) fn difference(before: &User, after: &User, now: i64) -> Statement {
    let sql = format!(
        "UPDATE users SET updateat = {}, username = COALESCE($3, username), email = COALESCE($4, email), \
         emailverified = COALESCE($5, emailverified), nickname = COALESCE($6, nickname), \
         firstname = COALESCE($7, firstname), lastname = COALESCE($8, lastname), \
         position = COALESCE($9, position), locale = COALESCE($10, locale), props = COALESCE($11, props), \
         notifyprops = COALESCE($12, notifyprops), timezone = COALESCE($13, timezone) WHERE id = $1",
        later("$2")
    );
    let text = |before: &str, after: &str| Value::from(Some(after).filter(|after| *after != before));
    let map = |before: &BTreeMap<String, String>, after: &BTreeMap<String, String>| {
        if before == after { Value::Null } else { json_of(after) }
    };
    let values = vec![
        (&before.id).into(),
        now.into(),
        text(&before.username, &after.username),
        text(&before.email, &after.email),
        Some(after.email_verified).filter(|is_verified| *is_verified != before.email_verified).into(),
        text(&before.nickname, &after.nickname),
        text(&before.first_name, &after.first_name),
        text(&before.last_name, &after.last_name),
        text(&before.position, &after.position),
        text(&before.locale, &after.locale),
        map(&before.props, &after.props),
        map(&before.notify_props, &after.notify_props),
        map(&before.timezone, &after.timezone),
    ];
    statement(sql, values)
}
