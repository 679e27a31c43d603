//! The table `qd_nodes`: the servers of a cluster. Times are those of the database, because clocks of servers differ.

use quarterdeck_actors::clock::{DAY_MS, MINUTE_MS};
use quarterdeck_actors::cluster::{Beat, Node, NodeFacts, Roster};

use super::super::postgres::Session;
use super::super::{Db, Row, StoreError, Subject, Transaction, statement};

/// The time without a heartbeat after which a node counts as dead, in ms.
const DEAD_AFTER_MS: i64 = 10_000;

/// The time for which messages are kept, in ms. A node that is behind for longer reads everything anew.
const KEEP_MESSAGES_MS: i64 = 10 * MINUTE_MS;

/// The time for which rows of connections are kept that a living node does not renew, in ms. The node has lost the answer
/// to the statement that made them.
const KEEP_SOCKETS_MS: i64 = DAY_MS;

/// The time for which the number of the last batch of a node that left is kept, in ms. A node gives a batch up long before.
const KEEP_BATCHES_MS: i64 = DAY_MS;

const COLUMNS: &str = "id, name, hostname, address, version, confighash, schemaversion, startat, heartbeatat, position";

/// Returns the names of the servers that count as living, as another session than those of the pool sees them.
pub(in crate::store) async fn living(session: &Session) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT name::text FROM qd_nodes \
               WHERE heartbeatat > CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint) - $1 ORDER BY 1";
    let rows = session.query(sql, &[&DEAD_AFTER_MS]).await?;
    rows.into_iter().map(|row| Ok(row.try_get(0)?)).collect()
}

impl Db {
    /// Adds a node under a name of its own: that of its host, with a number if another living node has it.
    /// Returns the name. `bus` is the id of the Redis that it uses.
    pub(super) async fn add_node(&self, facts: &NodeFacts, bus: &str) -> Result<String, StoreError> {
        let (id, facts, bus) = (facts.id.clone(), facts.clone(), bus.to_owned());
        let read = statement(
            "SELECT name FROM qd_nodes WHERE id <> $1 AND heartbeatat > qd_now() - $2",
            vec![(&id).into(), DEAD_AFTER_MS.into()],
        );
        let schema = statement("SELECT MAX(version) FROM qd_migrations", Vec::new());
        let decide = move |answers: &[Vec<Row>]| {
            let names = answers.first().cloned().unwrap_or_default().into_iter().map(|mut row| row.text());
            let names: Vec<String> = names.collect::<Result<_, _>>()?;
            let name = free_name(&facts.hostname, &names);
            let schema = answers.get(1).and_then(|rows| rows.first()).cloned().map_or(Ok(0), |mut row| row.int())?;
            let sql = format!(
                "INSERT INTO qd_nodes ({COLUMNS}, bus) VALUES ($1, $2, $3, COALESCE(host(inet_client_addr()), ''), $4, $5, $6, qd_now(), qd_now(), 0, $7) \
                 ON CONFLICT (id) DO UPDATE SET name = excluded.name, heartbeatat = excluded.heartbeatat, bus = excluded.bus RETURNING name"
            );
            let values = vec![
                (&facts.id).into(),
                name.into(),
                cut(&facts.hostname, 255).into(),
                cut(&facts.version, 64).into(),
                cut(&facts.config_hash, 64).into(),
                schema.into(),
                (&bus).into(),
            ];
            Ok(vec![statement(sql, values)])
        };
        let adding = Transaction::decided(vec![read, schema], decide).lock_exclusive(Subject::Cluster);
        let answers = self.transaction(adding).await?;
        answers
            .into_iter()
            .next_back()
            .and_then(|rows| rows.into_iter().next())
            .map_or(Ok(String::new()), |mut row| row.text())
    }

