//! The table `users`, joined with `bots`.

mod attempts;
mod codes;
mod conversion;
mod emptying;
mod filter;
mod guests;
mod invited;
mod login_service;
mod operator;
mod profile;
mod recovery;
mod report;
mod seeding;
mod site;

use quarterdeck_actors::error::AppError;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::steps::walked;

use super::{Db, Row, Statement, StoreError, Subject, Transaction, Value, json_of, statement};
use crate::base::user::User;
pub(super) use conversion::all_sessions_of;
pub(crate) use filter::{Filter, Order};
pub(crate) use invited::{Invitation, InvitationProof};
pub(crate) use operator::{Operated, OperatorChange};
pub(crate) use profile::Changed;
pub(crate) use report::{Cursor, Guests, ReportFilter, ReportOrder, ReportPage, ReportRow};
use site::ACTIVE;
pub(crate) use site::{AccountLimit, LoginRules, Site, SiteRules};

const SELECT: &str = "SELECT u.id, u.createat, u.updateat, u.deleteat, u.username, u.password, u.authdata, u.authservice, \
     u.email, u.emailverified, u.nickname, u.firstname, u.lastname, u.position, u.roles, u.allowmarketing, u.props, \
     u.notifyprops, u.lastpasswordupdate, u.lastpictureupdate, u.failedattempts, u.locale, u.mfaactive, u.mfasecret, \
     u.timezone, u.remoteid, b.userid IS NOT NULL, b.description, b.lasticonupdate \
     FROM users u LEFT JOIN bots b ON b.userid = u.id";

/// The condition on existing accounts under which a new one is added. Bots do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Always.
    Any,
    /// Only when there is no other account.
    First,
    /// Only when there is another account.
    Further,
}

impl Entry {
    fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::First => "first",
            Self::Further => "further",
        }
    }
}

/// The sessions that end with a password.
#[derive(Debug, Clone, Copy)]
pub(crate) enum EndedSessions<'a> {
    /// No session.
    NoSession,
    /// All sessions of the account, except the one with this id if it is given.
    AllBut(Option<&'a str>),
}

/// The maximum number of accounts that one statement looks up.
const MAX_LOOKED_UP: usize = 10_000;

impl Db {
    /// Adds an account and returns its roles. The first account that is not a bot becomes a system administrator.
    ///
    /// Adds nothing and returns `None` when the condition `entry` or the limit `room` does not hold in the transaction.
    pub(crate) async fn add_user(
        &self,
        user: &User,
        entry: Entry,
        room: AccountLimit,
    ) -> Result<Option<String>, StoreError> {
        let transaction = Transaction::of(self.adding(user, entry, room)).lock_exclusive(Subject::Accounts);
        let mut answers = self.transaction(transaction).await?;
        let mut inserted = answers.swap_remove(0);
        inserted.first_mut().map(Row::text).transpose()
    }

    /// Returns the statements that add an account and the copies of its names.
    fn adding(&self, user: &User, entry: Entry, room: AccountLimit) -> Vec<Statement> {
        insertion(user, entry, room).into_iter().chain(self.storing_names(user)).collect()
    }

    /// Returns the account with this id.
    pub(crate) async fn user(&self, id: &str) -> Result<Option<User>, StoreError> {
        self.one(" WHERE u.id = $1", vec![id.into()]).await
    }

    /// Returns the account with this name, which must be in lower case.
    pub(crate) async fn user_named(&self, username: &str) -> Result<Option<User>, StoreError> {
        self.one(" WHERE u.username = $1", vec![username.into()]).await
    }

