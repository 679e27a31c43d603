//! The table `tokens`: proofs that someone reads a mail address.
//!
//! An owner has at most [`MAX_TOKENS`] rows of each kind. Their keys are made of the kind and the owner's id, so every
//! statement finds them by the primary key. The owner is an account or, for invitations, an address in a team. The text of
//! a token is sent by mail and stored as a digest only.

use quarterdeck_actors::clock::{DAY_MS, HOUR_MS, MINUTE_MS};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Db, Row, Statement, StoreError, Subject, Transaction, Value, statement};

/// The number of tokens of one kind that an owner can have. A further one replaces the oldest.
pub(crate) const MAX_TOKENS: usize = 3;

/// The number of the newest invitations of a kind that stay, however old they are. More than that must have been sent
/// after a time before an invitation is too old at it.
const NEWEST_INVITATIONS: i64 = 100;

/// The time by which the clocks of two servers may differ, in milliseconds.
const MAX_CLOCK_SKEW_MS: i64 = 10 * MINUTE_MS;

/// The permission that a token gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MailTokenKind {
    /// Sets a new password.
    PasswordReset,
    /// Shows that the address of the account is right.
    Verification,
    /// Signs up, or joins a team.
    Invitation,
    /// The same as a guest.
    GuestInvitation,
}

/// A token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailToken {
    /// Unix milliseconds.
    pub(crate) create_at: i64,
    /// The address to which it was sent.
    pub(crate) email: String,
    pub(crate) digest: String,
    /// The team, if it is an invitation.
    pub(crate) invited_to: Option<InvitedTo>,
}

/// The team and the channels that an invitation opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InvitedTo {
    pub(crate) team_id: String,
    /// Channels beside those that every member joins.
    pub(crate) channel_ids: Vec<String>,
}

/// The column `extra`, with the names that Mattermost gives its members.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Extra {
    email: String,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    invited_to: Option<InvitedTo>,
}

impl MailTokenKind {
    /// The kinds whose owner is an account.
    pub(super) const OF_ACCOUNTS: [Self; 2] = [Self::PasswordReset, Self::Verification];

    /// Returns the time for which a token can be used, in milliseconds.
    pub(crate) fn lifetime_ms(self) -> i64 {
        match self {
            Self::PasswordReset | Self::Verification => DAY_MS,
            Self::Invitation | Self::GuestInvitation => 48 * HOUR_MS,
        }
    }

    /// Returns true if a token that was made at `create_at` can be used at `now`, both in Unix milliseconds. A token from
    /// the future was made while a clock was ahead, and would last too long.
    pub(crate) fn is_current(self, create_at: i64, now: i64) -> bool {
        let age = now.saturating_sub(create_at);
        (-MAX_CLOCK_SKEW_MS..self.lifetime_ms()).contains(&age)
    }

    fn is_invitation(self) -> bool {
        match self {
            Self::PasswordReset | Self::Verification => false,
            Self::Invitation | Self::GuestInvitation => true,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_recovery",
            Self::Verification => "verify_email",
            Self::Invitation => "team_invitation",
            Self::GuestInvitation => "guest_invitation",
        }
    }

    fn key(self, owner: &str, place: usize) -> String {
        format!("{}.{owner}.{place}", self.name())
    }

    fn keys(self, owner: &str) -> Vec<String> {
        (0..MAX_TOKENS).map(|place| self.key(owner, place)).collect()
    }
}

impl Db {
    /// Stores a token in a free place of the owner, or in that of its oldest one. Returns the number of the place.
    /// With an invitation, those that are too old are deleted, see [`removing_old`].
    ///
    /// Stores nothing and returns `None` when all places were taken after `since`, in Unix milliseconds.
    pub(crate) async fn add_mail_token(
        &self,
        kind: MailTokenKind,
        owner: &str,
        token: MailToken,
        since: i64,
    ) -> Result<Option<usize>, StoreError> {
        let keys = kind.keys(owner);
        let found = "SELECT token, createat FROM tokens WHERE token = ANY ($1)";
        let found = statement(found, vec![Value::Texts(keys.clone())]);
        // Mattermost reads other members of an invitation, so that it takes no digest for a token.
        let extra = if kind.is_invitation() {
            json!({ "Email": token.email, "Digest": token.digest, "InvitedTo": token.invited_to })
        } else {
            json!({ "UserId": owner, "Email": token.email, "Digest": token.digest })
        };
        let extra = extra.to_string();
        let decide = move |answers: &[Vec<Row>]| {
            let mut places = Vec::new();
            for row in answers.first().into_iter().flatten() {
                let mut row = row.clone();
                places.push((row.text()?, row.int()?));
            }
            // A time in the future is from before a clock was set back, unless it is of another server or of a request at the
            // same time. Its place counts as free.
            let end = token.create_at.saturating_add(MAX_CLOCK_SKEW_MS);
            let is_of = |key: &String, (used, at): &&(String, i64)| used == key && *at <= end;
            let taken_at = |key: &String| places.iter().find(|row| is_of(key, row)).map_or(i64::MIN, |(_, at)| *at);
            let oldest = keys.iter().min_by_key(|key| taken_at(key)).filter(|key| taken_at(key) <= since);
            let sql = "INSERT INTO tokens (token, createat, type, extra) VALUES ($1, $2, $3, $4) ON CONFLICT (token) \
                       DO UPDATE SET createat = excluded.createat, type = excluded.type, extra = excluded.extra \
                       RETURNING token";
            let values = |key: &String| vec![key.into(), token.create_at.into(), kind.name().into(), (&extra).into()];
            let mut statements: Vec<Statement> = oldest.map(|key| statement(sql, values(key))).into_iter().collect();
            if kind.is_invitation() && !statements.is_empty() {
                statements.push(removing_old(kind, token.create_at));
            }
            Ok(statements)
        };
        let transaction = Transaction::decided(vec![found], decide).lock_exclusive(Subject::User(owner));
        let mut answers = self.transaction(transaction).await?;
        let stored = answers.get_mut(1).and_then(|rows| rows.first_mut()).map(Row::text).transpose()?;
        Ok(stored.and_then(|key| (0..MAX_TOKENS).find(|place| kind.key(owner, *place) == key)))
    }

