//! Rows of tables that only Mattermost makes, and that go with an account, a team or a message that is deleted for good.

use std::collections::BTreeSet;

use super::super::{Db, Statement, StoreError, Value, statement};
use super::privileges::grants;

/// A table, and its column with the id of the account, the team or the message that a row goes with.
pub(in crate::store) type Owned = (&'static str, &'static str);

/// The tables with rows of an account. Those from `threadmemberships` on are kept by Mattermost.
const OF_ACCOUNT: [Owned; 13] = [
    ("oauthaccessdata", "userid"),
    ("incomingwebhooks", "userid"),
    ("outgoingwebhooks", "creatorid"),
    ("commands", "creatorid"),
    ("groupmembers", "userid"),
    ("reactions", "userid"),
    ("scheduledposts", "userid"),
    ("drafts", "userid"),
    ("fileinfo", "creatorid"),
    ("threadmemberships", "userid"),
    ("sidebarcategories", "userid"),
    ("sidebarchannels", "userid"),
    ("oauthauthdata", "userid"),
];

const OF_TEAM: [Owned; 3] = [("incomingwebhooks", "teamid"), ("outgoingwebhooks", "teamid"), ("commands", "teamid")];

/// The tables with rows of a message. Each has an index that begins with this column.
const OF_POST: [Owned; 9] = [
    ("threads", "postid"),
    ("threadmemberships", "postid"),
    ("reactions", "postid"),
    ("postspriority", "postid"),
    ("persistentnotifications", "postid"),
    ("postacknowledgements", "postid"),
    ("postreminders", "postid"),
    ("temporaryposts", "postid"),
    ("readreceipts", "postid"),
];

/// The privileges on each of these tables that a deletion for good needs.
pub(super) const PRIVILEGES: &str = "SELECT, UPDATE, DELETE";

/// The privileges that a deletion for good needs on tables of this server.
const ON_OWN: &str = "SELECT, DELETE";

/// The number of messages with reactions of an account that are read at once.
const MAX_REACTED: usize = 100_000;

/// The columns among those named that tables in the schema of `teams` have, each with its table, the quoted name of that,
/// the role, the privileges that are needed, and true if the role has them.
const THERE: &str = "SELECT c.relname::text, wanted.attribute, quote_ident(n.nspname) || '.' || quote_ident(c.relname), \
     quote_ident(current_user), wanted.needed, \
     (SELECT bool_and(has_table_privilege(c.oid, one)) FROM unnest(string_to_array(wanted.needed, ', ')) AS one) \
     FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted(name, attribute, needed) \
     JOIN pg_catalog.pg_class c ON c.oid = to_regclass(wanted.name) AND c.relkind IN ('r', 'p') \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     AND a.attname = wanted.attribute \
     WHERE c.relnamespace = (SELECT t.relnamespace FROM pg_catalog.pg_class t WHERE t.oid = to_regclass('teams'))";

/// A message that keeps no reaction of another account has no mark of one.
const MARKS_OF_REACTIONS: &str = "UPDATE posts SET updateat = CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint), \
     hasreactions = EXISTS (SELECT 1 FROM reactions o WHERE o.postid = posts.id AND o.userid <> $1 \
     AND COALESCE(o.deleteat, 0) = 0) \
     WHERE id IN (SELECT r.postid FROM reactions r WHERE r.userid = $1)";

/// A message whose reactions of an account were deleted keeps the mark only if it has reactions of others.
const MARKS_OF_POSTS: &str = "UPDATE posts SET updateat = CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint), \
     hasreactions = EXISTS (SELECT 1 FROM reactions o WHERE o.postid = posts.id AND COALESCE(o.deleteat, 0) = 0) \
     WHERE id = ANY ($1)";

