//! Other programs that are connected to the database and could write to its tables, such as a Mattermost that runs.

use std::fmt;

use super::super::copying::{newest_migration, tables_at};
use super::super::{Db, StoreError, Value, statement};

/// Connections of other programs whose role owns a table of this server or may write to it. Connections of servers like
/// this one are left out: their names begin with that of this program. If the data source gives another name, which a
/// Mattermost may have as well, connections with it are left out if they are young, because they are those of this start, or
/// come from the address of a server that is living (`$2`). Columns of a session are NULL for a role that may not see them.
const CONNECTED: &str = "SELECT quote_ident(a.usename), COALESCE(a.application_name, ''), \
     COALESCE(host(a.client_addr), ''), COUNT(*) FROM pg_catalog.pg_stat_activity a \
     WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.usesysid IS NOT NULL \
     AND COALESCE(a.backend_type, 'client backend') = 'client backend' \
     AND COALESCE(a.application_name, '') NOT LIKE 'quarterdeck%' \
     AND NOT COALESCE(a.application_name = current_setting('application_name') \
     AND (a.backend_start > clock_timestamp() - interval '1 minute' \
     OR COALESCE(host(a.client_addr), '') = ANY ($2::text[])), FALSE) \
     AND EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.oid = ANY (ARRAY( \
     SELECT to_regclass(name)::oid FROM unnest($1::text[]) AS name)) AND (pg_has_role(a.usesysid, c.relowner, 'USAGE') \
     OR has_table_privilege(a.usesysid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";

/// The maximum number of programs in a message.
const MAX_LISTED: usize = 10;

/// The caches that another server keeps, for the operator of two servers on one database.
const STALE: &str = "each of the two keeps sessions, roles, memberships and settings in memory, so a change by one of them, \
     also the end of a session, may have no effect on the other for up to 10 minutes";

/// A program that is connected to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherProgram {
    pub(super) role: String,
    pub(super) name: String,
    pub(super) address: String,
    pub(super) connections: i64,
}

impl fmt::Display for OtherProgram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, name, address, connections } = self;
        let name = if name.is_empty() { "a program without a name" } else { name };
        let address = if address.is_empty() { "a socket of its machine" } else { address };
        let plural = if *connections == 1 { "" } else { "s" };
        write!(formatter, "{name} as the role {role} from {address} ({connections} connection{plural})")
    }
}

impl Db {
    /// Returns the programs that are connected to a database of Mattermost and could write to it. They are none on a
    /// database that no Mattermost made.
    pub(crate) async fn other_programs(&self) -> Result<Vec<OtherProgram>, StoreError> {
        if !self.is_of_mattermost().await? {
            return Ok(Vec::new());
        }
        let tables = tables_at(newest_migration())?.into_iter().map(|table| table.name).collect();
        let living = self.living_addresses().await?;
        let rows = self.look(statement(CONNECTED, vec![Value::Texts(tables), Value::Texts(living)])).await?;
        let program = |mut row: super::super::Row| {
            Ok(OtherProgram { role: row.text()?, name: row.text()?, address: row.text()?, connections: row.int()? })
        };
        rows.into_iter().map(program).collect()
    }

    /// Refuses a change to a database of Mattermost while other programs are connected, unless the operator said that this
    /// server may run beside them. A start that changes nothing in it is not refused.
    pub(crate) async fn refuse_beside_others(&self, pending: &[String]) -> Result<(), StoreError> {
        if self.pending_additions(pending).await?.is_none() { Ok(()) } else { self.refuse_beside_programs().await }
    }

    /// Refuses a change to a database of Mattermost while other programs are connected, as above.
    pub(in crate::store) async fn refuse_beside_programs(&self) -> Result<(), StoreError> {
        if self.is_beside {
            return Ok(());
        }
        let others = self.other_programs().await?;
        if others.is_empty() {
            return Ok(());
        }
        Err(StoreError::Setting(format!(
            "other programs are connected to the database of Mattermost: {}; nothing was changed: stop them, or start with \
             `quarterdeck serve --beside`, but {STALE}",
            listed(&others)
        )))
    }

    /// Returns a warning about the programs that are connected to a database of Mattermost.
    pub(crate) async fn warning_of_others(&self) -> Result<Option<String>, StoreError> {
        let others = self.other_programs().await?;
        let warning =
            || format!("other programs are connected to the database of Mattermost: {}; {STALE}", listed(&others));
        Ok((!others.is_empty()).then(warning))
    }
}

/// Returns true if the pending migrations are all that there are: this server changed nothing in the database yet.
pub(crate) fn is_first(pending: &[String]) -> bool {
    pending.first().is_some_and(|first| first.starts_with("V1__"))
}

/// Lists programs, and tells the number of those beyond the maximum.
pub(super) fn listed(others: &[OtherProgram]) -> String {
    let first = others.iter().take(MAX_LISTED).map(ToString::to_string).collect::<Vec<String>>().join(", ");
    match others.len().saturating_sub(MAX_LISTED) {
        0 => first,
        more => format!("{first}, and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_described_by_its_role_its_name_and_its_address() {
        let named = OtherProgram {
            role: "mmuser".to_owned(),
            name: "psql".to_owned(),
            address: "10.0.0.5".to_owned(),
            connections: 1,
        };
        let unnamed = OtherProgram { name: String::new(), address: String::new(), connections: 2, ..named.clone() };
        let many = listed(&vec![named.clone(); MAX_LISTED + 2]);
        assert!(many.ends_with("(1 connection), and 2 more") && many.matches("psql").count() == MAX_LISTED, "{many}");
        assert_eq!(
            listed(&[named, unnamed]),
            "psql as the role mmuser from 10.0.0.5 (1 connection), a program without a name as the role mmuser from a \
             socket of its machine (2 connections)"
        );
    }

    #[test]
    fn a_database_without_any_migration_of_this_server_was_not_changed_yet() {
        assert!(is_first(&["V1__accounts".to_owned(), "V2__configurations".to_owned()]));
        assert!(!is_first(&["V14__configuration_confirmation".to_owned()]) && !is_first(&[]));
    }
}