    /// Returns the token in a place of an owner.
    pub(crate) async fn mail_token(
        &self,
        kind: MailTokenKind,
        owner: &str,
        place: usize,
    ) -> Result<Option<MailToken>, StoreError> {
        let rows = self.read(selection(kind, owner, place)).await?;
        rows.into_iter().next().map_or(Ok(None), token)
    }

    /// Deletes all invitations. Returns their number.
    pub(crate) async fn remove_invitations(&self) -> Result<usize, StoreError> {
        let sql = "DELETE FROM tokens WHERE type IN ('team_invitation', 'guest_invitation', \
                   'guest_magic_link_invitation') RETURNING token";
        self.write(statement(sql, Vec::new())).await.map(|removed| removed.len())
    }
}

/// Returns the statement that deletes the invitations of a kind that are too old beside one of the newest
/// [`NEWEST_INVITATIONS`].
///
/// Not beside `now` alone: a clock that is far ahead for a while must not delete the invitations that are valid. Those
/// from the future do not count, because they can be from before a clock was set back.
fn removing_old(kind: MailTokenKind, now: i64) -> Statement {
    let sql = "DELETE FROM tokens WHERE type = $1 AND createat <= (SELECT newest.createat FROM tokens newest \
               WHERE newest.type = $1 AND newest.createat <= $2 ORDER BY newest.createat DESC LIMIT 1 OFFSET $3) - $4";
    let values = vec![kind.name().into(), now.into(), (NEWEST_INVITATIONS - 1).into(), kind.lifetime_ms().into()];
    statement(sql, values)
}

/// Returns the statement that reads the token in a place of an owner.
pub(super) fn selection(kind: MailTokenKind, owner: &str, place: usize) -> Statement {
    let sql = "SELECT createat, extra FROM tokens WHERE token = $1 AND type = $2";
    statement(sql, vec![kind.key(owner, place).into(), kind.name().into()])
}

/// Returns the token of a row that [`selection`] read; `None` for a row of another program.
pub(super) fn token(mut row: Row) -> Result<Option<MailToken>, StoreError> {
    let (create_at, extra) = (row.int()?, row.text()?);
    let extra: Option<Extra> = serde_json::from_str(&extra).ok();
    Ok(extra.map(|Extra { email, digest, invited_to }| MailToken { create_at, email, digest, invited_to }))
}

/// Returns the statement that deletes all tokens of a kind that an owner has.
pub(super) fn removing_mail_tokens(kind: MailTokenKind, owner: &str) -> Statement {
    statement("DELETE FROM tokens WHERE token = ANY ($1)", vec![Value::Texts(kind.keys(owner))])
}