/// Threads of others in which an account answered: its answers are no longer counted, and it takes no part in them if none
/// is left.
const THREADS: &str = "UPDATE threads SET \
     replycount = (SELECT COUNT(*) FROM posts p WHERE p.rootid = threads.postid AND p.deleteat = 0), \
     lastreplyat = (SELECT COALESCE(MAX(p.createat), 0) FROM posts p WHERE p.rootid = threads.postid AND p.deleteat = 0), \
     participants = CASE WHEN EXISTS (SELECT 1 FROM posts p WHERE p.rootid = threads.postid AND p.userid = $2 \
     AND p.deleteat = 0) THEN participants ELSE participants - CAST($2 AS text) END WHERE postid = ANY ($1)";

/// The tables of Mattermost whose rows go with those of this server. There are none in other databases.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Belongings {
    there: Vec<(String, String)>,
}

impl Belongings {
    /// Returns the statements that delete the rows of an account.
    pub(in crate::store) fn of_account(&self, id: &str) -> Vec<Statement> {
        let marks = self.has(("reactions", "userid")).then(|| statement(MARKS_OF_REACTIONS, vec![id.into()]));
        marks.into_iter().chain(self.deletions(&OF_ACCOUNT, id)).collect()
    }

    /// Returns the statements that delete the reactions of an account to messages, and the marks of them.
    pub(in crate::store) fn of_reactions(post_ids: &[String], user_id: &str) -> Vec<Statement> {
        let posts = || Value::Texts(post_ids.to_vec());
        let reactions = "DELETE FROM reactions WHERE postid = ANY ($1) AND userid = $2";
        vec![statement(reactions, vec![posts(), user_id.into()]), statement(MARKS_OF_POSTS, vec![posts()])]
    }

    /// Returns the statements that delete the webhooks and commands of a team.
    pub(in crate::store) fn of_team(&self, id: &str) -> Vec<Statement> {
        self.deletions(&OF_TEAM, id).collect()
    }

    /// Returns the statements that delete the rows of messages and of the answers to them.
    pub(in crate::store) fn of_posts(&self, ids: &[String]) -> Vec<Statement> {
        let deletion = |(table, column): &Owned| {
            let sql = format!(
                "DELETE FROM {table} WHERE {column} IN (SELECT p.id FROM posts p WHERE p.id = ANY ($1) OR p.rootid = ANY ($1))"
            );
            statement(sql, vec![Value::Texts(ids.to_vec())])
        };
        OF_POST.iter().filter(|owned| self.has(**owned)).map(deletion).collect()
    }

    /// Returns the statement that counts the answers in threads again, after those of an account were deleted.
    pub(in crate::store) fn in_threads(&self, roots: &[String], user_id: &str) -> Option<Statement> {
        let has_threads = self.has(("threads", "postid")) && !roots.is_empty();
        has_threads.then(|| statement(THREADS, vec![Value::Texts(roots.to_vec()), user_id.into()]))
    }

    /// Returns the statements that delete the rows of all accounts and all messages.
    pub(in crate::store) fn of_all(&self) -> Vec<Statement> {
        let there = |table: &&str| self.there.iter().any(|(known, _)| known == table);
        tables().filter(there).map(|table| statement(format!("DELETE FROM {table}"), Vec::new())).collect()
    }

    fn deletions<'a>(&'a self, owned: &'a [Owned], id: &'a str) -> impl Iterator<Item = Statement> + 'a {
        let of_id = move |(table, column): &Owned| {
            statement(format!("DELETE FROM {table} WHERE {column} = $1"), vec![id.into()])
        };
        owned.iter().filter(|owned| self.has(**owned)).map(of_id)
    }

    fn has(&self, (table, column): Owned) -> bool {
        self.there.iter().any(|(known, of)| known == table && of == column)
    }
}

/// Returns the tables, each once.
pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    let tables = OF_ACCOUNT.iter().chain(&OF_TEAM).chain(&OF_POST).map(|(table, _)| *table);
    tables.collect::<BTreeSet<&str>>().into_iter()
}

