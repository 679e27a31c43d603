//! The table `posts`, and the direct channels of posts.

use serde_json::json;

use super::foreign::Belongings;
use super::{Db, Row, Statement, StoreError, Subject, Transaction, Value, statement};
use crate::base::post::{DirectChannel, Post, direct_name};

/// The number of messages that one transaction deletes, and of answers to them.
pub(super) const MAX_DELETED: usize = 1_000;

/// The number of such transactions of one deletion.
pub(super) const MAX_PORTIONS: usize = 100_000;

/// Returns the statements that delete messages, the answers to them, and what Mattermost keeps of both.
pub(super) fn removing_posts(belongings: &Belongings, ids: &[String]) -> Vec<Statement> {
    if ids.is_empty() {
        return Vec::new();
    }
    let mut statements = belongings.of_posts(ids);
    for sql in ["DELETE FROM posts WHERE rootid = ANY ($1)", "DELETE FROM posts WHERE id = ANY ($1)"] {
        statements.push(statement(sql, vec![Value::Texts(ids.to_vec())]));
    }
    statements
}

/// Messages that one transaction deletes.
pub(super) struct Portion {
    pub(super) ids: Vec<String>,
    /// True if only a part of the answers to the messages is in it. The messages themselves are not in it then.
    pub(super) is_of_answers: bool,
}

impl Db {
    /// Returns what to delete next of these messages and the answers to them: answers as long as there are many, and then
    /// the messages, which `removing_posts` deletes with the remaining answers.
    pub(super) async fn portion_of(&self, ids: Vec<String>) -> Result<Portion, StoreError> {
        let sql = "SELECT id FROM posts WHERE rootid = ANY ($1) LIMIT $2";
        let limit = i64::try_from(MAX_DELETED).unwrap_or(i64::MAX);
        let rows = self.read(statement(sql, vec![Value::Texts(ids.clone()), limit.into()])).await?;
        let answers: Vec<String> = rows.into_iter().map(|mut row| row.text()).collect::<Result<_, StoreError>>()?;
        let is_of_answers = answers.len() >= MAX_DELETED;
        Ok(Portion { ids: if is_of_answers { answers } else { ids }, is_of_answers })
    }

    /// Deletes messages in portions until few are left, for a deletion of all of them.
    pub(super) async fn remove_many_posts(&self, belongings: &Belongings) -> Result<(), StoreError> {
        let limit = i64::try_from(MAX_DELETED).unwrap_or(i64::MAX);
        for _ in 0..MAX_PORTIONS {
            let rows = self.read(statement("SELECT id FROM posts LIMIT $1", vec![limit.into()])).await?;
            let ids: Vec<String> = rows.into_iter().map(|mut row| row.text()).collect::<Result<_, StoreError>>()?;
            if ids.len() < MAX_DELETED {
                return Ok(());
            }
            let portion = self.portion_of(ids).await?;
            self.transaction(Transaction::of(removing_posts(belongings, &portion.ids))).await?;
        }
        Err(StoreError::Unavailable("there are new messages all the time".to_owned()))
    }

    /// Stores a message to `recipient_id` and counts it as unread. Creates the direct channel if it does not exist.
    ///
    /// Returns `None` when the direct channel accepts no more messages.
    pub(crate) async fn add_direct_message(
        &self,
        post: &Post,
        recipient_id: &str,
    ) -> Result<Option<DirectChannel>, StoreError> {
        let name = direct_name(&post.user_id, recipient_id);
        let statements = vec![
            channel(post, recipient_id, &name),
            self.companions().await?.noting_joins(members(post, recipient_id, &name)),
            insertion(post, &name),
            counted_in_channel(post, &name),
            counted_as_unread(post, recipient_id, &name),
            counted_as_seen(post, &name),
        ];
        let transaction = Transaction::of(statements).lock_exclusive(Subject::Channel(&name));
        let mut answers = self.transaction(transaction).await?.into_iter();
        let is_new = answers.next().is_some_and(|made| !made.is_empty());
        let mut stored = answers.nth(1).unwrap_or_default();
        let id = stored.first_mut().map(Row::text).transpose()?;
        Ok(id.map(|id| DirectChannel { id, name, is_new }))
    }

