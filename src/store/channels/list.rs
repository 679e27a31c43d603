//! The list of all channels of teams.

use super::super::{Db, Row, StoreError, Value, statement};
use crate::base::channel::ChannelOfTeam;
use crate::base::paging::Paging;

const OF_TEAMS: &str = "FROM channels c JOIN teams t ON t.id = c.teamid WHERE c.type IN ('O', 'P')";

/// The channels that a list contains.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ChannelFilter<'a> {
    /// True if archived channels are included.
    pub(crate) includes_deleted: bool,
    /// The names of channels that are left out.
    pub(crate) without: &'a [&'a str],
}

impl Db {
    /// Returns a page of the public and private channels of all teams, by display name.
    pub(crate) async fn channels(
        &self,
        filter: ChannelFilter<'_>,
        paging: Paging,
    ) -> Result<Vec<ChannelOfTeam>, StoreError> {
        let sql = format!(
            "SELECT c.id, c.createat, c.updateat, c.deleteat, c.teamid, CAST(c.type AS text), c.displayname, c.name, c.header, \
             c.purpose, c.lastpostat, c.totalmsgcount, c.extraupdateat, c.creatorid, c.schemeid, c.groupconstrained, \
             c.shared, c.totalmsgcountroot, c.lastrootpostat, c.defaultcategoryname, t.displayname, t.name, t.updateat \
             {OF_TEAMS}{} ORDER BY c.displayname, t.displayname, c.id LIMIT $2 OFFSET $3",
            filter.conditions()
        );
        let values = vec![filter.names(), paging.limit().into(), paging.offset().into()];
        self.read(statement(sql, values)).await?.into_iter().map(channel).collect()
    }

    /// Returns the number of channels with the same filter.
    pub(crate) async fn channel_count(&self, filter: ChannelFilter<'_>) -> Result<i64, StoreError> {
        let sql = format!("SELECT COUNT(*) {OF_TEAMS}{}", filter.conditions());
        let rows = self.read(statement(sql, vec![filter.names()])).await?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.int())
    }
}

impl ChannelFilter<'_> {
    /// Returns the conditions. Their one parameter is [`Self::names`].
    fn conditions(&self) -> &'static str {
        if self.includes_deleted { " AND c.name <> ALL ($1)" } else { " AND c.name <> ALL ($1) AND c.deleteat = 0" }
    }

    fn names(&self) -> Value {
        Value::Texts(self.without.iter().map(|name| (*name).to_owned()).collect())
    }
}

fn channel(mut row: Row) -> Result<ChannelOfTeam, StoreError> {
    Ok(ChannelOfTeam {
        id: row.text()?,
        create_at: row.int()?,
        update_at: row.int()?,
        delete_at: row.int()?,
        team_id: row.text()?,
        kind: row.text()?,
        display_name: row.text()?,
        name: row.text()?,
        header: row.text()?,
        purpose: row.text()?,
        last_post_at: row.int()?,
        total_msg_count: row.int()?,
        extra_update_at: row.int()?,
        creator_id: row.text()?,
        scheme_id: row.optional_text()?.filter(|id| !id.is_empty()),
        props: None,
        group_constrained: row.optional_bool()?,
        shared: row.optional_bool()?,
        total_msg_count_root: row.int()?,
        policy_id: None,
        last_root_post_at: row.int()?,
        default_category_name: row.text()?,
        team_display_name: row.text()?,
        team_name: row.text()?,
        team_update_at: row.int()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{execute, fresh};

    #[actix_web::test]
    async fn channels_of_teams_are_listed_and_counted_with_their_team() {
        let (_folder, db) = fresh().await;
        execute(&db, "INSERT INTO teams (id, name, displayname, updateat) VALUES ('t', 'crew', 'The crew', 4)").await;
        execute(
            &db,
            "INSERT INTO channels (id, name, displayname, teamid, type, deleteat) VALUES ('1', 'b', 'B', 't', 'O', 0), \
             ('2', 'a', 'A', 't', 'P', 0), ('3', 'c', 'C', 't', 'O', 9), ('4', 'd', 'D', '', 'D', 0)",
        )
        .await;
        let [living, all] = [false, true].map(|includes_deleted| ChannelFilter { includes_deleted, without: &[] });
        let others = ChannelFilter { without: &["a", "c"], ..all };
        let ids = async |filter, page, per_page| {
            let found = db.channels(filter, Paging { page, per_page }).await.unwrap();
            found.into_iter().map(|channel| channel.id).collect::<Vec<_>>().concat()
        };
        assert_eq!(ids(living, 0, 60).await, "21");
        assert_eq!(ids(all, 0, 60).await, "213");
        assert_eq!(ids(all, 1, 2).await, "3");
        assert_eq!(ids(others, 0, 60).await, "1");
        for (filter, count) in [(living, 2), (all, 3), (others, 1)] {
            assert_eq!(db.channel_count(filter).await.unwrap(), count);
        }
        let first = db.channels(living, Paging { page: 0, per_page: 1 }).await.unwrap().remove(0);
        assert_eq!((first.kind.as_str(), first.team_name.as_str(), first.team_update_at), ("P", "crew", 4));
    }
}
