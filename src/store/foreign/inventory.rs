//! The contents of a database of Mattermost, counted, for the operator who attaches this server to it.

use std::fmt;

use super::super::{Db, StoreError, statement};

/// The rows that are counted of one table. A higher number is not told exactly.
const MAX_COUNTED: i64 = 1_000_000;

/// Rows to count: a name for one of them and for several, the table, and the condition.
type Counted = (&'static str, &'static str, &'static str, &'static str);

/// The rows that this server serves.
const SERVED: [Counted; 6] = [
    ("account", "accounts", "users", ""),
    ("team", "teams", "teams", ""),
    ("membership of a team", "memberships of teams", "teammembers", ""),
    ("role", "roles", "roles", ""),
    ("session", "sessions", "sessions", ""),
    ("access token", "access tokens", "useraccesstokens", ""),
];

/// The rows that stay as they are, and that no route of this server, or only some of them, knows.
const UNSERVED: [Counted; 8] = [
    ("account of a login service", "accounts of a login service", "users", "WHERE COALESCE(authservice, '') <> ''"),
    ("guest", "guests", "users", "WHERE roles LIKE '%system_guest%'"),
    ("scheme", "schemes", "schemes", "WHERE deleteat = 0"),
    ("value of a plugin", "values of plugins", "pluginkeyvaluestore", ""),
    ("OAuth app", "OAuth apps", "oauthapps", ""),
    ("webhook", "webhooks", "incomingwebhooks", "WHERE deleteat = 0"),
    ("file", "files", "fileinfo", "WHERE deleteat = 0"),
    ("post", "posts", "posts", ""),
];

/// The rows with files in the store of files.
const WITH_FILES: [Counted; 3] = [
    ("file of a message", "files of messages", "fileinfo", "WHERE deleteat = 0"),
    ("picture of an account", "pictures of accounts", "users", "WHERE lastpictureupdate > 0"),
    ("picture of a team", "pictures of teams", "teams", "WHERE lastteamiconupdate > 0"),
];

/// The contents of a database of Mattermost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inventory {
    schema: i64,
    served: Vec<(&'static Counted, i64)>,
    unserved: Vec<(&'static Counted, i64)>,
}

impl Inventory {
    /// Describes the rows that stay as they are and are not served; empty if there are none.
    pub(crate) fn unserved(&self) -> String {
        self.unserved.iter().filter(|(_, count)| *count > 0).map(number).collect::<Vec<String>>().join(", ")
    }
}

impl fmt::Display for Inventory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Mattermost, schema {}", self.schema)?;
        self.served.iter().try_for_each(|counted| write!(formatter, ", {}", number(counted)))
    }
}

impl Db {
    /// Counts the contents of a database that a Mattermost made; `None` if none did.
    pub(crate) async fn inventory(&self) -> Result<Option<Inventory>, StoreError> {
        let Some(schema) = self.mattermost_schema().await? else { return Ok(None) };
        let names: Vec<&str> = SERVED.iter().chain(&UNSERVED).map(|(_, _, table, _)| *table).collect();
        let there = self.tables_among(&names).await?;
        let mut found = Inventory { schema, served: Vec::new(), unserved: Vec::new() };
        for counted in &SERVED {
            found.served.push((counted, self.rows_of(counted, &there).await?));
        }
        for counted in &UNSERVED {
            found.unserved.push((counted, self.rows_of(counted, &there).await?));
        }
        Ok(Some(found))
    }

    /// Describes the files that a database of Mattermost knows; empty if there are none.
    pub(crate) async fn known_files(&self) -> Result<String, StoreError> {
        let there = self.tables_among(&WITH_FILES.map(|(_, _, table, _)| table)).await?;
        let mut known = Vec::new();
        for counted in &WITH_FILES {
            let count = self.rows_of(counted, &there).await?;
            known.extend((count > 0).then(|| number(&(counted, count))));
        }
        Ok(known.join(", "))
    }

    async fn rows_of(&self, (_, _, table, condition): &Counted, there: &[String]) -> Result<i64, StoreError> {
        if !there.iter().any(|name| name == table) {
            return Ok(0);
        }
        let sql = format!("SELECT COUNT(*) FROM (SELECT 1 FROM {table} {condition} LIMIT $1) counted");
        let rows = self.look(statement(sql, vec![(MAX_COUNTED + 1).into()])).await?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.int())
    }
}

fn number(((one, several, ..), count): &(&'static Counted, i64)) -> String {
    match *count {
        1 => format!("1 {one}"),
        count if count > MAX_COUNTED => format!("more than {MAX_COUNTED} {several}"),
        count => format!("{count} {several}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contents_are_told_in_one_line_and_what_is_not_there_is_left_out_of_the_rest() {
        let found = Inventory {
            schema: 167,
            served: vec![(&SERVED[0], 32), (&SERVED[1], 1)],
            unserved: vec![(&UNSERVED[2], 1), (&UNSERVED[3], 0), (&UNSERVED[7], MAX_COUNTED + 1)],
        };
        assert_eq!(found.to_string(), "Mattermost, schema 167, 32 accounts, 1 team");
        assert_eq!(found.unserved(), "1 scheme, more than 1000000 posts");
    }
}
