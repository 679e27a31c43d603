//! The table `sessions`.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::session::{Session, SessionSelection};
use quarterdeck_actors::sessions::change::Change;
use quarterdeck_actors::sessions::{Added, SessionStore};

use super::{Db, Row, Statement, StoreError, Subject, Transaction, json_of, statement};

const COLUMNS: &str =
    "id, token, createat, expiresat, lastactivityat, userid, deviceid, roles, isoauth, expirednotify, props";

/// The maximum number of other sessions that a user keeps when a new one is added; the least recently used are deleted.
const MAX_OTHER_SESSIONS: i64 = 499;

impl SessionStore for Db {
    fn find(&self, token: Secret) -> BoxFuture<'static, Result<Option<Session>, AppError>> {
        let db = self.clone();
        async move { db.session_with_token(&token).await.or_fail("app.session.get.app_error") }.boxed()
    }

    fn add(&self, session: Session, checked: Option<Secret>) -> BoxFuture<'static, Result<Option<Added>, AppError>> {
        let db = self.clone();
        async move { db.add_session(session, checked).await.or_fail("app.session.save.app_error") }.boxed()
    }

    fn remove(&self, which: SessionSelection) -> BoxFuture<'static, Result<(), AppError>> {
        let db = self.clone();
        async move { db.transaction(removing(&which)).await.map(drop).or_fail("app.session.remove.app_error") }.boxed()
    }

    fn change(&self, change: Change) -> BoxFuture<'static, Result<Change, AppError>> {
        const FAILED: &str = "app.session.update.app_error";
        let db = self.clone();
        let changed = async move {
            if let Change::Authenticated { id, user_id, checked, props } = &change {
                let refused = db.store_authentication((id, user_id), checked, props).await.or_fail(FAILED)?;
                return refused.map_or(Ok(change), |refusal| Err(AppError::new(refusal)));
            }
            db.change_session(change).await.or_fail(FAILED)
        };
        changed.boxed()
    }
}