    /// Returns the account with this email address, which must be in lower case.
    pub(crate) async fn user_with_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        self.one(" WHERE u.email = $1", vec![email.into()]).await
    }

    /// Returns the accounts with these ids; unknown ids are left out.
    pub(crate) async fn users_with_ids(&self, ids: &[String]) -> Result<Vec<User>, StoreError> {
        self.among("u.id", ids).await
    }

    /// Returns the accounts with these names; unknown names are left out.
    pub(crate) async fn users_named(&self, names: &[String]) -> Result<Vec<User>, StoreError> {
        self.among("u.username", names).await
    }

    /// Returns the number of accounts without bots, including deactivated ones.
    pub(crate) async fn user_count(&self) -> Result<i64, StoreError> {
        self.count("SELECT COUNT(*) FROM users u LEFT JOIN bots b ON b.userid = u.id WHERE b.userid IS NULL").await
    }

    /// Returns the number of active accounts without bots.
    pub(crate) async fn active_user_count(&self) -> Result<i64, StoreError> {
        self.count(ACTIVE).await
    }

    /// Returns the number of active accounts of this installation without bots.
    pub(crate) async fn people_count(&self) -> Result<i64, StoreError> {
        self.count(
            "SELECT COUNT(*) FROM users u LEFT JOIN bots b ON b.userid = u.id \
             WHERE b.userid IS NULL AND u.deleteat = 0 AND COALESCE(u.remoteid, '') = ''",
        )
        .await
    }

    /// Stores a new password hash, sets the count of failed attempts to zero, and deletes the sessions that `ended` means.
    /// Returns false when `checked` is given and the account's hash is no longer that one.
    pub(crate) async fn set_password(
        &self,
        id: &str,
        hash: &Secret,
        checked: Option<&Secret>,
        ended: EndedSessions<'_>,
        now: i64,
    ) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE users SET password = $2, lastpasswordupdate = $3, updateat = {}, failedattempts = 0 \
             WHERE id = $1 AND ($4 = '' OR password = $4) RETURNING id",
            later("$3")
        );
        let checked = checked.map_or("", Secret::expose);
        let values = vec![id.into(), hash.expose().into(), now.into(), checked.into()];
        let mut statements = vec![statement(sql, values)];
        match ended {
            EndedSessions::NoSession => {}
            EndedSessions::AllBut(except) => statements.push(ending_sessions(id, hash, except)),
        }
        self.done(Transaction::of(statements).lock_exclusive(Subject::User(id))).await
    }

    /// Stores the system roles, in the user's sessions too. Refuses to remove the last administrator, a member more than the
    /// limit allows, and an account with other roles than `before`, if given. Returns the account before the change.
    pub(crate) async fn set_user_roles(
        &self,
        id: &str,
        (before, roles): (Option<String>, &str),
        site_rules: SiteRules,
        now: i64,
    ) -> Result<Option<User>, StoreError> {
        let roles = roles.to_owned();
        let decide = move |site: &Site| {
            site.keep_roles(before.as_deref())?;
            let after = User { roles: roles.clone(), ..site.before.clone() };
            if !after.has_role("system_admin") {
                site.keep_administrator()?;
            }
            let is_no_guest_now = site.before.has_role("system_guest") && !after.has_role("system_guest");
            is_no_guest_now.then(|| site.keep_limit(&after)).transpose()?;
            let sql = format!("UPDATE users SET roles = $2, updateat = {} WHERE id = $1", later("$3"));
            let change = statement(sql, vec![(&after.id).into(), (&roles).into(), now.into()]);
            let sql = "UPDATE sessions SET roles = $2 WHERE userid = $1";
            Ok(vec![change, statement(sql, vec![(&after.id).into(), (&roles).into()])])
        };
        self.change_within(id, site_rules, decide).await
    }

    /// Deactivates the account now (Unix milliseconds) and deletes its sessions. Refuses it for the last administrator.
    /// Returns false if there is no such account.
    pub(crate) async fn deactivate_user(&self, id: &str, site_rules: SiteRules, now: i64) -> Result<bool, StoreError> {
        let decide = move |site: &Site| {
            site.keep_administrator()?;
            let sql = format!("UPDATE users SET deleteat = $2, updateat = {} WHERE id = $1", later("$2"));
            let id = &site.before.id;
            Ok(vec![statement(sql, vec![id.into(), now.into()]), all_sessions_of(id)])
        };
        self.change_within(id, site_rules, decide).await.map(|before| before.is_some())
    }

    /// Runs a change of an account that depends on the other accounts. `decide` returns its statements, or refuses it.
    /// Returns the account before the change; `None` if there is no such account.
    async fn change_within(
        &self,
        id: &str,
        site_rules: SiteRules,
        decide: impl Fn(&Site) -> Result<Vec<Statement>, AppError> + Send + Sync + 'static,
    ) -> Result<Option<User>, StoreError> {
        let decide = move |answers: &[Vec<Row>]| {
            let Some(site) = site_rules.site(answers)? else { return Ok(Vec::new()) };
            decide(&site).map_err(|refusal| StoreError::Refused(Box::new(refusal)))
        };
        let transaction = Transaction::decided(site_rules.reads(id), decide)
            .lock_exclusive(Subject::Accounts)
            .lock_exclusive(Subject::User(id));
        let before = self.transaction(transaction).await?.into_iter().next().unwrap_or_default();
        before.into_iter().next().map(user).transpose()
    }

    /// Activates the account. Returns false if the limit `room` does not hold in the transaction; bots need no room.
    pub(crate) async fn activate_user(&self, id: &str, now: i64, room: AccountLimit) -> Result<bool, StoreError> {
        let (count, max) = room.condition();
        let sql = format!(
            "UPDATE users SET deleteat = 0, updateat = {} WHERE id = $1 AND (deleteat = 0 OR ({count}) < $3 \
             OR EXISTS (SELECT 1 FROM bots b WHERE b.userid = $1)) RETURNING id",
            later("$2")
        );
        let activation = Transaction::of(vec![statement(sql, vec![id.into(), now.into(), max.into()])]);
        self.done(activation.lock_exclusive(Subject::Accounts).lock_exclusive(Subject::User(id))).await
    }

    /// Stores the time at which the picture was set; 0 if it was removed. Stores nothing and returns false if the account
    /// was changed after the caller read it, or does not exist. `read` is its `update_at` at that time.
    pub(crate) async fn set_picture_time(&self, id: &str, at: i64, read: i64, now: i64) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE users SET lastpictureupdate = $2, updateat = {} WHERE id = $1 AND COALESCE(updateat, 0) = $4 \
             RETURNING id",
            later("$3")
        );
        Ok(!self.write(statement(sql, vec![id.into(), at.into(), now.into(), read.into()])).await?.is_empty())
    }

    /// Stores that the email address is verified.
    pub(crate) async fn set_email_verified(&self, id: &str, now: i64) -> Result<(), StoreError> {
        let sql = format!("UPDATE users SET emailverified = TRUE, updateat = {} WHERE id = $1", later("$2"));
        self.write(statement(sql, vec![id.into(), now.into()])).await.map(drop)
    }

    async fn one(&self, condition: &str, values: Vec<Value>) -> Result<Option<User>, StoreError> {
        let rows = self.read(statement(format!("{SELECT}{condition}"), values)).await?;
        rows.into_iter().next().map(user).transpose()
    }

    async fn among(&self, column: &str, keys: &[String]) -> Result<Vec<User>, StoreError> {
        let mut found = Vec::new();
        for keys in keys.chunks(MAX_LOOKED_UP) {
            let sql = format!("{SELECT} WHERE {column} = ANY ($1)");
            found.extend(self.read(statement(sql, vec![Value::Texts(keys.to_vec())])).await?);
        }
        let mut users = found.into_iter().map(user).collect::<Result<Vec<User>, _>>()?;
        users.sort_by(|one, other| one.username.cmp(&other.username));
        Ok(users)
    }

    pub(super) async fn count(&self, sql: &'static str) -> Result<i64, StoreError> {
        let rows = self.read(statement(sql, Vec::new())).await?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.int())
    }
}

