//! The tables of a cluster: its nodes, the bus between them, and the connections of clients. Only PostgreSQL has them; the
//! embedded engine belongs to one server. The contents of batches can be in Redis.

mod bus;
mod nodes;
mod questions;
mod redis;
mod restarts;
mod sockets;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use bus::PostgresBus;
pub(super) use nodes::living;
pub use redis::RedisBus;
pub(crate) use redis::{is_on_redis, probe_redis};
pub(crate) use restarts::{RUNNING, Rollout, StoredRollout};
pub use sockets::NodeSockets;

use super::engine::EngineKind;
use super::postgres::{Bell, Listening};
use super::{Db, Engine, StoreError, Subject, Transaction, Value, statement};

const TABLES: &str = include_str!("../../sql/postgres_cluster.sql");

/// The tables of questions between nodes.
const QUESTIONS: &str = include_str!("../../sql/postgres_questions.sql");

/// The table of the restart and the upgrade of several nodes.
const RESTARTS: &str = include_str!("../../sql/postgres_restarts.sql");

/// The comment on `qd_outbox` that says that this version's tables, functions and triggers are there.
const FORM: &str = "form 4";

/// The comment on `qd_questions` that says that this version's tables and functions of questions are there.
const QUESTIONS_FORM: &str = "form 1";

/// The comment on `qd_restarts` that says that this version's table is there.
const RESTARTS_FORM: &str = "form 1";

impl Db {
    /// Returns true if servers share this database.
    pub(crate) fn is_shared(&self) -> bool {
        self.kind() == EngineKind::Postgres
    }

    /// Returns this database for the work of the bus, which must not wait for requests: where these hold all connections of
    /// the pool, it takes a connection of its own.
    #[must_use]
    pub(crate) fn urgent(&self) -> Self {
        match &self.engine {
            Engine::Postgres(postgres) => Self { engine: Engine::Postgres(postgres.urgent()), ..self.clone() },
            Engine::Sqlite(_) => self.clone(),
        }
    }

    /// Opens the connection of the bus.
    pub(crate) async fn open_reserve(&self) {
        if let Engine::Postgres(postgres) = &self.engine {
            postgres.open_reserve().await;
        }
    }

    /// Returns the names of the servers that run on this database, if servers can share it.
    pub(crate) async fn living_nodes(&self) -> Result<Vec<String>, StoreError> {
        if !self.is_shared() {
            return Ok(Vec::new());
        }
        Ok(self.roster().await?.living.into_iter().map(|node| node.facts.name).collect())
    }

    /// Returns the addresses of the servers that run on this database; none if it has no list of servers. An address is
    /// empty for a server on the machine of the database.
    pub(in crate::store) async fn living_addresses(&self) -> Result<Vec<String>, StoreError> {
        // The statement calls a function that is made after the table, and the comment after both.
        if self.tables_among(&["qd_nodes"]).await?.is_empty() || self.form_of("qd_outbox").await?.is_none() {
            return Ok(Vec::new());
        }
        Ok(self.roster().await?.living.into_iter().map(|node| node.facts.address).collect())
    }

    /// Creates the tables of the cluster if they are missing or those of another version.
    pub(in crate::store) async fn create_cluster(&self) -> Result<(), StoreError> {
        if !self.is_shared() {
            return Ok(());
        }
        // A role that only writes rows may not even run statements that would change nothing. Questions and restarts call
        // functions of the tables.
        for (file, runs) in [TABLES, QUESTIONS, RESTARTS].into_iter().zip(self.cluster_files_to_run().await?) {
            if runs {
                self.run_statements(file).await?;
            }
        }
        Ok(())
    }

    /// Returns true if a start changes none of these tables and triggers.
    pub(in crate::store) async fn has_cluster_forms(&self) -> Result<bool, StoreError> {
        Ok(!self.cluster_files_to_run().await?.contains(&true))
    }

    /// Returns true for each file whose statements a start runs: those of the tables, of questions, and of restarts.
    pub(in crate::store) async fn cluster_files_to_run(&self) -> Result<[bool; 3], StoreError> {
        Ok([
            self.cluster_form().await?.as_deref() != Some(FORM),
            self.form_of("qd_questions").await?.as_deref() != Some(QUESTIONS_FORM),
            self.form_of("qd_restarts").await?.as_deref() != Some(RESTARTS_FORM),
        ])
    }

    /// Runs the statements of a file in one transaction.
    async fn run_statements(&self, file: &'static str) -> Result<(), StoreError> {
        let statements = file.split(";\n\n").map(str::trim).filter(|text| !text.is_empty());
        let statements = statements.map(|text| statement(text, Vec::new())).collect();
        self.transaction(Transaction::of(statements).lock_exclusive(Subject::Cluster)).await.map(drop)
    }

    /// Opens a connection that rings `bell` when there are messages or answers.
    async fn listen(&self, bell: Arc<Bell>) -> Result<Listening, StoreError> {
        match &self.engine {
            Engine::Postgres(postgres) => postgres.listen("SELECT qd_channel()", bell).await,
            Engine::Sqlite(_) => Ok(Listening::failed()),
        }
    }

    /// Returns the comment on a table, which says its form.
    async fn form_of(&self, table: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT obj_description(to_regclass($1::text), 'pg_class')";
        let rows = self.look(statement(sql, vec![table.into()])).await?;
        rows.into_iter().next().map_or(Ok(None), |mut row| row.optional_text())
    }

    /// Returns the form of the tables, if all triggers are there and in force: a table that was made anew has none.
    async fn cluster_form(&self) -> Result<Option<String>, StoreError> {
        // The catalog may have the tables of many schemas, so those of this one are looked up by their names.
        let sql = "SELECT obj_description(to_regclass('qd_outbox'), 'pg_class'), (SELECT COUNT(*) FROM pg_catalog.pg_trigger t \
                   WHERE t.tgrelid = ANY (ARRAY(SELECT to_regclass(format('%I.%I', current_schema(), name))::oid \
                   FROM unnest($1::text[]) AS name)) AND t.tgname LIKE 'qd@_%' ESCAPE '@' AND t.tgenabled = 'O')";
        let rows = self.look(statement(sql, vec![Value::Texts(tables_with_triggers())])).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
        let (form, triggers) = (row.optional_text()?, row.int()?);
        let all = TABLES.matches("CREATE TRIGGER ").count();
        Ok(form.filter(|_| usize::try_from(triggers).is_ok_and(|found| found == all)))
    }
}

/// Returns the names of the tables that have triggers.
fn tables_with_triggers() -> Vec<String> {
    let triggers = TABLES.split("CREATE TRIGGER ").skip(1);
    let tables = triggers.filter_map(|trigger| trigger.split(" ON ").nth(1)?.split_whitespace().next());
    tables.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
}