    /// Stores a sign of life of a node, with the id of the Redis that it uses, and returns all nodes. `None` if the node was removed.
    pub(super) async fn beat(&self, beat: &Beat, bus: &str) -> Result<Option<Roster>, StoreError> {
        let sql = "UPDATE qd_nodes SET heartbeatat = qd_now(), position = $2, confighash = $3, bus = $4 WHERE id = $1 \
                   RETURNING id";
        let values = vec![(&beat.id).into(), beat.position.into(), cut(&beat.config_hash, 64).into(), bus.into()];
        if self.write_apart(statement(sql, values)).await?.is_empty() {
            return Ok(None);
        }
        self.roster().await.map(Some)
    }

    /// Returns all nodes, dead ones apart.
    pub(super) async fn roster(&self) -> Result<Roster, StoreError> {
        let sql = format!("SELECT {COLUMNS}, qd_now() FROM qd_nodes ORDER BY startat, id");
        let mut roster = Roster::default();
        for row in self.read(statement(sql, Vec::new())).await? {
            let node = node(row)?;
            if node.silent_ms > DEAD_AFTER_MS { roster.dead.push(node) } else { roster.living.push(node) }
        }
        Ok(roster)
    }

    /// Removes a node from the list.
    pub(super) async fn remove_node(&self, id: &str) -> Result<(), StoreError> {
        self.write_apart(statement("DELETE FROM qd_nodes WHERE id = $1", vec![id.into()])).await.map(drop)
    }

    /// Deletes messages that every node has read long ago, and the connections whose checkpoints are before them. The last
    /// message stays: it may be the one that all have read, and a reader compares its mark.
    pub(super) async fn prune_messages(&self) -> Result<(), StoreError> {
        let sql =
            "DELETE FROM qd_events WHERE position < (SELECT MAX(position) FROM qd_events WHERE at < qd_now() - $1)";
        self.write_apart(statement(sql, vec![KEEP_MESSAGES_MS.into()])).await?;
        // A living node renews its rows, and must find those that it did not lose to another one.
        let sql = "DELETE FROM qd_sockets s WHERE at < qd_now() - $1 AND (rule = 0 OR at < qd_now() - $2 \
                   OR NOT EXISTS (SELECT 1 FROM qd_nodes n WHERE n.id = s.node))";
        self.write_apart(statement(sql, vec![KEEP_MESSAGES_MS.into(), KEEP_SOCKETS_MS.into()])).await?;
        let sql = "DELETE FROM qd_batches b WHERE at < qd_now() - $1 AND NOT EXISTS (SELECT 1 FROM qd_nodes n WHERE n.id = b.node)";
        self.write_apart(statement(sql, vec![KEEP_BATCHES_MS.into()])).await?;
        self.prune_questions().await
    }
}

/// Returns the host's name, with the first number from 2 on that makes it unlike the others if it is taken.
fn free_name(hostname: &str, taken: &[String]) -> String {
    let host = if hostname.is_empty() { "node" } else { hostname };
    let host = cut(host, 56);
    let numbered = (2..).map(|number| format!("{host}-{number}"));
    let mut names = std::iter::once(host.clone()).chain(numbered);
    names.find(|name| !taken.contains(name)).unwrap_or_default()
}

fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// Reads a node and the present time.
fn node(mut row: Row) -> Result<Node, StoreError> {
    let facts = NodeFacts {
        id: row.text()?,
        name: row.text()?,
        hostname: row.text()?,
        address: row.text()?,
        version: row.text()?,
        config_hash: row.text()?,
    };
    let (schema_version, start_at, heartbeat_at, position) = (row.int()?, row.int()?, row.int()?, row.int()?);
    let now = row.int()?;
    Ok(Node { facts, schema_version, start_at, heartbeat_at, silent_ms: now - heartbeat_at, position })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_the_name_of_its_host_or_the_first_free_number() {
        let taken = ["chat", "chat-2", "other"].map(str::to_owned);
        for (hostname, name) in [("chat", "chat-3"), ("other", "other-2"), ("third", "third"), ("", "node")] {
            assert_eq!(free_name(hostname, &taken), name);
        }
        assert_eq!(free_name(&"x".repeat(300), &[]).len(), 56);
    }
}
