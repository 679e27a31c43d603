//! The table `qd_sockets`: the connections of WebSocket clients, from which another node goes on.

use std::collections::HashSet;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::hub::{Checkpoint, RULE, SocketRow};
use quarterdeck_actors::place::Place;
use quarterdeck_actors::sockets::SocketStore;

use super::super::{Db, Row, Statement, StoreError, Value, statement};

const READ_FAILED: &str = "app.cluster.read.app_error";
const WRITE_FAILED: &str = "app.cluster.publish.app_error";

/// The list of rows in a statement: $3 and the parameters after it.
const LIST: &str = "unnest($3::text[], $4::text[], $5::text[], $6::text[]::bigint[], $7::text[]::bigint[], \
     $8::text[]::bigint[], $9::text[]::bigint[], $10::text[]::bigint[], $11::text[]::bigint[]) \
     AS r(id, userid, sessionid, earlierposition, earliermark, earliernumber, position, mark, number)";

const COLUMNS: &str =
    "id, node, userid, sessionid, earlierposition, earliermark, earliernumber, position, mark, number";

/// The connections of one node of a cluster, as the database has them.
#[derive(Clone)]
pub struct NodeSockets {
    db: Db,
    node_id: String,
}

impl Db {
    /// Returns the store of connections for the node with this id.
    pub fn sockets(&self, node_id: String) -> NodeSockets {
        NodeSockets { db: self.clone(), node_id }
    }
}

impl SocketStore for NodeSockets {
    fn insert(&self, rows: Vec<SocketRow>) -> BoxFuture<'static, Result<HashSet<String>, AppError>> {
        let sql = format!(
            "INSERT INTO qd_sockets ({COLUMNS}, rule, timeline, at) SELECT r.id, $1::text, r.userid, r.sessionid, r.earlierposition, \
             r.earliermark, r.earliernumber, r.position, r.mark, r.number, $2::bigint, (SELECT qd_timeline()), qd_now() FROM {LIST} \
             ON CONFLICT (id) DO UPDATE SET sessionid = excluded.sessionid, earlierposition = excluded.earlierposition, \
             earliermark = excluded.earliermark, earliernumber = excluded.earliernumber, position = excluded.position, \
             mark = excluded.mark, number = excluded.number, rule = excluded.rule, timeline = excluded.timeline, \
             at = excluded.at \
             WHERE qd_sockets.node = excluded.node RETURNING id"
        );
        self.write_ids(self.listed(sql, rows))
    }

    fn renew(&self, rows: Vec<SocketRow>) -> BoxFuture<'static, Result<HashSet<String>, AppError>> {
        let sql = format!(
            "UPDATE qd_sockets s SET sessionid = r.sessionid, \
             earlierposition = CASE WHEN s.timeline = (SELECT qd_timeline()) THEN r.earlierposition ELSE r.position END, \
             earliermark = CASE WHEN s.timeline = (SELECT qd_timeline()) THEN r.earliermark ELSE r.mark END, \
             earliernumber = CASE WHEN s.timeline = (SELECT qd_timeline()) THEN r.earliernumber ELSE r.number END, \
             position = r.position, mark = r.mark, number = r.number, rule = $2::bigint, timeline = (SELECT qd_timeline()), \
             at = qd_now() FROM {LIST} WHERE s.id = r.id AND s.node = $1::text RETURNING s.id"
        );
        self.write_ids(self.listed(sql, rows))
    }

    fn exclude(&self, ids: Vec<String>) -> BoxFuture<'static, Result<HashSet<String>, AppError>> {
        let sql = "UPDATE qd_sockets SET rule = 0, at = qd_now() WHERE id = ANY ($1) AND node = $2 RETURNING id";
        self.write_ids(statement(sql, vec![Value::Texts(ids), (&self.node_id).into()]))
    }

    fn remove(&self, ids: Vec<String>) -> BoxFuture<'static, Result<HashSet<String>, AppError>> {
        let sql = "DELETE FROM qd_sockets WHERE id = ANY ($1) AND node = $2 RETURNING id";
        self.write_ids(statement(sql, vec![Value::Texts(ids), (&self.node_id).into()]))
    }

    fn find(&self, ids: Vec<String>, max_age_ms: i64) -> BoxFuture<'static, Result<Vec<SocketRow>, AppError>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM qd_sockets WHERE id = ANY ($1) AND rule = $2 AND timeline = (SELECT qd_timeline()) \
             AND at > qd_now() - $3"
        );
        let (db, values) = (self.db.clone(), vec![Value::Texts(ids), RULE.into(), max_age_ms.into()]);
        let find = async move {
            let rows = db.read(statement(sql, values)).await?;
            rows.into_iter().map(socket_row).collect::<Result<Vec<_>, _>>()
        };
        async move { find.await.or_fail(READ_FAILED) }.boxed()
    }

    fn claim(&self, row: SocketRow, from: String) -> BoxFuture<'static, Result<bool, AppError>> {
        // The message about it is stored with it.
        let sql = "WITH claimed AS ( \
                   UPDATE qd_sockets SET node = $2::text, earlierposition = $6, earliermark = $7, earliernumber = $8, \
                   position = $9, mark = $10, number = $11, at = qd_now() \
                   WHERE id = $1 AND node = $3 AND userid = $4 AND sessionid = $5 AND rule = $12 \
                   AND timeline = qd_timeline() RETURNING id \
                   ), told AS ( \
                   INSERT INTO qd_outbox (node, kind, body) SELECT $2::text, 'moved', c.id FROM claimed c RETURNING body \
                   ) SELECT t.body, pg_notify(qd_channel(), 'waiting')::text FROM told t";
        let SocketRow { id, user_id, session_id, earlier, last, .. } = row;
        let mut values: Vec<Value> =
            vec![id.into(), (&self.node_id).into(), from.into(), user_id.into(), session_id.into()];
        for Checkpoint { place, number } in [earlier, last] {
            values.extend([place.position, place.mark, number].map(Value::from));
        }
        values.push(RULE.into());
        let db = self.db.clone();
        async move { db.write_apart(statement(sql, values)).await.map(|rows| !rows.is_empty()).or_fail(WRITE_FAILED) }
            .boxed()
    }
}

