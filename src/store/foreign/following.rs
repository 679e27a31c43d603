//! Rows of Mattermost's own tables that follow from changes of channels and of their members: a Mattermost lists public
//! channels from one of them, and exports of compliance read the other one.

use super::super::{Statement, statement};
use super::Companions;

/// The time of the database in Unix milliseconds.
const NOW: &str = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS bigint)";

impl Companions {
    /// Returns a statement that inserts into `channelmembers`, made to note the members that it adds in the history.
    pub(in crate::store) fn noting_joins(self, adding: Statement) -> Statement {
        if !self.member_history {
            return adding;
        }
        let Statement { sql, values } = adding;
        let sql = format!(
            "WITH joined AS ({sql} RETURNING channelid, userid) \
             INSERT INTO channelmemberhistory (channelid, userid, jointime) SELECT channelid, userid, {NOW} FROM joined \
             ON CONFLICT DO NOTHING"
        );
        statement(sql, values)
    }

    /// Returns a statement that deletes from `channelmembers`, made to note in the history that they left. A member whose
    /// beginning the history does not have is left out of it.
    pub(in crate::store) fn noting_leaves(self, removing: Statement) -> Statement {
        if !self.member_history {
            return removing;
        }
        let Statement { sql, values } = removing;
        let sql = format!(
            "WITH gone AS ({sql} RETURNING channelid, userid) \
             UPDATE channelmemberhistory h SET leavetime = GREATEST(h.jointime, {NOW}) FROM gone \
             WHERE h.channelid = gone.channelid AND h.userid = gone.userid AND h.leavetime IS NULL"
        );
        statement(sql, values)
    }

    /// Returns the statement that lists the public channels of a team, if there is a list.
    pub(in crate::store) fn listing(self, team_id: &str) -> Option<Statement> {
        let sql = "INSERT INTO publicchannels (id, deleteat, teamid, displayname, name, header, purpose) \
                   SELECT c.id, c.deleteat, c.teamid, c.displayname, c.name, c.header, c.purpose FROM channels c \
                   WHERE c.teamid = $1 AND c.type = 'O' ON CONFLICT (id) DO UPDATE SET deleteat = excluded.deleteat, \
                   teamid = excluded.teamid, displayname = excluded.displayname, name = excluded.name, \
                   header = excluded.header, purpose = excluded.purpose";
        self.public_channels.then(|| statement(sql, vec![team_id.into()]))
    }

    /// Returns the statement that takes the channels of a team off the list, if there is one.
    pub(in crate::store) fn unlisting(self, team_id: &str) -> Option<Statement> {
        let sql = "DELETE FROM publicchannels WHERE teamid = $1";
        self.public_channels.then(|| statement(sql, vec![team_id.into()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_stays_as_it_is_where_no_history_is_kept() {
        let deletion = || statement("DELETE FROM channelmembers WHERE userid = $1", vec!["anna".into()]);
        let plain = Companions::default();
        assert_eq!(plain.noting_leaves(deletion()).sql, deletion().sql);
        assert_eq!(plain.noting_joins(deletion()).sql, deletion().sql);
        assert!(plain.listing("crew").is_none() && plain.unlisting("crew").is_none());
        let all = Companions { schemes: true, public_channels: true, member_history: true };
        let noting = all.noting_leaves(deletion());
        assert!(
            noting.sql.starts_with("WITH gone AS (DELETE FROM channelmembers WHERE userid = $1 RETURNING channelid")
        );
        assert_eq!(noting.values.len(), 1);
        assert!(all.listing("crew").is_some() && all.unlisting("crew").is_some());
    }
}