/// Returns the statement that deletes all tokens of a kind that an owner has, if the user is in the team.
pub(super) fn redeeming(kind: MailTokenKind, owner: &str, team_id: &str, user_id: &str) -> Statement {
    let sql = "DELETE FROM tokens WHERE token = ANY ($1) AND EXISTS (SELECT 1 FROM teammembers m WHERE m.teamid = $2 \
               AND m.userid = $3 AND m.deleteat = 0)";
    statement(sql, vec![Value::Texts(kind.keys(owner)), team_id.into(), user_id.into()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{fresh, texts};

    const KIND: MailTokenKind = MailTokenKind::PasswordReset;

    fn token(create_at: i64) -> MailToken {
        let (email, digest) = ("anna@chat.example".to_owned(), format!("digest {create_at}"));
        MailToken { create_at, email, digest, invited_to: None }
    }

    #[actix_web::test]
    async fn an_account_has_three_tokens_of_a_kind_and_a_fourth_replaces_the_oldest() {
        let (_folder, db) = fresh().await;
        let mut places = Vec::new();
        for at in 1..=4 {
            places.push(db.add_mail_token(KIND, "anna", token(at), 1).await.unwrap());
        }
        assert_eq!(places, [Some(0), Some(1), Some(2), Some(0)]);
        assert_eq!(db.add_mail_token(KIND, "anna", token(5), 1).await.unwrap(), None, "all are newer than the first");
        assert_eq!(db.mail_token(KIND, "anna", 0).await.unwrap(), Some(token(4)));
        assert_eq!(db.mail_token(KIND, "anna", 1).await.unwrap(), Some(token(2)));
        assert_eq!(db.mail_token(MailTokenKind::Verification, "anna", 0).await.unwrap(), None);
        assert_eq!(db.mail_token(KIND, "bert", 0).await.unwrap(), None);
        let set_back = token(3 - MAX_CLOCK_SKEW_MS);
        assert_eq!(db.add_mail_token(KIND, "anna", set_back, 1).await.unwrap(), Some(0), "a clock was set back");
        assert_eq!(
            db.add_mail_token(KIND, "bert", token(5), 1).await.unwrap(),
            Some(0),
            "one account used up another's"
        );
        let stored = texts(&db, "SELECT token FROM tokens WHERE type = 'password_recovery' ORDER BY token").await;
        assert_eq!(stored.len(), 4);
        assert!(stored.iter().all(|key| key.len() <= 64));
    }

    #[actix_web::test]
    async fn requests_at_once_keep_their_tokens_whichever_is_stored_first() {
        let (_folder, db) = fresh().await;
        for (place, at) in [9, 8, 7].into_iter().enumerate() {
            assert_eq!(db.add_mail_token(KIND, "anna", token(at), 1).await.unwrap(), Some(place));
        }
        assert_eq!(db.add_mail_token(KIND, "anna", token(6), 1).await.unwrap(), None);
        assert_eq!(db.mail_token(KIND, "anna", 0).await.unwrap(), Some(token(9)));
    }

    #[actix_web::test]
    async fn a_row_of_another_program_is_no_token_of_this_one() {
        let (_folder, db) = fresh().await;
        for extra in ["", "{}", r#"{"UserId":"anna","Email":"anna@chat.example"}"#] {
            let sql = "INSERT INTO tokens (token, createat, type, extra) VALUES ($1, 1, $2, $3) \
                       ON CONFLICT (token) DO UPDATE SET extra = excluded.extra";
            let values = vec![KIND.key("anna", 0).into(), KIND.name().into(), extra.into()];
            db.write_apart(statement(sql, values)).await.unwrap();
            let read = db.mail_token(KIND, "anna", 0).await.unwrap();
            assert!(read.is_none_or(|token| token.digest.is_empty()), "{extra}");
        }
    }

    #[actix_web::test]
    async fn an_invitation_is_kept_for_two_days_and_is_removed_with_all_others() {
        const INVITED: MailTokenKind = MailTokenKind::Invitation;
        let (_folder, db) = fresh().await;
        let to = InvitedTo { team_id: "crew".to_owned(), channel_ids: vec!["one".to_owned()] };
        let invitation = |at| MailToken { invited_to: Some(to.clone()), ..token(at) };
        let lifetime = INVITED.lifetime_ms();
        db.add_mail_token(KIND, "anna", token(1), 0).await.unwrap();
        db.add_mail_token(INVITED, "dora", invitation(1), 0).await.unwrap();
        db.add_mail_token(INVITED, "emil", invitation(2), 0).await.unwrap();
        assert_eq!(db.mail_token(INVITED, "dora", 0).await.unwrap(), Some(invitation(1)));
        db.add_mail_token(MailTokenKind::GuestInvitation, "dora", invitation(3), 0).await.unwrap();
        // A clock is far ahead, for one invitation less than the number that proves the time.
        for number in 1..NEWEST_INVITATIONS {
            db.add_mail_token(INVITED, &format!("late {number}"), invitation(number + lifetime), 0).await.unwrap();
        }
        assert!(db.mail_token(INVITED, "dora", 0).await.unwrap().is_some(), "too few are newer");
        db.add_mail_token(INVITED, "early", invitation(3), 0).await.unwrap();
        assert!(db.mail_token(INVITED, "dora", 0).await.unwrap().is_some(), "those from the future do not count");
        db.add_mail_token(INVITED, "fred", invitation(NEWEST_INVITATIONS + lifetime), 0).await.unwrap();
        assert_eq!(db.mail_token(INVITED, "dora", 0).await.unwrap(), None, "it was swept");
        assert!(db.mail_token(INVITED, "emil", 0).await.unwrap().is_some());
        assert!(db.mail_token(MailTokenKind::GuestInvitation, "dora", 0).await.unwrap().is_some(), "another kind");
        assert_eq!(db.remove_invitations().await.unwrap(), 103);
        assert!(db.mail_token(KIND, "anna", 0).await.unwrap().is_some(), "another kind stays");
    }
}