impl Db {
    /// Returns the tables of Mattermost with rows that go with those of this server. `own` are the tables of this server with
    /// rows that go too, each with one of its columns. Refuses a deletion, which would leave a part of the rows, if the role
    /// may not delete from all of these tables.
    pub(in crate::store) async fn belongings(&self, own: &[Owned]) -> Result<Belongings, StoreError> {
        let mut found = Belongings::default();
        if !self.is_of_mattermost().await? {
            return Ok(found);
        }
        let of_mattermost = OF_ACCOUNT.iter().chain(&OF_TEAM).chain(&OF_POST).map(|owned| (*owned, PRIVILEGES));
        let wanted: Vec<(Owned, &str)> = of_mattermost.chain(own.iter().map(|owned| (*owned, ON_OWN))).collect();
        let texts = |part: fn(&(Owned, &'static str)) -> &'static str| {
            Value::Texts(wanted.iter().map(|wanted| part(wanted).to_owned()).collect())
        };
        let values = vec![texts(|((name, _), _)| name), texts(|((_, of), _)| of), texts(|(_, needed)| needed)];
        let mut closed = BTreeSet::new();
        for mut row in self.read(statement(THERE, values)).await? {
            let (table, column, name, role) = (row.text()?, row.text()?, row.text()?, row.text()?);
            let needed = row.text()?;
            if !row.bool()? {
                closed.insert((format!("{needed} ON"), name, role));
            }
            if needed == PRIVILEGES {
                found.there.push((table, column));
            }
        }
        match grants(closed.into_iter().collect()) {
            None => Ok(found),
            Some(grants) => Err(StoreError::Setting(format!(
                "the role may not delete all rows that go with it; nothing was changed: {grants}"
            ))),
        }
    }

    /// Returns messages with reactions of an account. The table has no index that finds them, so it is read once for many.
    pub(in crate::store) async fn reacted_to(
        &self,
        belongings: &Belongings,
        user_id: &str,
    ) -> Result<Vec<String>, StoreError> {
        if !belongings.has(("reactions", "userid")) {
            return Ok(Vec::new());
        }
        let sql = "SELECT DISTINCT r.postid FROM reactions r WHERE r.userid = $1 LIMIT $2";
        let limit = i64::try_from(MAX_REACTED).unwrap_or(i64::MAX);
        let rows = self.read(statement(sql, vec![user_id.into(), limit.into()])).await?;
        rows.into_iter().map(|mut row| row.text()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{execute, fresh};

    fn all() -> Belongings {
        let owned = OF_ACCOUNT.iter().chain(&OF_TEAM).chain(&OF_POST);
        Belongings { there: owned.map(|(table, of)| ((*table).to_owned(), (*of).to_owned())).collect() }
    }

    #[test]
    fn only_tables_that_are_there_are_written_to() {
        let none = Belongings::default();
        assert!(none.of_account("anna").is_empty() && none.of_team("crew").is_empty() && none.of_all().is_empty());
        assert!(none.of_posts(&["p".to_owned()]).is_empty() && none.in_threads(&["p".to_owned()], "anna").is_none());
        let all = all();
        assert_eq!(all.of_account("anna").len(), OF_ACCOUNT.len() + 1);
        assert_eq!((all.of_team("crew").len(), all.of_posts(&["p".to_owned()]).len()), (OF_TEAM.len(), OF_POST.len()));
        assert_eq!(all.of_all().len(), OF_ACCOUNT.len() + OF_POST.len() - 2, "two are in both lists");
        assert!(all.in_threads(&[], "anna").is_none() && all.in_threads(&["p".to_owned()], "anna").is_some());
    }

    #[actix_web::test]
    async fn the_embedded_engine_has_no_tables_of_mattermost() {
        let (_folder, db) = fresh().await;
        execute(&db, "CREATE TABLE drafts (userid text)").await;
        let found = db.belongings(&[("users", "id")]).await.unwrap();
        assert!(found.there.is_empty() && db.reacted_to(&found, "anna").await.unwrap().is_empty());
    }
}