fn insertion(user: &User, entry: Entry, room: AccountLimit) -> Vec<Statement> {
    // The transaction locks the accounts, so two first accounts cannot be added at the same time.
    let sql = "INSERT INTO users (id, createat, updateat, deleteat, username, password, authdata, authservice, email, emailverified, \
               nickname, firstname, lastname, position, roles, allowmarketing, props, notifyprops, lastpasswordupdate, \
               lastpictureupdate, failedattempts, locale, mfaactive, mfasecret, timezone, remoteid, lastlogin) \
               SELECT $1, $2, $2, 0, $3, $4, $20, $21, $5, $6, $7, $8, $9, $10, \
               CASE WHEN EXISTS (SELECT 1 FROM users o LEFT JOIN bots b ON b.userid = o.id WHERE b.userid IS NULL) \
               THEN $11 ELSE 'system_admin system_user' END, $12, $13, $14, $2, 0, 0, $15, $16, '', $17, '', 0 \
               WHERE (CAST($18 AS text) = 'any' OR (CAST($18 AS text) = 'further') = \
               EXISTS (SELECT 1 FROM users o LEFT JOIN bots b ON b.userid = o.id WHERE b.userid IS NULL))";
    let (count, max) = room.condition();
    let sql = format!("{sql} AND ({count}) < $19 RETURNING roles");
    let values = vec![
        (&user.id).into(),
        user.create_at.into(),
        (&user.username).into(),
        user.password.expose().into(),
        (&user.email).into(),
        user.email_verified.into(),
        (&user.nickname).into(),
        (&user.first_name).into(),
        (&user.last_name).into(),
        (&user.position).into(),
        (&user.roles).into(),
        user.allow_marketing.into(),
        json_of(&user.props),
        json_of(&user.notify_props),
        (&user.locale).into(),
        false.into(),
        json_of(&user.timezone),
        entry.name().into(),
        max.into(),
        user.auth_data.clone().into(),
        (&user.auth_service).into(),
    ];
    let preferences = [
        ("recommended_next_steps", "hide", "false"),
        ("tutorial_step", &user.id, "0"),
        ("system_notice", "GMasDM", "true"),
    ];
    let mut statements = vec![statement(sql, values)];
    statements.extend(preferences.iter().map(|(category, name, value)| {
        // The `SELECT` inserts the preference only if the account was inserted just before.
        let sql = "INSERT INTO preferences (userid, category, name, value) \
                   SELECT u.id, $2, $3, $4 FROM users u WHERE u.id = $1";
        statement(sql, vec![(&user.id).into(), (*category).into(), (*name).into(), (*value).into()])
    }));
    statements
}

