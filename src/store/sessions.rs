//! The table `sessions`.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::sessions::{Change, Session, SessionStore, Which};

use super::{Db, Row, Statement, StoreError, json_of, statement};

const COLUMNS: &str =
    "id, token, createat, expiresat, lastactivityat, userid, deviceid, roles, isoauth, expirednotify, props";

/// A user may have so many sessions; a new one takes the place of the least used.
const MOST_PER_USER: i64 = 500;

impl SessionStore for Db {
    fn find(&self, token: Secret) -> BoxFuture<'static, Result<Option<Session>, AppError>> {
        let db = self.clone();
        async move { db.session_with_token(&token).await.or_fail("app.session.get.app_error") }.boxed()
    }

    fn add(&self, session: Session) -> BoxFuture<'static, Result<Vec<Secret>, AppError>> {
        let db = self.clone();
        async move { db.add_session(&session).await }.boxed()
    }

    fn remove(&self, which: Which) -> BoxFuture<'static, Result<(), AppError>> {
        let db = self.clone();
        async move { db.write(removal(which)).await.map(drop).or_fail("app.session.remove.app_error") }.boxed()
    }

    fn change(&self, change: Change) -> BoxFuture<'static, Result<(), AppError>> {
        let db = self.clone();
        async move { db.write(update(change)).await.map(drop).or_fail("app.session.update.app_error") }.boxed()
    }
}

impl Db {
    /// A user's sessions, the last used first.
    pub(crate) async fn sessions_of(&self, user_id: &str) -> Result<Vec<Session>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM sessions WHERE userid = $1 ORDER BY lastactivityat DESC, id");
        self.read(statement(sql, vec![user_id.into()])).await?.into_iter().map(session).collect()
    }

    /// The session with that id or that token.
    pub(crate) async fn session_with_id_or_token(&self, text: &str) -> Result<Option<Session>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM sessions WHERE id = $1 OR token = $1 LIMIT 1");
        self.read(statement(sql, vec![text.into()])).await?.into_iter().next().map(session).transpose()
    }

    async fn session_with_token(&self, token: &Secret) -> Result<Option<Session>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM sessions WHERE token = $1 LIMIT 1");
        self.read(statement(sql, vec![token.expose().into()])).await?.into_iter().next().map(session).transpose()
    }

    async fn add_session(&self, session: &Session) -> Result<Vec<Secret>, AppError> {
        const FAILED: &str = "app.session.save.app_error";
        let mut answers = self
            .transaction(vec![insertion(session), making_room(&session.user_id)])
            .await
            .or_fail(FAILED)?
            .into_iter();
        let is_stored = answers.next().is_some_and(|rows| !rows.is_empty());
        if !is_stored {
            // The account was deactivated between the check of the password and now.
            return Err(AppError::new("api.user.login.inactive.app_error"));
        }
        let removed = answers.next().unwrap_or_default().into_iter();
        removed.map(|mut row| row.text().map(Secret::new)).collect::<Result<_, _>>().or_fail(FAILED)
    }
}

fn insertion(session: &Session) -> Statement {
    let sql = format!(
        "INSERT INTO sessions ({COLUMNS}) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 \
         WHERE EXISTS (SELECT 1 FROM users WHERE id = CAST($6 AS varchar) AND deleteat = 0) RETURNING id"
    );
    let values = vec![
        (&session.id).into(),
        session.token.expose().into(),
        session.create_at.into(),
        session.expires_at.into(),
        session.last_activity_at.into(),
        (&session.user_id).into(),
        (&session.device_id).into(),
        (&session.roles).into(),
        session.is_oauth.into(),
        session.expired_notify.into(),
        json_of(&session.props),
    ];
    statement(sql, values)
}

fn making_room(user_id: &str) -> Statement {
    let sql = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE userid = $1 \
               ORDER BY lastactivityat DESC, createat DESC, id LIMIT 1000000 OFFSET $2) RETURNING token";
    statement(sql, vec![user_id.into(), MOST_PER_USER.into()])
}

fn removal(which: Which) -> Statement {
    match which {
        Which::Token(token) => statement("DELETE FROM sessions WHERE token = $1", vec![token.expose().into()]),
        Which::Id(id) => statement("DELETE FROM sessions WHERE id = $1", vec![id.into()]),
        Which::User { id, except } => {
            let sql = "DELETE FROM sessions WHERE userid = $1 AND id <> $2";
            statement(sql, vec![id.into(), except.unwrap_or_default().into()])
        }
        Which::Device { user_id, device_id } => {
            let sql = "DELETE FROM sessions WHERE userid = $1 AND deviceid = $2";
            statement(sql, vec![user_id.into(), device_id.into()])
        }
        Which::All => statement("DELETE FROM sessions", Vec::new()),
    }
}

fn update(change: Change) -> Statement {
    match change {
        Change::Roles { user_id, roles } => {
            statement("UPDATE sessions SET roles = $2 WHERE userid = $1", vec![user_id.into(), roles.into()])
        }
        Change::Activity { id, at } => {
            statement("UPDATE sessions SET lastactivityat = $2 WHERE id = $1", vec![id.into(), at.into()])
        }
        Change::Device(session) => {
            let sql = "UPDATE sessions SET deviceid = $2, expiresat = $3, props = $4 WHERE id = $1";
            let values =
                vec![session.id.into(), session.device_id.into(), session.expires_at.into(), json_of(&session.props)];
            statement(sql, values)
        }
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
