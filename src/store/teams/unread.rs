//! The numbers of unread messages and mentions of a user, by team.

use crate::base::team::Unread;
use crate::store::{Db, Row, StoreError, statement};

impl Db {
    /// Returns the unread messages and mentions of a user by team, without the team `except`.
    pub(crate) async fn unread_by_team(&self, user_id: &str, except: &str) -> Result<Vec<Unread>, StoreError> {
        self.unread("c.teamid <> $2", user_id, except).await
    }

    /// Returns the unread counts of a user in one team; zeros for a user who is not a member.
    pub(crate) async fn unread_in_team(&self, user_id: &str, team_id: &str) -> Result<Unread, StoreError> {
        let found = self.unread("c.teamid = $2", user_id, team_id).await?.pop();
        Ok(found.unwrap_or_else(|| Unread { team_id: team_id.to_owned(), ..Unread::default() }))
    }

    async fn unread(&self, condition: &str, user_id: &str, team_id: &str) -> Result<Vec<Unread>, StoreError> {
        // A channel where the user marks only mentions as unread has no unread messages.
        let messages = |total: &str, read: &str| {
            format!(
                "CAST(SUM(CASE WHEN COALESCE(m.notifyprops ->> 'mark_unread', 'all') = 'mention' THEN 0 \
                 ELSE COALESCE(c.{total}, 0) - COALESCE(m.{read}, 0) END) AS bigint)"
            )
        };
        let sql = format!(
            "SELECT c.teamid, {}, CAST(SUM(COALESCE(m.mentioncount, 0)) AS bigint), \
             CAST(SUM(COALESCE(m.mentioncountroot, 0)) AS bigint), {} \
             FROM channels c JOIN channelmembers m ON m.channelid = c.id \
             JOIN teammembers t ON t.teamid = c.teamid AND t.userid = m.userid AND t.deleteat = 0 \
             WHERE m.userid = $1 AND c.deleteat = 0 AND {condition} GROUP BY c.teamid ORDER BY c.teamid",
            messages("totalmsgcount", "msgcount"),
            messages("totalmsgcountroot", "msgcountroot")
        );
        self.read(statement(sql, vec![user_id.into(), team_id.into()])).await?.into_iter().map(unread).collect()
    }
}

fn unread(mut row: Row) -> Result<Unread, StoreError> {
    Ok(Unread {
        team_id: row.text()?,
        msg_count: row.int()?,
        mention_count: row.int()?,
        mention_count_root: row.int()?,
        msg_count_root: row.int()?,
        thread_count: 0,
        thread_mention_count: 0,
        thread_urgent_mention_count: 0,
    })
}