impl Db {
    /// Returns a user's sessions, last used first.
    pub(crate) async fn sessions_of(&self, user_id: &str) -> Result<Vec<Session>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM sessions WHERE userid = $1 ORDER BY lastactivityat DESC, id");
        self.read(statement(sql, vec![user_id.into()])).await?.into_iter().map(session).collect()
    }

    /// Returns the session whose id or token is `text`.
    pub(crate) async fn session_with_id_or_token(&self, text: &str) -> Result<Option<Session>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM sessions WHERE id = $1 OR token = $1 LIMIT 1");
        self.read(statement(sql, vec![text.into()])).await?.into_iter().next().map(session).transpose()
    }

    async fn session_with_token(&self, token: &Secret) -> Result<Option<Session>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM sessions WHERE token = $1 LIMIT 1");
        self.read(statement(sql, vec![token.expose().into()])).await?.into_iter().next().map(session).transpose()
    }

    async fn add_session(&self, session: Session, checked: Option<Secret>) -> Result<Option<Added>, StoreError> {
        let opening = Transaction::of(vec![insertion(&session, checked.as_ref()), making_room(&session)])
            .lock_shared(Subject::Sessions)
            .lock_exclusive(Subject::User(&session.user_id));
        let opening = match session.prop("user_access_token_id") {
            "" => opening,
            id => opening.lock_exclusive(Subject::AccessToken(id)),
        };
        let mut answers = self.transaction(opening).await?.into_iter();
        let Some(mut stored) = answers.next().and_then(|rows| rows.into_iter().next()) else { return Ok(None) };
        let removed = answers.next().unwrap_or_default().into_iter();
        let made_room = removed.map(|mut row| row.text().map(Secret::new)).collect::<Result<_, _>>()?;
        Ok(Some(Added { session: Session { roles: stored.text()?, ..session }, made_room }))
    }

    async fn change_session(&self, change: Change) -> Result<Change, StoreError> {
        match &change {
            // Stores nothing: the roles in the sessions are written together with those of the account.
            Change::Roles { user_id, .. } => {
                let sql = "SELECT roles FROM users WHERE id = $1";
                let stored = self.read(statement(sql, vec![user_id.into()])).await?;
                if let Some(mut row) = stored.into_iter().next() {
                    return Ok(Change::Roles { user_id: user_id.clone(), roles: row.text()? });
                }
            }
            Change::Activity { id, at } => {
                let sql = "UPDATE sessions SET lastactivityat = $2 WHERE id = $1 AND lastactivityat < $2";
                self.write_apart(statement(sql, vec![id.into(), (*at).into()])).await?;
            }
            // An `expiresat` of 0 means that the session never expires.
            Change::Prolonged { id, until } => {
                let sql = "UPDATE sessions SET expiresat = $2 WHERE id = $1 AND expiresat > 0 AND expiresat < $2";
                self.write_apart(statement(sql, vec![id.into(), (*until).into()])).await?;
            }
            Change::Device { id, device_id, expires_at, props } => {
                let (of, given) = (id.clone(), props.clone());
                let (device_id, expires_at) = (device_id.clone(), *expires_at);
                let decide = move |answers: &[Vec<Row>]| {
                    let Some(row) = answers.first().and_then(|rows| rows.first()) else { return Ok(Vec::new()) };
                    let mut props = row.clone().string_map()?;
                    props.extend(given.clone());
                    let sql = "UPDATE sessions SET deviceid = COALESCE($2, deviceid), \
                               expiresat = COALESCE($3, expiresat), props = $4 WHERE id = $1";
                    let values = vec![(&of).into(), device_id.clone().into(), expires_at.into(), json_of(&props)];
                    Ok(vec![statement(sql, values)])
                };
                let read = statement("SELECT props FROM sessions WHERE id = $1", vec![id.into()]);
                self.transaction(Transaction::decided(vec![read], decide).lock_exclusive(Subject::Session(id))).await?;
            }
            // `store_authentication` stores it.
            Change::Authenticated { .. } => {}
        }
        Ok(change)
    }

    /// Stores that the owner of a session was authenticated again. Returns the id of the error if the session has ended,
    /// or if the account's hash is not `checked`, the one that the password was compared with.
    async fn store_authentication(
        &self,
        (id, user_id): (&str, &str),
        checked: &Secret,
        props: &BTreeMap<String, String>,
    ) -> Result<Option<&'static str>, StoreError> {
        let (of, given, checked) = (id.to_owned(), props.clone(), checked.clone());
        let decide = move |answers: &[Vec<Row>]| {
            let Some(row) = answers.first().and_then(|rows| rows.first()) else { return Ok(Vec::new()) };
            let mut row = row.clone();
            if Secret::new(row.text()?) != checked {
                return Ok(Vec::new());
            }
            let mut props = row.string_map()?;
            props.extend(given.clone());
            let sql = "UPDATE sessions SET props = $2 WHERE id = $1 RETURNING id";
            Ok(vec![statement(sql, vec![(&of).into(), json_of(&props)])])
        };
        let sql = "SELECT u.password, s.props FROM sessions s JOIN users u ON u.id = s.userid \
                   WHERE s.id = $1 AND u.deleteat = 0";
        let storing = Transaction::decided(vec![statement(sql, vec![id.into()])], decide)
            .lock_exclusive(Subject::User(user_id))
            .lock_exclusive(Subject::Session(id));
        let answers = self.transaction(storing).await?;
        let is_open = answers.first().is_some_and(|rows| !rows.is_empty());
        let is_stored = answers.get(1).is_some_and(|rows| !rows.is_empty());
        Ok(match (is_stored, is_open) {
            (true, _) => None,
            (false, true) => Some("api.user.check_user_password.invalid.app_error"),
            (false, false) => Some("api.context.session_expired.app_error"),
        })
    }
}

/// Deletes sessions under the locks that `add_session` takes. So a session that is added at the same time is either
/// deleted with the others or not added.
fn removing(which: &SessionSelection) -> Transaction {
    let removal = Transaction::of(vec![removal(which)]);
    match which {
        SessionSelection::Token(_) | SessionSelection::Id(_) => removal,
        SessionSelection::User { id, .. } | SessionSelection::Device { user_id: id, .. } => {
            removal.lock_exclusive(Subject::User(id))
        }
        SessionSelection::AccessToken(id) => removal.lock_exclusive(Subject::AccessToken(id)),
        SessionSelection::All => removal.lock_exclusive(Subject::Sessions),
    }
}

/// Returns the statement that inserts the session with the current roles of the account. It inserts nothing when the
/// account or the access token is deactivated, when the token is taken, or when the account's hash is not `checked`,
/// the one that the password was compared with.
fn insertion(session: &Session, checked: Option<&Secret>) -> Statement {
    let sql = format!(
        "INSERT INTO sessions ({COLUMNS}) SELECT $1, CAST($2 AS varchar), $3, $4, $5, u.id, $7, u.roles, $8, $9, $10 \
         FROM users u WHERE u.id = $6 AND u.deleteat = 0 \
         AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.token = CAST($2 AS varchar)) \
         AND ($11 = '' OR EXISTS (SELECT 1 FROM useraccesstokens t WHERE t.id = $11 AND t.isactive = TRUE)) \
         AND ($12 = '' OR u.password = $12) \
         RETURNING roles"
    );
    let values = vec![
        (&session.id).into(),
        session.token.expose().into(),
        session.create_at.into(),
        session.expires_at.into(),
        session.last_activity_at.into(),
        (&session.user_id).into(),
        (&session.device_id).into(),
        session.is_oauth.into(),
        session.expired_notify.into(),
        json_of(&session.props),
        session.prop("user_access_token_id").into(),
        checked.map_or("", Secret::expose).into(),
    ];
    statement(sql, values)
}

