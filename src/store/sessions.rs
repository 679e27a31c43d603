//! The table `sessions`.

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
        let db = self.clone();
        async move { db.change_session(change).await.or_fail("app.session.update.app_error") }.boxed()
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
        }
        Ok(change)
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

fn removal(which: &SessionSelection) -> Statement {
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