/// Returns the statement that deletes the sessions of an account, except one. It deletes nothing unless `hash`, which the
/// same transaction stores, is the account's hash.
fn ending_sessions(id: &str, hash: &Secret, except: Option<&str>) -> Statement {
    let sql = "DELETE FROM sessions WHERE userid = $1 AND id <> $3 \
               AND EXISTS (SELECT 1 FROM users u WHERE u.id = $1 AND u.password = $2)";
    statement(sql, vec![id.into(), hash.expose().into(), except.unwrap_or_default().into()])
}

/// Returns SQL for the new value of `updateat`. It always increases, even within one millisecond, because clients use
/// it to tell two states of an account apart.
fn later(now: &str) -> String {
    format!("CASE WHEN updateat >= {now} THEN updateat + 1 ELSE {now} END")
}

/// Escapes the characters that have a meaning in LIKE.
pub(crate) fn escaped(term: &str) -> String {
    walked(term.len());
    term.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn user(mut row: Row) -> Result<User, StoreError> {
    Ok(User {
        id: row.text()?,
        create_at: row.int()?,
        update_at: row.int()?,
        delete_at: row.int()?,
        username: row.text()?,
        password: Secret::new(row.text()?),
        auth_data: row.optional_text()?,
        auth_service: row.text()?,
        email: row.text()?,
        email_verified: row.bool()?,
        nickname: row.text()?,
        first_name: row.text()?,
        last_name: row.text()?,
        position: row.text()?,
        roles: row.text()?,
        allow_marketing: row.bool()?,
        props: row.string_map()?,
        notify_props: row.string_map()?,
        last_password_update: row.int()?,
        last_picture_update: row.int()?,
        failed_attempts: row.int()?,
        locale: row.text()?,
        mfa_active: row.bool()?,
        mfa_secret: Secret::new(row.text()?),
        timezone: row.string_map()?,
        remote_id: row.optional_text()?,
        is_bot: row.bool()?,
        bot_description: row.text()?,
        bot_last_icon_update: row.int()?,
    })
}

#[cfg(test)]
mod tests;