fn making_room(session: &Session) -> Statement {
    let sql = "DELETE FROM sessions WHERE EXISTS (SELECT 1 FROM sessions WHERE id = $2) AND id IN \
               (SELECT id FROM sessions WHERE userid = $1 AND id <> $2 \
               ORDER BY lastactivityat DESC, createat DESC, id LIMIT 1000000 OFFSET $3) RETURNING token";
    statement(sql, vec![(&session.user_id).into(), (&session.id).into(), MAX_OTHER_SESSIONS.into()])
}

pub(super) fn removal(which: &SessionSelection) -> Statement {
    match which {
        SessionSelection::Token(token) => {
            statement("DELETE FROM sessions WHERE token = $1", vec![token.expose().into()])
        }
        SessionSelection::Id(id) => statement("DELETE FROM sessions WHERE id = $1", vec![id.into()]),
        SessionSelection::User { id, except } => {
            let sql = "DELETE FROM sessions WHERE userid = $1 AND id <> $2";
            statement(sql, vec![id.into(), except.as_deref().unwrap_or_default().into()])
        }
        SessionSelection::Device { user_id, device_id, except } => {
            let sql = "DELETE FROM sessions WHERE userid = $1 AND deviceid = $2 AND id <> $3";
            statement(sql, vec![user_id.into(), device_id.into(), except.as_deref().unwrap_or_default().into()])
        }
        SessionSelection::AccessToken(id) => {
            let sql = "DELETE FROM sessions WHERE token IN (SELECT token FROM useraccesstokens WHERE id = $1)";
            statement(sql, vec![id.into()])
        }
        SessionSelection::All => statement("DELETE FROM sessions", Vec::new()),
    }
}