impl NodeSockets {
    fn write_ids(&self, statement: Statement) -> BoxFuture<'static, Result<HashSet<String>, AppError>> {
        let db = self.db.clone();
        async move { db.write_apart(statement).await.and_then(ids).or_fail(WRITE_FAILED) }.boxed()
    }

    /// Returns a statement with a list of rows.
    fn listed(&self, sql: String, rows: Vec<SocketRow>) -> Statement {
        let mut columns: [Vec<String>; 9] = std::array::from_fn(|_| Vec::new());
        for row in rows {
            let SocketRow { id, user_id, session_id, earlier, last, .. } = row;
            let numbers = [earlier, last].map(|Checkpoint { place, number }| [place.position, place.mark, number]);
            let numbers = numbers.into_iter().flatten().map(|number| number.to_string());
            for (column, value) in columns.iter_mut().zip([id, user_id, session_id].into_iter().chain(numbers)) {
                column.push(value);
            }
        }
        let mut values: Vec<Value> = vec![(&self.node_id).into(), RULE.into()];
        values.extend(columns.map(Value::Texts));
        statement(sql, values)
    }
}

fn ids(rows: Vec<Row>) -> Result<HashSet<String>, StoreError> {
    rows.into_iter().map(|mut row| row.text()).collect()
}

fn socket_row(mut row: Row) -> Result<SocketRow, StoreError> {
    let [id, node_id, user_id, session_id] = [row.text()?, row.text()?, row.text()?, row.text()?];
    let mut checkpoint = || -> Result<Checkpoint, StoreError> {
        Ok(Checkpoint { place: Place { position: row.int()?, mark: row.int()? }, number: row.int()? })
    };
    Ok(SocketRow { id, node_id, user_id, session_id, earlier: checkpoint()?, last: checkpoint()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::fresh;

    #[actix_web::test]
    async fn rows_are_lists_of_columns_in_the_order_of_the_statements() {
        let (_folder, db) = fresh().await;
        let checkpoint =
            |first: i64| Checkpoint { place: Place { position: first, mark: first + 1 }, number: first + 2 };
        let row = |id: &str| SocketRow {
            id: id.to_owned(),
            node_id: "n".to_owned(),
            user_id: "u".to_owned(),
            session_id: "s".to_owned(),
            earlier: checkpoint(1),
            last: checkpoint(4),
        };
        let listed = db.sockets("n".to_owned()).listed(String::new(), vec![row("one"), row("two")]);
        let texts = |value: &Value| if let Value::Texts(column) = value { column.join(" ") } else { String::new() };
        let columns: Vec<String> = listed.values.iter().skip(2).map(texts).collect();
        assert_eq!(columns, ["one two", "u u", "s s", "1 1", "2 2", "3 3", "4 4", "5 5", "6 6"]);
    }
}