    /// Returns the number of messages from one user to another since a time (Unix milliseconds).
    pub(crate) async fn direct_message_count(&self, from: &str, to: &str, since: i64) -> Result<i64, StoreError> {
        let sql = "SELECT COUNT(*) FROM posts p JOIN channels c ON c.id = p.channelid \
                   WHERE c.name = $1 AND c.teamid = '' AND p.deleteat = 0 AND p.createat >= $2 AND p.userid = $3";
        let values = vec![direct_name(from, to).into(), since.into(), from.into()];
        self.read(statement(sql, values)).await?.into_iter().next().map_or(Ok(0), |mut row| row.int())
    }

    /// Returns true when the user is in the post's channel and so may read it; `None` when there is no such post.
    pub(crate) async fn may_read_post(&self, post_id: &str, user_id: &str) -> Result<Option<bool>, StoreError> {
        let sql = "SELECT CASE WHEN m.userid IS NULL THEN 'no' ELSE 'yes' END FROM posts p \
                   LEFT JOIN channelmembers m ON m.channelid = p.channelid AND m.userid = $2 \
                   WHERE p.id = $1 AND p.deleteat = 0";
        let mut rows = self.read(statement(sql, vec![post_id.into(), user_id.into()])).await?;
        let answer = rows.first_mut().map(Row::text).transpose()?;
        Ok(answer.map(|answer| answer == "yes"))
    }
}

fn channel(post: &Post, recipient_id: &str, name: &str) -> Statement {
    let sql = "INSERT INTO channels (id, createat, updateat, deleteat, teamid, type, displayname, name, header, purpose, \
               lastpostat, totalmsgcount, extraupdateat, creatorid, totalmsgcountroot, lastrootpostat) \
               VALUES ($1, $2, $2, 0, '', 'D', '', $3, '', '', 0, 0, 0, $4, 0, 0) \
               ON CONFLICT (name, teamid) DO NOTHING RETURNING id";
    let id = quarterdeck_actors::id::new_id();
    statement(sql, vec![id.into(), post.create_at.into(), name.into(), recipient_id.into()])
}

fn members(post: &Post, recipient_id: &str, name: &str) -> Statement {
    let sql = "INSERT INTO channelmembers (channelid, userid, roles, lastviewedat, msgcount, mentioncount, notifyprops, \
               lastupdateat, schemeuser, schemeadmin, schemeguest, mentioncountroot, msgcountroot, urgentmentioncount) \
               SELECT c.id, u.id, '', 0, 0, 0, $4, $5, ' ' || u.roles || ' ' NOT LIKE '% system_guest %', false, \
               ' ' || u.roles || ' ' LIKE '% system_guest %', 0, 0, 0 \
               FROM channels c CROSS JOIN users u WHERE c.name = $1 AND c.teamid = '' AND u.id IN ($2, $3) \
               ON CONFLICT (channelid, userid) DO NOTHING";
    let notify_props = json!({
        "desktop": "default", "email": "default", "push": "default", "mark_unread": "all",
        "ignore_channel_mentions": "default", "channel_auto_follow_threads": "off",
    });
    let values = vec![
        name.into(),
        (&post.user_id).into(),
        recipient_id.into(),
        Value::Json(notify_props),
        post.create_at.into(),
    ];
    statement(sql, values)
}

fn insertion(post: &Post, name: &str) -> Statement {
    let sql = "INSERT INTO posts (id, createat, updateat, deleteat, userid, channelid, rootid, originalid, message, type, \
               props, hashtags, filenames, fileids, hasreactions, editat, ispinned, remoteid) \
               SELECT $1, $2, $2, 0, $3, c.id, '', '', $4, '', $5, '', '[]', '[]', false, 0, false, '' \
               FROM channels c WHERE c.name = $6 AND c.teamid = '' AND c.deleteat = 0 RETURNING channelid";
    let values = vec![
        (&post.id).into(),
        post.create_at.into(),
        (&post.user_id).into(),
        (&post.message).into(),
        Value::Json(post.props.clone().into()),
        name.into(),
    ];
    statement(sql, values)
}

