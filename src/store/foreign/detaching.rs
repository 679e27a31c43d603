//! Takes away what this server added to a database of Mattermost, in one transaction.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::audits::Mark;
use super::super::engine::LOCK_KEY;
use super::super::mattermost::as_of_mattermost;
use super::super::postgres::{Session, decode};
use super::super::{Db, Engine, Statement, StoreError, Value};
use super::connected::{OtherProgram, listed};
use super::detachable::{DELETION, Detachable};

/// The time for which other sessions may still end: a server that has just stopped, or those of this command.
const SESSIONS_TIMEOUT: Duration = Duration::from_secs(5);

/// The delay between two looks at the sessions.
const SESSIONS_RETRY_DELAY: Duration = Duration::from_millis(100);

/// All sessions of other programs and servers in the database. Columns of a session are NULL for a role that may not see
/// them.
const SESSIONS: &str = "SELECT quote_ident(a.usename)::text, COALESCE(a.application_name, '')::text, \
     COALESCE(host(a.client_addr), '')::text, COUNT(*) FROM pg_catalog.pg_stat_activity a \
     WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.usesysid IS NOT NULL \
     AND COALESCE(a.backend_type, 'client backend') = 'client backend' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT 10";

/// The time for which the transaction waits for the locks of tables.
const BEGINNING: &str = "BEGIN; SET LOCAL lock_timeout = 5000";

/// A session that keeps servers from starting on the database until it is dropped.
pub(crate) struct Detaching {
    session: Session,
}

impl Db {
    /// Begins to take this server's objects away: no server starts from now on. Refuses while another session is in the
    /// database, or a server counts as living. This handle must be closed.
    pub(crate) async fn begin_detaching(&self, has_nodes: bool) -> Result<Detaching, StoreError> {
        let Engine::Postgres(postgres) = &self.engine else {
            return Err(StoreError::Setting("the embedded engine has no database of Mattermost".to_owned()));
        };
        let session = postgres.session().await?;
        let locked = session.query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK_KEY]).await?;
        if !locked.try_get::<_, bool>(0)? {
            return Err(refused("a server starts on the database, or another command changes it: stop it first"));
        }
        refuse_in_use(&session, has_nodes).await?;
        Ok(Detaching { session })
    }
}

/// Refuses a database with other sessions, or with servers that count as living.
async fn refuse_in_use(session: &Session, has_nodes: bool) -> Result<(), StoreError> {
    let deadline = Instant::now() + SESSIONS_TIMEOUT;
    let mut others = sessions(session).await?;
    while !others.is_empty() && Instant::now() < deadline {
        sleep(SESSIONS_RETRY_DELAY).await;
        others = sessions(session).await?;
    }
    if !others.is_empty() {
        let others = listed(&others);
        return Err(refused(&format!("other programs are connected to the database: {others}: stop them first")));
    }
    // A server that cannot reach the database now has no session in it.
    let living = if has_nodes { super::super::cluster::living(session).await? } else { Vec::new() };
    if living.is_empty() {
        return Ok(());
    }
    Err(refused(&format!("servers run on the database ({}): stop them first", living.join(", "))))
}

impl Detaching {
    /// Drops the objects and deletes the rows in a transaction that stays open. `source` is the data source of this server:
    /// the active configuration names it afterwards, unless it names a database already. `end` is the end of the audit trail
    /// that was exported; another one is refused. So are sessions and objects that have come since the first look.
    pub(crate) async fn prepare(&self, found: &Detachable, end: Option<&Mark>, source: &str) -> Result<(), StoreError> {
        let session = &self.session;
        session.batch_execute(BEGINNING).await?;
        if let Some(end) = end {
            session.batch_execute("LOCK TABLE qd_audits IN ACCESS EXCLUSIVE MODE").await?;
            let rows = session.query("SELECT hash FROM qd_audits ORDER BY number DESC LIMIT 1", &[]).await?;
            let last = rows.first().map(|row| row.try_get::<_, String>(0)).transpose()?;
            if last.unwrap_or_else(|| Mark::default().hash) != end.hash {
                return Err(refused("the audit trail has records that were added after its export: try again"));
            }
        }
        refuse_in_use(session, found.has_table("qd_nodes")).await?;
        if !found.is_same(&self.found().await?) {
            return Err(refused("the objects of this server are not those of a moment ago: try again"));
        }
        if !found.has_table("configurations") {
            self.leave_configuration(source).await?;
        }
        for sql in found.statements() {
            session.batch_execute(sql).await?;
        }
        session.batch_execute(DELETION).await?;
        let left = self.found().await?;
        if left.is_empty() { Ok(()) } else { Err(refused(&format!("the database still has {left}"))) }
    }

    /// Ends the transaction. After an error it is unknown if the objects are gone.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        Ok(self.session.batch_execute("COMMIT").await?)
    }

    async fn found(&self) -> Result<Detachable, StoreError> {
        let look = async |Statement { sql, values }: Statement| {
            let rows = self.session.rows(&sql, &values).await?;
            rows.iter().map(decode).collect()
        };
        Detachable::found_by(look).await
    }

    /// Makes the active configuration one that Mattermost reads: it opens the database that its configuration names.
    async fn leave_configuration(&self, source: &str) -> Result<(), StoreError> {
        let exists = "SELECT to_regclass('configurations') IS NOT NULL";
        if !self.session.query_one(exists, &[]).await?.try_get::<_, bool>(0)? {
            return Ok(());
        }
        let active = "SELECT id::text, value FROM configurations WHERE active = TRUE";
        let Some(row) = self.session.query(active, &[]).await?.into_iter().next() else { return Ok(()) };
        let (id, stored): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let Some((text, sha)) = as_of_mattermost(&stored, source) else { return Ok(()) };
        let sql = "UPDATE configurations SET value = $2, sha = $3 WHERE id = $1";
        self.session.rows(sql, &[id.into(), text.into(), Value::Text(sha)]).await.map(drop)
    }
}

fn refused(reason: &str) -> StoreError {
    StoreError::Setting(reason.to_owned())
}

async fn sessions(session: &Session) -> Result<Vec<OtherProgram>, StoreError> {
    let program = |row: tokio_postgres::Row| {
        Ok(OtherProgram {
            role: row.try_get(0)?,
            name: row.try_get(1)?,
            address: row.try_get(2)?,
            connections: row.try_get(3)?,
        })
    };
    // A transaction sees the sessions of its first look otherwise.
    session.batch_execute("SELECT pg_stat_clear_snapshot()").await?;
    session.query(SESSIONS, &[]).await?.into_iter().map(program).collect()
}
