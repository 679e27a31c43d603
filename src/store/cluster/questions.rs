//! Questions of nodes and their answers, in the tables `qd_questions` and `qd_answers`.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::cluster::{Content, NodeFacts, Part, Question, Questions, Taken};
use quarterdeck_actors::error::{AppError, OrFail};
use tokio::time::timeout;

use super::super::{Db, Row, StoreError, Value, statement};
use super::PostgresBus;

/// The maximum number of open questions of all nodes.
const MAX_OPEN: i64 = 16;

/// The maximum number of parts that one statement reads.
const MAX_PARTS: i64 = 32;

const READ_FAILED: &str = "app.cluster.read.app_error";
const WRITE_FAILED: &str = "app.cluster.publish.app_error";

impl Questions for PostgresBus {
    fn living(&self) -> BoxFuture<'static, Result<Vec<NodeFacts>, AppError>> {
        let db = self.db.clone();
        async move {
            let roster = db.roster().await.or_fail(READ_FAILED)?;
            Ok(roster.living.into_iter().map(|node| node.facts).collect())
        }
        .boxed()
    }

    fn open(&self, question: Question) -> BoxFuture<'static, Result<bool, AppError>> {
        let db = self.db.clone();
        async move { db.add_question(question).await.or_fail(WRITE_FAILED) }.boxed()
    }

    fn take(&self, question_id: String, node_id: String) -> BoxFuture<'static, Result<Option<Taken>, AppError>> {
        let db = self.db.clone();
        async move { db.take_question(&question_id, &node_id).await.or_fail(WRITE_FAILED) }.boxed()
    }

    fn untaken(&self, question_id: String) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        let db = self.db.clone();
        async move { db.untaken_targets(&question_id).await.or_fail(READ_FAILED) }.boxed()
    }

    fn is_open(&self, question_id: String) -> BoxFuture<'static, Result<bool, AppError>> {
        let db = self.db.clone();
        async move { db.has_question(&question_id).await.or_fail(READ_FAILED) }.boxed()
    }

    fn answer(&self, part: Part) -> BoxFuture<'static, Result<bool, AppError>> {
        let db = self.db.clone();
        async move { db.add_answer(part).await.or_fail(WRITE_FAILED) }.boxed()
    }

    fn collect(&self, question_id: String) -> BoxFuture<'static, Result<Vec<Part>, AppError>> {
        let db = self.db.clone();
        async move { db.take_answers(&question_id).await.or_fail(READ_FAILED) }.boxed()
    }

    fn close(&self, question_id: String) -> BoxFuture<'static, Result<(), AppError>> {
        let db = self.db.clone();
        async move { db.remove_question(&question_id).await.or_fail(WRITE_FAILED) }.boxed()
    }

    fn wait_for_answers(&self, limit: Duration) -> BoxFuture<'_, ()> {
        async move {
            let _ = timeout(limit, self.bell.answered.notified()).await;
        }
        .boxed()
    }
}

impl Db {
    async fn add_question(&self, question: Question) -> Result<bool, StoreError> {
        let Content { kind, arguments, max_bytes } = question.content;
        let values = vec![
            question.id.into(),
            question.node_id.into(),
            kind.into(),
            arguments.into(),
            i64::try_from(max_bytes).unwrap_or(i64::MAX).into(),
            Value::Texts(question.targets),
            in_ms(question.limit).into(),
            MAX_OPEN.into(),
        ];
        let sql =
            "SELECT qd_ask($1::text, $2::text, $3::text, $4::text, $5::bigint, $6::text[], $7::bigint, $8::bigint)";
        first_bool(self.write_apart(statement(sql, values)).await?)
    }

    async fn take_question(&self, id: &str, node_id: &str) -> Result<Option<Taken>, StoreError> {
        let sql = "UPDATE qd_questions SET targets = array_remove(targets, $2::text) WHERE id = $1 AND closesat > qd_now() \
                   AND $2::text = ANY(targets) RETURNING kind, arguments, maxbytes, closesat - qd_now()";
        let rows = self.write_apart(statement(sql, vec![id.into(), node_id.into()])).await?;
        rows.into_iter().next().map(taken).transpose()
    }

    async fn untaken_targets(&self, question_id: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT unnest(targets) FROM qd_questions WHERE id = $1";
        let rows = self.read(statement(sql, vec![question_id.into()])).await?;
        rows.into_iter().map(|mut row| row.text()).collect()
    }

    async fn has_question(&self, id: &str) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM qd_questions WHERE id = $1 AND closesat > qd_now())";
        first_bool(self.read(statement(sql, vec![id.into()])).await?)
    }

    async fn add_answer(&self, part: Part) -> Result<bool, StoreError> {
        let Part { question_id, node_id, number, state, body } = part;
        let values = vec![question_id.into(), node_id.into(), number.into(), state.into(), body.into()];
        let sql = "SELECT qd_answer($1::text, $2::text, $3::bigint, $4::text, $5::text)";
        first_bool(self.write_apart(statement(sql, values)).await?)
    }

    async fn take_answers(&self, question_id: &str) -> Result<Vec<Part>, StoreError> {
        let sql = "WITH taken AS (DELETE FROM qd_answers a USING (SELECT node, part FROM qd_answers WHERE question = $1 \
                   ORDER BY part, node LIMIT $2) first WHERE a.question = $1 AND a.node = first.node AND a.part = first.part \
                   RETURNING a.question, a.node, a.part, a.state, a.body) SELECT * FROM taken ORDER BY node, part";
        let rows = self.write_apart(statement(sql, vec![question_id.into(), MAX_PARTS.into()])).await?;
        rows.into_iter().map(part).collect()
    }

    async fn remove_question(&self, id: &str) -> Result<(), StoreError> {
        self.write_apart(statement("DELETE FROM qd_questions WHERE id = $1", vec![id.into()])).await.map(drop)
    }

    /// Deletes questions whose time is over, with the answers to them.
    pub(super) async fn prune_questions(&self) -> Result<(), StoreError> {
        let sql = "DELETE FROM qd_questions WHERE closesat <= qd_now()";
        self.write_apart(statement(sql, Vec::new())).await.map(drop)
    }
}

pub(super) fn first_bool(rows: Vec<Row>) -> Result<bool, StoreError> {
    rows.into_iter().next().map_or(Ok(false), |mut row| row.bool())
}

pub(super) fn in_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn taken(mut row: Row) -> Result<Taken, StoreError> {
    let (kind, arguments) = (row.text()?, row.text()?);
    let max_bytes = usize::try_from(row.int()?).unwrap_or_default();
    let left = Duration::from_millis(u64::try_from(row.int()?).unwrap_or_default());
    Ok(Taken { content: Content { kind, arguments, max_bytes }, left })
}

fn part(mut row: Row) -> Result<Part, StoreError> {
    Ok(Part {
        question_id: row.text()?,
        node_id: row.text()?,
        number: row.int()?,
        state: row.text()?,
        body: row.text()?,
    })
}