fn session(mut row: Row) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.text()?,
        token: Secret::new(row.text()?),
        create_at: row.int()?,
        expires_at: row.int()?,
        last_activity_at: row.int()?,
        user_id: row.text()?,
        device_id: row.text()?,
        roles: row.text()?,
        is_oauth: row.bool()?,
        expired_notify: row.bool()?,
        props: row.string_map()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{add, execute, fresh, session};

    async fn ids(db: &Db, user_id: &str) -> Vec<String> {
        db.sessions_of(user_id).await.unwrap().into_iter().map(|session| session.id).collect()
    }

    async fn opened(db: &Db, user_id: &str, id: &str, used_at: i64) -> Option<Added> {
        SessionStore::add(db, session(user_id, id, used_at), None).await.unwrap()
    }

    #[actix_web::test]
    async fn a_session_has_the_roles_of_its_account_and_is_found_by_its_token_and_its_id() {
        let (_folder, db) = fresh().await;
        add(&db, "anna").await;
        let added = opened(&db, "anna", "one", 1).await.unwrap();
        assert_eq!((added.session.roles.as_str(), added.made_room.len()), ("system_admin system_user", 0));
        let found = SessionStore::find(&db, Secret::new("onet")).await.unwrap().unwrap();
        assert!(found == added.session);
        for text in ["one", "onet"] {
            assert_eq!(db.session_with_id_or_token(text).await.unwrap().unwrap().id, "one");
        }
        assert!(SessionStore::find(&db, Secret::new("one")).await.unwrap().is_none(), "an id is no token");
    }

    #[actix_web::test]
    async fn no_session_is_added_for_an_account_that_is_gone_a_token_that_is_taken_or_a_password_that_changed() {
        let (_folder, db) = fresh().await;
        add(&db, "anna").await;
        let add = async |id: &str, checked: &str| {
            SessionStore::add(&db, session("anna", id, 1), Some(Secret::new(checked))).await.unwrap().is_some()
        };
        assert!(!add("one", "hash of another").await);
        assert!(add("one", "hash of anna").await);
        execute(&db, "UPDATE sessions SET token = 'twot' WHERE id = 'one'").await;
        assert!(!add("two", "hash of anna").await, "the token is taken");
        execute(&db, "UPDATE users SET deleteat = 5").await;
        assert!(!add("three", "hash of anna").await);
        assert!(opened(&db, "nobody", "four", 1).await.is_none());
        assert_eq!(ids(&db, "anna").await, ["one"]);
    }

    #[actix_web::test]
    async fn the_least_used_sessions_make_room() {
        let (_folder, db) = fresh().await;
        add(&db, "anna").await;
        let rows = "INSERT INTO sessions (id, token, createat, expiresat, lastactivityat, userid, deviceid, roles, isoauth, \
                    expirednotify, props) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
                    SELECT 's' || i, 't' || i, 0, 0, i, 'anna', '', '', false, false, '{}' FROM n";
        execute(&db, rows).await;
        let added = opened(&db, "anna", "new", 0).await.unwrap();
        assert!(added.made_room == [Secret::new("t1")]);
        let left = ids(&db, "anna").await;
        assert_eq!((left.len(), left[0].as_str(), left[499].as_str()), (500, "s500", "new"));
    }

    #[actix_web::test]
    async fn a_revocation_removes_what_it_means_and_nothing_else() {
        let (_folder, db) = fresh().await;
        for user in ["anna", "bert"] {
            add(&db, user).await;
            for (number, used_at) in [("1", 3), ("2", 2), ("3", 1)] {
                opened(&db, user, &format!("{user}{number}"), used_at).await.unwrap();
            }
        }
        let id = "anna".to_owned();
        execute(&db, "UPDATE sessions SET deviceid = 'phone' WHERE id IN ('anna2', 'anna3', 'bert3')").await;
        let device = SessionSelection::Device {
            user_id: id.clone(),
            device_id: "phone".to_owned(),
            except: Some("anna3".to_owned()),
        };
        SessionStore::remove(&db, device).await.unwrap();
        assert_eq!(ids(&db, "anna").await, ["anna1", "anna3"]);
        SessionStore::remove(&db, SessionSelection::Token(Secret::new("bert1t"))).await.unwrap();
        SessionStore::remove(&db, SessionSelection::Id("bert2".to_owned())).await.unwrap();
        assert_eq!(ids(&db, "bert").await, ["bert3"]);
        SessionStore::remove(&db, SessionSelection::User { id, except: Some("anna3".to_owned()) }).await.unwrap();
        assert_eq!(ids(&db, "anna").await, ["anna3"]);
        SessionStore::remove(&db, SessionSelection::All).await.unwrap();
        assert!(ids(&db, "anna").await.is_empty() && ids(&db, "bert").await.is_empty());
    }

    #[actix_web::test]
    async fn changes_only_move_times_forward_and_keep_the_other_properties() {
        let (_folder, db) = fresh().await;
        add(&db, "anna").await;
        opened(&db, "anna", "one", 10).await.unwrap();
        execute(&db, "UPDATE sessions SET expiresat = 100, props = '{\"os\":\"Linux\",\"csrf\":\"c\"}'").await;
        let id = "one".to_owned();
        let props = [("os".to_owned(), "Android".to_owned())].into();
        for change in [
            Change::Activity { id: id.clone(), at: 5 },
            Change::Activity { id: id.clone(), at: 20 },
            Change::Prolonged { id: id.clone(), until: 50 },
            Change::Prolonged { id: id.clone(), until: 200 },
            Change::Device { id: id.clone(), device_id: Some("phone".to_owned()), expires_at: None, props },
        ] {
            SessionStore::change(&db, change).await.unwrap();
        }
        let stored = db.session_with_id_or_token("one").await.unwrap().unwrap();
        assert_eq!((stored.last_activity_at, stored.expires_at, stored.device_id.as_str()), (20, 200, "phone"));
        assert_eq!((stored.prop("os"), stored.prop("csrf")), ("Android", "c"));
        execute(&db, "UPDATE sessions SET expiresat = 0").await;
        SessionStore::change(&db, Change::Prolonged { id, until: 300 }).await.unwrap();
        assert_eq!(db.session_with_id_or_token("one").await.unwrap().unwrap().expires_at, 0, "it never expires");
        let authenticated = |checked: &str| Change::Authenticated {
            id: "one".to_owned(),
            user_id: "anna".to_owned(),
            checked: Secret::new(checked),
            props: [("auth_time".to_owned(), "7".to_owned())].into(),
        };
        let refused = SessionStore::change(&db, authenticated("an earlier hash")).await.unwrap_err();
        assert_eq!(refused.id, "api.user.check_user_password.invalid.app_error");
        assert_eq!(db.session_with_id_or_token("one").await.unwrap().unwrap().prop("auth_time"), "");
        SessionStore::change(&db, authenticated("hash of anna")).await.unwrap();
        let stored = db.session_with_id_or_token("one").await.unwrap().unwrap();
        assert_eq!([stored.prop("auth_time"), stored.prop("os"), stored.prop("csrf")], ["7", "Android", "c"]);
        execute(&db, "UPDATE users SET roles = 'system_user'").await;
        let told = Change::Roles { user_id: "anna".to_owned(), roles: "system_admin".to_owned() };
        let stored = SessionStore::change(&db, told).await.unwrap();
        assert!(matches!(stored, Change::Roles { roles, .. } if roles == "system_user"), "as the account has them");
        SessionStore::remove(&db, SessionSelection::Id("one".to_owned())).await.unwrap();
        let refused = SessionStore::change(&db, authenticated("hash of anna")).await.unwrap_err();
        assert_eq!(refused.id, "api.context.session_expired.app_error");
    }
}