fn counted_in_channel(post: &Post, name: &str) -> Statement {
    let sql = "UPDATE channels SET lastpostat = $2, lastrootpostat = $2, totalmsgcount = totalmsgcount + 1, \
               totalmsgcountroot = totalmsgcountroot + 1 WHERE name = $1 AND teamid = '' AND deleteat = 0";
    statement(sql, vec![name.into(), post.create_at.into()])
}

fn counted_as_unread(post: &Post, recipient_id: &str, name: &str) -> Statement {
    let sql = "UPDATE channelmembers SET mentioncount = mentioncount + 1, mentioncountroot = mentioncountroot + 1, \
               lastupdateat = $3 WHERE userid = $2 \
               AND channelid = (SELECT id FROM channels WHERE name = $1 AND teamid = '' AND deleteat = 0)";
    statement(sql, vec![name.into(), recipient_id.into(), post.create_at.into()])
}

fn counted_as_seen(post: &Post, name: &str) -> Statement {
    let sql = "UPDATE channelmembers SET lastviewedat = $3, msgcount = msgcount + 1, msgcountroot = msgcountroot + 1, \
               lastupdateat = $3 WHERE userid = $2 \
               AND channelid = (SELECT id FROM channels WHERE name = $1 AND teamid = '' AND deleteat = 0)";
    statement(sql, vec![name.into(), (&post.user_id).into(), post.create_at.into()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{add, execute, fresh, person, texts};

    #[actix_web::test]
    async fn a_direct_message_makes_the_channel_once_and_is_unread_for_its_recipient() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert", "curt"] {
            add(&db, name).await;
        }
        let first = Post::new(&person("anna"), "hello", 10);
        let channel = db.add_direct_message(&first, "bert").await.unwrap().unwrap();
        assert!(channel.is_new);
        assert_eq!(channel.name, "anna__bert");
        let again = db.add_direct_message(&Post::new(&person("anna"), "again", 20), "bert").await.unwrap().unwrap();
        assert_eq!((again.is_new, &again.id), (false, &channel.id));
        let counts = "SELECT userid || ' ' || msgcount || ' ' || mentioncount FROM channelmembers ORDER BY userid";
        assert_eq!(texts(&db, counts).await, ["anna 2 0", "bert 0 2"]);
        assert_eq!(texts(&db, "SELECT totalmsgcount || ' ' || lastpostat FROM channels").await, ["2 20"]);

        assert_eq!(db.direct_message_count("anna", "bert", 0).await.unwrap(), 2);
        assert_eq!(db.direct_message_count("anna", "bert", 20).await.unwrap(), 1);
        assert_eq!(db.direct_message_count("bert", "anna", 0).await.unwrap(), 0, "in the other direction");
        for (user, may_read) in [("anna", Some(true)), ("bert", Some(true)), ("curt", Some(false))] {
            assert_eq!(db.may_read_post(&first.id, user).await.unwrap(), may_read, "{user}");
        }
        assert_eq!(db.may_read_post("never", "anna").await.unwrap(), None);
    }

    #[actix_web::test]
    async fn a_deleted_direct_channel_takes_no_message() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        db.add_direct_message(&Post::new(&person("anna"), "hello", 10), "bert").await.unwrap().unwrap();
        execute(&db, "UPDATE channels SET deleteat = 11").await;
        let refused = db.add_direct_message(&Post::new(&person("anna"), "again", 20), "bert").await.unwrap();
        assert!(refused.is_none());
        assert_eq!(texts(&db, "SELECT message FROM posts").await, ["hello"]);
    }
}
