//! The search for teams.

use super::super::users::escaped;
use super::super::{Db, StoreError, Value, statement};
use super::{TEAM, team};
use crate::base::paging::Paging;
use crate::base::team::Team;

/// The conditions of a search for teams.
#[derive(Debug, Default)]
pub(crate) struct TeamSearch {
    /// A part of the name or of the display name.
    pub(crate) term: String,
    /// Only teams that have, or do not have, the setting of this name.
    pub(crate) allow_open_invite: Option<bool>,
    /// Only teams that any user may join, or only the others.
    pub(crate) is_open: Option<bool>,
    /// Only teams whose members groups determine, or only the others.
    pub(crate) is_group_constrained: Option<bool>,
}

/// Finds the term, in any letter case, in the name and the display name. SQLite knows the letter case of ASCII only, so
/// the display name is compared with four spellings of the term.
const FOUND: &str = "(t.name LIKE $1 ESCAPE '\\' OR LOWER(t.displayname) LIKE $1 ESCAPE '\\' \
                     OR t.displayname LIKE $2 ESCAPE '\\' OR t.displayname LIKE $3 ESCAPE '\\' \
                     OR t.displayname LIKE $4 ESCAPE '\\')";

impl Db {
    /// Returns a page of the teams that match, by display name, archived ones too.
    pub(crate) async fn search_teams(&self, search: &TeamSearch, paging: Paging) -> Result<Vec<Team>, StoreError> {
        let sql = format!(
            "SELECT {TEAM} FROM teams t WHERE {FOUND} AND {} ORDER BY t.displayname, t.id LIMIT $5 OFFSET $6",
            condition(search)
        );
        let mut values = spellings(&search.term);
        values.extend([paging.limit().into(), paging.offset().into()]);
        self.read(statement(sql, values)).await?.into_iter().map(team).collect()
    }

    /// Returns the number of teams that match.
    pub(crate) async fn found_team_count(&self, search: &TeamSearch) -> Result<i64, StoreError> {
        let sql = format!("SELECT COUNT(*) FROM teams t WHERE {FOUND} AND {}", condition(search));
        let rows = self.read(statement(sql, spellings(&search.term))).await?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.int())
    }
}

fn condition(search: &TeamSearch) -> String {
    let openness = match search.allow_open_invite {
        None => "1 = 1",
        Some(true) => "t.allowopeninvite",
        Some(false) => "NOT COALESCE(t.allowopeninvite, false)",
    };
    let kind = match search.is_open {
        None => "1 = 1",
        Some(true) => "t.type = 'O' AND t.allowopeninvite",
        Some(false) => "(t.type = 'I' OR NOT COALESCE(t.allowopeninvite, false))",
    };
    let groups = match search.is_group_constrained {
        None => "1 = 1",
        Some(true) => "COALESCE(t.groupconstrained, false)",
        Some(false) => "NOT COALESCE(t.groupconstrained, false)",
    };
    format!("{openness} AND {kind} AND {groups}")
}

fn spellings(term: &str) -> Vec<Value> {
    let lower = term.to_lowercase();
    let mut rest = lower.chars();
    let capital: String = rest.next().into_iter().flat_map(char::to_uppercase).chain(rest).collect();
    let texts = [lower.as_str(), term, term.to_uppercase().as_str(), capital.as_str()].map(escaped);
    texts.into_iter().map(|text| Value::Text(format!("%{text}%"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{execute, fresh};

    #[actix_web::test]
    async fn a_term_is_found_inside_both_names_in_any_case_and_is_no_pattern() {
        let (_folder, db) = fresh().await;
        execute(
            &db,
            "INSERT INTO teams (id, name, displayname, type, allowopeninvite, createat, updateat, deleteat, description, \
             email, companyname, alloweddomains, inviteid, lastteamiconupdate, groupconstrained) VALUES \
             ('1', 'crew-one', 'Die Übung', 'O', true, 0, 0, 0, '', '', '', '', '', 0, true), \
             ('2', 'other', 'A Crew 50%', 'I', false, 0, 0, 7, '', '', '', '', '', 0, false), \
             ('3', 'third', 'Zebra', 'O', NULL, 0, 0, 0, '', '', '', '', '', 0, NULL)",
        )
        .await;
        let all = Paging { page: 0, per_page: 10 };
        let found = async |search: TeamSearch| {
            let count = db.found_team_count(&search).await.unwrap();
            let teams = db.search_teams(&search, all).await.unwrap();
            assert_eq!(usize::try_from(count).unwrap(), teams.len());
            teams.into_iter().map(|team| team.id).collect::<Vec<_>>().join(" ")
        };
        let term = |term: &str| TeamSearch { term: term.to_owned(), ..TeamSearch::default() };
        for (text, ids) in [
            ("CREW", "2 1"),
            ("übung", "1"),
            ("ÜBUNG", "1"),
            ("0%", "2"),
            ("%", "2"),
            ("_", ""),
            ("", "2 1 3"),
            ("x", ""),
        ] {
            assert_eq!(found(term(text)).await, ids, "{text}");
        }
        assert_eq!(found(TeamSearch { is_open: Some(true), ..term("") }).await, "1");
        assert_eq!(found(TeamSearch { is_open: Some(false), ..term("") }).await, "2 3");
        assert_eq!(found(TeamSearch { allow_open_invite: Some(true), ..term("") }).await, "1");
        assert_eq!(found(TeamSearch { allow_open_invite: Some(false), ..term("e") }).await, "2 3");
        assert_eq!(found(TeamSearch { is_group_constrained: Some(true), ..term("") }).await, "1");
        assert_eq!(found(TeamSearch { is_group_constrained: Some(false), ..term("") }).await, "2 3");
        let second = db.search_teams(&term(""), Paging { page: 1, per_page: 2 }).await.unwrap();
        assert_eq!(second.len(), 1);
    }
}
